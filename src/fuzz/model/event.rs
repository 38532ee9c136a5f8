//! Segment's events, by the table of the checks.

use sha2::{Digest, Sha256};

use super::{Members, clean, column, course::organisation, is_blank, is_json, members, string, time};
use crate::{
    clock::UnixMicros,
    event::time::format_rfc3339,
    sources::segment::{Allowlist, Preset, Required, Settings, Users},
};

/// What becomes of an element.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Event(Box<Columns>),
    Ignored(&'static str),
    Refused(&'static str),
}

/// The columns; JSON as its members, each as text.
#[derive(Debug, PartialEq)]
pub(crate) struct Columns {
    pub(crate) texts: [String; 8],
    pub(crate) optional: [Option<String>; 5],
    pub(crate) time: UnixMicros,
    pub(crate) event: Result<Members, String>,
    pub(crate) context: Members,
    pub(crate) sanitised: bool,
    pub(crate) hash: Vec<u8>,
}

use Verdict::{Ignored, Refused};

/// Judges an element that came to `/p` of the host `h` at `now`. The directory knows the users 1 to 99.
pub(crate) fn event(settings: &Settings, sent: &str, now: UnixMicros, depth_max: usize) -> Verdict {
    Element::judge(settings, sent, now, depth_max).unwrap_or_else(|verdict| verdict)
}

/// An element taken apart as far as the checks have come.
struct Element<'s> {
    settings: &'s Settings,
    root: Members,
    properties: Members,
    context: Option<Members>,
    own_context: Members,
}

impl<'s> Element<'s> {
    fn judge(
        settings: &'s Settings,
        sent: &str,
        now: UnixMicros,
        depth_max: usize,
    ) -> Result<Verdict, Verdict> {
        if !is_json(sent) {
            return Err(Refused("body.malformed"));
        }
        if !sent.trim_ascii_start().starts_with('{') {
            return Err(Refused("body.not_object"));
        }
        let cleaned = clean(sent, depth_max).map_err(Refused)?;
        let root = members(&cleaned).unwrap();
        let properties = object(root.get("properties"), "properties.invalid")?.unwrap_or_default();
        let mut element = Element { settings, root, properties, context: None, own_context: Members::new() };
        let channel = element.channel()?;
        let action = element.action()?;
        element.context = object(element.root.get("context"), "context.invalid")?;
        element.own_context =
            object(element.properties.get("context"), "properties_context.invalid")?.unwrap_or_default();
        let user = user(settings, &element.root)?;
        let (at, received_at) = element.times()?;
        let event_type = element.event_type(&action)?;
        Ok(Verdict::Event(Box::new(Columns {
            texts: element.texts(channel, action, event_type),
            context: element.merged(user.as_ref(), received_at),
            optional: element.optional(user),
            time: at.unwrap_or(now),
            event: element.payload(),
            sanitised: cleaned != sent,
            hash: Sha256::digest(sent)[..16].to_vec(),
        })))
    }

    fn is_edx(&self) -> bool {
        self.settings.preset == Preset::Edx
    }

    fn requires(&self, what: Required) -> bool {
        self.settings.required.contains(&what)
    }

    fn channel(&self) -> Result<String, Verdict> {
        let (own, root) = (given(&self.properties, "event_source"), given(&self.root, "channel"));
        let channel = if self.is_edx() { own.or(root) } else { root.or(own) };
        admitted(channel, self.settings.allowed_channels.as_ref(), "channel.ignored", "channel.invalid")
    }

    fn action(&self) -> Result<String, Verdict> {
        let (named, call) = (given(&self.root, "action"), given(&self.root, "type"));
        let action = if self.is_edx() { named.or(call) } else { call.or(named) };
        admitted(action, self.settings.allowed_actions.as_ref(), "action.ignored", "action.invalid")
            .map(|action| action.to_lowercase())
    }

    fn times(&self) -> Result<(Option<UnixMicros>, Option<UnixMicros>), Verdict> {
        let stamp = |name: &str, needed: bool, missing, invalid| match self.root.get(name) {
            None if needed => Err(Refused(missing)),
            None => Ok(None),
            Some(value) if !needed && is_blank(value) => Ok(None),
            Some(value) => string(value).and_then(|text| time(&text)).map(Some).ok_or(Refused(invalid)),
        };
        let at =
            stamp("timestamp", self.requires(Required::Timestamp), "timestamp.missing", "timestamp.invalid")?;
        let needed = self.requires(Required::ReceivedAt);
        let received_at = match self.is_edx() || needed {
            true => stamp("receivedAt", needed, "received_at.missing", "received_at.invalid")?,
            false => None,
        };
        Ok((at, received_at))
    }

    /// What Segment calls the event.
    fn label(&self, action: &str) -> Option<&String> {
        match action {
            "track" => self.root.get("event"),
            "page" | "screen" => self.root.get("name"),
            _ => None,
        }
    }

    fn event_type(&self, action: &str) -> Result<String, Verdict> {
        let value = if self.is_edx() { self.properties.get("event_type") } else { self.label(action) };
        let text = value.and_then(|value| string(value)).filter(|text| !text.is_empty());
        match text {
            Some(text) => Ok(text),
            None if !self.requires(Required::EventType) => Ok(action.to_owned()),
            None if self.is_edx() && value.is_some() => Err(Refused("event_type.invalid")),
            None => Err(Refused("event_type.missing")),
        }
    }

    fn of_context(&self, name: &str) -> Option<String> {
        self.context.as_ref().and_then(|context| shown(context.get(name)))
    }

    fn texts(&self, channel: String, action: String, event_type: String) -> [String; 8] {
        let is_edx = self.is_edx();
        let host = if is_edx { shown(self.own_context.get("host")) } else { self.of_context("host") };
        let ip = shown(self.properties.get("ip")).or_else(|| self.of_context("ip").filter(|_| !is_edx));
        let name = if is_edx { shown(self.properties.get("name")) } else { shown(self.label(&action)) };
        [
            "segment".into(),
            action,
            event_type,
            name.unwrap_or_default(),
            channel,
            host.filter(|host| !host.is_empty()).unwrap_or_else(|| "h".into()),
            self.of_context("userAgent").unwrap_or_default(),
            ip.unwrap_or_default(),
        ]
    }

    fn optional(&self, user: Option<User>) -> [Option<String>; 5] {
        let is_key = |id: &String| id.starts_with(['"', '-']) || id.as_bytes()[0].is_ascii_digit();
        let key = given(&self.root, "messageId").filter(is_key).map(|id| bounded(column(&id)));
        let anonymous = given(&self.root, "anonymousId").map(|id| column(&id));
        let (id, name) = user.map_or((None, None), |user| (Some(user.id), user.name));
        [key, id, anonymous, name, shown(self.properties.get("page"))]
    }

    fn payload(&self) -> Result<Members, String> {
        if self.is_edx() {
            let event = self.properties.get("event").cloned().unwrap_or_else(|| "{}".into());
            return members(&event).ok_or(event);
        }
        Ok(self.root.clone().into_iter().filter(|(name, _)| name != "context").collect())
    }

    /// The context; of the edX dialect, later lines win.
    fn merged(&self, user: Option<&User>, received_at: Option<UnixMicros>) -> Members {
        let client = self.context.clone().unwrap_or_default();
        if !self.is_edx() {
            return client;
        }
        let mut merged = Members::from([("path".into(), "\"/p\"".into())]);
        if !client.is_empty() {
            merged.insert("client".into(), self.root["context"].clone());
        }
        merged.extend(self.own_context.clone());
        if let Some(user) = user {
            merged.insert("user_id".into(), user.json.clone());
        }
        let course = self.own_context.get("course_id").and_then(|id| string(id));
        if let Some(organisation) = course.as_deref().and_then(organisation) {
            merged.insert("org_id".into(), serde_json::to_string(organisation).unwrap());
        }
        if let Some(at) = received_at {
            merged.insert("received_at".into(), format!("\"{}\"", format_rfc3339(at)));
        }
        for name in ["username", "session", "ip", "agent", "host", "client_id"] {
            merged.remove(name);
        }
        merged
    }
}

/// An object; of nothing and of null none, and anything else breaks the rule.
fn object(value: Option<&String>, rule: &'static str) -> Result<Option<Members>, Verdict> {
    match value.map_or("null", String::as_str) {
        "null" => Ok(None),
        text => members(text).map(Some).ok_or(Refused(rule)),
    }
}

/// A member that is not absent, null or empty.
fn given(of: &Members, name: &str) -> Option<String> {
    of.get(name).filter(|value| !is_blank(value)).cloned()
}

/// A text column: null is none, and what is no text is its JSON.
fn shown(value: Option<&String>) -> Option<String> {
    value.filter(|value| *value != "null").map(|value| column(value))
}

fn admitted(
    value: Option<String>,
    allowed: Option<&Allowlist>,
    ignored: &'static str,
    invalid: &'static str,
) -> Result<String, Verdict> {
    let Some(value) = value else {
        return if allowed.is_some() { Err(Ignored(ignored)) } else { Ok(String::new()) };
    };
    let text = string(&value).ok_or(Refused(invalid))?;
    if allowed.is_none_or(|list| list.admits(&text)) { Ok(text) } else { Err(Ignored(ignored)) }
}

struct User {
    id: String,
    /// Its form in the context.
    json: String,
    name: Option<String>,
}

fn user(settings: &Settings, root: &Members) -> Result<Option<User>, Verdict> {
    let requires = |what| settings.required.contains(&what);
    let given = |name: &str| root.get(name).filter(|value| !is_blank(value));
    let Some(value) = given("userId") else {
        let anonymous = given("anonymousId").is_some();
        let missing = requires(Required::User) || requires(Required::UserOrAnonymous) && !anonymous;
        return if missing { Err(Refused("user.missing")) } else { Ok(None) };
    };
    let is_number = value.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let text = match string(value) {
        Some(text) => text,
        None if is_number => value.clone(),
        None if settings.users == Users::Any => return Err(Refused("user.invalid")),
        None => return Err(Refused("user.not_integer")),
    };
    if settings.users == Users::Any {
        return Ok(Some(User { json: serde_json::to_string(&text).unwrap(), id: text, name: None }));
    }
    let trimmed = text.trim();
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if digits.is_empty() || digits.len() > 100 || digits.contains(|digit: char| !digit.is_ascii_digit()) {
        return Err(Refused("user.not_integer"));
    }
    let size = digits.trim_start_matches('0');
    let id = match (trimmed.starts_with('-'), size) {
        (_, "") => "0".into(),
        (true, size) => format!("-{size}"),
        (false, size) => size.to_owned(),
    };
    let name = match settings.users {
        Users::Directory => {
            let known = id.parse::<u8>().ok().filter(|id| (1..=99).contains(id));
            Some(format!("learner{}", known.ok_or(Refused("user.unknown"))?))
        }
        _ => None,
    };
    Ok(Some(User { json: id.clone(), id, name }))
}

/// A dedup key as it is stored.
pub(super) fn bounded(key: String) -> String {
    if key.len() <= 200 { key } else { sha256(key.as_bytes()) }
}

/// The key that content gives itself.
pub(super) fn sha256(content: &[u8]) -> String {
    format!("sha256:{}", super::hex(&Sha256::digest(content)))
}
