//! Making tokens of what was granted.

use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::TokenRequest;
use crate::jose::algorithm::Algorithm;
use crate::lock::locked;
use crate::testing::data::grants::{Family, Grant, RefreshToken};
use crate::testing::data::registry::GrantType;
use crate::testing::data::secret_store::random;
use crate::testing::data::token::{TokenBuilder, seconds};
use crate::testing::endpoints::oauth_error::OAuthError;

/// An access token to be made.
pub(crate) struct AccessToken<'t> {
    pub(crate) subject: &'t str,
    pub(crate) scopes: &'t [String],
    pub(crate) audience: Option<&'t str>,
    /// Who acts for the subject (RFC 8693 §4.1).
    pub(crate) actor: Option<Value>,
    /// Sooner than its lifetime.
    pub(crate) not_after: Option<SystemTime>,
    /// What it is revoked with.
    pub(crate) family: Option<&'t Arc<Family>>,
}

/// An access token that was made, and what the client gets.
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) answer: Map<String, Value>,
}

impl TokenRequest<'_> {
    /// All that a person's grant gives: an access token, and a refresh token and an ID token if
    /// they are asked for.
    pub(crate) fn issue(&self, grant: &Grant) -> Result<Value, OAuthError> {
        let mut issued = self.access_token_of(grant, &grant.scopes)?;
        if self.is_refreshed(grant) {
            let token = self.refresh_token(grant)?;
            issued.answer.insert("refresh_token".into(), token.into());
        }
        if grant.scopes.iter().any(|scope| scope == "openid") {
            let token = self.id_token(grant, &issued.token)?;
            issued.answer.insert("id_token".into(), token.into());
        }
        Ok(issued.answer.into())
    }

    pub(crate) fn access_token_of(
        &self,
        grant: &Grant,
        scopes: &[String],
    ) -> Result<Issued, OAuthError> {
        self.access_token(&AccessToken {
            subject: &grant.subject,
            scopes,
            audience: grant.audience.as_deref(),
            actor: None,
            not_after: None,
            family: Some(&grant.family),
        })
    }

    /// A JWT (RFC 9068), or without an audience an opaque token.
    pub(crate) fn access_token(&self, wanted: &AccessToken<'_>) -> Result<Issued, OAuthError> {
        let now = self.state.clock.now();
        let mut expires_at = now + self.state.tokens.lifetime();
        expires_at = wanted.not_after.map_or(expires_at, |end| end.min(expires_at));
        let lifetime = expires_at.duration_since(now).unwrap_or_default();

        let mut builder = self.builder(wanted.subject, wanted.audience.unwrap_or_default())?;
        builder = builder
            .claim("client_id", &self.client.id)
            .claim("jti", random()?)
            .scopes(wanted.scopes.iter().map(String::as_str))
            .expires_in(lifetime);
        if let Some(actor) = &wanted.actor {
            builder = builder.claim("act", actor);
        }
        if let Some(key) = &self.key {
            builder = builder.claim("cnf", json!({ "jkt": key.encode() }));
        }
        let token = match wanted.audience {
            Some(_) => builder.sign(),
            None => builder.without_claim("aud").opaque(),
        };
        if let Some(family) = wanted.family {
            family.add(&self.state.opaque_tokens, &token, now, expires_at);
            self.state.grants.issued.add(&token, family, now, expires_at);
        }

        let mut answer = Map::new();
        answer.insert("access_token".into(), token.as_str().into());
        let token_type = if self.key.is_some() { "DPoP" } else { "Bearer" };
        answer.insert("token_type".into(), token_type.into());
        if !self.state.tokens.omits_expires_in() {
            // What the token says, too: its times are whole seconds.
            let whole = seconds(expires_at).saturating_sub(seconds(now));
            answer.insert("expires_in".into(), whole.into());
        }
        answer.insert("scope".into(), wanted.scopes.join(" ").into());
        Ok(Issued { token, answer })
    }

    fn is_refreshed(&self, grant: &Grant) -> bool {
        let client = &self.client.client;
        let is_asked = grant.scopes.iter().any(|scope| scope == "offline_access");
        client.may(GrantType::RefreshToken) && (is_asked || client.always_refreshes)
    }

    pub(crate) fn refresh_token(&self, grant: &Grant) -> Result<String, OAuthError> {
        let now = self.state.clock.now();
        let tokens = &self.state.grants.refresh_tokens;
        tokens.retain(|token| token.expires_at > now);
        let token = RefreshToken {
            grant: grant.clone(),
            key: self.key.filter(|_| self.client.client.is_public()),
            expires_at: now + RefreshToken::LIFETIME,
            is_used: false,
        };
        Ok(tokens.store(token)?)
    }

    /// OpenID Connect Core §2.
    fn id_token(&self, grant: &Grant, access_token: &str) -> Result<String, OAuthError> {
        let hash = digest(&SHA256, access_token.as_bytes());
        let half = hash.as_ref().get(..16).unwrap_or_default();
        let mut builder = self
            .builder(&grant.subject, &self.client.id)?
            .header("typ", "JWT")
            .claim("auth_time", seconds(grant.authenticated_at))
            .claim("at_hash", URL_SAFE_NO_PAD.encode(half))
            .expires_in(self.state.tokens.lifetime());
        if let Some(nonce) = &grant.nonce {
            builder = builder.claim("nonce", nonce);
        }
        Ok(builder.sign())
    }

    /// Signs with RS256, and says of users what is known of them.
    fn builder(&self, subject: &str, audience: &str) -> Result<TokenBuilder, OAuthError> {
        let state = self.state;
        let key = locked(&state.keys).signing_key(Algorithm::Rs256);
        let key = key.ok_or_else(|| OAuthError::server("there is no RS256 key"))?;
        let (now, tokens) = (state.clock.now(), Arc::clone(&state.opaque_tokens));
        let keys = vec![Arc::clone(&key)];
        let claims = locked(&state.users).0.get(subject).map(|user| user.claims.clone());
        let claims = claims.unwrap_or_default();
        let builder = TokenBuilder::new(keys, key, now, &state.url, audience, tokens);
        let builder =
            claims.into_iter().fold(builder, |builder, (name, value)| builder.claim(name, value));
        Ok(builder.subject(subject))
    }
}
