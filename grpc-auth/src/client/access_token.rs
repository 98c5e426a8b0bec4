//! A token that this program may use.

use std::fmt;
use std::time::SystemTime;

use http::HeaderValue;

use super::response::TokenType;
use crate::bearer::BearerToken;

/// An access token, and until when it may be used.
#[derive(Clone)]
pub struct AccessToken {
    pub(super) token: BearerToken,
    pub(super) token_type: TokenType,
    pub(super) expires_at: Option<SystemTime>,
    pub(super) scope: Option<Box<str>>,
    /// Each token of a source has another.
    pub(super) generation: u64,
    /// The value of `authorization`, made once.
    pub(super) authorization: HeaderValue,
}

impl AccessToken {
    /// The token itself. Whoever holds it can act as this program.
    #[must_use]
    pub fn token(&self) -> &BearerToken {
        &self.token
    }

    /// When it expires; none if nobody knows.
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

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("token_type", &self.token_type)
            .field("expires_at", &self.expires_at)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
