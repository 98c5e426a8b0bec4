//! Testing your service: an authorization server inside the process, tokens of any shape, and a
//! clock set by hand (feature `testing`).
//!
//! ```
//! use std::time::Duration;
//! use grpc_auth::testing::{AuthorizationServer, Endpoint, Fault};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = AuthorizationServer::start().await?;
//! let auth = issuer.resource_server().build().await?;
//!
//! let good = issuer.token().subject("alice").scopes(["read:echo"]).claim("tenant", "blue").sign();
//! let expired = issuer.token().expired().sign();
//! let forged = issuer.token().scopes(["read:echo"]).forge();
//!
//! issuer.clock().advance(Duration::from_secs(3600)); // now `good` has expired as well
//! issuer.fail(Endpoint::Jwks, Fault::Status(500));   // and the keys cannot be fetched again
//! assert_eq!(issuer.requests(Endpoint::Jwks), 1);
//! # Ok(()) }
//! ```
//!
//! A handler alone, without any server, is tested with [`with_principal`].

mod clock;
mod connection;
mod endpoints;
mod fault;
mod keys;
mod server;
mod token;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::bearer::BearerToken;
use crate::error::Challenge;
use crate::principal::{Facts, Principal};
use crate::server::{Call, Caller};

pub use clock::ManualClock;
pub use fault::{Endpoint, Fault};
pub use server::AuthorizationServer;
pub use token::TokenBuilder;

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
    let mut grants: Vec<Box<str>> =
        text("scope").unwrap_or_default().split_ascii_whitespace().map(Into::into).collect();
    grants.sort_unstable();
    grants.dedup();
    Principal::new(Facts {
        issuer: text("iss").unwrap_or("https://issuer.example.test/").into(),
        subject: text("sub").map(Into::into),
        client_id: text("client_id").map(Into::into),
        grants: grants.into(),
        expires_at: claims.get("exp").and_then(Value::as_f64).unwrap_or(f64::from(u32::MAX)),
        claims: claims.to_string().into_bytes().into(),
    })
}

/// Makes a request come from this caller, as if a layer had verified its token. The method's
/// guard decides all the same.
///
/// ```
/// use grpc_auth::RequestExt;
/// use grpc_auth::testing::{principal, with_principal};
///
/// let request = with_principal(tonic::Request::new(()), &principal(["read:echo"]));
/// assert!(request.principal().unwrap().has_scope("read:echo"));
/// assert!(!request.principal().unwrap().has_scope("write:echo"));
/// ```
#[must_use]
pub fn with_principal<M>(
    mut request: tonic::Request<M>,
    principal: &Principal,
) -> tonic::Request<M> {
    let caller =
        BearerToken::parse("unit-test").map(|token| Caller { principal: principal.clone(), token });
    let challenge = Arc::new(Challenge::new("unit-test", true));
    request.extensions_mut().insert(Call {
        caller,
        permit: None,
        challenge,
        typed_claims: Arc::new([]),
    });
    request
}
