//! An error of a token endpoint (RFC 6749 §5.2).

use std::time::SystemTime;

use serde::Deserialize;

use crate::client::error::TokenError;
use crate::http::client::Answer;
use crate::json;

/// Its text may be hostile, and it is logged.
const MAX_DESCRIPTION: usize = 256;
/// A word of so many letters and digits in a description may be a token.
const MAX_WORD: usize = 40;

#[derive(Deserialize)]
struct ErrorDocument {
    error: String,
    error_description: Option<String>,
}

/// Why the server does not do what it is asked for (RFC 6749 §5.2).
pub(crate) fn refusal(
    answer: &Answer,
    now: SystemTime,
    is_secret: impl Fn(&str) -> bool,
) -> TokenError {
    let refused = (answer.status / 100 == 4).then(|| refused(&answer.body, is_secret)).flatten();
    refused.unwrap_or_else(|| answer.to_error(now).into())
}

pub(super) fn refused(body: &[u8], is_secret: impl Fn(&str) -> bool) -> Option<TokenError> {
    let document: ErrorDocument = json::read(body).ok()?;
    if !is_error_code(&document.error) || is_secret(&document.error) {
        return None;
    }
    let description = document.error_description;
    let description = description.filter(|text| !is_secret(text) && !holds_a_token(text));
    Some(TokenError::Refused {
        error: document.error.into(),
        description: description
            .map(|text| text.chars().take(MAX_DESCRIPTION).collect::<String>().into()),
    })
}

/// Whether a word in it looks like a token, an assertion or a code.
fn holds_a_token(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    text.split(|c| !is_part(c)).any(|word| word.len() > MAX_WORD)
}

/// The error code of an answer that may be followed by another try.
pub(crate) fn code(answer: &Answer) -> Option<String> {
    let may_try = matches!(answer.status, 400 | 401);
    may_try
        .then(|| json::read::<ErrorDocument>(&answer.body).ok())
        .flatten()
        .map(|found| found.error)
}

fn is_error_code(error: &str) -> bool {
    !error.is_empty()
        && error.len() <= 64
        && error
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}
