//! One table of the settings, read key by key. Every mistake is noted and reading goes on; a key that nobody asked for
//! is a mistake as well. Each scalar may come from the environment instead, as `TIDEGATE_` and its path.

use std::{cell::RefCell, collections::BTreeSet, ops::RangeInclusive, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    quantity,
    reading::{PREFIX, Reading},
};

/// A scalar, wherever it came from.
#[derive(Clone, Copy)]
enum Scalar<'s> {
    Text(&'s str),
    Integer(&'s str),
    Decimal(&'s str),
    Boolean(bool),
}

/// One table.
pub(super) struct Section<'r, 't> {
    pub(super) reading: &'r Reading<'t>,
    path: String,
    table: Option<&'r DeTable<'t>>,
    start: Option<usize>,
    /// Whether the case of its keys is of no account.
    any_case: bool,
    read: RefCell<BTreeSet<&'static str>>,
}

impl<'r, 't> Section<'r, 't> {
    pub(super) fn root(reading: &'r Reading<'t>, table: &'r DeTable<'t>) -> Self {
        let path = String::new();
        Self { reading, path, table: Some(table), start: None, any_case: false, read: RefCell::default() }
    }

    /// The table under this key; an empty one where there is none, so that the environment still counts.
    pub(super) fn section(&self, key: &'static str) -> Self {
        let value = self.value(key);
        let table = value.and_then(|value| value.get_ref().as_table());
        if let (Some(value), None) = (value, table) {
            self.reading.mistake(Some(value.span().start), &self.key(key), "must be a table");
        }
        let start = value.map(|value| value.span().start);
        let (path, any_case) = (self.key(key), self.any_case);
        Self { reading: self.reading, path, table, start, any_case, read: RefCell::default() }
    }

    /// The same, with keys that are read in whatever case: they are somebody else's.
    pub(super) fn section_in_any_case(&self, key: &'static str) -> Self {
        Self { any_case: true, ..self.section(key) }
    }

    /// The tables of the array under this key. Their path is the key and, where they have one, their name.
    pub(super) fn sections(&self, key: &'static str, named_by: &str) -> Vec<Self> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.reading.mistake(Some(value.span().start), &self.key(key), "must be an array of tables");
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items {
            let start = Some(item.span().start);
            let Some(table) = item.get_ref().as_table() else {
                self.reading.mistake(start, &self.key(key), "must be an array of tables");
                continue;
            };
            let name = table.get(named_by).and_then(|name| name.get_ref().as_str());
            let path = name.map_or_else(|| self.key(key), |name| format!("{}.{name}", self.key(key)));
            sections.push(Self {
                reading: self.reading,
                path,
                table: Some(table),
                start,
                any_case: self.any_case,
                read: RefCell::default(),
            });
        }
        sections
    }

    /// Whether the file or the environment has this key, or something beneath it.
    pub(super) fn has(&self, key: &'static str) -> bool {
        let (variable, beneath) = (self.variable(key), self.variable(key) + "__");
        let mut names = self.reading.environment.keys();
        self.value(key).is_some() || names.any(|name| *name == variable || name.starts_with(&beneath))
    }

    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        self.scalar(key, |scalar| match scalar {
            Scalar::Text(text) => Ok(text.to_owned()),
            _ => Err("must be a string".into()),
        })
    }

    pub(super) fn parsed<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.scalar(key, |scalar| match scalar {
            Scalar::Text(text) => parse(text),
            _ => Err("must be a string".into()),
        })
    }

    pub(super) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.parsed(key, |text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
                let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                format!("must be one of {}", known.join(", "))
            })
        })
    }

    pub(super) fn boolean(&self, key: &'static str) -> Option<bool> {
        self.scalar(key, |scalar| match scalar {
            Scalar::Boolean(value) => Ok(value),
            Scalar::Text("true") => Ok(true),
            Scalar::Text("false") => Ok(false),
            _ => Err("must be true or false".into()),
        })
    }

    /// A whole number of this range.
    pub(super) fn integer(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.scalar(key, |scalar| {
            let number = match scalar {
                Scalar::Text(text) | Scalar::Integer(text) => text.parse::<u64>().ok(),
                Scalar::Decimal(_) | Scalar::Boolean(_) => None,
            };
            number
                .filter(|number| range.contains(number))
                .ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
        })
    }

    /// A number, whole or not, that makes sense.
    pub(super) fn decimal<T>(
        &self,
        key: &'static str,
        parse: impl Fn(f64) -> Result<T, String>,
    ) -> Option<T> {
        self.scalar(key, |scalar| match scalar {
            Scalar::Text(text) | Scalar::Integer(text) | Scalar::Decimal(text) => {
                text.parse().map_err(|_| "must be a number".to_owned()).and_then(&parse)
            }
            Scalar::Boolean(_) => Err("must be a number".into()),
        })
    }

    /// A size in bytes, of this range.
    pub(super) fn bytes(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.scalar(key, |scalar| match scalar {
            Scalar::Text(text) | Scalar::Integer(text) => quantity::size(text).and_then(|size| match size {
                size if size < *range.start() => Err(format!("must be at least {} bytes", range.start())),
                size if size > *range.end() => Err(format!("must be at most {} bytes", range.end())),
                size => Ok(size),
            }),
            Scalar::Decimal(_) | Scalar::Boolean(_) => Err("must be a size such as 64MiB".into()),
        })
    }

    /// A size in bytes that fits memory.
    pub(super) fn bytes_in_memory(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<usize> {
        self.bytes(key, range).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    pub(super) fn duration(&self, key: &'static str) -> Option<Duration> {
        self.parsed(key, quantity::duration)
    }

    /// Strings; a lone string is not a list.
    pub(super) fn texts(&self, key: &'static str) -> Option<Vec<String>> {
        self.list(key, "must be an array of strings", |item| item.as_str().map(str::to_owned))
    }

    /// Ids: strings, or whole numbers as they are written.
    pub(super) fn ids(&self, key: &'static str) -> Option<Vec<String>> {
        self.list(key, "must be an array of strings or whole numbers", |item| match item {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
            _ => None,
        })
    }

    fn list(
        &self,
        key: &'static str,
        expected: &str,
        read: impl Fn(&DeValue<'_>) -> Option<String>,
    ) -> Option<Vec<String>> {
        let items = self.value(key)?.get_ref().as_array();
        let texts = items.and_then(|items| items.iter().map(|item| read(item.get_ref())).collect());
        if texts.is_none() {
            self.mistake(key, expected);
        }
        texts
    }

    /// Strings, each of which must make sense.
    pub(super) fn parsed_texts<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let mut parsed = Vec::new();
        for text in self.texts(key)? {
            match parse(&text) {
                Ok(value) => parsed.push(value),
                Err(message) => self.mistake(key, message),
            }
        }
        Some(parsed)
    }

    /// Notes a mistake about a key, or about the section itself where the key is not there.
    pub(super) fn mistake(&self, key: &'static str, message: impl Into<String>) {
        let at = self.value(key).map(|value| value.span().start).or(self.start);
        self.reading.mistake(at, &self.key(key), message);
    }

    /// Ends reading: what nobody asked for is a mistake, and so is what stands here twice.
    pub(super) fn finish(self) {
        let read = self.read.borrow();
        let mut seen = BTreeSet::new();
        for (key, _) in self.table.iter().flat_map(|table| table.iter()) {
            let known = read.iter().find(|known| self.is_same(known, key.get_ref()));
            let message = match known {
                None => {
                    let known: Vec<&str> = read.iter().copied().collect();
                    format!("unknown key; known here are {}", known.join(", "))
                }
                Some(known) if !seen.insert(known) => format!("{known} stands here twice"),
                Some(_) => continue,
            };
            self.reading.mistake(Some(key.span().start), &self.key(key.get_ref()), message);
        }
    }

    fn value(&self, key: &'static str) -> Option<&'r Spanned<DeValue<'t>>> {
        self.read.borrow_mut().insert(key);
        let mut entries = self.table?.iter();
        entries.find(|(known, _)| self.is_same(key, known.get_ref())).map(|(_, value)| value)
    }

    fn is_same(&self, key: &str, other: &str) -> bool {
        if self.any_case { key.eq_ignore_ascii_case(other) } else { key == other }
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    fn variable(&self, key: &str) -> String {
        format!("{PREFIX}{}", self.key(key).replace('.', "__").replace('-', "_").to_uppercase())
    }

    fn scalar<T>(&self, key: &'static str, parse: impl Fn(Scalar<'_>) -> Result<T, String>) -> Option<T> {
        let variable = self.variable(key);
        let value = self.value(key);
        if let Some(text) = self.reading.environment.get(&variable) {
            self.reading.environment_read.borrow_mut().insert(variable.clone());
            return parse(Scalar::Text(text))
                .map_err(|message| self.reading.mistake_in_environment(&variable, message))
                .ok();
        }
        let value = value?;
        let scalar = match value.get_ref() {
            DeValue::String(text) => Some(Scalar::Text(text)),
            DeValue::Integer(number) if number.radix() == 10 => Some(Scalar::Integer(number.as_str())),
            DeValue::Float(number) => Some(Scalar::Decimal(number.as_str())),
            DeValue::Boolean(truth) => Some(Scalar::Boolean(*truth)),
            _ => None,
        };
        let parsed = match scalar {
            Some(scalar) => parse(scalar),
            None => Err("has the wrong type".into()),
        };
        parsed.map_err(|message| self.reading.mistake(Some(value.span().start), &self.key(key), message)).ok()
    }
}
