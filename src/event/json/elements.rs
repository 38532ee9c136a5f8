//! A JSON array taken apart into elements that still are the sender's bytes.

use std::fmt;

use serde::{
    Deserializer,
    de::{SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{object::ObjectError, value::Value};

/// An array taken apart as far as it goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Elements<'a> {
    /// The first element, also of an array that is broken further on.
    pub first: Option<&'a str>,
    /// All elements; `None` if there are more than the limit.
    pub all: Result<Option<Vec<Value<'a>>>, ObjectError>,
}

/// Splits an array of at most `elements_max` elements.
pub fn elements(text: &str, elements_max: usize) -> Elements<'_> {
    let (mut over, mut first) = (false, None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = deserializer
        .deserialize_seq(ElementsVisitor { elements_max, over: &mut over, first: &mut first })
        .and_then(|elements| deserializer.end().map(|()| elements));
    let all = match read {
        Ok(elements) => Ok(Some(elements)),
        Err(_) if over => Ok(None),
        Err(error) => Err(error.into()),
    };
    Elements { first, all }
}

struct ElementsVisitor<'o, 'de> {
    elements_max: usize,
    over: &'o mut bool,
    first: &'o mut Option<&'de str>,
}

impl<'de> Visitor<'de> for ElementsVisitor<'_, 'de> {
    type Value = Vec<Value<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = access.next_element::<&RawValue>()? {
            if elements.len() == self.elements_max {
                *self.over = true;
                return Err(serde::de::Error::custom("too many elements"));
            }
            self.first.get_or_insert(element.get());
            elements.push(Value::new(element.get()));
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_before_they_are_kept() {
        let all = |text, max| elements(text, max).all;
        assert_eq!(
            all(" [1, {\"a\" : 2},[]] ", 3),
            Ok(Some(["1", "{\"a\" : 2}", "[]"].map(Value::new).into()))
        );
        assert_eq!(all("[1,2,3]", 2), Ok(None));
        assert_eq!(all("[]", 0), Ok(Some(vec![])));
        for text in ["[1,]", "[1] 2", "[1", "[1 2]"] {
            assert!(matches!(all(text, 9), Err(ObjectError::Malformed { .. })), "{text}");
            assert_eq!(elements(text, 9).first, Some("1"));
        }
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(elements(&deep, 9).all.unwrap().unwrap().len(), 1);
    }
}
