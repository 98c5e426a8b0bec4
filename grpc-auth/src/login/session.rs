//! A login as a source of tokens: what it holds is handed out, then renewed by its refresh token.
//!
//! One renewal is under way at a time, on a task of its own, and calls that need it meanwhile wait for what
//! it brings. What is held is locked to look at it and to replace it, and never across an await. A
//! renewal that shares its login with other processes does have the lock of the login's file while it
//! asks the server: that is what the lock is for. A refresh token that two of them used would look
//! stolen, and none may use one that another is about to replace (RFC 9700 §4.14.2). It is a value
//! that the renewal owns, no thread waits for it, and waiting calls give up in time.

use std::sync::{Arc, Mutex, MutexGuard};

use secrecy::{ExposeSecret, SecretString};

use super::Party;
use super::store::Entry;
use super::tokens::Tokens;
use crate::client::error::TokenError;
use crate::client::server::Server;
use crate::client::source::TokenSource;
use crate::client::source::grant::{Grant, Granted, Obtaining};
use crate::clock::Clock;
use crate::lock::locked;
use crate::single_flight::SingleFlight;

/// The tokens of one login.
pub(crate) struct Session {
    server: Arc<Server>,
    resources: Vec<String>,
    /// Whose login it is, if that was ever said.
    subject: Option<String>,
    entry: Option<Entry>,
    held: Mutex<Held>,
    /// Sources with another clock share the session.
    renewal: SingleFlight<Result<Tokens, TokenError>>,
}

#[derive(Clone)]
struct Held {
    tokens: Tokens,
    /// The refresh token in the file, where the one that replaced it could not be written there.
    replaced: Option<SecretString>,
    /// Whether the source has this access token: if it asks again, it wants another.
    is_handed_out: bool,
}

impl Session {
    /// A source that begins with these tokens.
    pub(crate) fn source(
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
            held: Mutex::new(Held { tokens, replaced: None, is_handed_out: false }),
            renewal: SingleFlight::new(),
        };
        TokenSource::new(session, party.server.clock().clone())
    }

    /// The tokens that are held, if the source does not have them yet; else renewed ones. The source
    /// obtains on a task of its own, so a refresh token that was rotated is kept even if the call that
    /// needed it goes away.
    async fn next(&self) -> Result<Tokens, TokenError> {
        if let Some(tokens) = self.unused() {
            return Ok(tokens);
        }
        self.renewal.join(self.renew()).await
    }

    fn unused(&self) -> Option<Tokens> {
        let now = self.server.clock().now();
        let mut held = self.held();
        let is_unused = !held.is_handed_out && held.tokens.is_fresh(now);
        held.is_handed_out |= is_unused;
        is_unused.then(|| held.tokens.clone())
    }

    async fn renew(&self) -> Result<Tokens, TokenError> {
        let held = self.held().clone();
        let (tokens, replaced) = match &self.entry {
            None => (self.renewed(&held.tokens).await?, None),
            Some(entry) => self.renew_together(held, entry).await?,
        };
        *self.held() = Held { tokens: tokens.clone(), replaced, is_handed_out: true };
        Ok(tokens)
    }

    /// Never across an await.
    fn held(&self) -> MutexGuard<'_, Held> {
        locked(&self.held)
    }

    /// Other processes hold the same login: one of them asks, and the others read. Returns the tokens,
    /// and what is [`replaced`](Held::replaced).
    async fn renew_together(
        &self,
        held: Held,
        entry: &Entry,
    ) -> Result<(Tokens, Option<SecretString>), TokenError> {
        let clock = self.server.clock();
        let lock = entry.lock(clock).await?;
        let stored = entry.read().await?.ok_or(TokenError::Expired {
            help: "it was logged out meanwhile: log in again, `grpc-auth login` does",
        })?;
        // The program goes on to say that it acts for the one who logged in here.
        if self.subject.is_some() && stored.subject != self.subject {
            return Err(TokenError::Expired {
                help: "another person logged in meanwhile: load the login again, and look whose it is",
            });
        }
        let mut current = stored.tokens;
        let in_file = current.refresh.clone();
        let replaced = held.replaced.as_ref().map(ExposeSecret::expose_secret);
        if replaced.is_some()
            && current.refresh.as_ref().map(ExposeSecret::expose_secret) == replaced
        {
            current = held.tokens.clone();
        }
        let is_new = current.access.expose_secret() != held.tokens.access.expose_secret();
        if is_new && current.is_fresh(clock.now()) {
            return Ok((current, None));
        }
        let tokens = self.renewed(&current).await?;
        let written = entry.write(&tokens, stored.subject.as_deref(), &lock).await;
        let replaced = written.err().and_then(|error| {
            tracing::warn!(%error, "the renewed login cannot be stored: it lives in this process alone");
            in_file
        });
        Ok((tokens, replaced))
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
        Ok(Tokens::granted(response, asked_at, Some(tokens)))
    }
}

impl Grant for Session {
    fn obtain<'a>(&'a self, clock: &'a Clock) -> Obtaining<'a> {
        Box::pin(async move {
            let asked_at = clock.now();
            let tokens = self.next().await?;
            let response = tokens.as_response(self.server.clock().now());
            Ok(Granted::from_response(response, asked_at))
        })
    }

    fn name(&self) -> &str {
        self.server.name()
    }

    fn grant_type(&self) -> Option<&'static str> {
        Some("refresh_token")
    }
}
