//! A token that this program may use.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use serde::Deserialize;

use super::response::{TokenResponse, TokenType};
use crate::jose::compact::unverified_claims;
use crate::json;
use crate::token::bearer::BearerToken;

/// The end of the year 9999: what lies beyond is no date.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// An access token, and until when it may be used.
#[derive(Clone, Debug)]
pub struct AccessToken {
    pub(crate) token: BearerToken,
    pub(crate) token_type: TokenType,
    pub(crate) expires_at: Option<SystemTime>,
    pub(crate) scope: Option<Box<str>>,
    /// Each token of a source has another.
    pub(super) generation: u64,
    /// The value of `authorization`, made once.
    pub(super) authorization: HeaderValue,
}

impl AccessToken {
    /// A token that the program got by itself, for [`TokenSource::from_fn`](super::TokenSource::from_fn).
    /// It expires when the `exp` of a JWT says so; nothing else of it is looked at.
    #[must_use]
    pub fn bearer(token: BearerToken) -> Self {
        Self {
            token_type: TokenType::Bearer,
            expires_at: jwt_expiry(&token),
            scope: None,
            generation: 0,
            authorization: token.header_value(),
            token,
        }
    }

    /// Says when it expires.
    #[must_use]
    pub fn expiring_at(mut self, time: SystemTime) -> Self {
        self.expires_at = Some(time);
        self
    }

    pub(crate) fn granted(response: TokenResponse, expires_at: SystemTime) -> Self {
        let authorization = match response.token_type {
            TokenType::Bearer => response.access_token.header_value(),
            TokenType::Dpop => response.access_token.dpop_header_value(),
        };
        Self {
            token_type: response.token_type,
            authorization,
            token: response.access_token,
            expires_at: Some(expires_at),
            scope: response.scope.map(Into::into),
            generation: 0,
        }
    }

    /// The token itself: a program that has it can act as this one.
    #[must_use]
    pub fn token(&self) -> &BearerToken {
        &self.token
    }

    /// When it expires; `None` if that is unknown.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// The scopes that the server says it granted; none where they are what was asked for
    /// (RFC 6749 §5.1).
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// The value of an `authorization` header, marked sensitive.
    #[must_use]
    pub fn header_value(&self) -> &HeaderValue {
        &self.authorization
    }
}

/// The `exp` of a JWT. It is not verified: it says when the token is of no use any more, and
/// never that it is of any.
pub(super) fn jwt_expiry(token: &BearerToken) -> Option<SystemTime> {
    #[derive(Deserialize)]
    struct Expiry {
        exp: f64,
    }

    let claims = unverified_claims(token.as_bytes())?;
    let Expiry { exp } = json::read(&claims).ok()?;
    let since = Duration::try_from_secs_f64(exp).ok().filter(|_| exp <= LAST_SECOND)?;
    Some(UNIX_EPOCH + since)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn the_expiry_of_a_jwt_is_read_and_of_nothing_else() {
        let jwt = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        for (token, expected) in [
            (jwt(r#"{"exp":1800000000}"#), Some(1_800_000_000.0)),
            (jwt(r#"{"sub":"a","exp":1800000000.5}"#), Some(1_800_000_000.5)),
            (jwt(r#"{"exp":0}"#), Some(0.0)),
            (jwt(r#"{"exp":-1}"#), None),
            (jwt(r#"{"exp":1e300}"#), None),
            (jwt(r#"{"exp":"1800000000"}"#), None),
            (jwt("{}"), None),
            (jwt("no json"), None),
            ("opaque".into(), None),
            ("a.b".into(), None),
            ("a.b.c.d.e".into(), None),
            (format!("{}.x", jwt(r#"{"exp":1}"#)), None),
        ] {
            let found = jwt_expiry(&BearerToken::parse(&token).unwrap());
            let found = found.map(|end| end.duration_since(UNIX_EPOCH).unwrap().as_secs_f64());
            assert_eq!(found, expected, "{token}");
        }
    }
}
