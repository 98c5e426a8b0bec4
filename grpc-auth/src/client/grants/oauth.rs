//! Tokens of an authorization server, by a grant type of OAuth 2.0.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};

use crate::client::dpop::DpopKey;
use crate::client::error::TokenError;
use crate::client::request::TokenDemand;
use crate::client::server::Server;
use crate::client::source::grant::{Grant, Granted, Obtaining};
use crate::clock::Clock;
use crate::lock::locked;
use crate::panics::caught;

/// Asks an authorization server.
pub(crate) struct OAuthGrant {
    server: Arc<Server>,
    demand: TokenDemand,
    /// The last one it gave (RFC 6749 §6).
    refresh_token: Mutex<Option<SecretString>>,
}

impl OAuthGrant {
    pub(crate) fn new(server: Arc<Server>, demand: TokenDemand) -> Self {
        let refresh_token = Mutex::new(demand.grant.refresh_token().cloned());
        Self { server, demand, refresh_token }
    }

    async fn request(&self, asked_at: SystemTime) -> Result<Granted, TokenError> {
        let refresh_token = self.refresh_token().clone();
        let response = self.demand.send(&self.server, refresh_token.as_ref()).await?;
        if let Some(next) = &response.refresh_token {
            self.rotate(refresh_token.as_ref(), next).await;
        }
        Ok(Granted::from_response(response, asked_at))
    }

    /// The server gave another one, and need not take the old one any more.
    async fn rotate(&self, before: Option<&SecretString>, next: &SecretString) {
        if before.is_none_or(|before| before.expose_secret() == next.expose_secret()) {
            return;
        }
        *self.refresh_token() = Some(next.clone());
        if let Some(hook) = &self.demand.on_rotation
            && caught(async { hook(next) }).await.is_err()
        {
            tracing::error!(
                target: "grpc_auth",
                source = self.server.name(),
                "the callback for refresh tokens panicked"
            );
        }
    }

    fn refresh_token(&self) -> MutexGuard<'_, Option<SecretString>> {
        locked(&self.refresh_token)
    }
}

impl Grant for OAuthGrant {
    fn obtain<'a>(&'a self, clock: &'a Clock) -> Obtaining<'a> {
        Box::pin(self.request(clock.now()))
    }

    fn name(&self) -> &str {
        self.server.name()
    }

    fn grant_type(&self) -> Option<&'static str> {
        Some(self.demand.grant.name())
    }

    fn dpop(&self) -> Option<&DpopKey> {
        self.demand.dpop.as_ref()
    }

    fn timeout(&self) -> Duration {
        self.server.timeout()
    }
}
