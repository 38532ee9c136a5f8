//! Reading what an operator asks: the query, strictly. A parameter that nobody knows, that comes twice or that cannot be
//! understood is told by its name; a filter that was misspelled would otherwise be no filter.

use std::collections::BTreeMap;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::problem::Problem;
use crate::{clock::UnixMicros, event::time::parse_rfc3339, store::range::TimeRange};

/// Items of a list when nothing else is asked for, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// The parameters of a query that were not read yet.
pub(super) struct Parameters(BTreeMap<String, String>);

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(head.uri.query())
    }
}

impl Parameters {
    fn of(query: Option<&str>) -> Result<Self, Problem> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            // No column holds it, and PostgreSQL refuses to compare with it.
            if value.contains('\0') {
                return Err(Problem::invalid("a parameter holds a zero byte"));
            }
            if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(Problem::invalid("a parameter is given twice"));
            }
        }
        Ok(Self(parameters))
    }

    /// A text; `None` where it is absent or empty.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// A text as something else.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        parse(&text).map(Some).ok_or_else(|| Problem::invalid(format!("`{name}` must be {expected}")))
    }

    /// From when to when.
    pub(super) fn range(&mut self) -> Result<TimeRange, Problem> {
        let from = self.parsed("from", TIMESTAMP, parse_rfc3339)?;
        let to = self.parsed("to", TIMESTAMP, parse_rfc3339)?;
        Ok(TimeRange { from, to })
    }

    /// Where the page before ended.
    pub(super) fn cursor(&mut self) -> Result<Option<Uuid>, Problem> {
        self.parsed("cursor", "what `next` said", |text| Uuid::try_parse(text).ok())
    }

    /// How many items are wanted.
    pub(super) fn limit(&mut self) -> Result<usize, Problem> {
        let limit = self.parsed("limit", "a number from 1 to 1000", |text| {
            text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit))
        })?;
        Ok(limit.unwrap_or(LIMIT_DEFAULT))
    }

    /// Nothing else may be there.
    pub(super) fn finish(self) -> Result<(), Problem> {
        let Some(name) = self.0.into_keys().next() else { return Ok(()) };
        // What is no plain word is not repeated: a mistyped query may hold anything.
        let is_word = name.len() <= 32 && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'-'));
        let name = if is_word { format!("`{name}`") } else { "a parameter".to_owned() };
        Err(Problem::invalid(format!("{name} is not known here")))
    }
}

/// Parts of a path, as text.
pub(super) struct InPath<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = Path::from_request_parts(head, state).await;
        found.map(|Path(parts)| Self(parts)).map_err(|_| Problem::invalid("the path is not text"))
    }
}

/// What a time must look like.
const TIMESTAMP: &str = "a timestamp such as 2026-01-31T12:00:00Z";

/// A time in a JSON body.
pub(super) fn time(name: &str, text: &str) -> Result<UnixMicros, Problem> {
    parse_rfc3339(text).ok_or_else(|| Problem::invalid(format!("`{name}` must be {TIMESTAMP}")))
}

/// An id in a path.
pub(super) fn id(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| Problem::invalid("the id must be a UUID"))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = (Option<String>, TimeRange, Option<Uuid>, usize);

    fn read(query: &str) -> Result<Read, Problem> {
        let mut asked = Parameters::of(Some(query))?;
        let read = (asked.text("source"), asked.range()?, asked.cursor()?, asked.limit()?);
        asked.finish()?;
        Ok(read)
    }

    #[test]
    fn what_is_asked_is_read() {
        let id = Uuid::from_u128(7);
        let (source, range, cursor, limit) =
            read(&format!("source=w%C3%A9b&from=1970-01-01T00:00:01Z&cursor={id}&limit=1000")).unwrap();
        assert_eq!(source.as_deref(), Some("wéb"));
        assert_eq!((range.from, range.to), (Some(1_000_000), None));
        assert_eq!((cursor, limit), (Some(id), 1000));
        let (source, _, cursor, limit) = read("source=&limit=").unwrap();
        assert_eq!((source, cursor, limit), (None, None, 100));
    }

    #[test]
    fn what_cannot_be_understood_is_a_problem() {
        for query in [
            "sauce=web",
            "limit=0",
            "limit=1001",
            "limit=x",
            "cursor=x",
            "from=today",
            "source=a&source=a",
            "source=%00",
        ] {
            assert!(read(query).is_err(), "{query}");
        }
    }
}
