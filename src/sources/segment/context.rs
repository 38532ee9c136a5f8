//! The column `context` of the edX dialect: several objects merged, values byte for byte.

use super::course;
use crate::{
    clock::UnixMicros,
    event::{
        json::{object::Object, value::Value, writer::ObjectWriter},
        time::format_rfc3339,
    },
};

/// Never in the context, whoever put them there: each has a column, or names a person.
const REMOVED: &[&str] = &["username", "session", "ip", "agent", "host", "client_id"];

/// What is merged, in order; later members win over earlier ones.
pub(super) struct Merge<'o, 'a> {
    /// Path of the request.
    pub path: &'o str,
    /// The whole root context, if it is an object with members.
    pub client: Option<Value<'a>>,
    /// `properties.context`.
    pub properties: &'o Object<'a>,
    /// The user id as JSON.
    pub user_id: Option<&'o str>,
    /// `receivedAt`, read.
    pub received_at: Option<UnixMicros>,
}

/// The merged context, and whether a course id stood in it that could not be read.
pub(super) fn merge(parts: &Merge<'_, '_>) -> (Vec<u8>, bool) {
    let course_id = parts.properties.get("course_id");
    let course_text = course_id.and_then(Value::string);
    let organisation = course_text.as_deref().and_then(course::organisation);
    let course_unparsed = organisation.is_none() && course_id.is_some_and(|id| !id.is_blank());

    let mut out = ObjectWriter::default();
    for (name, value) in
        [("path", quoted(parts.path)), ("client", parts.client.map(|value| value.text().into()))]
    {
        if let Some(value) = value.filter(|_| parts.properties.get(name).is_none()) {
            out.named(name, &value);
        }
    }
    for member in parts.properties.iter() {
        let replaced = member.is_named("user_id") && parts.user_id.is_some()
            || member.is_named("org_id") && organisation.is_some()
            || member.is_named("received_at") && parts.received_at.is_some()
            || REMOVED.iter().any(|name| member.is_named(name));
        if !replaced {
            out.raw(member.key.text(), member.value.text());
        }
    }
    if let Some(user_id) = parts.user_id {
        out.named("user_id", user_id);
    }
    if let Some(organisation) = organisation.and_then(quoted) {
        out.named("org_id", &organisation);
    }
    if let Some(at) = parts.received_at {
        out.named("received_at", &format!("\"{}\"", format_rfc3339(at)));
    }
    (out.finish(), course_unparsed)
}

fn quoted(text: &str) -> Option<String> {
    serde_json::to_string(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(properties: &str) -> String {
        let properties = Object::parse(properties).unwrap();
        let client = Some(Value::new(r#"{"a":1}"#));
        let parts =
            Merge { path: "/p", client, properties: &properties, user_id: Some("7"), received_at: Some(0) };
        String::from_utf8(merge(&parts).0).unwrap()
    }

    #[test]
    fn later_members_win_and_nothing_is_doubled() {
        assert_eq!(
            merged(
                r#"{"x":1.0,"x":2.0,"user_id":9,"received_at":0,"path":"/mine","cli\u0065nt":5,"org_id":"kept","course_id":"bad"}"#
            ),
            r#"{"x":2.0,"path":"/mine","cli\u0065nt":5,"org_id":"kept","course_id":"bad","user_id":7,"received_at":"1970-01-01T00:00:00.000000Z"}"#
        );
        assert_eq!(
            merged(r#"{"course_id":"a/b/c","org_id":"replaced"}"#),
            r#"{"path":"/p","client":{"a":1},"course_id":"a/b/c","user_id":7,"org_id":"a","received_at":"1970-01-01T00:00:00.000000Z"}"#
        );
    }

    #[test]
    fn private_members_are_removed_whoever_sent_them() {
        let sent = r#"{"username":1,"session":1,"ip":1,"agent":1,"host":1,"client_id":1,"us\u0065rname":1,"kept":1}"#;
        assert!(!merged(sent).contains("username") && !merged(sent).contains("0065"), "{}", merged(sent));
        assert!(merged(sent).contains(r#""kept":1"#));
    }
}
