//! The authorization server: its face towards tests.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::clock::ManualClock;
use super::connection;
use super::dpop::DpopKey;
use super::fault::{Endpoint, Fault, Switchboard};
use super::keys::KeyRing;
use super::opaque::OpaqueTokens;
use super::token::TokenBuilder;
use crate::jwks::Algorithm;
use crate::server::{ResourceServer, ResourceServerBuilder, Start};

/// An OAuth 2.0 authorization server on a free port of 127.0.0.1, over real HTTP.
///
/// It serves its metadata (RFC 8414 and OpenID Connect Discovery), its key set with an RS256, an
/// ES256 and an EdDSA key, `POST /oauth/token` with the grant `client_credentials` (RFC 6749
/// §4.4, Auth0's `audience`), and `POST /introspect` (RFC 7662). It stops when it is dropped.
///
/// Time stands still unless [`clock`](Self::clock) is moved, or the server was started with a
/// running one.
#[derive(Debug)]
pub struct AuthorizationServer {
    state: Arc<State>,
    task: JoinHandle<()>,
}

/// What the endpoints share.
pub(super) struct State {
    pub(super) url: String,
    pub(super) clock: ManualClock,
    pub(super) keys: Mutex<KeyRing>,
    pub(super) clients: Mutex<HashMap<String, Client>>,
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
    pub(super) fn published_jwks(&self) -> String {
        let other = locked(&self.other_jwks).clone();
        other.unwrap_or_else(|| locked(&self.keys).jwks().to_string())
    }
}

/// A registered client and what it may be granted.
#[derive(Clone)]
pub(super) struct Client {
    /// Empty if it authenticates by other means.
    pub(super) secret: String,
    pub(super) jwks: Option<String>,
    pub(super) scopes: Vec<String>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("scopes", &self.scopes).finish_non_exhaustive()
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
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let state = Arc::new(State {
            url: format!("http://{}/", listener.local_addr()?),
            clock,
            keys: Mutex::new(KeyRing::generate().map_err(io::Error::other)?),
            clients: Mutex::default(),
            opaque_tokens: Arc::default(),
            other_introspection: Mutex::default(),
            switches: Switchboard::default(),
            other_jwks: Mutex::default(),
            key_set_headers: Mutex::default(),
            not_modified: AtomicU64::default(),
            connections: Arc::default(),
        });
        let task = tokio::spawn(connection::accept(listener, Arc::clone(&state)));
        Ok(Self { state, task })
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
    #[expect(clippy::expect_used, reason = "a key ring has a key for each of these")]
    pub fn token(&self) -> TokenBuilder {
        let ring = locked(&self.state.keys);
        let keys: Vec<_> = [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa]
            .into_iter()
            .filter_map(|algorithm| ring.signing_key(algorithm))
            .collect();
        let key = keys.first().cloned().expect("a key ring has an ES256 key");
        let opaque_tokens = Arc::clone(&self.state.opaque_tokens);
        TokenBuilder::new(keys, key, self.clock().now(), self.url(), Self::AUDIENCE, opaque_tokens)
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

    /// Registers a client that may be granted these scopes.
    pub fn add_client<S: Into<String>>(
        &self,
        id: impl Into<String>,
        secret: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) {
        let scopes = scopes.into_iter().map(Into::into).collect();
        let client = Client { secret: secret.into(), jwks: None, scopes };
        locked(&self.state.clients).insert(id.into(), client);
    }

    /// Registers a client that authenticates by assertions (`private_key_jwt`, RFC 7523), signed
    /// with a key of this key set.
    pub fn add_client_with_keys<S: Into<String>>(
        &self,
        id: impl Into<String>,
        jwks: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) {
        let scopes = scopes.into_iter().map(Into::into).collect();
        let client = Client { secret: String::new(), jwks: Some(jwks.into()), scopes };
        locked(&self.state.clients).insert(id.into(), client);
    }

    /// Makes a token inactive, whatever it says; introspection alone knows.
    pub fn revoke(&self, token: &str) {
        self.state.opaque_tokens.revoke(token);
    }

    /// Answers every introspection with this document; with none, with the truth again.
    pub fn set_introspection_response(&self, json: Option<String>) {
        *locked(&self.state.other_introspection) = json;
    }

    /// The JSON of the key set as it is published now.
    #[must_use]
    pub fn jwks(&self) -> String {
        self.state.published_jwks()
    }

    /// Publishes this document instead of the true key set; with none, the true one again.
    pub fn set_jwks(&self, json: Option<String>) {
        *locked(&self.state.other_jwks) = json;
    }

    /// Sends these headers with the key set from now on, and with a 304 in its place; none at
    /// first. An `ETag` among them replaces the server's own.
    ///
    /// ```
    /// # use grpc_auth::testing::AuthorizationServer;
    /// use http::HeaderValue;
    /// use http::header::{AGE, CACHE_CONTROL};
    ///
    /// # fn aged(issuer: &AuthorizationServer) {
    /// let max_age = HeaderValue::from_static("max-age=300");
    /// issuer.set_key_set_headers([(CACHE_CONTROL, max_age), (AGE, 120.into())]);
    /// # }
    /// ```
    pub fn set_key_set_headers(
        &self,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) {
        *locked(&self.state.key_set_headers) = headers.into_iter().collect();
    }

    /// Publishes new keys in advance; tokens are still signed with the present ones.
    ///
    /// # Errors
    /// When no keys can be generated.
    pub fn add_keys(&self) -> io::Result<()> {
        locked(&self.state.keys).add().map_err(io::Error::other)
    }

    /// Signs with the keys added before and stops publishing the former ones.
    ///
    /// # Errors
    /// When no keys can be generated.
    pub fn retire_keys(&self) -> io::Result<()> {
        locked(&self.state.keys).retire().map_err(io::Error::other)
    }

    /// Replaces the keys without notice, as after a compromise.
    ///
    /// # Errors
    /// When no keys can be generated.
    pub fn replace_keys(&self) -> io::Result<()> {
        let mut keys = locked(&self.state.keys);
        keys.add().and_then(|()| keys.retire()).map_err(io::Error::other)
    }

    /// Makes an endpoint misbehave from now on.
    pub fn fail(&self, endpoint: Endpoint, fault: Fault) {
        self.state.switches.set(endpoint, Some(fault));
    }

    /// Makes every endpoint behave again.
    pub fn heal(&self) {
        self.state.switches.clear();
    }

    /// How many requests an endpoint has got, failed ones included.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> u64 {
        self.state.switches.requests(endpoint)
    }

    /// The headers of the last request to an endpoint.
    #[must_use]
    pub fn last_request(&self, endpoint: Endpoint) -> Option<HeaderMap> {
        self.state.switches.last_request(endpoint)
    }

    /// How many requests for the key set were answered with 304.
    #[must_use]
    pub fn not_modified(&self) -> u64 {
        self.state.not_modified.load(Ordering::Relaxed)
    }

    /// How many connections are open, those of clients that will ask again included.
    #[must_use]
    pub fn connections(&self) -> usize {
        Arc::strong_count(&self.state.connections) - 1
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
