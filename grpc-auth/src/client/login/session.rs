//! A login as a source of tokens: what it holds is handed out, then renewed by its refresh token.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::Party;
use super::store::Entry;
use super::tokens::Tokens;
use crate::client::error::TokenError;
use crate::client::response::TokenResponse;
use crate::client::server::Server;
use crate::client::source::{Origin, TokenSource};

/// The tokens of one login.
pub(in crate::client) struct Session {
    server: Arc<Server>,
    resources: Vec<String>,
    /// Whose login it is, if that was ever said.
    subject: Option<String>,
    entry: Option<Entry>,
    held: Mutex<Held>,
}

struct Held {
    tokens: Tokens,
    /// Whether the source has this access token: if it asks again, it wants another.
    is_handed_out: bool,
    /// The refresh token in the file, where the one that replaced it could not be written there.
    replaced: Option<SecretString>,
}

impl Session {
    /// A source that begins with these tokens.
    pub(super) fn source(
        party: &Party,
        entry: Option<Entry>,
        tokens: Tokens,
        subject: Option<&str>,
    ) -> TokenSource {
        let session = Self {
            server: Arc::clone(&party.server),
            resources: party.wanted.parameters.resources.clone(),
            subject: subject.map(Into::into),
            entry,
            held: Mutex::new(Held { tokens, is_handed_out: false, replaced: None }),
        };
        TokenSource::new(Origin::Login(Arc::new(session)), party.server.clock().clone())
    }

    /// Its server's name in logs and metrics.
    pub(in crate::client) fn name(&self) -> &str {
        self.server.name()
    }

    /// The next access token. Whoever asks may go away: a refresh token that was rotated meanwhile
    /// is kept all the same.
    pub(in crate::client) async fn next(self: &Arc<Self>) -> Result<TokenResponse, TokenError> {
        let this = Arc::clone(self);
        let asked = tokio::spawn(async move { this.next_or_renewed().await });
        asked.await.unwrap_or(Err(TokenError::GivenUp))
    }

    async fn next_or_renewed(&self) -> Result<TokenResponse, TokenError> {
        let mut held = self.held.lock().await;
        let clock = self.server.clock();
        if !held.is_handed_out && held.tokens.is_fresh(clock.now()) {
            return Ok(held.hand_out(clock.now()));
        }
        match &self.entry {
            None => held.tokens = self.renewed(&held.tokens).await?,
            Some(entry) => self.renew_together(&mut held, entry).await?,
        }
        Ok(held.hand_out(clock.now()))
    }

    /// Other processes hold the same login. A refresh token that is used twice looks stolen, and
    /// the server ends the login (RFC 9700 §4.14.2): one of them asks, and the others read.
    async fn renew_together(&self, held: &mut Held, entry: &Entry) -> Result<(), TokenError> {
        let clock = self.server.clock();
        let lock = entry.lock(clock).await?;
        let stored = entry.read().await?.ok_or(TokenError::Expired {
            help: "it was logged out meanwhile: log in again, `grpc-auth login` does",
        })?;
        // The program goes on to say that it acts for the one who logged in here.
        if self.subject.is_some() && stored.subject != self.subject {
            return Err(TokenError::Expired {
                help: "somebody else logged in meanwhile: load the login again, and look whose it is",
            });
        }
        let mut current = stored.tokens;
        let replaced = held.replaced.as_ref().map(ExposeSecret::expose_secret);
        if replaced.is_some()
            && current.refresh.as_ref().map(ExposeSecret::expose_secret) == replaced
        {
            current = held.tokens.clone();
        }
        let is_new = current.access.expose_secret() != held.tokens.access.expose_secret();
        if is_new && current.is_fresh(clock.now()) {
            (held.tokens, held.replaced) = (current, None);
            return Ok(());
        }
        let in_file = held.replaced.take().or_else(|| current.refresh.clone());
        let renewed = self.renewed(&current).await?;
        if let Err(error) = entry.write(&renewed, stored.subject.as_deref(), &lock).await {
            tracing::warn!(%error, "the renewed login cannot be stored: it lives in this process alone");
            held.replaced = in_file;
        }
        held.tokens = renewed;
        Ok(())
    }

    /// RFC 6749 §6. No scope is sent: what was granted stays granted, and what was asked for may be
    /// more.
    async fn renewed(&self, tokens: &Tokens) -> Result<Tokens, TokenError> {
        let refresh = tokens.refresh.as_ref().ok_or(TokenError::Expired {
            help: "the login brought no refresh token: log in again, and allow the client \
                   `offline_access` to stay logged in",
        })?;
        let asked_at = self.server.clock().now();
        let mut form =
            vec![("grant_type", "refresh_token"), ("refresh_token", refresh.expose_secret())];
        form.extend(self.resources.iter().map(|resource| ("resource", &**resource)));
        let response = self.server.token(&form, None).await?;
        Ok(Tokens::granted(response, asked_at, Some(refresh)))
    }
}

impl Held {
    fn hand_out(&mut self, now: std::time::SystemTime) -> TokenResponse {
        self.is_handed_out = true;
        self.tokens.as_response(now)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("entry", &self.entry).finish_non_exhaustive()
    }
}
