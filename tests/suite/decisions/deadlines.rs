//! A call that waits to be decided on waits no longer than its caller does (`grpc-timeout`).

use std::future::pending;
use std::time::Duration;

use grpc_auth::server::{AccessDecision, AccessRequest};
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{Clock, ResourceServer, StartupPolicy};
use tests::callers::{introspecting, settle, until};
use tests::kinds::Counting;
use tests::logs::Logs;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::{assert_denied, with_token};
use tokio::task::JoinHandle;
use tonic::transport::Server;
use tonic::{Code, Response, Status};

use crate::decisions::raw_http2::Raw;
use crate::decisions::raw_http2::serve_raw;

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(1);
/// By which the layer is sooner than others who look at the deadline.
const LEAD: Duration = Duration::from_millis(5);
const CAUSE: &str = "the call's deadline (`grpc-timeout`) passed while it waited";

type Call = JoinHandle<Result<Response<Word>, Status>>;

/// In this process: nothing but the layer looks at the deadline.
fn call(auth: &ResourceServer, token: &str, timeout: Option<Duration>) -> Call {
    let mut client = KindsClient::new(auth.protect(Counting::default()));
    let mut request = with_token(Word::default(), token);
    if let Some(timeout) = timeout {
        request.set_timeout(timeout);
    }
    tokio::spawn(async move { client.unary(request).await })
}

/// Two calls wait for something that never comes, one of them for a second.
async fn waits_in_vain(issuer: &TestAuthorizationServer, auth: &ResourceServer, token: &str) {
    let logs = Logs::capture();
    let (hurried, patient) = (call(auth, token, Some(SECOND)), call(auth, token, None));
    settle().await;
    issuer.clock().advance(SECOND - LEAD - TICK);
    settle().await;
    assert!(!hurried.is_finished());
    issuer.clock().advance(TICK);
    until("it is answered", async || hurried.is_finished()).await;
    let answer = hurried.await.unwrap();
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    assert!(logs.line_with("call denied").contains(CAUSE));
    // What it waited for is not its own, and others wait as long as ever.
    settle().await;
    assert!(!patient.is_finished());
    issuer.clock().advance(4 * SECOND + LEAD);
    assert_denied(patient.await.unwrap(), Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
}

/// The same for an endpoint that was asked by another call, once and for all.
async fn hangs(
    issuer: &TestAuthorizationServer,
    auth: &ResourceServer,
    endpoint: Endpoint,
    token: &str,
) {
    issuer.fail(endpoint, Fault::Hang);
    let waiting = call(auth, token, None);
    until("it is asked", async || issuer.requests(endpoint) == 1).await;
    waits_in_vain(issuer, auth, token).await;
    assert_denied(waiting.await.unwrap(), Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    assert_eq!(issuer.requests(endpoint), 1);
}

#[tokio::test]
async fn nobody_waits_for_keys_beyond_the_deadline() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().start(StartupPolicy::Lazy).build().await.unwrap();
    let token = issuer.token().scopes(["read:word"]).sign();
    hangs(&issuer, &auth, Endpoint::Jwks, &token).await;
}

#[tokio::test]
async fn nobody_waits_for_introspection_beyond_the_deadline() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = introspecting(&issuer).build().await.unwrap();
    let token = issuer.token().scopes(["read:word"]).opaque();
    hangs(&issuer, &auth, Endpoint::Introspection, &token).await;
}

#[tokio::test]
async fn nobody_waits_for_the_authorizer_beyond_the_deadline() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let builder = issuer.resource_server();
    let builder = builder.authorizer(|_: AccessRequest| pending::<Result<AccessDecision, _>>());
    let auth = builder.build().await.unwrap();
    waits_in_vain(&issuer, &auth, &issuer.token().scopes(["read:word"]).sign()).await;
}

/// tonic's own server looks at the deadline, too: it would answer CANCELLED, and comes second.
#[tokio::test]
async fn behind_a_transport_the_layer_answers_first() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let builder = issuer.resource_server().clock(Clock::system()).start(StartupPolicy::Lazy);
    let auth = builder.build().await.unwrap();
    issuer.fail(Endpoint::Jwks, Fault::Hang);
    let server = Server::builder().add_service(auth.protect(Counting::default()));
    let server = serve_raw(server).await;
    let token = issuer.token().scopes(["read:word"]).sign();
    let logs = Logs::capture();
    let call = Raw::to("/kit.v1.Kinds/Unary").header(&format!("Bearer {token}")).deadline("20m");
    let answer = call.send(server).await;
    assert_eq!(answer.status.as_deref(), Some("14"), "{answer:?}");
    assert!(answer.details.contains("AUTH_BACKEND_UNAVAILABLE"), "{answer:?}");
    assert!(logs.line_with("call denied").contains(CAUSE));
}
