//! Testing your service: an authorization server inside the process, tokens of any shape, and a
//! clock set by hand (feature `testing`).
//!
//! ```
//! use std::time::Duration;
//! use grpc_auth::testing::{TestAuthorizationServer, Endpoint, Fault};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestAuthorizationServer::start().await?;
//! let auth = issuer.resource_server().build().await?;
//!
//! let good = issuer.token().subject("alice").scopes(["read:echo"]).claim("tenant", "blue").sign();
//! let expired = issuer.token().expired().sign();
//! let forged = issuer.token().scopes(["read:echo"]).sign_with_wrong_key();
//!
//! issuer.clock().advance(Duration::from_secs(3631)); // now `good` has expired as well
//! issuer.fail(Endpoint::Jwks, Fault::Status(500));   // and the keys cannot be fetched again
//! assert_eq!(issuer.requests(Endpoint::Jwks), 1);
//! # Ok(()) }
//! ```
//!
//! Programs get their tokens from it as from any other: a client with a secret, a person who signs in
//! with a code and PKCE or on another device, a service that calls on for its caller. A test decides
//! for the person, or sends a browser to the pages:
//!
//! ```
//! use grpc_auth::testing::{TestAuthorizationServer, ClientRegistration};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let issuer = TestAuthorizationServer::start().await?;
//! issuer.register(
//!     ClientRegistration::public("cli").redirect_uri("http://127.0.0.1/callback").scopes(["read:echo"]),
//! );
//! issuer.add_user("alice", "wonderland");
//!
//! // What the program has the browser open:
//! let request = format!(
//!     "{}authorize?response_type=code&client_id=cli&redirect_uri=http://127.0.0.1:4000/callback\
//!      &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
//!     issuer.url(),
//! );
//! let allowed = issuer.approve_authorization(&request, "alice");
//! assert!(allowed.starts_with("http://127.0.0.1:4000/callback?code="));
//! let denied = issuer.deny_authorization(&request);
//! assert!(denied.starts_with("http://127.0.0.1:4000/callback?error=access_denied"));
//! # Ok(()) }
//! ```
//!
//! A handler alone, without any server, is tested with [`with_principal`].

mod browser;
mod builder;
mod connection;
mod controls;
mod data;
mod endpoints;
mod fault_middleware;
#[doc(hidden)]
#[cfg(feature = "login")]
pub mod fuzz;
mod own_host;
mod pages;
mod registration_api;
mod router;
mod server;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::issuer::Issuer;
use crate::jose::algorithm::Algorithm;
use crate::jose::jwk::Key;
use crate::jwks::set::KeySet;
use crate::server::auth_context::{AuthContext, AuthSettings, Decision};
use crate::server::challenge::Challenge;
use crate::token::bearer::BearerToken;
use crate::token::caller::AuthenticatedCaller;
use crate::token::principal::{Facts, Grants, Principal};

pub use crate::clock::manual::ManualClock;
pub use builder::{AuthorizationServerBuilder, StartError};
pub use data::client_file::ClientFileError;
pub use data::dpop::{ProofBuilder, TestDpopKey};
pub use data::fault::{Endpoint, Fault};
pub use data::registration::ClientRegistration;
pub use data::registry::GrantType;
pub use data::token::TokenBuilder;
pub use server::TestAuthorizationServer;

/// Checks a token's header and signature as a resource server does, and nothing else: for test
/// vectors whose payload is no JWT.
///
/// # Errors
/// What is wrong, in the words of the log.
pub fn verify_signature(jwks: &str, algorithms: &[Algorithm], token: &str) -> Result<(), String> {
    let issuer =
        Issuer::static_keys("", jwks).algorithms(algorithms.iter().copied()).allow_missing_key_id();
    let (keys, _) = KeySet::parse(jwks.as_bytes()).map_err(|error| error.to_string())?;
    crate::verify::trusted_issuer::verify_signature(issuer, keys, token)
        .map_err(|rejection| rejection.to_string())
}

/// Checks a signature over any bytes with one JWK, admitted as one of a key set is: for test vectors
/// of the primitives.
///
/// # Errors
/// Why the key is not admitted.
#[doc(hidden)]
pub fn verify_raw(
    jwk: &str,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, String> {
    let key = Key::parse(jwk.as_bytes()).map_err(|skipped| skipped.to_string())?;
    Ok(key.verifies(algorithm, message, signature))
}

/// A principal with these grants.
#[must_use]
pub fn principal<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Principal {
    let scopes: Vec<String> = scopes.into_iter().map(Into::into).collect();
    principal_with_claims(json!({ "scope": scopes.join(" ") }))
}

/// A principal whose token has these claims; the words of `scope` are its grants.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "called with `json!({..})`")]
pub fn principal_with_claims(claims: Value) -> Principal {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let words = text("scope").unwrap_or_default().split_ascii_whitespace();
    let mut grants: Vec<_> = words.map(|word| ("", word)).collect();
    grants.sort_unstable();
    grants.dedup();
    Principal::new(Facts {
        issuer: text("iss").unwrap_or("https://issuer.example.test/").into(),
        subject: text("sub").map(Into::into),
        client_id: text("client_id").map(Into::into),
        grants: Grants::new(&grants),
        expires_at: claims.get("exp").and_then(Value::as_f64).unwrap_or(f64::from(u32::MAX)),
        confirmation: None,
        claims: claims.to_string().into_bytes().into(),
    })
}

/// Makes a request come from this caller, as if a layer had verified its token, for tests that call
/// a handler itself. The method's guard decides all the same, and for one method: a handler that
/// calls another one with its request is rejected, as it is behind a layer. Injected parameters are
/// not passed: they come from the request.
///
/// ```
/// use grpc_auth::Principal;
/// use grpc_auth::testing::{anonymous, principal, with_principal};
/// use tonic::{Code, Request, Response, Status};
/// use tonic_health::pb::health_server::{Health, HealthServer};
/// use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
///
/// struct Service;
///
/// #[grpc_auth::protect]
/// #[tonic::async_trait]
/// impl Health for Service {
///     #[require_scopes("read:health")]
///     async fn check(
///         &self,
///         _: Request<HealthCheckRequest>,
///         caller: Principal,
///     ) -> Result<Response<HealthCheckResponse>, Status> {
///         assert!(caller.has_scope("read:health"));
///         Ok(Response::new(HealthCheckResponse::default()))
///     }
/// #   type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;
/// #   #[authenticated]
/// #   async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
/// #       Ok(Response::new(tokio_stream::empty()))
/// #   }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let request = || Request::new(HealthCheckRequest::default());
///
/// let reader = with_principal(request(), &principal(["read:health"]));
/// assert!(Service.check(reader).await.is_ok());
/// let writer = with_principal(request(), &principal(["write:health"]));
/// assert_eq!(Service.check(writer).await.unwrap_err().code(), Code::PermissionDenied);
/// let unknown = anonymous(request());
/// assert_eq!(Service.check(unknown).await.unwrap_err().code(), Code::Unauthenticated);
/// # }
/// ```
#[must_use]
pub fn with_principal<M>(request: tonic::Request<M>, principal: &Principal) -> tonic::Request<M> {
    let token = BearerToken::parse("unit-test");
    call_by(request, Some(AuthenticatedCaller::new(principal.clone(), token)))
}

/// Makes a request anonymous, as if a layer had found no credentials; see
/// [`with_principal`].
#[must_use]
pub fn anonymous<M>(request: tonic::Request<M>) -> tonic::Request<M> {
    call_by(request, None)
}

fn call_by<M>(
    mut request: tonic::Request<M>,
    caller: Option<AuthenticatedCaller>,
) -> tonic::Request<M> {
    let settings = Arc::new(AuthSettings {
        challenge: Challenge::new("unit-test", true),
        typed_claims: Vec::new(),
        authorizer: None,
        clock: Clock::system(),
        leeway: Duration::ZERO,
    });
    request.extensions_mut().insert(AuthContext::new(caller, Decision::InTest, settings));
    request
}
