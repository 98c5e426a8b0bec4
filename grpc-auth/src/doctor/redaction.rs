//! What a server repeats of the token that it was sent is not shown.

use super::diagnosis::Diagnosis;

/// So much of a token in a row is a part of it, and no accident.
const PART: usize = 12;
const REDACTED: &str = "[redacted]";

impl Diagnosis {
    /// Takes the parts of a token out of what the server said.
    pub(crate) fn without(mut self, token: &str) -> Self {
        for text in self.said().into_iter().flatten() {
            if let Some(other) = without(text, token) {
                *text = other;
            }
        }
        self
    }
}

/// The text without the parts that are in the token as well; `None` if there is no such part. A text that was cut short
/// may have its beginning alone.
fn without(text: &str, token: &str) -> Option<String> {
    let is_part = |part: &str| memchr::memmem::find(token.as_bytes(), part.as_bytes()).is_some();
    // All of a short one.
    let shortest = PART.min(token.len()).max(1);
    let (mut kept, mut rest, mut found) = (String::new(), text, false);
    while let Some(first) = rest.chars().next() {
        let mut length = shortest;
        if rest.get(..length).is_some_and(is_part) {
            while rest.get(..length + 1).is_some_and(is_part) {
                length += 1;
            }
            kept.push_str(REDACTED);
            found = true;
        } else {
            length = first.len_utf8();
            kept.push(first);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    found.then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_token_is_taken_out_and_nothing_else() {
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";
        for (text, expected) in [
            (token, Some("[redacted]")),
            (&*format!("no: Bearer {token}!"), Some("no: Bearer [redacted]!")),
            (&token[..30], Some("[redacted]")),
            (
                "about eyJzdWIiOiJhbGljZSJ9, twice: eyJzdWIiOiJhbGljZSJ9",
                Some("about [redacted], twice: [redacted]"),
            ),
            ("über eyJzdWIiOiJhbGljZSJ9 — €", Some("über [redacted] — €")),
            ("eyJhbGciOiJ", None),
            ("a message", None),
            ("", None),
        ] {
            assert_eq!(without(text, token).as_deref(), expected, "{text}");
        }
        assert_eq!(without("the token s3cret", "s3cret").as_deref(), Some("the token [redacted]"));
        assert_eq!(without("anything", ""), None);
    }
}
