//! Configuring a resource server. What cannot work is said when it is built.

mod build;

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::auth_context::TypedClaims;
use super::authorizer::{Authorizer, AuthorizerSettings};
use crate::clock::Clock;
use crate::http::network::Network;
use crate::issuer::Issuer;
use crate::jwks::event::{JwksEvent, Listener};
use crate::jwks::settings::{JwksSettings, RefreshMode};
use crate::proof_of_possession::CertificateOf;
use crate::proof_of_possession::dpop::Dpop;
use crate::token::bearer::DEFAULT_MAX_TOKEN_BYTES;
use crate::verify::token_cache::TokenCache;

/// The configuration of a [`ResourceServer`](crate::ResourceServer).
#[derive(Debug)]
#[must_use = "a configuration does nothing until it is built"]
pub struct ResourceServerBuilder {
    issuers: Vec<Issuer>,
    audiences: Vec<String>,
    realm: Option<String>,
    leeway: Duration,
    key_sets: JwksSettings,
    token_cache: TokenCache,
    max_token_bytes: usize,
    listener: Listener,
    start: StartupPolicy,
    disclose_scopes: bool,
    typed_claims: Vec<TypedClaims>,
    certificate: Option<CertificateOf>,
    dpop: Option<Dpop>,
    authorizer: AuthorizerSettings,
    network: Network,
    clock: Clock,
}

/// Whether a server starts without its issuers' keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartupPolicy {
    /// Fetches the keys when the first call needs them; that call waits.
    Lazy,
    /// Tries to fetch the keys, logs a failure and goes on: calls are answered UNAVAILABLE until
    /// the keys are there.
    #[default]
    Warm,
    /// Fails to build when the keys are not available.
    Required,
}

impl ResourceServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            realm: None,
            leeway: Duration::from_secs(30),
            key_sets: JwksSettings::default(),
            token_cache: TokenCache::default(),
            max_token_bytes: DEFAULT_MAX_TOKEN_BYTES,
            listener: Listener::default(),
            start: StartupPolicy::default(),
            disclose_scopes: true,
            typed_claims: Vec::new(),
            certificate: None,
            dpop: None,
            authorizer: AuthorizerSettings::default(),
            network: Network::default(),
            clock: Clock::system(),
        }
    }

    /// Accepts tokens of this issuer too. It is chosen by the exact `iss`; keys are never looked
    /// up across issuers.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Accepts tokens made for this audience: the identifier of this service at the authorization
    /// server, compared with `aud` byte for byte. At least one is required.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Names the protection space in challenges (RFC 7235 §2.2). Default: the first audience.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Uses these TLS settings for everything that the server fetches: metadata, keys and
    /// introspection. Default: the authorities that this machine trusts (`SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` name others). [`Issuer::tls`] sets them for one issuer.
    ///
    /// ```no_run
    /// use grpc_auth::ResourceServer;
    /// use grpc_auth::tls::ClientTls;
    ///
    /// # async fn build() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = ResourceServer::oidc("https://sso.corp.internal").audience("api");
    /// let auth = builder.tls(ClientTls::ca_file("tls/corporate-ca.pem")?).build().await?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::tls::ClientTls) -> Self {
        self.network.set_tls(move |http| tls.apply_to_http(http));
        self
    }

    /// Fetches metadata, keys and introspection through this HTTP proxy: `http://proxy:3128`, with
    /// `user:password@` if it asks for them. Default: the proxy in `HTTPS_PROXY` (for `http://`
    /// addresses `HTTP_PROXY`), or `ALL_PROXY`. Hosts in `NO_PROXY` and loopback addresses use none.
    ///
    /// Building the server fails with [`ConfigError::Setting`](crate::ConfigError::Setting) if it is
    /// not such a URL.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.network.set_proxy(url.into());
        self
    }

    /// How far clocks may differ when times in tokens are judged. Default 30 s, at most 300 s.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Changes how key sets are kept. Default: fetched again when calls use them late in their
    /// freshness, which is what the issuer says or 15 minutes; kept through an outage of at least
    /// an hour. See [`JwksSettings`].
    pub fn key_sets(mut self, change: impl FnOnce(&mut JwksSettings)) -> Self {
        change(&mut self.key_sets);
        self
    }

    /// Fetches keys this often, with calls or without, whatever the issuer says of their
    /// freshness: a plain loop, from a minute to a day.
    pub fn refresh_every(self, interval: Duration) -> Self {
        self.key_sets(|settings| settings.refresh = RefreshMode::Every(interval))
    }

    /// Tells of everything that happens to key sets: the issuer, and what it is. It is called where
    /// it happens, so it must not block.
    pub fn on_key_set_event(
        mut self,
        callback: impl Fn(&str, &JwksEvent<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.listener = Listener(Some(Arc::new(callback)));
        self
    }

    /// Changes how many verified tokens are remembered, and for how long. Default: 8,192 for 5
    /// minutes at most. [`TokenCache::off()`] verifies every token of every call.
    pub fn token_cache(mut self, token_cache: TokenCache) -> Self {
        self.token_cache = token_cache;
        self
    }

    /// How many bytes a token may have, from 1,024 to 65,536. Default 16,384. The length is checked
    /// first; a longer token is rejected as malformed.
    ///
    /// HTTP/2 servers limit all headers of a call together, and reject a call beyond that before this
    /// library sees it (HTTP status 431). tonic's limit is 16,384 bytes unless it is configured, names
    /// and 32 bytes for each header included, so that about 14,000 bytes are left for a token: raise
    /// it with tonic's `Server::http2_max_header_list_size`, and the limits of the proxies on the way.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_auth::{BearerToken, testing::TestAuthorizationServer};
    ///
    /// let issuer = TestAuthorizationServer::start().await?;
    /// let auth = issuer.resource_server().max_token_bytes(32 * 1024).build().await?;
    /// # let server = tonic::transport::Server::builder();
    /// let server = server.http2_max_header_list_size(40 * 1024);
    ///
    /// let token = |bytes: usize| issuer.token().claim("groups", "x".repeat(bytes)).sign();
    /// assert!(auth.verify(&BearerToken::parse(&token(20_000)).unwrap()).await.is_ok());
    /// let refused = auth.verify(&BearerToken::parse(&token(30_000)).unwrap()).await.unwrap_err();
    /// assert_eq!(refused.code(), "too-long");
    /// # Ok(()) }
    /// ```
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }

    /// Whether the server starts without keys. Default [`StartupPolicy::Warm`].
    pub fn start(mut self, start: StartupPolicy) -> Self {
        self.start = start;
        self
    }

    /// Whether a refusal tells the caller which scopes are required (RFC 6750 §3). Default true.
    pub fn disclose_scopes(mut self, disclose: bool) -> Self {
        self.disclose_scopes = disclose;
        self
    }

    /// Puts the claims of every identified caller into the request's extensions, as
    /// [`Claims<T>`](crate::Claims): for interceptors and services that are not annotated.
    /// Tokens whose claims do not fit `T` are refused.
    pub fn insert_claims<T>(mut self) -> Self
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.typed_claims.push(TypedClaims::new::<T>());
        self
    }

    /// Accepts tokens that are bound to a client certificate (RFC 8705, `cnf` with `x5t#S256`), from
    /// a client that shows that certificate on its connection; otherwise they are refused.
    ///
    /// tonic's TLS has to ask for it, with `ServerTlsConfig::client_ca_root`, and
    /// `client_auth_optional` if not every client has one. Behind a proxy that ends TLS there is no
    /// such connection, and headers that speak of one are not read: see
    /// [`ClientCertificate`](crate::ClientCertificate).
    #[cfg(feature = "tls")]
    pub fn mutual_tls(mut self) -> Self {
        self.certificate = Some(crate::proof_of_possession::certificate::of);
        self
    }

    /// Accepts tokens that are bound to a key of their holder (RFC 9449, `cnf` with `jkt`), with a
    /// proof for each call; otherwise they are refused. See [`Dpop`].
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = Some(dpop);
        self
    }

    /// Asks this decision point about every call that the rules let in; see [`Authorizer`].
    /// Default: no authorizer.
    ///
    /// ```
    /// use grpc_auth::server::{AccessDecision, AccessRequest};
    /// use grpc_auth::testing::TestAuthorizationServer;
    /// # use grpc_auth::policy::{AccessRule, MethodPolicy, ServicePolicy};
    /// # use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    /// # const HEALTH: ServicePolicy = ServicePolicy::new("grpc.health.v1.Health", &[
    /// #     MethodPolicy::new("Check", AccessRule::Authenticated),
    /// # ]);
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = TestAuthorizationServer::start().await?;
    /// let auth = issuer
    ///     .resource_server()
    ///     .authorizer(|request: AccessRequest| async move {
    ///         Ok(match request.principal().subject() {
    ///             Some("alice") if request.rpc() == "Check" => AccessDecision::Allow,
    ///             _ => AccessDecision::Deny,
    ///         })
    ///     })
    ///     .build()
    ///     .await?;
    /// # let (reporter, service) = tonic_health::server::health_reporter();
    /// # drop(reporter);
    /// # let mut client = HealthClient::new(auth.protect_with(service, HEALTH)?);
    /// # let call_of = |subject: &str| {
    /// #     let mut request = tonic::Request::new(HealthCheckRequest::default());
    /// #     let token = issuer.token().subject(subject).sign();
    /// #     request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    /// #     request
    /// # };
    ///
    /// assert!(client.check(call_of("alice")).await.is_ok());
    /// let denied = client.check(call_of("bob")).await.unwrap_err();
    /// assert_eq!(denied.code(), tonic::Code::PermissionDenied);
    /// # Ok(()) }
    /// ```
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer.add(authorizer);
        self
    }

    /// How long the authorizer is waited for; then the call is answered UNAVAILABLE. Default 5 s,
    /// at most 30 s.
    pub fn authorizer_timeout(mut self, timeout: Duration) -> Self {
        self.authorizer.timeout = Some(timeout);
        self
    }

    /// Judges tokens by this clock instead of the system's.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }
}
