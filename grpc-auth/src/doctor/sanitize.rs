//! What a server sent before it was known what it is, fit for a terminal.

pub(super) use crate::sanitize_untrusted::shown;

/// The first line of it.
pub(crate) fn first_line(bytes: &[u8]) -> String {
    shown(bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default())
}

/// The first line of what a server begins with, if it is text.
pub(crate) fn greeting(bytes: &[u8]) -> Option<String> {
    bytes.first().is_some_and(u8::is_ascii_graphic).then(|| first_line(bytes))
}

/// What is between `<title>` and its end, in a page's beginning.
pub(crate) fn title(page: &[u8]) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let start = memchr::memmem::find(&lower, b"<title>")? + b"<title>".len();
    let length = memchr::memmem::find(lower.get(start..)?, b"</title>")?;
    Some(shown(page.get(start..start + length)?)).filter(|title| !title.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_is_shown() {
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
