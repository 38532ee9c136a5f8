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

/// A table in the making, whole or page by page.
pub(in crate::cli) struct Table {
    columns: &'static [Column],
    /// Of the widest cell of each column, earlier pages and the title included.
    widths: Vec<usize>,
    rows: Vec<Vec<String>>,
    has_titles: bool,
}

impl Table {
    pub(in crate::cli) fn new(columns: &'static [Column]) -> Self {
        let widths = columns.iter().map(|column| column.title.width()).collect();
        Self { columns, widths, rows: Vec::new(), has_titles: true }
    }

    /// Adds a row for an item. What the item lacks is shown as a dash.
    pub(in crate::cli) fn add(&mut self, item: &Value) {
        let cell = |column: &Column| detail::shown(item.pointer(column.pointer), column.show);
        let row: Vec<String> = self.columns.iter().map(cell).collect();
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = cell.width().max(*width);
        }
        self.rows.push(row);
    }

    /// Goes on to the next page, without titles if there were rows. Columns keep their width, or get wider.
    pub(in crate::cli) fn next_page(&mut self) {
        self.has_titles &= self.rows.is_empty();
        self.rows.clear();
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
        for cells in self.has_titles.then_some(&titles).into_iter().chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), column) in cells.iter().zip(&self.widths).zip(self.columns) {
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

    #[test]
    fn pages_have_one_head_and_columns_never_get_narrower() {
        let mut table = Table::new(COLUMNS);
        let mut page = |name: Option<&str>| {
            if let Some(name) = name {
                table.add(&json!({"name": name, "in": {"n": 1}}));
            }
            let page = table.to_string();
            table.next_page();
            page
        };
        assert_eq!(page(None), "");
        assert_eq!(page(Some("longer")), "NAME    N  WHEN\nlonger  1  -\n");
        assert_eq!(page(Some("a")), "a       1  -\n");
        assert_eq!(page(Some("longest")), "longest  1  -\n");
    }
}
