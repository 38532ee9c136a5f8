//! Every element that is ever sent, as a function of its number: nobody has to remember what was sent.

use std::fmt::Write as _;

/// What every `messageId` begins with.
const PREFIX: &str = "crash-";

/// The rule by which elements are refused that are not [`Element::is_good`].
pub(crate) const REFUSED_BY: &str = "user.missing";

/// An element, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Element(pub(crate) usize);

/// The two JSON columns that are made of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) event: String,
    pub(crate) context: String,
}

impl Element {
    /// Whether it is an event; every eleventh lacks its user and is refused.
    pub(crate) fn is_good(self) -> bool {
        self.0 % 11 != 5
    }

    pub(crate) fn message_id(self) -> String {
        format!("{PREFIX}{:07}", self.0)
    }

    /// The element with this `messageId`, if there can be one.
    pub(crate) fn named(message_id: &str) -> Option<Self> {
        let element = Self(message_id.strip_prefix(PREFIX)?.parse().ok()?);
        (element.message_id() == message_id).then_some(element)
    }

    /// The element that a refused body is, byte for byte.
    pub(crate) fn of_body(body: &str) -> Option<Self> {
        let object: serde_json::Value = serde_json::from_str(body).ok()?;
        Self::named(object.get("messageId")?.as_str()?).filter(|element| element.sent() == body)
    }

    /// The bytes on the wire.
    pub(crate) fn sent(self) -> String {
        let Content { event, context } = self.content();
        let members = event.strip_suffix('}').unwrap();
        if self.has_context() { format!(r#"{members},"context":{context}}}"#) } else { event }
    }

    /// What the columns hold: all root members but the context, and the context, as sent.
    pub(crate) fn content(self) -> Content {
        let mut rng = fastrand::Rng::with_seed(self.0 as u64);
        let mut event = format!(r#"{{"messageId":"{}","type":"track","event":"#, self.message_id());
        // The same letter in two spellings, which must not become one.
        event.push_str([r#""Gel\u00f6st""#, "\"Gelöst\""][rng.usize(..2)]);
        if self.is_good() {
            let _ = write!(event, r#","userId":"u{}""#, rng.u16(..));
        }
        let (hour, minute, micros) = (rng.u8(..24), rng.u8(..60), rng.u32(..1_000_000));
        let _ = write!(event, r#","timestamp":"2026-11-21T{hour:02}:{minute:02}:07.{micros:06}Z""#);
        let exact = format!("{}{:018}", rng.u64(1..), rng.u64(..1_000_000_000_000_000_000));
        let _ = write!(event, r#","properties":{{ "exact" : {exact}, "price":{}.50,"#, rng.u16(..));
        // Mostly small, and now and then larger than a page, a buffer or a frame that is read at once.
        let letters = match rng.u8(..50) {
            0 => rng.usize(10_000..40_000),
            _ => rng.usize(..600),
        };
        let text: String = std::iter::repeat_with(|| rng.alphanumeric()).take(letters).collect();
        let _ = write!(event, r#""text":"{text}","list":[[],{{}},null,true,"\\\"ß"]}}}}"#);
        let context = if self.has_context() {
            format!(r#"{{"ip":"203.0.113.{}","app":{{"build":{} }}}}"#, rng.u8(..), rng.u32(..))
        } else {
            "{}".into()
        };
        Content { event, context }
    }

    fn has_context(self) -> bool {
        self.0.is_multiple_of(3)
    }
}

#[test]
fn an_element_is_found_by_its_bytes() {
    for element in (0..500).map(Element) {
        let sent = element.sent();
        assert_eq!(Element::of_body(&sent), Some(element));
        assert_eq!(Element::of_body(&sent.replace(".50", ".5")), None);
        assert_eq!(sent.contains("userId"), element.is_good());
    }
}
