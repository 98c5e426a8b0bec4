//! The life of a key set, end to end: fetched, refreshed, rotated, and kept when that fails.

mod remembered;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{JwksHealth, RefreshMode, ResourceServer, StartupPolicy, TokenCache};
use http::HeaderValue;
use http::header::{AGE, CACHE_CONTROL, IF_NONE_MATCH, LAST_MODIFIED};
use tests::callers::{attempt, settle, until, with};
use tests::{Kit, assert_denied};
use tokio::sync::Semaphore;
use tonic::Code;
use tonic_types::StatusExt;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn fetches(issuer: &TestAuthorizationServer) -> u64 {
    issuer.requests(Endpoint::Jwks)
}

#[tokio::test]
async fn an_idle_server_fetches_nothing_and_a_used_one_ahead_of_time() {
    let kit = Kit::start().await;
    kit.issuer.clock().advance(2 * HOUR);
    settle().await;
    assert_eq!(fetches(&kit.issuer), 1);
    // The call does not wait for the refresh that it causes.
    attempt(&kit.issuer, &kit.auth).await.unwrap();
    until("the keys are fetched again", async || fetches(&kit.issuer) == 2).await;
    until("they are fresh", async || health(&kit.auth) == JwksHealth::Fresh).await;
    kit.issuer.clock().advance(10 * MINUTE);
    attempt(&kit.issuer, &kit.auth).await.unwrap();
    settle().await;
    assert_eq!(fetches(&kit.issuer), 2);
    // 80 % of 15 minutes, and at most 10 % more: still fresh.
    kit.issuer.clock().advance(4 * MINUTE);
    attempt(&kit.issuer, &kit.auth).await.unwrap();
    until("the keys are fetched ahead", async || fetches(&kit.issuer) == 3).await;
}

#[tokio::test]
async fn an_eager_server_refreshes_without_calls() {
    for (refresh, before, after) in [
        (RefreshMode::Eager, 10 * MINUTE, 4 * MINUTE),
        (RefreshMode::Every(HOUR), HOUR - SECOND, SECOND),
    ] {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        let builder = issuer.resource_server().key_sets(|key_sets| key_sets.refresh = refresh);
        let _auth = builder.build().await.unwrap();
        settle().await;
        issuer.clock().advance(before);
        settle().await;
        assert_eq!(fetches(&issuer), 1);
        issuer.clock().advance(after);
        until("the keys are fetched again", async || fetches(&issuer) == 2).await;
    }
}

#[tokio::test]
async fn the_issuer_says_how_long_its_keys_are_fresh_and_is_asked_whether_they_changed() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.set_key_set_headers([
        (CACHE_CONTROL, HeaderValue::from_static("max-age=300")),
        (AGE, HeaderValue::from_static("100")),
    ]);
    let auth = issuer.resource_server().build().await.unwrap();
    issuer.clock().advance(2 * MINUTE);
    attempt(&issuer, &auth).await.unwrap();
    settle().await;
    assert_eq!(fetches(&issuer), 1);
    issuer.clock().advance(MINUTE);
    attempt(&issuer, &auth).await.unwrap();
    until("the keys are asked for again", async || issuer.not_modified() == 1).await;
    let request = issuer.last_request(Endpoint::Jwks).unwrap();
    assert!(request.contains_key(IF_NONE_MATCH) && !request.contains_key(CACHE_CONTROL));
    // Nothing changed: fresh for as long again, and the old tokens are good.
    until("they are fresh", async || health(&auth) == JwksHealth::Fresh).await;
    issuer.clock().advance(2 * MINUTE);
    attempt(&issuer, &auth).await.unwrap();
    settle().await;
    assert_eq!(fetches(&issuer), 2);
}

fn health(auth: &ResourceServer) -> JwksHealth {
    auth.key_sets().next().unwrap().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sudden_rotation_costs_one_fetch_and_no_call() {
    let kit = Kit::start().await;
    attempt(&kit.issuer, &kit.auth).await.unwrap();
    kit.issuer.replace_keys().unwrap();
    let calls: Vec<_> = (0..200)
        .map(|n| {
            let token = kit.issuer.token().subject(n.to_string()).scopes(["read:word"]).sign();
            let auth = kit.auth.clone();
            tokio::spawn(async move { with(&auth, &token).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(fetches(&kit.issuer), 2);
    let request = kit.issuer.last_request(Endpoint::Jwks).unwrap();
    assert_eq!(request[CACHE_CONTROL], "no-cache");
    assert!(!request.contains_key(IF_NONE_MATCH));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn planned_rotations_every_ten_seconds_cost_no_call() {
    const CALLERS: u32 = 4;
    let kit = Arc::new(Kit::start().await);
    // Each cached token holds its keys: of retired keys none are left.
    let in_use = Arc::new(Semaphore::new(CALLERS as usize));
    let (calls, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let caller = || {
        let (kit, in_use) = (Arc::clone(&kit), Arc::clone(&in_use));
        let (calls, is_over) = (Arc::clone(&calls), Arc::clone(&is_over));
        async move {
            let mut refused = Vec::new();
            while !is_over.load(Relaxed) {
                let _token = in_use.acquire().await.unwrap();
                refused.extend(attempt(&kit.issuer, &kit.auth).await.err());
                calls.fetch_add(1, Relaxed);
            }
            refused
        }
    };
    let callers: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(caller())).collect();
    let some_calls = async || {
        let before = calls.load(Relaxed);
        until("some calls were answered", async || calls.load(Relaxed) > before + 20).await;
    };
    for _ in 0..30 {
        kit.issuer.add_keys().unwrap();
        kit.issuer.clock().advance(10 * SECOND);
        some_calls().await;
        let nobody = in_use.acquire_many(CALLERS).await.unwrap();
        kit.issuer.retire_keys().unwrap();
        drop(nobody);
        some_calls().await;
    }
    is_over.store(true, Relaxed);
    for caller in callers {
        let refused = caller.await.unwrap();
        assert!(refused.is_empty(), "{refused:?}");
    }
    // One for each rotation at the most, and refreshes ahead.
    assert!((30 / 2..=32).contains(&fetches(&kit.issuer)), "{}", fetches(&kit.issuer));
}

#[tokio::test]
async fn known_keys_serve_through_an_outage_until_their_time_is_over_to_the_second() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().build().await.unwrap();
    let token = issuer.token().scopes(["read:word"]).expires_in(10 * HOUR).sign();
    issuer.fail(Endpoint::Jwks, Fault::Status(503));
    issuer.fail(Endpoint::Discovery, Fault::Status(503));
    // 10 × 15 minutes after they were fetched.
    for _ in 0..150 {
        with(&auth, &token).await.unwrap();
        attempt(&issuer, &auth).await.unwrap();
        issuer.clock().advance(MINUTE - SECOND);
        settle().await;
        with(&auth, &token).await.unwrap();
        issuer.clock().advance(SECOND);
    }
    for _ in 0..3 {
        let answer = with(&auth, &token).await;
        assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    }
    assert_eq!(health(&auth), JwksHealth::Unavailable);
    // Two requests a minute, for each failure is retried once, and fewer than one fetch a minute.
    assert!(fetches(&issuer) <= 2 * 150 + 2, "{}", fetches(&issuer));
    issuer.heal();
    issuer.clock().advance(SECOND);
    until("the keys are there", async || health(&auth) == JwksHealth::Fresh).await;
    with(&auth, &token).await.unwrap();
}

#[tokio::test]
async fn a_cold_start_without_the_issuer_costs_one_fetch_and_ends_within_a_second_of_its_return() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.fail(Endpoint::Discovery, Fault::Html);
    let auth = issuer.resource_server().start(StartupPolicy::Warm).build().await.unwrap();
    for _ in 0..100 {
        let answer = attempt(&issuer, &auth).await;
        let retry = answer.as_ref().unwrap_err().get_details_retry_info().unwrap();
        assert_eq!(retry.retry_delay, Some(SECOND));
        assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    }
    // Both forms of its address, once.
    assert_eq!(issuer.requests(Endpoint::Discovery), 2);
    // What keys cannot help is said at once.
    assert_denied(with(&auth, "nonsense").await, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    let foreign = issuer.token().claim("iss", "https://other.example/").sign();
    assert_denied(with(&auth, &foreign).await, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");

    for _ in 0..10 {
        issuer.clock().advance(SECOND);
        settle().await;
    }
    issuer.heal();
    issuer.clock().advance(SECOND);
    until("the keys are there", async || health(&auth) == JwksHealth::Fresh).await;
    attempt(&issuer, &auth).await.unwrap();
}

#[tokio::test]
async fn a_lazy_server_fetches_for_its_first_calls_which_wait() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().start(StartupPolicy::Lazy).build().await.unwrap();
    settle().await;
    assert_eq!((fetches(&issuer), issuer.requests(Endpoint::Discovery)), (0, 0));
    assert_eq!(health(&auth), JwksHealth::Idle);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let token = issuer.token().scopes(["read:word"]).sign();
            let auth = auth.clone();
            tokio::spawn(async move { with(&auth, &token).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!((fetches(&issuer), issuer.requests(Endpoint::Discovery)), (1, 1));
}

#[tokio::test]
async fn a_cancelled_call_does_not_cancel_the_fetch_that_others_wait_for() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.fail(Endpoint::Jwks, Fault::Hang);
    let auth = issuer.resource_server().start(StartupPolicy::Lazy).build().await.unwrap();
    let call = || {
        let token = issuer.token().scopes(["read:word"]).sign();
        let auth = auth.clone();
        tokio::spawn(async move { with(&auth, &token).await })
    };
    let (first, second) = (call(), call());
    until("the fetch has begun", async || fetches(&issuer) == 1).await;
    first.abort();
    settle().await;
    // It goes on until its time is over.
    issuer.clock().advance(5 * SECOND);
    assert_denied(second.await.unwrap(), Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    assert_eq!(fetches(&issuer), 1);
}

#[tokio::test]
async fn an_answer_that_is_older_than_the_keys_is_refused() {
    for older in [
        (AGE, HeaderValue::from_static("120")),
        (LAST_MODIFIED, HeaderValue::from_static("Thu, 01 Jan 2026 00:00:00 GMT")),
    ] {
        let kit = Kit::start().await;
        let before = kit.issuer.jwks();
        kit.issuer.replace_keys().unwrap();
        let present = HeaderValue::from_static("Fri, 02 Jan 2026 00:00:00 GMT");
        kit.issuer.set_key_set_headers([(LAST_MODIFIED, present)]);
        attempt(&kit.issuer, &kit.auth).await.unwrap();
        // A cache on the way still has the old keys.
        let token = kit.issuer.token().scopes(["read:word"]).sign();
        kit.issuer.set_jwks(Some(before));
        kit.issuer.set_key_set_headers([older]);
        kit.issuer.clock().advance(MINUTE);
        let unknown = kit.issuer.token().header("kid", "unknown").sign();
        let answer = with(&kit.auth, &unknown).await;
        assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
        assert_eq!(fetches(&kit.issuer), 3);
        with(&kit.auth, &token).await.unwrap();
    }
}

#[tokio::test]
async fn the_issuer_is_asked_again_where_its_keys_are_when_they_are_gone() {
    for fault in [Fault::Status(404), Fault::Status(410)] {
        let kit = Kit::start().await;
        assert_eq!(kit.issuer.requests(Endpoint::Discovery), 1);
        kit.issuer.fail(Endpoint::Jwks, fault);
        kit.issuer.clock().advance(14 * MINUTE);
        attempt(&kit.issuer, &kit.auth).await.unwrap();
        until("discovery is repeated", async || kit.issuer.requests(Endpoint::Discovery) == 2)
            .await;
        kit.issuer.heal();
        until("the keys are back", async || {
            kit.issuer.clock().advance(SECOND);
            attempt(&kit.issuer, &kit.auth).await.unwrap();
            settle().await;
            fetches(&kit.issuer) == 3
        })
        .await;
        let before = kit.issuer.requests(Endpoint::Discovery);
        // And once a day.
        for _ in 0..24 * 5 {
            kit.issuer.clock().advance(14 * MINUTE);
            attempt(&kit.issuer, &kit.auth).await.unwrap();
            settle().await;
        }
        assert_eq!(kit.issuer.requests(Endpoint::Discovery), before + 1);
    }
}

#[tokio::test]
async fn what_happens_is_told() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let events = Arc::clone(&told);
    let builder = issuer.resource_server().on_key_set_event(move |issuer, event| {
        assert!(issuer.starts_with("http://127.0.0.1"));
        let event = format!("{event:?}");
        events.lock().unwrap().push(event.split(" error").next().unwrap_or_default().to_owned());
    });
    let auth = builder.build().await.unwrap();
    issuer.replace_keys().unwrap();
    attempt(&issuer, &auth).await.unwrap();
    issuer.fail(Endpoint::Jwks, Fault::Empty);
    issuer.clock().advance(16 * MINUTE);
    attempt(&issuer, &auth).await.unwrap();
    until("the refresh fails", async || told.lock().unwrap().len() >= 7).await;
    assert_eq!(
        told.lock().unwrap()[..],
        [
            "RefreshStarted { forced: false }",
            "RefreshSucceeded { generation: 1, added: 3, removed: 0, not_modified: false }",
            "UnknownKidOutcome { decision: Fetch }",
            "RefreshStarted { forced: true }",
            "RefreshSucceeded { generation: 2, added: 3, removed: 3, not_modified: false }",
            "RefreshStarted { forced: false }",
            "RefreshFailed {",
            "ServingStale { age: 960s }",
        ]
    );
    assert_eq!(health(&auth), JwksHealth::Stale { age: 16 * MINUTE });
}

#[tokio::test]
async fn refreshing_ends_with_the_last_server_and_service() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().refresh_every(HOUR).build().await.unwrap();
    let service = auth.protect(tests::kinds::Counting::default());
    drop(auth);
    settle().await;
    issuer.clock().advance(HOUR);
    until("the service's keys are fetched", async || fetches(&issuer) == 2).await;
    drop(service);
    settle().await;
    issuer.clock().advance(HOUR);
    settle().await;
    assert_eq!(fetches(&issuer), 2);
}

#[tokio::test]
async fn a_call_waits_for_a_key_as_long_as_it_may_though_the_fetch_goes_on() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let builder = issuer.resource_server().key_sets(|key_sets| {
        key_sets.timeout = 30 * SECOND;
        key_sets.wait = 5 * SECOND;
    });
    let auth = builder.build().await.unwrap();
    issuer.fail(Endpoint::Jwks, Fault::Hang);
    issuer.replace_keys().unwrap();
    let token = issuer.token().scopes(["read:word"]).sign();
    let call = tokio::spawn({
        let (auth, token) = (auth.clone(), token.clone());
        async move { with(&auth, &token).await }
    });
    until("the keys are asked for", async || fetches(&issuer) == 2).await;
    issuer.clock().advance(5 * SECOND - Duration::from_millis(1));
    settle().await;
    assert!(!call.is_finished());
    issuer.clock().advance(Duration::from_millis(1));
    settle().await;
    assert!(call.is_finished());
    assert_denied(call.await.unwrap(), Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    assert_eq!((fetches(&issuer), health(&auth)), (2, JwksHealth::Fresh), "it goes on");
}
