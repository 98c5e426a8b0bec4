//! Enforcement: the resource server, the tower layer around each service, and the guard inside
//! each method.

mod admission;
mod audit;
pub(crate) mod auth_context;
mod authorizer;
mod body;
pub(crate) mod builder;
pub(crate) mod challenge;
mod future;
pub(crate) mod guard;
pub(crate) mod health;
#[cfg(feature = "health")]
mod health_watch;
mod layer;
pub(crate) mod request_ext;
mod require;
mod router;
pub(crate) mod service;
mod stream_expiry;

use std::sync::Arc;

use tonic::server::NamedService;

use crate::error::ConfigError;
use crate::issuer::Issuer;
use crate::issuer::presets::auth0::Auth0Config;
use crate::jwks::event::JwksHealth;
use crate::policy::index::PolicyIndex;
use crate::policy::service_policy::ServicePolicy;
use crate::proof_of_possession::SenderChecks;
use crate::token::bearer::BearerToken;
use crate::token::principal::Principal;
use crate::verify::error::{VerifyError, VerifyErrorKind};
use admission::Shared;
use router::TokenVerifier;

pub use authorizer::{AccessDecision, AccessRequest, Authorizer, AuthorizerError};
#[doc(hidden)]
pub use body::EndableBody;
pub use builder::{ResourceServerBuilder, StartupPolicy};
pub use future::ResponseFuture;
pub use health::VerifierHealth;
#[cfg(feature = "health")]
pub use health_watch::HealthWatch;
pub use layer::ProtectLayer;
pub use request_ext::CallerExt;
pub use service::Protect;
pub use stream_expiry::StreamExpiry;

/// A tonic service whose methods carry access rules.
///
/// [`#[protect]`](crate::protect) implements it; `Server` is the type that tonic generates around
/// the service, `EchoServer<Self>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no access rules",
    label = "this service is not annotated",
    note = "write `#[grpc_auth::protect]` on its impl of the tonic service trait",
    note = "a service that cannot be annotated is mounted with `auth.protect_with(service, policy)`"
)]
pub trait ProtectedService<Server>: Sized {
    /// The rules of the service's methods.
    const POLICY: ServicePolicy;

    /// Wraps the service into tonic's server.
    fn into_server(service: Arc<Self>) -> Server;
}

/// An OAuth 2.0 resource server (RFC 6749 §1.1): it knows which issuers to trust, and wraps
/// services so that only permitted calls reach them. Cloning it copies a pointer.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_auth::ResourceServer;
///
/// let auth = ResourceServer::auth0("tenant.eu.auth0.com", "https://echo.example.com")
///     .build()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ResourceServer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    verifier: TokenVerifier,
    sender: SenderChecks,
    settings: Arc<auth_context::AuthSettings>,
    max_token_bytes: usize,
}

impl ResourceServer {
    /// Starts a configuration without an issuer.
    pub fn builder() -> ResourceServerBuilder {
        ResourceServerBuilder::new()
    }

    /// Accepts tokens of an Auth0 tenant, made for the API with this identifier.
    pub fn auth0(domain: impl Into<String>, audience: impl Into<String>) -> ResourceServerBuilder {
        Self::builder().issuer(Issuer::auth0(domain)).audience(audience)
    }

    /// Accepts tokens as [`Auth0Config`] says.
    pub fn from_config(config: &Auth0Config) -> ResourceServerBuilder {
        Self::auth0(&config.domain, &config.audience)
    }

    /// Accepts tokens of any authorization server with metadata; the audience is still to be set.
    pub fn oidc(issuer: impl Into<String>) -> ResourceServerBuilder {
        Self::builder().issuer(Issuer::discover(issuer))
    }

    /// Accepts tokens signed with keys that are given as the JSON of a key set; the audience is
    /// still to be set.
    pub fn static_keys(
        issuer: impl Into<String>,
        jwks: impl Into<String>,
    ) -> ResourceServerBuilder {
        Self::builder().issuer(Issuer::static_keys(issuer, jwks))
    }

    /// Judges a token outside of a call: for a WebSocket, a REST handler, a program that inspects
    /// tokens. It says who the caller is, not what the caller may do: for that there is
    /// [`policy::authorize`](crate::policy::authorize).
    ///
    /// It waits for keys where a call would. Tokens that are bound to a certificate or a key of
    /// their holder (`cnf`) are refused: only a call can prove to hold it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_auth::{BearerToken, DenialReason, testing::TestAuthorizationServer};
    ///
    /// let issuer = TestAuthorizationServer::start().await?;
    /// let auth = issuer.resource_server().build().await?;
    ///
    /// let token = issuer.token().subject("alice").sign();
    /// let caller = auth.verify(&BearerToken::parse(&token).unwrap()).await?;
    /// assert_eq!(caller.subject(), Some("alice"));
    ///
    /// let forged = issuer.token().subject("alice").sign_with_wrong_key();
    /// let refused = auth.verify(&BearerToken::parse(&forged).unwrap()).await.unwrap_err();
    /// assert_eq!(refused.denied(), DenialReason::TokenInvalid);
    /// assert_eq!(refused.to_string(), "the signature is not the issuer's");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`VerifyError`] says which check failed.
    pub async fn verify(&self, token: &BearerToken) -> Result<Principal, VerifyError> {
        let Inner { verifier, max_token_bytes: max, .. } = &*self.inner;
        let bytes = token.as_bytes().len();
        if bytes > *max {
            return Err(VerifyError(VerifyErrorKind::TooLong { bytes, max: *max }.into()));
        }
        let caller = match verifier.recall(token.as_bytes()) {
            Some(caller) => caller,
            None => verifier.verify(token.clone()).wait().await.map_err(VerifyError)?,
        };
        if caller.principal().confirmation().is_some() {
            return Err(VerifyError(VerifyErrorKind::SenderConstrained.into()));
        }
        Ok(caller.principal().clone())
    }

    /// Whether the keys of each issuer can be relied on. Asking fetches nothing and counts as no
    /// use: for a readiness probe there is [`health`](Self::health).
    pub fn key_sets(&self) -> impl Iterator<Item = (&str, JwksHealth)> {
        self.inner
            .verifier
            .jwt
            .issuers()
            .iter()
            .map(|issuer| (issuer.keys.issuer(), issuer.keys.health()))
    }

    /// Mounts an annotated service: what `add_service` takes.
    ///
    /// One type may implement several services; name the one that is meant:
    /// `auth.protect::<EchoServer<_>, _>(service)`.
    pub fn protect<S, T>(&self, service: T) -> Protect<S>
    where
        S: NamedService,
        T: ProtectedService<S>,
    {
        self.protect_arc(Arc::new(service))
    }

    /// Mounts an annotated service that is shared with others.
    pub fn protect_arc<S, T>(&self, service: Arc<T>) -> Protect<S>
    where
        S: NamedService,
        T: ProtectedService<S>,
    {
        // Its type says that it has a guard in every method.
        let index = PolicyIndex::guarded(T::POLICY);
        Protect::new(T::into_server(service), Shared::new(self, index))
    }

    /// Mounts a service that cannot be annotated, like reflection or a third party's, under a
    /// policy written by hand. Methods without an entry are refused.
    ///
    /// # Errors
    /// [`ConfigError::Policy`] when the policy names another service,
    /// [`ConfigError::Policy`] when it is that of an annotated service with requirements.
    pub fn protect_with<S: NamedService>(
        &self,
        service: S,
        policy: ServicePolicy,
    ) -> Result<Protect<S>, ConfigError> {
        if policy.service() != S::NAME {
            return Err(ConfigError::Policy {
                service: S::NAME,
                help: format!(
                    "the policy is for `{}`, the service is `{}`: give the policy its name",
                    policy.service(),
                    S::NAME
                )
                .into(),
            });
        }
        if policy.entries().any(|entry| !entry.requirements().is_empty()) {
            return Err(ConfigError::Policy {
                service: S::NAME,
                help: "it has requirements, which only an annotated service enforces: mount that with \
                       `auth.protect(service)`, or write a policy without them"
                    .into(),
            });
        }
        Ok(Protect::new(service, Shared::new(self, PolicyIndex::single(policy))))
    }

    /// The layer for these policies, for a whole `Server` or any tower stack. It refuses every
    /// path that none of them names, so it needs a policy for each service under it, health and
    /// reflection included. What the methods of annotated services require beyond their rules is for
    /// the guards in them.
    ///
    /// ```
    /// use grpc_auth::policy::{AccessRule, MethodPolicy, ServicePolicy};
    /// use grpc_auth::testing::TestAuthorizationServer;
    /// use tower_layer::Layer;
    ///
    /// const ECHO: ServicePolicy = ServicePolicy::new("echo.Echo", &[
    ///     MethodPolicy::new("Ping", AccessRule::AllowUnauthenticated),
    ///     MethodPolicy::new("UnaryEcho", AccessRule::Authenticated),
    /// ]);
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[derive(Clone)] struct Inner;
    /// # impl tower_service::Service<http::Request<()>> for Inner {
    /// #     type Response = http::Response<String>;
    /// #     type Error = std::convert::Infallible;
    /// #     type Future = std::future::Ready<Result<http::Response<String>, Self::Error>>;
    /// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> { std::task::Poll::Ready(Ok(())) }
    /// #     fn call(&mut self, _: http::Request<()>) -> Self::Future { std::future::ready(Ok(http::Response::new("reached".into()))) }
    /// # }
    /// # let inner = Inner;
    /// let auth = TestAuthorizationServer::start().await?.resource_server().build().await?;
    /// let mut service = auth.layer([ECHO])?.layer(inner);
    /// # use tower_service::Service;
    ///
    /// let allowed = service.call(http::Request::get("/echo.Echo/Ping").body(())?).await?;
    /// assert_eq!(allowed.body(), "reached");
    /// let denied = service.call(http::Request::get("/echo.Echo/UnaryEcho").body(())?).await?;
    /// assert_eq!(denied.headers()["grpc-status"], "16");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::Policy`] when two of them are for one service.
    pub fn layer(
        &self,
        policies: impl IntoIterator<Item = ServicePolicy>,
    ) -> Result<ProtectLayer, ConfigError> {
        let index = PolicyIndex::new(policies).map_err(|service| ConfigError::Policy {
            service,
            help: "the layer has two policies for it: keep one of them".into(),
        })?;
        Ok(ProtectLayer::new(Shared::new(self, index)))
    }
}
