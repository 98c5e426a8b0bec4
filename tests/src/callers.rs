//! Calls to an annotated service in this process, and waiting for what happens in the background.

use std::time::Duration;

use grpc_auth::server::ResourceServerBuilder;
use grpc_auth::testing::TestAuthorizationServer;
use grpc_auth::{ClientAuthentication, Introspection, Issuer, ResourceServer};
use tonic::Status;

use crate::kinds::{Counting, call};
use crate::pb::kit::kinds_client::KindsClient;

/// Calls with a fresh token of the issuer.
///
/// # Errors
/// The refusal.
pub async fn attempt(
    issuer: &TestAuthorizationServer,
    auth: &ResourceServer,
) -> Result<(), Status> {
    with(auth, &issuer.token().scopes(["read:word"]).sign()).await
}

/// Calls with this token.
///
/// # Errors
/// The refusal.
pub async fn with(auth: &ResourceServer, token: &str) -> Result<(), Status> {
    let mut client = KindsClient::new(auth.protect(Counting::default()));
    call(&mut client, "Unary", Some(token)).await.map(|_| ())
}

/// A resource server that asks this issuer about its tokens, by the issuer's clock.
pub fn introspecting(issuer: &TestAuthorizationServer) -> ResourceServerBuilder {
    issuer.add_client("words", "s3cret", [""; 0]);
    let client = ClientAuthentication::client_secret_basic("words", "s3cret");
    let asked = Issuer::discover(issuer.url()).introspection(Introspection::new(client));
    let builder = ResourceServer::builder().issuer(asked).clock(issuer.clock().clone());
    builder.audience(TestAuthorizationServer::AUDIENCE)
}

/// Lets the background work until the condition holds; the time limit is there for tests that fail.
///
/// # Panics
/// When it never does.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(120), wait).await;
    assert!(in_time.is_ok(), "waited in vain until {what}");
}

/// Lets the background do what it would do, if it did anything.
pub async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
