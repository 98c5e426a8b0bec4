//! Waiting for a token is part of a call's time.

use std::time::Duration;

use grpc_auth::testing::{Endpoint, Fault, ManualClock, TestAuthorizationServer};
use tests::assert_denied;
use tests::callers::{settle, until};
use tests::pb::kit::kinds_client::KindsClient;
use tonic::{Code, Request};

use super::door::Door;
use super::endpoint::TokenEndpoint;
use super::{Attached, word};

const SECOND: Duration = Duration::from_secs(1);

fn within(time: Duration) -> Request<tests::pb::kit::Word> {
    let mut request = Request::new(word());
    request.set_timeout(time);
    request
}

#[tokio::test]
async fn a_call_waits_for_a_token_no_longer_than_its_deadline() {
    let kit = Attached::start().await;
    kit.issuer.fail(Endpoint::Token, Fault::Hang);
    let mut client = kit.client.clone();
    let call = tokio::spawn(async move { client.unary(within(2 * SECOND)).await });
    until("a token is asked for", async || kit.asked() == 1).await;
    settle().await;
    kit.issuer.clock().advance(2 * SECOND - Duration::from_millis(1));
    settle().await;
    assert!(!call.is_finished());
    kit.issuer.clock().advance(Duration::from_millis(1));
    let answer = call.await.unwrap();
    assert!(answer.as_ref().unwrap_err().message().contains("its deadline passed"));
    assert_denied(answer, Code::DeadlineExceeded, "");
    assert!(kit.door.seen().is_empty());
}

#[tokio::test]
async fn the_service_is_told_what_is_left() {
    let clock = ManualClock::new();
    let endpoint = TokenEndpoint::start().await;
    let tokens = endpoint.tokens(&clock).build().unwrap();
    let door = Door::default();
    let mut client = KindsClient::new(tokens.connect(door.open().await).await.unwrap());
    let mut waiting = client.clone();
    let call = tokio::spawn(async move { waiting.unary(within(60 * SECOND)).await });
    until("a token is asked for", async || endpoint.asked().len() == 1).await;
    clock.advance(3 * SECOND);
    endpoint.grant("token", "Bearer");
    call.await.unwrap().unwrap();
    assert_eq!(door.values("grpc-timeout"), ["57000000u"]);
    // A call that does not wait says what it said.
    client.unary(within(60 * SECOND)).await.unwrap();
    assert_eq!(door.values("grpc-timeout")[1], "60000000u");
    assert_eq!(TestAuthorizationServer::TOKEN_LIFETIME, 3600 * SECOND);
}
