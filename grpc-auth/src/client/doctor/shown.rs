//! What a stranger sent, fit for a terminal.

/// Longer text is cut.
const LONGEST: usize = 200;

/// Text that a server chose: control characters, which a terminal would obey, are replaced, and the
/// length is bounded.
pub(super) fn shown(bytes: &[u8]) -> String {
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

/// The first line of it.
pub(super) fn first_line(bytes: &[u8]) -> String {
    shown(bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default())
}

/// The first line of what a server begins with, if it is text.
pub(super) fn greeting(bytes: &[u8]) -> Option<String> {
    bytes.first().is_some_and(u8::is_ascii_graphic).then(|| first_line(bytes))
}

/// What is between `<title>` and its end, in a page's beginning.
pub(super) fn title(page: &[u8]) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let start = memchr::memmem::find(&lower, b"<title>")? + b"<title>".len();
    let length = memchr::memmem::find(lower.get(start..)?, b"</title>")?;
    Some(shown(page.get(start..start + length)?)).filter(|title| !title.is_empty())
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
        assert_eq!(
            first_line(b"HTTP/1.1 400 Bad Request\r\nserver: x"),
            "HTTP/1.1 400 Bad Request"
        );
    }

    #[test]
    fn a_page_is_named_by_its_title() {
        assert_eq!(title(b"<html><TITLE> Log in\x1b </title>").unwrap(), "Log in\u{fffd}");
        assert_eq!(title(b"<title></title>"), None);
        assert_eq!(title(b"<title>never ends"), None);
    }
}
