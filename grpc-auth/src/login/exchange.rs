//! The code for tokens (RFC 6749 §4.1.3), once.

use secrecy::{ExposeSecret, SecretString};

use super::error::LoginError;
use super::logged_in::LoginOutcome;
use super::tokens::Tokens;
use super::{Party, asks_who, id_token};
use crate::client::error::TokenError;
use crate::client::response::{TokenResponse, TokenType};

/// What was asked for, to be compared with what comes.
pub(crate) struct Asked<'a> {
    pub(crate) scope: &'a str,
    pub(crate) nonce: Option<&'a SecretString>,
}

impl Party {
    /// Redeems a code. Never again: a code that is used twice looks stolen (RFC 6749 §4.1.2), so
    /// not even a secret that was rotated meanwhile is tried.
    pub(crate) async fn redeem(
        &self,
        code: &SecretString,
        verifier: &SecretString,
        redirect_uri: &str,
    ) -> Result<TokenResponse, TokenError> {
        let token = |endpoints: &crate::http::discovery::Endpoints| endpoints.token.clone();
        let url = self.server.endpoint("token_endpoint", token).await?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.expose_secret()),
        ];
        form.extend(self.wanted.parameters.resources.iter().map(|value| ("resource", &**value)));
        let answer = self.server.post_once(&url, &form, http::HeaderMap::new()).await?;
        self.server.read_token(&answer, &form)?.of_type(TokenType::Bearer)
    }

    /// Checks what a login brought, and keeps it, unless it turns out not to be `settled` at the last
    /// moment: two browsers began it.
    pub(crate) async fn accept(
        &self,
        response: TokenResponse,
        asked: Asked<'_>,
        asked_at: std::time::SystemTime,
        settled: impl FnOnce() -> bool,
    ) -> Result<LoginOutcome, LoginError> {
        let expected = id_token::Expected {
            issuer: &self.issuer,
            client_id: self.client_id(),
            nonce: asked.nonce,
            now: self.server.clock().now(),
        };
        let id_token = match &response.id_token {
            Some(token) => Some(id_token::check(token, &expected)?),
            // OpenID Connect Core §3.1.3.3. A server that granted less says so.
            None if asks_who(asked.scope) && response.scope.as_deref().is_none_or(asks_who) => {
                let problem = "it is missing: if the server knows no OpenID Connect, call \
                               `.only_these_scopes()`";
                return Err(LoginError::IdToken { problem: problem.into() });
            }
            None => None,
        };
        let tokens = Tokens::granted(response, asked_at, None);
        let entry = self.entry();
        let lock = match &entry {
            Some(entry) => Some(entry.lock(self.server.clock()).await?),
            None => None,
        };
        if !settled() {
            // No program has them now, so they may stay valid.
            let _ = self.revoke(&tokens).await;
            return Err(LoginError::OpenedTwice);
        }
        if let (Some(entry), Some(lock)) = (&entry, lock) {
            let subject = id_token.as_ref().map(|id_token| &*id_token.subject);
            entry.write(&tokens, subject, &lock).await?;
        }
        Ok(LoginOutcome::new(self, entry, tokens, id_token))
    }
}
