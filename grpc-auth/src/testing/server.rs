//! The authorization server: its face towards tests.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::builder::{AuthorizationServerBuilder, StartError};
use super::connection;
use super::dpop::DpopKey;
use super::fault::Switchboard;
use super::grants::Grants;
use super::keys::KeyRing;
use super::opaque::OpaqueTokens;
use super::registry::{Client, Users};
use super::token::TokenBuilder;
use super::token_endpoint::TokenSettings;
use super::token_endpoint::proof::ProofDesk;
use crate::clock::manual::ManualClock;
use crate::jose::algorithm::Algorithm;
use crate::server::ResourceServer;
use crate::server::builder::{ResourceServerBuilder, Start};

/// An OAuth 2.0 authorization server on a free port of 127.0.0.1, over real HTTP.
///
/// It stops when it is dropped. It serves
///
/// | | |
/// |---|---|
/// | `/.well-known/..` | its metadata (RFC 8414, OpenID Connect Discovery) and its key set: RS256, ES256, EdDSA |
/// | `GET /authorize` | signing in and consenting, on pages that need no script, with PKCE by S256 (RFC 7636) |
/// | `POST /oauth/token` | every [`GrantType`](super::GrantType), with Auth0's `audience` or `resource` (RFC 8707); refresh tokens are rotated; tokens are bound to the key of a DPoP proof (RFC 9449) |
/// | `POST /oauth/device_authorization`, `/device` | devices without a browser (RFC 8628) |
/// | `POST /oauth/revoke`, `POST /introspect` | RFC 7009, RFC 7662 |
/// | `GET /` | what is registered, and tokens to paste into grpcurl |
///
/// A code or a refresh token that is used a second time revokes all that came of it.
///
/// It is for tests and development: it listens on loopback addresses alone, answers requests whose
/// `Host` is a loopback address or `localhost` alone (421 otherwise), its index page gives tokens to
/// every visitor, and all it knows is gone when it stops.
///
/// Time stands still unless [`clock`](Self::clock) is moved, or the server was started with a
/// running one.
#[derive(Debug)]
pub struct AuthorizationServer {
    pub(super) state: Arc<State>,
    task: JoinHandle<()>,
}

/// What the endpoints share.
pub(super) struct State {
    pub(super) url: String,
    pub(super) clock: ManualClock,
    pub(super) keys: Mutex<KeyRing>,
    pub(super) clients: Mutex<BTreeMap<String, Client>>,
    pub(super) users: Mutex<Users>,
    /// What scopes mean, for people.
    pub(super) scope_texts: Mutex<BTreeMap<String, String>>,
    pub(super) grants: Grants,
    pub(super) tokens: TokenSettings,
    pub(super) proofs: ProofDesk,
    pub(super) opaque_tokens: Arc<OpaqueTokens>,
    /// What introspection says instead of the truth.
    pub(super) other_introspection: Mutex<Option<String>>,
    pub(super) switches: Switchboard,
    /// What is published instead of the true key set.
    pub(super) other_jwks: Mutex<Option<String>>,
    pub(super) key_set_headers: Mutex<HeaderMap>,
    pub(super) not_modified: AtomicU64,
    /// Held once by each open connection, and here.
    pub(super) connections: Arc<()>,
}

/// Not its tokens, which stand beside their claims.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("url", &self.url).finish_non_exhaustive()
    }
}

impl State {
    pub(super) fn new(url: String, clock: ManualClock) -> Result<Self, StartError> {
        Ok(Self {
            keys: Mutex::new(KeyRing::generate().map_err(|_| StartError::Keys)?),
            proofs: ProofDesk::new(&url, clock.clone()).map_err(StartError::Proofs)?,
            url,
            clock,
            clients: Mutex::default(),
            users: Mutex::default(),
            scope_texts: Mutex::default(),
            grants: Grants::default(),
            tokens: TokenSettings::default(),
            opaque_tokens: Arc::default(),
            other_introspection: Mutex::default(),
            switches: Switchboard::default(),
            other_jwks: Mutex::default(),
            key_set_headers: Mutex::default(),
            not_modified: AtomicU64::default(),
            connections: Arc::default(),
        })
    }

    #[expect(clippy::expect_used, reason = "a key ring has a key for each of these")]
    pub(super) fn token(&self) -> TokenBuilder {
        let ring = locked(&self.keys);
        let keys: Vec<_> = [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa]
            .into_iter()
            .filter_map(|algorithm| ring.signing_key(algorithm))
            .collect();
        let key = keys.first().cloned().expect("a key ring has an ES256 key");
        let opaque_tokens = Arc::clone(&self.opaque_tokens);
        TokenBuilder::new(
            keys,
            key,
            self.clock.now(),
            &self.url,
            AuthorizationServer::AUDIENCE,
            opaque_tokens,
        )
    }

    pub(super) fn published_jwks(&self) -> String {
        let other = locked(&self.other_jwks).clone();
        other.unwrap_or_else(|| locked(&self.keys).jwks().to_string())
    }
}

impl AuthorizationServer {
    /// The audience of its tokens unless another is asked for.
    pub const AUDIENCE: &str = "https://api.example.test";

    /// How long tokens from its token endpoint are valid.
    pub const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

    /// Starts a server whose clock stands still.
    ///
    /// # Errors
    /// When no port of 127.0.0.1 can be listened on, or no keys can be generated.
    pub async fn start() -> io::Result<Self> {
        Self::start_with_clock(ManualClock::new()).await
    }

    /// Starts a server with this clock.
    ///
    /// # Errors
    /// When no port of 127.0.0.1 can be listened on, or no keys can be generated.
    pub async fn start_with_clock(clock: ManualClock) -> io::Result<Self> {
        Self::builder().clock(clock).start().await.map_err(Into::into)
    }

    /// Starts a server with settings of its own.
    pub fn builder() -> AuthorizationServerBuilder {
        AuthorizationServerBuilder::new()
    }

    pub(super) fn serve(listener: TcpListener, state: Arc<State>) -> Self {
        let task = tokio::spawn(connection::accept(listener, Arc::clone(&state)));
        Self { state, task }
    }

    /// The issuer identifier, with its trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.state.url
    }

    /// The address of the token endpoint.
    #[must_use]
    pub fn token_endpoint(&self) -> String {
        format!("{}oauth/token", self.state.url)
    }

    /// The clock that tokens are issued by.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.state.clock
    }

    /// The configuration of a resource server that believes this server's tokens for
    /// [`AUDIENCE`](Self::AUDIENCE), by the same clock, and that does not start without its keys
    /// ([`Start::Required`]).
    pub fn resource_server(&self) -> ResourceServerBuilder {
        ResourceServer::oidc(self.url())
            .audience(Self::AUDIENCE)
            .clock(self.clock().clone())
            .start(Start::Required)
    }

    /// Starts a token.
    ///
    /// # Panics
    /// Never: the server always has its keys.
    pub fn token(&self) -> TokenBuilder {
        self.state.token()
    }

    /// Makes a client's key to bind tokens to, which signs its proofs by this server's clock, with
    /// ES256.
    ///
    /// # Panics
    /// When the operating system has no random numbers.
    #[must_use]
    pub fn dpop_key(&self) -> DpopKey {
        self.dpop_key_with(Algorithm::Es256)
    }

    /// Makes a client's key for RS256, ES256 or EdDSA.
    ///
    /// # Panics
    /// When the operating system has no random numbers.
    #[must_use]
    pub fn dpop_key_with(&self, algorithm: Algorithm) -> DpopKey {
        DpopKey::generate(algorithm, self.clock().clone())
    }
}

impl Drop for AuthorizationServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A test that panicked elsewhere leaves the data as good as it was.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
