//! Taking members out of a bid request, and nothing else: every other byte stays as it was sent.
//!
//! Of equal keys all are treated, the overridden ones too: what must not be kept must not be kept anywhere.

use super::{
    aliases::{Alias, Place},
    privacy,
};
use crate::event::json::{object::Member, parts::members, value::Value};

/// Something to be done to every member at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redaction<'p> {
    path: Vec<&'p str>,
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Remove,
    TruncateAddress,
}

/// What must go of those who asked not to be tracked.
pub(super) fn of_limited_tracking<'p>() -> impl Iterator<Item = Redaction<'p>> {
    let places =
        [("ip", Action::TruncateAddress), ("ipv6", Action::TruncateAddress), ("ifa", Action::Remove)];
    places.into_iter().map(|(name, action)| Redaction { path: vec!["device", name], action })
}

/// The fields of these aliases in the bid request; those of the record as well where the two are one.
pub(super) fn of_aliases(aliases: &[Alias], is_record: bool) -> impl Iterator<Item = Redaction<'_>> {
    let there = aliases.iter().filter(move |alias| is_record || alias.place() == Place::BidRequest);
    there.map(|alias| Redaction {
        path: alias.path().iter().map(String::as_str).collect(),
        action: Action::Remove,
    })
}

/// The text of a JSON object without what must go; `None` if there was nothing.
pub(super) fn redacted(text: &str, redactions: &[Redaction<'_>]) -> Option<String> {
    let paths: Vec<Step<'_, '_>> =
        redactions.iter().map(|redaction| (&redaction.path[..], redaction.action)).collect();
    let mut copy = PartialCopy { text, copied: 0, out: String::with_capacity(text.len()) };
    copy.object(Value::new(text.trim_matches([' ', '\t', '\n', '\r'])), &paths);
    (copy.copied > 0).then(|| copy.finish())
}

/// What is left of a redaction's path, and what to do at its end.
type Step<'r, 'p> = (&'r [&'p str], Action);

/// What becomes of one member.
enum Change<'r, 'p> {
    Keep,
    Remove,
    Replace(String),
    /// Something within it may change.
    Enter(Vec<Step<'r, 'p>>),
}

/// A copy under way. Goes through the text once, forwards.
struct PartialCopy<'a> {
    text: &'a str,
    /// Up to here the text is copied, or was left out.
    copied: usize,
    out: String,
}

impl<'a> PartialCopy<'a> {
    fn object(&mut self, object: Value<'a>, steps: &[Step<'_, '_>]) {
        let mut rest = members(object).peekable();
        // A member goes with the comma before it; where no member stays before it, with the comma after it.
        let mut end_before = None;
        let mut end_of_stayed = None;
        while let Some(member) = rest.next() {
            let (start, end) = (self.start(member.key), self.end(member.value));
            match change(&member, steps) {
                Change::Remove => match (end_of_stayed, end_before) {
                    (Some(_), Some(end_before)) => self.replace(end_before, end, ""),
                    _ => self.replace(start, rest.peek().map_or(end, |next| self.start(next.key)), ""),
                },
                stays => {
                    match stays {
                        Change::Replace(value) => self.replace(self.start(member.value), end, &value),
                        Change::Enter(steps) => self.object(member.value, &steps),
                        Change::Keep | Change::Remove => {}
                    }
                    end_of_stayed = Some(end);
                }
            }
            end_before = Some(end);
        }
    }

    /// Where a part of the text stands in it.
    fn start(&self, part: Value<'_>) -> usize {
        part.text().as_ptr().addr() - self.text.as_ptr().addr()
    }

    fn end(&self, part: Value<'_>) -> usize {
        self.start(part) + part.text().len()
    }

    fn replace(&mut self, start: usize, end: usize, replacement: &str) {
        self.out.push_str(self.text.get(self.copied..start).unwrap_or_default());
        self.out.push_str(replacement);
        self.copied = end;
    }

    fn finish(mut self) -> String {
        self.out.push_str(self.text.get(self.copied..).unwrap_or_default());
        self.out
    }
}

fn change<'r, 'p>(member: &Member<'_>, steps: &[Step<'r, 'p>]) -> Change<'r, 'p> {
    let mut further = Vec::new();
    for (path, action) in steps {
        match (path.split_first(), action) {
            (Some((name, _)), _) if !member.is_named(name) => {}
            (Some((_, [])) | None, Action::Remove) => return Change::Remove,
            (Some((_, [])) | None, Action::TruncateAddress) => return without_address(member.value),
            (Some((_, rest)), action) => further.push((rest, *action)),
        }
    }
    if further.is_empty() { Change::Keep } else { Change::Enter(further) }
}

fn without_address<'r, 'p>(sent: Value<'_>) -> Change<'r, 'p> {
    if sent.is_blank() {
        return Change::Keep;
    }
    let address = sent.string();
    match address.as_deref().map(|address| (address, privacy::truncated(address))) {
        Some((address, Some(truncated))) if address == truncated => Change::Keep,
        Some((_, Some(truncated))) => Change::Replace(format!("\"{truncated}\"")),
        _ => Change::Remove,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(text: &str) -> Option<String> {
        redacted(text, &of_limited_tracking().collect::<Vec<_>>())
    }

    #[test]
    fn only_what_must_go_goes() {
        for (sent, want) in [
            (r#"{ "device" : { "ifa" : "x" } , "z" : 1 }"#, r#"{ "device" : {  } , "z" : 1 }"#),
            (r#"{"device":{"ifa":"x","a":1,"b":2}}"#, r#"{"device":{"a":1,"b":2}}"#),
            (r#"{"device":{"a":1 , "ifa":"x" , "b":2}}"#, r#"{"device":{"a":1 , "b":2}}"#),
            (r#"{"device":{"a":1,"b":2,"ifa":"x"}}"#, r#"{"device":{"a":1,"b":2}}"#),
            (
                r#"{"device":{"ifa":1,"ifa":2,"a":1,"ifa":3,"ifa":4,"b":2,"ifa":5,"ifa":6}}"#,
                r#"{"device":{"a":1,"b":2}}"#,
            ),
            (r#"{"device":{"ifa":1,"ifa":2}}"#, r#"{"device":{}}"#),
            (r#"{"device":{"ifa":1,"a":1}}"#, r#"{"device":{"a":1}}"#),
            (r#"{"device":{"ifa":1},"device":{"ifa":2,"a":1}}"#, r#"{"device":{},"device":{"a":1}}"#),
            (
                r#"{"device":{"ip":"198.51.100.7","x":"198.51.100.7"}}"#,
                r#"{"device":{"ip":"198.51.100.0","x":"198.51.100.7"}}"#,
            ),
            (
                r#"{"device":{"ip":"198.51.100.7","ipv6":"2001:db8:1:2::9"}}"#,
                r#"{"device":{"ip":"198.51.100.0","ipv6":"2001:db8:1::"}}"#,
            ),
            (r#"{"device":{"ip":"behind a proxy","a":1}}"#, r#"{"device":{"a":1}}"#),
            (r#"{"device":{"a":1,"ip":3325256711}}"#, r#"{"device":{"a":1}}"#),
        ] {
            assert_eq!(limited(sent).as_deref(), Some(want), "{sent}");
        }
    }

    #[test]
    fn where_nothing_must_go_nothing_is_written() {
        for sent in [
            "{}",
            r#"{"ifa":"not the device's","ip":"198.51.100.7"}"#,
            r#"{"device":[{"ifa":1}],"x":{"device":{"ifa":1}}}"#,
            r#"{"device":null}"#,
            r#"{"device":{"ip":"198.51.100.0","ipv6":"","ip":null}}"#,
        ] {
            assert_eq!(limited(sent), None, "{sent}");
        }
    }

    #[test]
    fn aliases_go_where_they_stand() {
        let aliases: Vec<Alias> =
            ["ExchangeUID", "body.user.id"].iter().map(|text| Alias::parse(text).unwrap()).collect();
        let sent = r#" {"ExchangeUID":1,"user":{"id":2,"buyeruid":3}} "#;
        let without = |is_record| redacted(sent, &of_aliases(&aliases, is_record).collect::<Vec<_>>());
        assert_eq!(without(true).as_deref(), Some(r#" {"user":{"buyeruid":3}} "#));
        assert_eq!(without(false).as_deref(), Some(r#" {"ExchangeUID":1,"user":{"buyeruid":3}} "#));
    }
}
