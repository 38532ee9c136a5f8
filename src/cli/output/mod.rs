//! What a command says: data to standard output, as tables for people or JSON for machines; notices to standard error.
//!
//! What senders wrote is not trusted with a terminal: control characters and those that turn the direction of text are
//! shown as escapes, so that no event can move the cursor, set the title or look like another.

mod detail;
mod printable;
mod table;

use std::{
    borrow::Cow,
    io::{self, BufWriter, IsTerminal as _, Stdout, Write as _},
};

pub(super) use detail::{bytes, count, detail, duration, member, members, time};
pub(super) use printable::{is_plain, printable, shortened};
pub(super) use table::{Column, Show, Table};

/// Standard output of a command.
pub(super) struct Output {
    out: BufWriter<Stdout>,
    json: bool,
    is_terminal: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        let out = io::stdout();
        Self { json, is_terminal: out.is_terminal(), out: BufWriter::new(out) }
    }

    /// Whether JSON was asked for.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Writes a line for a person.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// Writes the server's JSON on one line. Nothing of it changes but the blanks between its parts; and on a terminal
    /// characters that would drive it become the escapes that JSON has for them, which mean the same.
    pub(super) fn json(&mut self, json: &str) -> io::Result<()> {
        let line = one_line(json);
        let line = if self.is_terminal { escaped(&line) } else { line };
        writeln!(self.out, "{line}")
    }

    /// Writes a table, if it has a row.
    pub(super) fn table(&mut self, table: &Table) -> io::Result<()> {
        write!(self.out, "{table}")
    }

    /// Writes bytes as they are, but for a terminal.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.is_terminal {
            return self.out.write_all(bytes);
        }
        let text = String::from_utf8_lossy(bytes);
        let lines = text.split('\n').map(printable).collect::<Vec<_>>().join("\n");
        writeln!(self.out, "{lines}")
    }

    /// What was written goes out now.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Says something that is no data.
pub(super) fn notice(words: &str) {
    let _ = writeln!(io::stderr(), "tidegate: {}", printable(words));
}

/// A line break in JSON stands between its parts, never inside a string.
fn one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) {
        Cow::Owned(json.replace(['\n', '\r'], " "))
    } else {
        Cow::Borrowed(json)
    }
}

/// JSON in which no character drives a terminal. Such characters can stand inside strings only.
fn escaped(json: &str) -> Cow<'_, str> {
    if json.chars().all(is_plain) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_plain(character) {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = std::fmt::Write::write_fmt(&mut text, format_args!("\\u{unit:04x}"));
            }
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_meaning_on_one_line_and_drives_no_terminal() {
        let sent = "{\n  \"a\": \"\u{9b}31m\u{7f}\u{202e}\u{e0041}é\",\r\n  \"n\": 123456789012345678901234567890\n}";
        let line = one_line(sent);
        let shown = escaped(&line);
        assert!(shown.contains("\"\\u009b31m\\u007f\\u202e\\udb40\\udc41é\""), "{shown}");
        assert!(shown.contains("123456789012345678901234567890") && !shown.contains('\n'));
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&shown), read(sent));
        assert!(matches!(escaped("{\"a\":1}"), Cow::Borrowed(_)));
    }
}
