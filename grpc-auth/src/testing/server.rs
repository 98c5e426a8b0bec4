//! The authorization server: its face towards tests.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::connection;
use super::data::dpop::TestDpopKey;
use super::data::settings;
use super::data::state::{self, State};
use super::data::token::TokenBuilder;
use crate::clock::manual::ManualClock;
use crate::jose::algorithm::Algorithm;
use crate::server::ResourceServer;
use crate::server::builder::{ResourceServerBuilder, StartupPolicy};

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
pub struct TestAuthorizationServer {
    pub(super) state: Arc<State>,
    task: JoinHandle<()>,
}

impl TestAuthorizationServer {
    /// The audience of its tokens unless another is asked for.
    pub const AUDIENCE: &str = state::AUDIENCE;

    /// How long tokens from its token endpoint are valid.
    pub const TOKEN_LIFETIME: Duration = settings::TOKEN_LIFETIME;

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

    /// The configuration of a resource server that accepts this server's tokens for
    /// [`AUDIENCE`](Self::AUDIENCE), by the same clock, and that does not start without its keys
    /// ([`StartupPolicy::Required`]).
    pub fn resource_server(&self) -> ResourceServerBuilder {
        ResourceServer::oidc(self.url())
            .audience(Self::AUDIENCE)
            .clock(self.clock().clone())
            .start(StartupPolicy::Required)
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
    pub fn dpop_key(&self) -> TestDpopKey {
        self.dpop_key_with(Algorithm::Es256)
    }

    /// Makes a client's key for RS256, ES256 or EdDSA.
    ///
    /// # Panics
    /// When the operating system has no random numbers.
    #[must_use]
    pub fn dpop_key_with(&self, algorithm: Algorithm) -> TestDpopKey {
        TestDpopKey::generate(algorithm, self.clock().clone())
    }
}

impl Drop for TestAuthorizationServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
