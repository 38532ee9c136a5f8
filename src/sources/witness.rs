//! Who hears which rules held while an element is judged, so that judging can be explained by what really happened.
//!
//! The code that judges tells a witness of every rule that it leaves behind; the rule that stops it is the breach in the
//! fate. Deliveries are judged before nobody, `()`, which costs nothing.

use super::rule::{Breach, Rule};

/// Hears of rules, in the order in which they are come to.
pub trait Witness {
    /// The rule was looked at and holds.
    fn passed(&mut self, rule: Rule);

    /// The settings of the source do not ask for the rule.
    fn off(&mut self, rule: Rule);

    /// Checks a rule, if it is asked for.
    ///
    /// # Errors
    /// When it does not hold.
    fn check(
        &mut self,
        rule: Rule,
        is_asked: bool,
        pointer: &str,
        holds: impl FnOnce() -> bool,
    ) -> Result<(), Breach> {
        if !is_asked {
            self.off(rule);
        } else if holds() {
            self.passed(rule);
        } else {
            return Err(rule.at(pointer));
        }
        Ok(())
    }

    /// Hears that a rule holds, or how it was broken.
    ///
    /// # Errors
    /// The breach.
    fn heard<T, B>(&mut self, rule: Rule, outcome: Result<T, B>) -> Result<T, B> {
        outcome.inspect(|_| self.passed(rule))
    }
}

/// Nobody listens.
impl Witness for () {
    #[inline]
    fn passed(&mut self, _: Rule) {}

    #[inline]
    fn off(&mut self, _: Rule) {}
}

/// A witness that remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript(Vec<(Rule, Verdict)>);

/// What became of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It is why the element is no event.
    Broken,
    /// Another one was broken before.
    NotReached,
    /// The settings do not ask for it.
    Off,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Broken => "broken",
            Self::NotReached => "not_reached",
            Self::Off => "off",
        }
    }
}

impl Witness for Transcript {
    fn passed(&mut self, rule: Rule) {
        self.0.push((rule, Verdict::Passed));
    }

    fn off(&mut self, rule: Rule) {
        self.0.push((rule, Verdict::Off));
    }
}

impl Transcript {
    /// What became of each of these rules, which stand in the order in which they are checked. Nothing is said of what
    /// comes behind a broken one.
    pub fn verdicts(&self, rules: &[Rule], broken: Option<Rule>) -> Vec<(Rule, Verdict)> {
        let heard = |rule: Rule| self.0.iter().find(|(heard, _)| *heard == rule).map(|(_, verdict)| *verdict);
        let mut is_over = false;
        let verdict = |rule: &Rule| {
            let verdict = match broken {
                _ if is_over => Verdict::NotReached,
                Some(broken) if broken == *rule => Verdict::Broken,
                _ => heard(*rule).unwrap_or(Verdict::NotReached),
            };
            is_over |= verdict == Verdict::Broken;
            (*rule, verdict)
        };
        rules.iter().map(verdict).collect()
    }

    /// The rules that were heard of, in the order in which they were.
    #[cfg(test)]
    pub(crate) fn heard_of(&self) -> impl Iterator<Item = Rule> {
        self.0.iter().map(|(rule, _)| *rule)
    }
}
