//! What became of each fault, for people and for machines.

use std::fmt::Write as _;

use tokio::task::JoinError;

use crate::oracle::Verdict;

/// How many breaches are told; the first few are what one looks at.
const BREACHES_TOLD: usize = 5;

/// What a case came to.
pub(crate) struct Finding {
    /// How often the fault was seen to happen.
    pub(crate) fired: usize,
    pub(crate) verdict: Verdict,
    /// What else there is to say.
    pub(crate) note: String,
}

impl Finding {
    /// Adds what came of one more run of the same fault.
    pub(crate) fn add(&mut self, verdict: Verdict) {
        let total = &mut self.verdict;
        self.fired += 1;
        total.cut_off += verdict.cut_off;
        total.turned_away += verdict.turned_away;
        total.sent += verdict.sent;
        total.acked += verdict.acked;
        total.stored += verdict.stored;
        total.buried += verdict.buried;
        total.duplicates += verdict.duplicates;
        total.lost += verdict.lost;
        total.doubled += verdict.doubled;
        total.invented += verdict.invented;
        total.refusals += verdict.refusals;
        total.breaches.extend(verdict.breaches);
    }
}

/// What is said of a case.
pub(crate) enum Outcome {
    Passed(Finding),
    /// The promise was broken.
    Failed(Finding),
    /// The fault did not happen, or nothing was acknowledged: the run shows nothing.
    Invalid(Finding),
    /// The case did not come to its end.
    Broken(String),
    /// It cannot be had here.
    NotRun(&'static str),
}

impl Outcome {
    pub(crate) fn of(finding: Finding) -> Self {
        if !finding.verdict.breaches.is_empty() {
            Self::Failed(finding)
        } else if finding.fired == 0 || finding.verdict.acked == 0 {
            Self::Invalid(finding)
        } else {
            Self::Passed(finding)
        }
    }

    /// A control is there to lose something.
    pub(crate) fn of_control(finding: Finding) -> Self {
        let shows = finding.fired > 0 && finding.verdict.lost > 0;
        if shows { Self::Passed(finding) } else { Self::Invalid(finding) }
    }

    fn is_good(&self) -> bool {
        matches!(self, Self::Passed(_) | Self::NotRun(_))
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Passed(_) => "passed",
            Self::Failed(_) => "FAILED",
            Self::Invalid(_) => "INVALID",
            Self::Broken(_) => "BROKEN",
            Self::NotRun(_) => "not run",
        }
    }

    fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Passed(finding) | Self::Failed(finding) | Self::Invalid(finding) => Some(finding),
            Self::Broken(_) | Self::NotRun(_) => None,
        }
    }

    fn note(&self) -> String {
        match self {
            Self::Passed(finding) => finding.note.clone(),
            Self::Failed(Finding { verdict, .. }) => {
                let told: Vec<_> = verdict.breaches.iter().take(BREACHES_TOLD).map(String::as_str).collect();
                format!("{} breaches: {}", verdict.breaches.len(), told.join("; "))
            }
            Self::Invalid(finding) if finding.fired == 0 => "the fault did not happen".into(),
            Self::Invalid(_) => "the run shows nothing".into(),
            Self::Broken(words) => words.clone(),
            Self::NotRun(lack) => format!("needs {lack}"),
        }
    }

    /// A line while the ring runs.
    pub(crate) fn line(&self, name: &str) -> String {
        format!("==> {}: {name}: {}", self.word(), self.note())
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Report(Vec<(&'static str, Outcome)>);

impl Report {
    pub(crate) fn add(&mut self, name: &'static str, outcome: Outcome) {
        self.0.push((name, outcome));
    }

    /// Whether nothing failed and nothing was invalid.
    pub(crate) fn is_good(&self) -> bool {
        self.0.iter().all(|(_, outcome)| outcome.is_good())
    }

    /// As Markdown.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from(
            "| fault | result | fired | acked | stored | lost | duplicated | |\n|---|---|--:|--:|--:|--:|--:|---|\n",
        );
        for (name, outcome) in &self.0 {
            let figures = match outcome.finding() {
                Some(Finding { fired, verdict, .. }) => format!(
                    "{fired} | {} | {} | {} | {}",
                    verdict.acked, verdict.stored, verdict.lost, verdict.doubled
                ),
                None => "– | – | – | – | –".into(),
            };
            let note = outcome.note().replace('|', "/").replace('\n', " ");
            let _ = writeln!(table, "| {name} | {} | {figures} | {note} |", outcome.word());
        }
        table
    }

    /// A JSON object a line.
    pub(crate) fn json(&self) -> String {
        let line = |(name, outcome): &(&str, Outcome)| {
            let mut object =
                serde_json::json!({ "fault": name, "result": outcome.word(), "note": outcome.note() });
            if let Some(Finding { fired, verdict, .. }) = outcome.finding() {
                for (key, figure) in [
                    ("fired", *fired),
                    ("sent", verdict.sent),
                    ("acked", verdict.acked),
                    ("stored", verdict.stored),
                    ("buried", verdict.buried),
                    ("refusals", verdict.refusals),
                    ("lost", verdict.lost),
                    ("duplicated", verdict.doubled),
                    ("invented", verdict.invented),
                    ("cut_off", verdict.cut_off),
                    ("turned_away", verdict.turned_away),
                ] {
                    object[key] = figure.into();
                }
            }
            format!("{object}\n")
        };
        self.0.iter().map(line).collect()
    }
}

/// The words of a case that broke.
pub(crate) fn words(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "cancelled".into() };
    let words = panic.downcast_ref::<String>().map(String::as_str);
    words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words").to_owned()
}
