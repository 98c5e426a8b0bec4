//! What a token endpoint answers (RFC 6749 §5).

use std::fmt;
use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use serde::Deserialize;

use super::error::TokenError;
use crate::bearer::BearerToken;
use crate::client_auth::ClientAuthentication;
use crate::http_client::Answer;
use crate::json;
use crate::jwks::FetchError;

/// A stranger may have written it, and it stands in log lines.
const MAX_DESCRIPTION: usize = 256;

/// A token, as it was granted.
pub(super) struct TokenResponse {
    pub(super) access_token: BearerToken,
    pub(super) token_type: TokenType,
    /// Counted from the request.
    pub(super) expires_in: Option<Duration>,
    /// Granted, if they differ from what was asked for.
    pub(super) scope: Option<String>,
    pub(super) refresh_token: Option<SecretString>,
    pub(super) id_token: Option<SecretString>,
}

impl TokenResponse {
    /// Refuses a token of another type than was asked for: one that is not bound, where it was to
    /// be, could be used by whoever finds it (RFC 9449 §5).
    pub(super) fn of_type(self, expected: TokenType) -> Result<Self, TokenError> {
        let problem = match (expected, self.token_type) {
            (TokenType::Dpop, TokenType::Bearer) => {
                "its `token_type` is `Bearer`, and `.dpop(key)` asks for tokens that are bound to \
                 the key: allow the client such tokens at the authorization server"
            }
            (TokenType::Bearer, TokenType::Dpop) => {
                "its `token_type` is `DPoP`, and no key was sent for it: write `.dpop(key)`"
            }
            (TokenType::Bearer, TokenType::Bearer) | (TokenType::Dpop, TokenType::Dpop) => {
                return Ok(self);
            }
        };
        Err(TokenError::AnswerInvalid { problem })
    }
}

/// How a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenType {
    Bearer,
    Dpop,
}

#[derive(Deserialize)]
struct Document {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Seconds>,
    scope: Option<String>,
    refresh_token: Option<String>,
    id_token: Option<String>,
}

/// Some servers write it as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

#[derive(Deserialize)]
struct ErrorDocument {
    error: String,
    error_description: Option<String>,
}

/// Reads the answer.
pub(super) fn read(
    answer: &Answer,
    now: SystemTime,
    client: &ClientAuthentication,
) -> Result<TokenResponse, TokenError> {
    if answer.status != 200 {
        return Err(refusal(answer, now, client));
    }
    let invalid = |problem| TokenError::AnswerInvalid { problem };
    let document: Document = object(&answer.body)
        .ok_or_else(|| invalid("it is no JSON object of RFC 6749 §5.1, or a name stands twice"))?;
    let access_token = document.access_token.ok_or_else(|| invalid("it has no `access_token`"))?;
    let access_token = BearerToken::parse(&access_token)
        .ok_or_else(|| invalid("its `access_token` cannot stand in a header, or is over 8 KiB"))?;
    let token_type = match document.token_type.as_deref() {
        Some(name) if name.eq_ignore_ascii_case("bearer") => TokenType::Bearer,
        Some(name) if name.eq_ignore_ascii_case("dpop") => TokenType::Dpop,
        Some(_) => return Err(invalid("its `token_type` is neither `Bearer` nor `DPoP`")),
        None => return Err(invalid("it has no `token_type`")),
    };
    let expires_in = match document.expires_in {
        None => None,
        Some(seconds) => {
            let seconds = match seconds {
                Seconds::Number(seconds) => Some(seconds),
                Seconds::Text(text) => text.parse().ok(),
            };
            let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            Some(duration.ok_or_else(|| invalid("its `expires_in` is no number of seconds"))?)
        }
    };
    Ok(TokenResponse {
        access_token,
        token_type,
        expires_in,
        scope: document.scope,
        refresh_token: document.refresh_token.filter(|token| !token.is_empty()).map(Into::into),
        id_token: document.id_token.map(Into::into),
    })
}

/// Why the server does not do what it is asked for (RFC 6749 §5.2).
pub(super) fn refusal(
    answer: &Answer,
    now: SystemTime,
    client: &ClientAuthentication,
) -> TokenError {
    let document = object::<ErrorDocument>(&answer.body).filter(|_| answer.status / 100 == 4);
    let Some(document) = document.filter(|document| is_error_code(&document.error)) else {
        return FetchError::refused(answer, now).into();
    };
    let description = document.error_description.filter(|text| !client.is_shown_in(text));
    TokenError::Refused {
        error: document.error.into(),
        description: description
            .map(|text| text.chars().take(MAX_DESCRIPTION).collect::<String>().into()),
    }
}

/// Whether the server does not believe that the client is who it says.
pub(super) fn is_invalid_client(answer: &Answer) -> bool {
    matches!(answer.status, 400 | 401)
        && object::<ErrorDocument>(&answer.body)
            .is_some_and(|found| found.error == "invalid_client")
}

/// Whether the server wants its nonce in the proof (RFC 9449 §8).
pub(super) fn asks_for_nonce(answer: &Answer) -> bool {
    matches!(answer.status, 400 | 401)
        && object::<ErrorDocument>(&answer.body)
            .is_some_and(|found| found.error == "use_dpop_nonce")
}

fn is_error_code(error: &str) -> bool {
    !error.is_empty()
        && error.len() <= 64
        && error
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// serde would take an array of the values as well, and the last of two values.
fn object<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Option<T> {
    let is_object = body.trim_ascii_start().starts_with(b"{") && !json::is_ambiguous(body);
    is_object.then(|| serde_json::from_slice(body).ok()).flatten()
}

/// Without the tokens.
impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
