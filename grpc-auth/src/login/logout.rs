//! The end of a login.

use secrecy::ExposeSecret;

use super::error::LoginError;
use super::tokens::Tokens;
use super::{Login, Party};
use crate::client::error::TokenError;

/// How a login ended. Its file is gone in any case.
#[derive(Debug)]
#[must_use = "tokens that were not revoked are good until they expire"]
#[non_exhaustive]
pub enum LogoutOutcome {
    /// Its tokens are useless.
    Revoked,
    /// There was none.
    NotLoggedIn,
    /// The authorization server revokes nothing (RFC 7009): the access token is good until it
    /// expires, and the refresh token for as long as the server says.
    NotRevocable,
    /// The server could not be asked, or refused, or the file could not be read: end the session
    /// there, if another program may have the tokens.
    NotRevoked(LoginError),
}

impl<Way> Login<Way> {
    /// Revokes the tokens that the [store](Self::store) holds for the same server, client, audience
    /// and scopes (RFC 7009), and removes them from it, also when they cannot be revoked.
    ///
    /// # Errors
    /// [`LoginError::Store`] when they cannot be removed, [`LoginError::Config`] without a store.
    pub async fn log_out(&self) -> Result<LogoutOutcome, LoginError> {
        let party = self.wanted.party()?;
        let entry = party.required_entry()?;
        let lock = entry.lock(party.server.clock()).await?;
        let outcome = match entry.read().await {
            Ok(None) => LogoutOutcome::NotLoggedIn,
            Ok(Some(stored)) => match party.revoke(&stored.tokens).await {
                Ok(()) => LogoutOutcome::Revoked,
                Err(TokenError::EndpointMissing { .. }) => LogoutOutcome::NotRevocable,
                Err(error) => LogoutOutcome::NotRevoked(error.into()),
            },
            Err(error) => LogoutOutcome::NotRevoked(error.into()),
        };
        entry.delete(&lock).await?;
        Ok(outcome)
    }
}

impl Party {
    /// The refresh token first: what came of it goes with it at many servers (RFC 7009 §2.1).
    pub(crate) async fn revoke(&self, tokens: &Tokens) -> Result<(), TokenError> {
        let refresh = match &tokens.refresh {
            Some(token) => self.server.revoke(token.expose_secret()).await,
            None => Ok(()),
        };
        let access = self.server.revoke(tokens.access.expose_secret()).await;
        refresh?;
        match access {
            // Some servers revoke refresh tokens alone (RFC 7009 §2.2.1): no more come.
            Err(TokenError::Refused { error, .. })
                if &*error == "unsupported_token_type" && tokens.refresh.is_some() =>
            {
                Ok(())
            }
            other => other,
        }
    }
}
