//! A foreign authorization server that fails: what callers see, and what it is asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use allocation_counter::measure;
use grpc_auth::server::ResourceServerBuilder;
use grpc_auth::testing::ManualClock;
use grpc_auth::{JwksEvent, JwksHealth, ResourceServer, StartupPolicy};
use tests::callers::{until, with};
use tests::{assert_denied, block_on};
use tonic::Code;

use crate::parts::{CLIENT, Fault, OidcProvider};

const SECOND: Duration = Duration::from_secs(1);
/// For a document of 256 KiB and connections; not for 1 GB.
const MEMORY: u64 = 4 * 1024 * 1024;

/// A fault, the requests that one fetch makes, and what it says of it for metadata and keys.
fn faults() -> [(Fault, u64, &'static str, &'static str); 12] {
    [
        (Fault::Hang, 1, "timeout", "timeout"),
        (Fault::Drip, 1, "timeout", "timeout"),
        // Once more on the spot.
        (Fault::Status(500), 2, "status", "status"),
        (Fault::Status(401), 1, "no_metadata", "status"),
        (Fault::RetryAfter { status: 503, seconds: 7 }, 1, "status", "status"),
        (Fault::RetryAfter { status: 429, seconds: 7 }, 1, "status", "status"),
        (Fault::Html, 1, "no_metadata", "key_set"),
        (Fault::Body(r#"{"keys": []}"#.into()), 1, "not_metadata", "key_set"),
        (
            Fault::Body(r#"{"keys": [{"kty": "oct", "k": "AAAA"}]}"#.into()),
            1,
            "not_metadata",
            "key_set",
        ),
        (Fault::Truncated, 1, "transport", "transport"),
        (Fault::Huge, 1, "too_large", "too_large"),
        (Fault::Redirect, 1, "status", "status"),
    ]
}

/// The kinds of failure so far.
type Failures = Arc<Mutex<Vec<&'static str>>>;

fn watched(builder: ResourceServerBuilder) -> (ResourceServerBuilder, Failures) {
    let failures = Failures::default();
    let told = Arc::clone(&failures);
    let builder = builder.on_key_set_event(move |_, event| {
        if let JwksEvent::RefreshFailed { error, .. } = event {
            told.lock().unwrap().push(error.kind());
        }
    });
    (builder, failures)
}

fn health(auth: &ResourceServer) -> JwksHealth {
    auth.key_sets().next().unwrap().1
}

/// Waits for the failure of a fetch that has begun; some need its five seconds to pass first.
async fn fail(clock: &ManualClock, fault: &Fault, failures: &Failures) {
    if matches!(fault, Fault::Hang | Fault::Drip) {
        clock.advance(5 * SECOND);
    }
    until("the fetch fails", async || !failures.lock().unwrap().is_empty()).await;
}

async fn cold(issuer: &OidcProvider, endpoint: &str, fault: Fault, requests: u64, kind: &str) {
    let clock = ManualClock::new();
    let token = issuer.token(CLIENT, "read:word", "urn:kit:words:es256").await;
    let before = issuer.requests(endpoint).await;
    issuer.fault(endpoint, fault.clone()).await;
    let (builder, failures) = watched(issuer.resource_server().start(StartupPolicy::Warm));
    let build = tokio::spawn(builder.clock(clock.clone()).build());
    until("it is asked", async || issuer.requests(endpoint).await > before).await;
    fail(&clock, &fault, &failures).await;
    let auth = build.await.unwrap().unwrap();
    for _ in 0..20 {
        let answer = with(&auth, &token).await;
        assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    }
    assert_eq!(failures.lock().unwrap()[..], [kind], "{fault:?}");
    assert_eq!(issuer.requests(endpoint).await - before, requests, "{fault:?}");
    issuer.heal().await;
    clock.advance(if matches!(fault, Fault::RetryAfter { .. }) { 7 * SECOND } else { SECOND });
    until("the keys are there", async || {
        tokio::task::yield_now().await;
        health(&auth) == JwksHealth::Fresh
    })
    .await;
    with(&auth, &token).await.unwrap();
}

async fn warm(issuer: &OidcProvider, fault: Fault, requests: u64, kind: &str) {
    let clock = ManualClock::new();
    let token = issuer.token(CLIENT, "read:word", "urn:kit:words:es256").await;
    let (builder, failures) = watched(issuer.resource_server());
    let auth = builder.clock(clock.clone()).build().await.unwrap();
    with(&auth, &token).await.unwrap();
    let before = issuer.requests("jwks").await;
    issuer.fault("jwks", fault.clone()).await;
    clock.advance(16 * 60 * SECOND);
    with(&auth, &token).await.unwrap();
    until("it is asked", async || issuer.requests("jwks").await > before).await;
    fail(&clock, &fault, &failures).await;
    for _ in 0..20 {
        with(&auth, &token).await.unwrap();
    }
    assert_eq!(failures.lock().unwrap()[..], [kind], "{fault:?}");
    assert_eq!(issuer.requests("jwks").await - before, requests, "{fault:?}");
    assert!(matches!(health(&auth), JwksHealth::Stale { .. }), "{fault:?}");
    issuer.heal().await;
    clock.advance(if matches!(fault, Fault::RetryAfter { .. }) { 7 * SECOND } else { SECOND });
    until("the keys are fresh", async || {
        with(&auth, &token).await.unwrap();
        health(&auth) == JwksHealth::Fresh
    })
    .await;
}

fn peak(work: impl Future<Output = ()>) {
    let mut work = Some(work);
    let memory = measure(|| {
        if let Some(work) = work.take() {
            block_on(work);
        }
    });
    assert!(memory.bytes_max < MEMORY, "{} bytes", memory.bytes_max);
}

#[test]
fn at_a_cold_start_callers_are_told_and_the_server_is_back_within_a_second() {
    peak(async {
        let issuer = OidcProvider::start().await;
        for (fault, requests, discovery, jwks) in faults() {
            // Both forms of its address.
            let at_metadata = if discovery == "no_metadata" { 2 } else { requests };
            cold(&issuer, "discovery", fault.clone(), at_metadata, discovery).await;
            cold(&issuer, "jwks", fault, requests, jwks).await;
        }
        assert_eq!(issuer.requests("elsewhere").await, 0, "no redirect is followed");
    });
}

#[test]
fn keys_that_are_known_serve_through_every_fault() {
    peak(async {
        let issuer = OidcProvider::start().await;
        for (fault, requests, _, jwks) in faults() {
            warm(&issuer, fault, requests, jwks).await;
        }
        assert_eq!(issuer.requests("elsewhere").await, 0, "no redirect is followed");
    });
}
