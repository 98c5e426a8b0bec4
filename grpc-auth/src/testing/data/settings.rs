//! What tests change while the server runs.

use std::time::Duration;

use axum::http::HeaderMap;

/// How long access tokens are valid unless it is set otherwise.
pub(crate) const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// How the endpoints answer.
pub(crate) struct Settings {
    pub(crate) token_lifetime: Duration,
    pub(crate) omits_expires_in: bool,
    pub(crate) requires_dpop_nonce: bool,
    /// The status and the document that the token endpoint answers instead of the truth.
    pub(crate) token_response: Option<(u16, String)>,
    /// What introspection answers instead of the truth.
    pub(crate) introspection_response: Option<String>,
    /// What is published instead of the true key set.
    pub(crate) jwks: Option<String>,
    pub(crate) key_set_headers: HeaderMap,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token_lifetime: TOKEN_LIFETIME,
            omits_expires_in: false,
            requires_dpop_nonce: false,
            token_response: None,
            introspection_response: None,
            jwks: None,
            key_set_headers: HeaderMap::new(),
        }
    }
}
