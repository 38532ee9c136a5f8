//! Text that senders wrote, fit for a terminal.

use std::borrow::Cow;

/// Whether a character only shows itself.
pub(in crate::cli) fn is_plain(character: char) -> bool {
    let is_invisible = matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    !character.is_control() && !is_invisible
}

/// Text in which everything that drives a terminal, or hides, is an escape such as `\u{1b}`.
pub(in crate::cli) fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_plain(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    Cow::Owned(shown)
}

/// The same, no longer than so many characters.
pub(in crate::cli) fn shortened(text: &str, chars_max: usize) -> String {
    let beginning: String = text.chars().take(chars_max + 1).collect();
    let shown = printable(&beginning);
    if shown.chars().count() <= chars_max {
        return shown.into_owned();
    }
    shown.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_drives_a_terminal_gets_through() {
        assert_eq!(printable("naïve \u{1f30a} 日本"), "naïve \u{1f30a} 日本");
        assert_eq!(printable("\u{1b}[2J\u{9b}1m\r\n\u{7}\u{7f}"), "\\u{1b}[2J\\u{9b}1m\\r\\n\\u{7}\\u{7f}");
        assert_eq!(printable("user\u{202e}nimda\u{200b}"), "user\\u{202e}nimda\\u{200b}");
        for code in (0..0x20).chain(0x7f..0xa0) {
            assert!(!is_plain(char::from_u32(code).unwrap()), "{code:x}");
        }
    }

    #[test]
    fn long_text_is_cut_where_it_can_be() {
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened("longer", 5), "long…");
        assert_eq!(shortened("ééééééé", 5), "éééé…");
        assert_eq!(shortened(&"\u{1b}".repeat(1 << 20), 8), "\\u{1b}\\…");
    }
}
