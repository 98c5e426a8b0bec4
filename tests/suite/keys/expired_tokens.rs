//! Tokens that have expired, where no key may be used: they wait for a fetch that runs anyway, and cause
//! none of their own.

use std::time::Duration;

use grpc_auth::StartupPolicy;
use grpc_auth::testing::{Endpoint, Fault};
use tests::callers::{attempt, settle, with};
use tests::logs::Logs;
use tests::{Kit, assert_denied};
use tonic::Code;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn fetches(kit: &Kit) -> u64 {
    kit.issuer.requests(Endpoint::Jwks)
}

#[tokio::test]
async fn an_expired_token_waits_for_keys_and_is_told_after_its_signature() {
    let kit = Kit::start().await;
    kit.issuer.clock().advance(2 * DAY);
    let logs = Logs::capture();
    let answer = with(&kit.auth, &kit.issuer.token().expired().sign()).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
    let line = logs.line_with("call denied");
    assert!(line.contains("`exp` has passed"), "{line}");
    // The use of the keys was what caused the fetch.
    assert_eq!(fetches(&kit), 2);

    kit.issuer.clock().advance(2 * DAY);
    let forged = with(&kit.auth, &kit.issuer.token().expired().sign_with_wrong_key()).await;
    assert_denied(forged, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    let unknown = kit.issuer.token().expired().header("kid", "x").sign();
    assert_denied(with(&kit.auth, &unknown).await, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    settle().await;
    assert_eq!(fetches(&kit), 3);
}

#[tokio::test]
async fn without_keys_it_is_unavailable_and_the_issuer_is_not_blamed_for_it() {
    let kit = Kit::start().await;
    kit.issuer.fail(Endpoint::Jwks, Fault::Status(404));
    kit.issuer.clock().advance(2 * DAY);
    let token = || kit.issuer.token().expired().sign();
    let logs = Logs::capture();
    let answer = with(&kit.auth, &token()).await;
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    let line = logs.line_with("call denied");
    assert!(line.contains("`exp` has passed: the token causes no fetch"), "{line}");
    let failed = fetches(&kit);
    // However many come, no fetch is made for them.
    for _ in 0..100 {
        let answer = with(&kit.auth, &token()).await;
        assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    }
    assert_eq!(fetches(&kit), failed);
}

#[tokio::test]
async fn a_lazy_server_fetches_nothing_for_it() {
    let kit = Kit::start().await;
    let before = fetches(&kit);
    let auth = kit.issuer.resource_server().start(StartupPolicy::Lazy).build().await.unwrap();
    for _ in 0..10 {
        let answer = with(&auth, &kit.issuer.token().expired().sign()).await;
        assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    }
    settle().await;
    assert_eq!(fetches(&kit), before);
    attempt(&kit.issuer, &auth).await.unwrap();
    assert_eq!(fetches(&kit), before + 1);
    let answer = with(&auth, &kit.issuer.token().expired().sign()).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
}
