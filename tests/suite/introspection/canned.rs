//! A resource server that introspects, and answers that a test writes itself.

use grpc_auth::testing::TestAuthorizationServer;
use grpc_auth::{ClientAuthentication, Introspection, Issuer, ResourceServer};

pub(crate) fn introspection() -> Introspection {
    Introspection::new(ClientAuthentication::client_secret_basic("api", "s3cret"))
}

pub(crate) async fn server(
    issuer: &TestAuthorizationServer,
    introspection: Introspection,
) -> ResourceServer {
    issuer.add_client("api", "s3cret", [""; 0]);
    ResourceServer::builder()
        .issuer(Issuer::discover(issuer.url()).introspection(introspection))
        .clock(issuer.clock().clone())
        .audience(TestAuthorizationServer::AUDIENCE)
        .build()
        .await
        .unwrap()
}

/// The answer for an active token; `more` holds further members, each after a comma.
pub(crate) fn active(more: &str) -> Option<String> {
    let aud = TestAuthorizationServer::AUDIENCE;
    Some(format!(r#"{{"active":true,"aud":"{aud}","scope":"read:word"{more}}}"#))
}
