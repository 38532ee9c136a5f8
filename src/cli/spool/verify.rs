//! `tidegate spool verify`: is everything that was acknowledged there?

use std::ops::Range;

use serde_json::{Value, json};

use super::LookError;
use crate::{
    cli::{
        exit::Exit,
        output::{Column, Output, Show, Table, bytes, count},
    },
    operate::record::Decoded,
    spool::inspect::{Defect, Finding, FoundRecord, InspectedFile, Inspection},
};

const FILES: &[Column] = &[
    Column::new("file", "/file", Show::Text),
    Column::new("bytes", "/bytes", Show::Bytes),
    Column::new("records", "/records", Show::Count),
    Column::new("first", "/first", Show::Count),
    Column::new("last", "/last", Show::Count),
    Column::new("defects", "/defects", Show::Count),
];

/// What was found so far.
#[derive(Default)]
struct Report {
    file: Option<FileReport>,
    events: u64,
    refusals: u64,
    others: u64,
    /// Records that came back as they were written, and say nothing: not damage, but a program's mistake.
    unintelligible: u64,
    defects: u64,
    unacknowledged_bytes: u64,
}

struct FileReport {
    file: InspectedFile,
    records: u64,
    last: Option<u64>,
    defects: u64,
}

pub(super) fn run(inspection: &mut Inspection, out: &mut Output) -> Result<Exit, LookError> {
    if !out.is_json() {
        let id = inspection.id().map_or_else(|| "unknown".into(), |id| id.to_string());
        out.line(&format!("spool {}  id {id}", inspection.directory().display()))?;
    }
    let mut report = Report::default();
    let mut table = Table::new(FILES);
    for finding in inspection.by_ref() {
        match finding? {
            Finding::File(file) => {
                report.end_file(out, &mut table)?;
                report.file = Some(FileReport { file, records: 0, last: None, defects: 0 });
            }
            Finding::Record(record) => report.record(&record),
            Finding::Unacknowledged(range) => report.unacknowledged(out, &range)?,
            Finding::Defect(defect) => report.defect(out, &defect)?,
        }
    }
    report.end_file(out, &mut table)?;
    report.end(out, &table)?;
    Ok(if report.is_sound() { Exit::Done } else { Exit::Failed })
}

impl Report {
    fn is_sound(&self) -> bool {
        self.defects == 0 && self.unintelligible == 0
    }

    fn record(&mut self, record: &FoundRecord) {
        if let Some(file) = &mut self.file {
            file.records += 1;
            file.last = Some(record.sequence);
        }
        match Decoded::read(record.kind, record.payload.clone()) {
            Ok(Some(Decoded::Event(_))) => self.events += 1,
            Ok(Some(Decoded::Refusal(_))) => self.refusals += 1,
            Ok(None) => self.others += 1,
            Err(_) => self.unintelligible += 1,
        }
    }

    fn name(&self) -> &str {
        self.file.as_ref().map_or("", |report| &report.file.name)
    }

    fn unacknowledged(&mut self, out: &mut Output, range: &Range<u64>) -> Result<(), LookError> {
        let length = range.end.saturating_sub(range.start);
        self.unacknowledged_bytes += length;
        if !out.is_json() {
            let words = "of an unfinished write at its end, never acknowledged";
            out.line(&format!("{}: {} {words}", self.name(), bytes(length)))?;
        }
        Ok(())
    }

    fn defect(&mut self, out: &mut Output, defect: &Defect) -> Result<(), LookError> {
        self.defects += 1;
        if let Some(file) = &mut self.file {
            file.defects += 1;
        }
        if out.is_json() {
            let line = json!({ "defect": defect.to_string(), "file": self.name() });
            out.json(&line.to_string())?;
        } else {
            let place = if self.name().is_empty() { String::new() } else { format!("{}: ", self.name()) };
            out.line(&format!("DEFECT {place}{defect}"))?;
        }
        Ok(())
    }

    fn end_file(&mut self, out: &mut Output, table: &mut Table) -> Result<(), LookError> {
        let Some(FileReport { file, records, last, defects }) = self.file.take() else { return Ok(()) };
        let line: Value = json!({
            "file": file.name, "bytes": file.bytes, "records": records,
            "first": file.first, "last": last, "defects": defects,
        });
        if out.is_json() {
            out.json(&line.to_string())?;
        } else {
            table.add(&line);
        }
        Ok(())
    }

    fn end(&self, out: &mut Output, files: &Table) -> Result<(), LookError> {
        let records = self.events + self.refusals + self.others + self.unintelligible;
        if out.is_json() {
            let line = json!({
                "sound": self.is_sound(), "records": records, "events": self.events, "refusals": self.refusals,
                "others": self.others, "unintelligible": self.unintelligible, "defects": self.defects,
                "unacknowledged_bytes": self.unacknowledged_bytes,
            });
            return Ok(out.json(&line.to_string())?);
        }
        out.table(files)?;
        out.line(&format!(
            "{} records: {} events, {} refusals, {} of other kinds",
            count(records),
            count(self.events),
            count(self.refusals),
            count(self.others),
        ))?;
        if self.unintelligible > 0 {
            out.line(&format!(
                "DEFECT {} records are intact and cannot be read",
                count(self.unintelligible)
            ))?;
        }
        out.line(if self.is_sound() { "sound" } else { "NOT SOUND" })?;
        Ok(())
    }
}
