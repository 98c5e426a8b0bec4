//! Untrusted text, made fit for a terminal or a log line.

/// Longer text is cut.
const LONGEST: usize = 200;

/// Untrusted text for a terminal: control characters, which a terminal would obey, are replaced, and the
/// length is bounded.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown: String = text
        .trim()
        .chars()
        .take(LONGEST)
        .map(|c| if is_plain(c) { c } else { '\u{fffd}' })
        .collect();
    if text.trim().chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// Text that a sender chose, for a log line: control characters are escaped, and the length is bounded.
pub(crate) fn escape(text: &str) -> String {
    text.chars().take(256).flat_map(char::escape_default).collect()
}

/// Direction marks would let a text be read backwards.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        assert_eq!(shown(b"a\x1b[31mb\x07\xff\n"), "a\u{fffd}[31mb\u{fffd}\u{fffd}");
        assert_eq!(shown("a\u{202e}b".as_bytes()), "a\u{fffd}b");
        assert_eq!(shown(&[b'x'; 500]).chars().count(), LONGEST + 1);
    }

    #[test]
    fn what_a_stranger_wrote_cannot_break_a_log_line_or_fill_it() {
        assert_eq!(escape("a\nb\u{1b}[31m\u{202e}"), "a\\nb\\u{1b}[31m\\u{202e}");
        assert_eq!(escape(&"k".repeat(100_000)).len(), 256);
    }
}
