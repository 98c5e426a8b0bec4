//! Where calls get their tokens from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use super::access_token::AccessToken;
use super::error::TokenError;
use super::request::TokenRequest;
use super::response::{TokenResponse, TokenType};
use super::server::Server;

/// For how long a token is used whose lifetime nobody tells.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(300);

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
}

impl TokenSource {
    pub(super) fn of(server: Server, request: TokenRequest) -> Self {
        Self(Arc::new(Shared {
            server,
            request,
            held: ArcSwapOption::empty(),
            asking: Mutex::new(0),
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
    /// tried: if this is still the one that is held, and not often.
    pub(super) fn reject(&self, token: &AccessToken) -> bool {
        let held = self.0.held.load_full();
        if held.is_some_and(|held| held.generation == token.generation) {
            self.0.held.store(None);
            return true;
        }
        false
    }
}

impl AccessToken {
    fn granted(response: TokenResponse, asked_at: std::time::SystemTime, generation: u64) -> Self {
        let scheme = match response.token_type {
            TokenType::Bearer | TokenType::Dpop => response.access_token.header_value(),
        };
        Self {
            token_type: response.token_type,
            authorization: scheme,
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
