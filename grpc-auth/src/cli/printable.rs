//! Untrusted text, made fit for a terminal: no escape sequences, nothing that turns text around.

use std::fmt::Write as _;

use serde_json::Value;

/// The text with everything invisible escaped, as JSON and Rust both read it.
pub(crate) fn printable(text: &str) -> String {
    spelt_out(text, |c| c.is_ascii_control())
}

/// JSON over several lines. What is escaped is inside strings, so it means the same.
pub(crate) fn pretty(value: &Value) -> String {
    // serde has escaped the rest of ASCII; its line breaks are its own.
    spelt_out(&format!("{value:#}"), |c| c == '\u{7f}')
}

/// JSON on one line.
pub(crate) fn compact(value: &Value) -> String {
    spelt_out(&value.to_string(), |c| c == '\u{7f}')
}

fn spelt_out(text: &str, is_hidden: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) || is_invisible(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Controls beyond ASCII, marks that change the direction, separators, what has no glyph.
fn is_invisible(c: char) -> bool {
    // After a letter, `escape_debug` leaves accents alone.
    !c.is_ascii() && String::from_iter(['a', c]).escape_debug().count() > 2
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_that_moves_its_cursor_or_turns_text_around() {
        assert_eq!(
            printable("\u{1b}[31m\r\n\t\u{7}\0"),
            r"\u001b[31m\u000d\u000a\u0009\u0007\u0000"
        );
        // C1 controls, of which U+009B begins sequences too; bidirectional marks; zero width; tags.
        assert_eq!(printable("\u{9b}31m\u{202e}\u{200b}\u{2028}"), r"\u009b31m\u202e\u200b\u2028");
        assert_eq!(printable("\u{e0041}\u{7f}"), r"\udb40\udc41\u007f");
        for text in ["Grüße, 世界 🙂", "e\u{301}", "a b", "ক্ষ"] {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let value = json!({ "a\u{1b}": "\u{9b}\u{202e}\u{e0041}\u{7f}\n", "b": ["é", 1, null] });
        for shown in [pretty(&value), compact(&value)] {
            let is_harmless = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
            assert!(shown.chars().all(is_harmless), "{shown:?}");
            assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
        }
        assert!(!compact(&value).contains('\n'));
    }
}
