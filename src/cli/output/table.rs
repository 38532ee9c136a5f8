//! Tables: columns of JSON members, aligned, never wrapped.

use std::fmt::{self, Write as _};

use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::detail;

/// Blanks between two columns.
const GAP: usize = 2;

/// A column: its title, where its value stands in an item, and how it is shown.
pub(in crate::cli) struct Column {
    pub(in crate::cli) title: &'static str,
    /// A JSON pointer.
    pub(in crate::cli) pointer: &'static str,
    pub(in crate::cli) show: Show,
}

/// How a value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Show {
    /// As text, shortened.
    Text,
    /// As text, whole.
    Whole,
    /// As a moment, to the millisecond.
    Time,
    /// As a number.
    Count,
    /// As a number of bytes.
    Bytes,
    /// As a number of seconds.
    Duration,
}

impl Column {
    pub(in crate::cli) const fn new(title: &'static str, pointer: &'static str, show: Show) -> Self {
        Self { title, pointer, show }
    }

    fn is_number(&self) -> bool {
        matches!(self.show, Show::Count | Show::Bytes | Show::Duration)
    }
}

/// A table in the making.
pub(in crate::cli) struct Table {
    columns: &'static [Column],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(in crate::cli) fn new(columns: &'static [Column]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row for an item. What the item lacks is shown as a dash.
    pub(in crate::cli) fn add(&mut self, item: &Value) {
        let cell = |column: &Column| detail::shown(item.pointer(column.pointer), column.show);
        self.rows.push(self.columns.iter().map(cell).collect());
    }

    /// Adds rows for all items of an array.
    pub(in crate::cli) fn add_all(&mut self, items: &Value) {
        items.as_array().into_iter().flatten().for_each(|item| self.add(item));
    }

    pub(in crate::cli) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        let titles: Vec<String> = self.columns.iter().map(|column| column.title.to_uppercase()).collect();
        let lines = || std::iter::once(&titles).chain(&self.rows);
        let width = |at: usize| lines().filter_map(|cells| Some(cells.get(at)?.width())).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for cells in lines() {
            let mut line = String::new();
            for ((cell, width), column) in cells.iter().zip(&widths).zip(self.columns) {
                let blanks = " ".repeat(width.saturating_sub(cell.width()));
                let (before, after) = if column.is_number() { (&blanks[..], "") } else { ("", &blanks[..]) };
                let _ = write!(line, "{before}{cell}{after}{:GAP$}", "");
            }
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[
        Column::new("name", "/name", Show::Text),
        Column::new("n", "/in/n", Show::Count),
        Column::new("when", "/at", Show::Time),
    ];

    #[test]
    fn columns_are_aligned_and_hostile_cells_stay_in_theirs() {
        let mut table = Table::new(COLUMNS);
        assert_eq!(table.to_string(), "");
        table.add(&json!({"name": "日本", "in": {"n": 12345}, "at": "2026-01-31T12:00:00.123456Z"}));
        table.add(&json!({"name": "a\nb\u{1b}[1m", "in": {"n": 1}, "at": null}));
        let expected = "NAME                N  WHEN\n\
                        日本           12,345  2026-01-31T12:00:00.123Z\n\
                        a\\nb\\u{1b}[1m       1  -\n";
        assert_eq!(table.to_string(), expected);
    }
}
