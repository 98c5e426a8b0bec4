//! Making tokens of what was granted.

use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};

use super::TokenRequest;
use crate::jose::algorithm::Algorithm;
use crate::lock::locked;
use crate::testing::data::grants::{Grant, RefreshToken};
use crate::testing::data::registry::GrantType;
use crate::testing::data::secret_store::random;
use crate::testing::data::token::{TokenBuilder, seconds};

/// What the token endpoint answers (RFC 6749 §5.1).
#[derive(Serialize)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: String,
    pub(crate) token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_in: Option<u64>,
    pub(crate) scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_token: Option<String>,
    /// RFC 8693 §2.2.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issued_token_type: Option<String>,
}

/// What an exchanged token has of the one before it.
pub(crate) struct Delegation {
    /// Who acts for the subject (RFC 8693 §4.1).
    pub(crate) actor: Value,
    /// When the token before it expires.
    pub(crate) not_after: Option<SystemTime>,
}

impl TokenRequest<'_> {
    /// All that a person's grant gives: an access token, and a refresh token and an ID token if
    /// they are asked for.
    pub(crate) fn issue(&self, grant: &Grant) -> TokenResponse {
        let mut response = self.access_token(grant, &grant.access.scopes);
        let has_scope = |name: &str| grant.access.scopes.iter().any(|scope| scope == name);
        let is_refreshed = has_scope("offline_access") || self.client.always_refreshes;
        if is_refreshed && self.client.may(GrantType::RefreshToken) {
            response.refresh_token = Some(self.refresh_token(grant));
        }
        if has_scope("openid") {
            response.id_token = Some(self.id_token(grant, &response.access_token));
        }
        response
    }

    pub(crate) fn access_token(&self, grant: &Grant, scopes: &[String]) -> TokenResponse {
        self.delegated_token(grant, scopes, None)
    }

    /// A JWT (RFC 9068), or without an audience an opaque token.
    pub(crate) fn delegated_token(
        &self,
        grant: &Grant,
        scopes: &[String],
        delegation: Option<Delegation>,
    ) -> TokenResponse {
        let state = self.state;
        let now = state.clock.now();
        let mut expires_at = now + state.token_lifetime();
        let mut builder = self
            .token_of(grant)
            .claim("client_id", &self.client.id)
            .claim("jti", random())
            .scopes(scopes.iter().map(String::as_str));
        if let Some(Delegation { actor, not_after }) = delegation {
            builder = builder.claim("act", actor);
            expires_at = not_after.map_or(expires_at, |end| end.min(expires_at));
        }
        if let Some(key) = &self.key {
            builder = builder.claim("cnf", json!({ "jkt": key.encode() }));
        }
        builder = builder.expires_in(expires_at.duration_since(now).unwrap_or_default());
        let access_token = match &grant.access.audience {
            Some(audience) => builder.audience(audience).sign(),
            None => builder.without_claim("aud").opaque(),
        };
        state.issued_tokens.add_to_family(&access_token, &grant.family, now, expires_at);
        // What the token says, too: its times are whole seconds.
        let expires_in = seconds(expires_at).saturating_sub(seconds(now));
        TokenResponse {
            access_token,
            token_type: if self.key.is_some() { "DPoP" } else { "Bearer" },
            expires_in: (!locked(&state.settings).omits_expires_in).then_some(expires_in),
            scope: scopes.join(" "),
            refresh_token: None,
            id_token: None,
            issued_token_type: None,
        }
    }

    pub(crate) fn refresh_token(&self, grant: &Grant) -> String {
        let now = self.state.clock.now();
        let tokens = &self.state.grants.refresh_tokens;
        tokens.retain(|token| token.expires_at > now);
        tokens.store(RefreshToken {
            grant: grant.clone(),
            key: self.key.filter(|_| self.client.is_public()),
            expires_at: now + RefreshToken::LIFETIME,
            is_used: false,
        })
    }

    /// OpenID Connect Core §2.
    fn id_token(&self, grant: &Grant, access_token: &str) -> String {
        let hash = digest(&SHA256, access_token.as_bytes());
        let half = hash.as_ref().get(..16).unwrap_or_default();
        let mut builder = self
            .token_of(grant)
            .audience(&self.client.id)
            .header("typ", "JWT")
            .claim("auth_time", seconds(grant.authenticated_at))
            .claim("at_hash", URL_SAFE_NO_PAD.encode(half))
            .expires_in(self.state.token_lifetime());
        if let Some(nonce) = &grant.nonce {
            builder = builder.claim("nonce", nonce);
        }
        builder.sign()
    }

    fn token_of(&self, grant: &Grant) -> TokenBuilder {
        self.state.token_of(&grant.subject).algorithm(Algorithm::Rs256)
    }
}
