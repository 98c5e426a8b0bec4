//! What a login brought, as it is kept.

use std::time::{Duration, SystemTime};

use secrecy::SecretString;

use crate::client::response::{TokenResponse, TokenType};
use crate::token::bearer::BearerToken;

/// How long a token is used whose lifetime is unknown.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(300);
/// A token that ends sooner is no longer handed out, if another can be got.
const MARGIN: Duration = Duration::from_secs(30);
/// No token lives longer, whatever its server says: times must stay within what a clock shows.
const MAX_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// An access token, and what brings the next one.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) access: BearerToken,
    pub(crate) token_type: TokenType,
    pub(crate) expires_at: SystemTime,
    /// Granted, if it differs from what was asked for.
    pub(crate) scope: Option<String>,
    pub(crate) refresh: Option<SecretString>,
}

impl Tokens {
    /// What was granted. Of what a renewal does not say, the old tokens' goes on: the scope that was
    /// granted, and a refresh token that is not rotated (RFC 6749 §6).
    pub(crate) fn granted(
        response: TokenResponse,
        asked_at: SystemTime,
        old: Option<&Self>,
    ) -> Self {
        let lifetime = response.expires_in.unwrap_or(UNKNOWN_LIFETIME).min(MAX_LIFETIME);
        Self {
            access: response.access_token,
            token_type: response.token_type,
            expires_at: asked_at + lifetime,
            scope: response.scope.or_else(|| old?.scope.clone()),
            refresh: response.refresh_token.or_else(|| old?.refresh.clone()),
        }
    }

    /// Whether it is to be used as it is.
    pub(crate) fn is_fresh(&self, now: SystemTime) -> bool {
        let margin = if self.refresh.is_some() { MARGIN } else { Duration::ZERO };
        now + margin < self.expires_at
    }

    /// As a server would hand it out now.
    pub(crate) fn as_response(&self, now: SystemTime) -> TokenResponse {
        TokenResponse {
            access_token: self.access.clone(),
            token_type: self.token_type,
            expires_in: Some(self.expires_at.duration_since(now).unwrap_or_default()),
            scope: self.scope.clone(),
            refresh_token: None,
            id_token: None,
        }
    }
}
