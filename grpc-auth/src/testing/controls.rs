//! What tests do to the server.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::data::fault::{Endpoint, Fault};
use crate::lock::locked;
use crate::testing::server::TestAuthorizationServer;

impl TestAuthorizationServer {
    /// How long tokens from the token endpoint are valid from now on. Default
    /// [`TOKEN_LIFETIME`](Self::TOKEN_LIFETIME).
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        locked(&self.state.settings).token_lifetime = lifetime;
    }

    /// Leaves `expires_in` out of what the token endpoint answers, as RFC 6749 §5.1 allows.
    pub fn omit_expires_in(&self, omit: bool) {
        locked(&self.state.settings).omits_expires_in = omit;
    }

    /// Answers every token request with this status and document; with none, with the truth again.
    ///
    /// ```
    /// # fn nearly(issuer: &grpc_auth::testing::TestAuthorizationServer) {
    /// issuer.set_token_response(Some((200, r#"{"access_token": 17}"#.into())));
    /// # }
    /// ```
    pub fn set_token_response(&self, response: Option<(u16, String)>) {
        locked(&self.state.settings).token_response = response;
    }

    /// Refuses every token request with this error (RFC 6749 §5.2), `invalid_client` with status
    /// 401, until [`set_token_response(None)`](Self::set_token_response).
    pub fn refuse_tokens(&self, error: &str) {
        let status = if error == "invalid_client" { 401 } else { 400 };
        self.set_token_response(Some((status, json!({ "error": error }).to_string())));
    }

    /// Asks for a nonce in DPoP proofs at the token endpoint: `use_dpop_nonce` (RFC 9449 §8).
    pub fn require_dpop_nonce(&self, require: bool) {
        locked(&self.state.settings).requires_dpop_nonce = require;
    }

    /// Makes a token inactive, whatever it says; introspection alone knows.
    pub fn revoke(&self, token: &str) {
        self.state.issued_tokens.revoke(token);
    }

    /// Answers every introspection with this document; with none, with the truth again.
    pub fn set_introspection_response(&self, json: Option<String>) {
        locked(&self.state.settings).introspection_response = json;
    }

    /// The JSON of the key set as it is published now.
    #[must_use]
    pub fn jwks(&self) -> String {
        self.state.published_jwks()
    }

    /// Publishes this document instead of the true key set; with none, the true one again.
    pub fn set_jwks(&self, json: Option<String>) {
        locked(&self.state.settings).jwks = json;
    }

    /// Sends these headers with the key set from now on, and with a 304 in its place; none at
    /// first. An `ETag` among them replaces the server's own.
    ///
    /// ```
    /// # use grpc_auth::testing::TestAuthorizationServer;
    /// use http::HeaderValue;
    /// use http::header::{AGE, CACHE_CONTROL};
    ///
    /// # fn aged(issuer: &TestAuthorizationServer) {
    /// let max_age = HeaderValue::from_static("max-age=300");
    /// issuer.set_key_set_headers([(CACHE_CONTROL, max_age), (AGE, 120.into())]);
    /// # }
    /// ```
    pub fn set_key_set_headers(
        &self,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) {
        locked(&self.state.settings).key_set_headers = headers.into_iter().collect();
    }

    /// Publishes new keys in advance; tokens are still signed with the present ones.
    ///
    /// # Errors
    /// When no keys can be generated.
    pub fn add_keys(&self) -> io::Result<()> {
        locked(&self.state.keys).add().map_err(io::Error::other)
    }

    /// Signs with the keys added before and stops publishing the former ones.
    ///
    /// # Errors
    /// When no keys can be generated.
    pub fn retire_keys(&self) -> io::Result<()> {
        locked(&self.state.keys).retire().map_err(io::Error::other)
    }

    /// Replaces the keys without notice, as after a compromise.
    ///
    /// # Errors
    /// When no keys can be generated.
    pub fn replace_keys(&self) -> io::Result<()> {
        let mut keys = locked(&self.state.keys);
        keys.add().and_then(|()| keys.retire()).map_err(io::Error::other)
    }

    /// Makes an endpoint misbehave from now on.
    pub fn fail(&self, endpoint: Endpoint, fault: Fault) {
        self.state.switches.set(endpoint, Some(fault));
    }

    /// Makes every endpoint behave again.
    pub fn heal(&self) {
        self.state.switches.clear();
    }

    /// How many requests an endpoint has got, failed ones included.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> u64 {
        self.state.switches.requests(endpoint)
    }

    /// The headers of the last request to an endpoint.
    #[must_use]
    pub fn last_request(&self, endpoint: Endpoint) -> Option<HeaderMap> {
        self.state.switches.last_request(endpoint)
    }

    /// How many requests for the key set were answered with 304.
    #[must_use]
    pub fn not_modified(&self) -> u64 {
        self.state.not_modified.load(Ordering::Relaxed)
    }

    /// How many connections are open, those of clients that will ask again included.
    #[must_use]
    pub fn connections(&self) -> usize {
        Arc::strong_count(&self.state.connections) - 1
    }
}
