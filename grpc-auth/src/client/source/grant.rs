//! Where the tokens of a source come from.

use std::pin::Pin;
use std::time::{Duration, SystemTime};

use crate::client::access_token::AccessToken;
use crate::client::dpop::DpopKey;
use crate::client::error::TokenError;
use crate::client::renewal::Life;
use crate::client::response::TokenResponse;
use crate::clock::Clock;
use crate::clock::jitter::roll;

/// How long a token is used whose lifetime the server does not tell (X1).
pub(crate) const UNKNOWN_LIFETIME: Duration = Duration::from_secs(300);
/// How long a function or a file may take.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A token on its way.
pub(crate) type Obtaining<'a> =
    Pin<Box<dyn Future<Output = Result<Granted, TokenError>> + Send + 'a>>;

/// A way to obtain tokens: a grant type at an authorization server, a login, a file, a function.
pub(crate) trait Grant: Send + Sync {
    /// Obtains a token.
    fn obtain<'a>(&'a self, clock: &'a Clock) -> Obtaining<'a>;

    /// The name in metrics and logs: it comes from the configuration.
    fn name(&self) -> &str;

    /// The grant type at the authorization server, if it is one.
    fn grant_type(&self) -> Option<&'static str> {
        None
    }

    /// The key that tokens are bound to.
    fn dpop(&self) -> Option<&DpopKey> {
        None
    }

    /// The token that is there from the start.
    fn given(&self) -> Option<Granted> {
        None
    }

    /// Whether obtaining again can bring another token.
    fn is_renewable(&self) -> bool {
        true
    }

    /// How long a call waits for a token.
    fn timeout(&self) -> Duration {
        LONGEST_WAIT
    }
}

/// A token that came, and its times. It has no number yet.
pub(crate) struct Granted {
    pub(crate) token: AccessToken,
    pub(crate) life: Life,
    /// Whether it may be the one that is held already.
    pub(crate) is_reread: bool,
}

impl Granted {
    pub(crate) fn from_response(response: TokenResponse, asked_at: SystemTime) -> Self {
        let lifetime = response.expires_in.unwrap_or(UNKNOWN_LIFETIME);
        Self::new(AccessToken::granted(response, asked_at + lifetime), asked_at, lifetime)
    }

    pub(crate) fn new(token: AccessToken, asked_at: SystemTime, lifetime: Duration) -> Self {
        Self { token, life: Life::granted(asked_at, lifetime, roll()), is_reread: false }
    }

    /// Whether it is this token, read again.
    pub(crate) fn is(&self, held: &AccessToken) -> bool {
        self.is_reread && held.token.as_bytes() == self.token.token.as_bytes()
    }

    pub(crate) fn numbered(self, generation: u64) -> AccessToken {
        AccessToken { generation, ..self.token }
    }
}
