//! No token, no call.

use std::time::Duration;

use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use tests::assert_denied;
use tests::logs::Logs;
use tests::pb::kit::kinds_client::KindsClient;
use tonic::Code;
use tonic_types::StatusExt;

use super::door::Door;
use super::{Attached, request, word};

#[tokio::test]
async fn an_authorization_server_that_does_not_answer_makes_calls_unavailable() {
    let fresh = Attached::start().await;
    for fault in [Fault::Refuse, Fault::Status(500), Fault::Html, Fault::Status(429)] {
        let mut kit = fresh.again().await;
        kit.issuer.fail(Endpoint::Token, fault);
        let logs = Logs::capture();
        for _ in 0..3 {
            let status = kit.client.unary(word()).await.unwrap_err();
            assert!(status.message().contains("no token could be got"), "{status:?}");
            assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
            assert_denied::<()>(Err(status), Code::Unavailable, "");
        }
        let line = logs.line_with("no token can be got");
        assert!(line.contains("permanent=false") && line.contains("error="), "{line}");
        assert!(kit.door.seen().is_empty(), "{fault:?}");

        kit.issuer.heal();
        kit.issuer.clock().advance(Duration::from_secs(60));
        for _ in 0..2 {
            kit.client.unary(word()).await.unwrap();
        }
        let _ = logs.line_with("tokens can be got again");
    }
}

#[tokio::test]
async fn how_long_the_authorization_server_wants_to_be_left_alone_is_passed_on() {
    let mut kit = Attached::start().await;
    kit.issuer.fail(Endpoint::Token, Fault::RetryAfter { status: 503, seconds: 17 });
    let status = kit.client.unary(word()).await.unwrap_err();
    let delay = status.get_details_retry_info().unwrap().retry_delay;
    assert_eq!(delay, Some(Duration::from_secs(17)));
}

#[tokio::test]
async fn a_client_that_is_refused_makes_calls_unauthenticated_and_the_log_says_why() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.add_client("caller", "another secret", ["read:word"]);
    let door = Door::default();
    let tokens = request(&issuer, "caller").build().unwrap();
    let mut client = KindsClient::new(tokens.connect(door.open().await).await.unwrap());
    let logs = Logs::capture();
    for _ in 0..3 {
        let status = client.unary(word()).await.unwrap_err();
        assert!(status.message().contains("the cause is in this program's log"), "{status:?}");
        assert_denied::<()>(Err(status), Code::Unauthenticated, "");
    }
    let line = logs.line_with("no token can be got");
    assert!(line.contains("permanent=true") && line.contains("`invalid_client`"), "{line}");
    // Another outage, another line.
    issuer.add_client("caller", "s3cret", ["read:word"]);
    issuer.clock().advance(Duration::from_secs(60));
    client.unary(word()).await.unwrap();
    assert_eq!(door.seen().len(), 1);
    issuer.add_client("caller", "another secret", ["read:word"]);
    issuer.clock().advance(TestAuthorizationServer::TOKEN_LIFETIME);
    let logs = Logs::capture();
    client.unary(word()).await.unwrap_err();
    let _ = logs.line_with("no token can be got");
    assert_eq!(door.seen().len(), 1);
}

/// The answer of a token endpoint that fails is for the log; what the service said of the token that
/// it refused is no longer true of the next call.
#[tokio::test]
async fn a_refused_token_that_cannot_be_replaced_makes_the_call_unavailable() {
    let mut kit = Attached::start().await;
    let token = kit.held().await;
    kit.door.refuse([token.clone()], tonic::Status::unauthenticated("refused"));
    kit.issuer.fail(Endpoint::Token, Fault::Status(500));
    assert_denied(kit.client.unary(word()).await, Code::Unavailable, "");
    assert_eq!(kit.door.credentials(), [token]);
}
