//! Where calls get their tokens from.

use std::fmt;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use super::access_token::AccessToken;
use super::dpop::DpopKey;
use super::error::TokenError;
use super::outage::Outage;
use super::request::TokenRequest;
use super::response::{TokenResponse, TokenType};
use super::server::Server;
use crate::clock::Clock;

/// For how long a token is used whose lifetime nobody tells.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(300);
/// How often a token that is not accepted is given up for another one.
const REJECTION_INTERVAL: Duration = Duration::from_secs(10);

/// A source of tokens: got when the first is needed, kept, renewed before they expire.
///
/// Clones share what they have. All who need a token at the same time cause one request.
#[derive(Clone)]
pub struct TokenSource(Arc<Shared>);

struct Shared {
    server: Server,
    request: TokenRequest,
    held: ArcSwapOption<AccessToken>,
    asking: Mutex<u64>,
    rejected_at: SyncMutex<Option<SystemTime>>,
    outage: Outage,
}

impl TokenSource {
    pub(super) fn of(server: Server, request: TokenRequest) -> Self {
        Self(Arc::new(Shared {
            server,
            request,
            held: ArcSwapOption::empty(),
            asking: Mutex::new(0),
            rejected_at: SyncMutex::default(),
            outage: Outage::default(),
        }))
    }

    /// A token that may be used now: the one that is held, or a new one.
    ///
    /// # Errors
    /// When there is none, and none can be got.
    pub async fn token(&self) -> Result<Arc<AccessToken>, TokenError> {
        if let Some(token) = self.current() {
            return Ok(token);
        }
        let mut generation = self.0.asking.lock().await;
        if let Some(token) = self.current() {
            return Ok(token);
        }
        let asked_at = self.0.server.clock().now();
        let response = self.0.request.send(&self.0.server).await?;
        *generation += 1;
        let token = Arc::new(AccessToken::granted(response, asked_at, *generation));
        self.0.held.store(Some(Arc::clone(&token)));
        Ok(token)
    }

    /// The token that is held, if it may be used. Never waits.
    pub(super) fn current(&self) -> Option<Arc<AccessToken>> {
        let now = self.0.server.clock().now();
        self.0.held.load_full().filter(|token| token.expires_at.is_none_or(|end| now < end))
    }

    /// The service that was called did not accept this token. Tells whether another one may be
    /// tried: if that is held already or being got, or if this one has not been given up for another
    /// lately.
    pub(super) fn reject(&self, token: &AccessToken) -> bool {
        let mut last = self.0.rejected_at.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.0.held.load_full();
        if held.is_none_or(|held| held.generation != token.generation) {
            return true;
        }
        let now = self.clock().now();
        let since = last.map(|last| now.duration_since(last).unwrap_or(REJECTION_INTERVAL));
        if since.is_some_and(|since| since < REJECTION_INTERVAL) {
            return false;
        }
        *last = Some(now);
        self.0.held.store(None);
        true
    }

    /// The clock that its tokens expire by.
    pub(super) fn clock(&self) -> &Clock {
        self.0.server.clock()
    }

    /// The key that its tokens are bound to.
    pub(super) fn dpop(&self) -> Option<&DpopKey> {
        self.0.request.dpop.as_ref()
    }

    /// Whether calls have to do without a token.
    pub(super) fn outage(&self) -> &Outage {
        &self.0.outage
    }
}

impl AccessToken {
    fn granted(response: TokenResponse, asked_at: SystemTime, generation: u64) -> Self {
        let authorization = match response.token_type {
            TokenType::Bearer => response.access_token.header_value(),
            TokenType::Dpop => response.access_token.dpop_header_value(),
        };
        Self {
            token_type: response.token_type,
            authorization,
            token: response.access_token,
            expires_at: Some(asked_at + response.expires_in.unwrap_or(UNKNOWN_LIFETIME)),
            scope: response.scope.map(Into::into),
            generation,
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("request", &self.0.request).finish_non_exhaustive()
    }
}
