//! One reading of the settings: the text, the environment, and everything that is found wrong with them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use super::mistake::{Mistake, Mistakes};

/// Environment variables of ours begin with this.
pub(super) const PREFIX: &str = "TIDEGATE_";

/// What all sections share: the text, the environment, and the mistakes found so far.
pub(super) struct Reading<'t> {
    origin: String,
    text: &'t str,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) environment_read: RefCell<BTreeSet<String>>,
    mistakes: RefCell<Vec<Mistake>>,
    pub(super) warnings: RefCell<Vec<String>>,
}

impl<'t> Reading<'t> {
    pub(super) fn new(origin: &str, text: &'t str, environment: BTreeMap<String, String>) -> Self {
        Self {
            origin: origin.into(),
            text,
            environment,
            environment_read: RefCell::default(),
            mistakes: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    pub(super) fn mistake(&self, at: Option<usize>, key: &str, message: impl Into<String>) {
        let line = at.map(|offset| 1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count());
        self.mistakes.borrow_mut().push(Mistake {
            origin: self.origin.clone(),
            line,
            key: key.into(),
            message: message.into(),
        });
    }

    /// Notes that the text is no TOML.
    pub(super) fn broken(&self, error: &toml::de::Error) {
        self.mistake(error.span().map(|span| span.start), "", error.message());
    }

    pub(super) fn mistake_in_environment(&self, variable: &str, message: String) {
        self.mistakes.borrow_mut().push(Mistake {
            origin: "environment".into(),
            line: None,
            key: variable.into(),
            message,
        });
    }

    pub(super) fn warn(&self, warning: String) {
        self.warnings.borrow_mut().push(warning);
    }

    /// What was read, if nothing is wrong with it; variables that name no setting are wrong.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<(T, Vec<String>), Mistakes> {
        let known = self.environment_read.borrow();
        // Only a path with a `__` is surely meant as a setting; other variables may be a secret that the file names.
        for variable in self.environment.keys().filter(|name| name.starts_with(PREFIX) && name.contains("__"))
        {
            if !known.contains(variable) {
                self.mistake_in_environment(variable, "no setting has this name".into());
            }
        }
        drop(known);
        let warnings = self.warnings.take();
        Ok((self.finish_part(read)?, warnings))
    }

    /// The same where only a part was read: variables that it does not know may name settings elsewhere.
    pub(super) fn finish_part<T>(self, read: Option<T>) -> Result<T, Mistakes> {
        let mut mistakes = self.mistakes.into_inner();
        mistakes.sort_by_key(|mistake| (mistake.line.is_none(), mistake.line));
        read.filter(|_| mistakes.is_empty()).ok_or(Mistakes(mistakes))
    }
}
