//! What an issuer and the network do to its metadata and its keys, over real sockets: what callers
//! see, what is fetched, and how much memory that takes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use allocation_counter::measure;
use grpc_auth::server::ResourceServerBuilder;
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{Issuer, JwksEvent, JwksHealth, ResourceServer, StartupPolicy};
use serde_json::json;
use tests::answers::{self, ok};
use tests::callers::{attempt, settle, until, with};
use tests::tls::Untrusted;
use tests::{assert_denied, block_on};
use tonic::Code;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// For a document of 256 KiB, a key set of 1 MiB, connections, and the server in the same process; not for 1 GB.
const MEMORY: u64 = 4 * 1024 * 1024;

/// A fault, the requests that one fetch makes at the endpoint that has it, and what the fetch says
/// of it for the metadata and for the keys.
const FAULTS: [(Fault, u64, &str, &str); 13] = [
    (Fault::Refuse, 1, "transport", "transport"),
    (Fault::Reset, 1, "transport", "transport"),
    (Fault::Hang, 1, "timeout", "timeout"),
    // Once more on the spot.
    (Fault::Status(500), 2, "status", "status"),
    (Fault::RetryAfter { status: 503, seconds: 7 }, 1, "status", "status"),
    (Fault::Status(429), 1, "status", "status"),
    (Fault::Html, 1, "no_metadata", "key_set"),
    (Fault::Empty, 1, "not_metadata", "key_set"),
    (Fault::Truncated, 1, "transport", "transport"),
    (Fault::Drip, 1, "timeout", "timeout"),
    (Fault::Huge, 1, "too_large", "too_large"),
    (Fault::Redirect, 1, "status", "status"),
    (Fault::Corrupt, 1, "no_metadata", "key_set"),
];

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

/// A server that is configured so, by this issuer's clock.
fn believing(
    issuer: &TestAuthorizationServer,
    configured: Issuer,
) -> (ResourceServerBuilder, Failures) {
    let builder = ResourceServer::builder().issuer(configured).clock(issuer.clock().clone());
    watched(builder.audience(TestAuthorizationServer::AUDIENCE))
}

fn health(auth: &ResourceServer) -> JwksHealth {
    auth.key_sets().next().unwrap().1
}

/// Waits for failures of which some need time to pass. The first five seconds are the fetch's.
async fn fail(issuer: &TestAuthorizationServer, failures: &Failures, endpoint: Endpoint) {
    until("the request is made", async || issuer.requests(endpoint) > 0).await;
    for _ in 0..5 {
        // Real sockets: give what is on its way the time to come.
        for _ in 0..50 {
            settle().await;
            if !failures.lock().unwrap().is_empty() {
                return;
            }
        }
        issuer.clock().advance(SECOND);
    }
    until("the fetch fails", async || !failures.lock().unwrap().is_empty()).await;
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

async fn cold(endpoint: Endpoint, fault: Fault, requests: u64, kind: &'static str) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let (builder, failures) = watched(issuer.resource_server().start(StartupPolicy::Warm));
    issuer.fail(endpoint, fault);
    let build = tokio::spawn(builder.build());
    fail(&issuer, &failures, endpoint).await;
    let auth = build.await.unwrap().unwrap();

    for _ in 0..100 {
        let answer = attempt(&issuer, &auth).await;
        assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    }
    assert_eq!(failures.lock().unwrap()[..], [kind], "{fault:?}");
    assert_eq!(issuer.requests(endpoint), requests, "{fault:?}");
    assert_eq!(issuer.requests(Endpoint::Elsewhere), 0);

    issuer.heal();
    let pause = if matches!(fault, Fault::RetryAfter { .. }) { 7 } else { 1 };
    issuer.clock().advance((pause - 1) * SECOND);
    if pause > 1 {
        settle().await;
        assert_eq!(issuer.requests(endpoint), requests, "it asked to be left alone");
    }
    issuer.clock().advance(SECOND);
    until("the keys are there", async || health(&auth) == JwksHealth::Fresh).await;
    attempt(&issuer, &auth).await.unwrap();
}

#[test]
fn at_a_cold_start_callers_are_told_and_the_server_is_back_within_a_second() {
    for (fault, requests, discovery, jwks) in FAULTS {
        // Both forms of its address.
        let at_metadata = if discovery == "no_metadata" { 2 } else { requests };
        peak(cold(Endpoint::Discovery, fault, at_metadata, discovery));
        peak(cold(Endpoint::Jwks, fault, requests, jwks));
    }
}

async fn warm(fault: Fault, requests: u64, kind: &'static str) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let (builder, failures) = watched(issuer.resource_server());
    let auth = builder.build().await.unwrap();
    attempt(&issuer, &auth).await.unwrap();
    issuer.fail(Endpoint::Jwks, fault);
    issuer.clock().advance(16 * MINUTE);
    attempt(&issuer, &auth).await.unwrap();
    until("the refresh begins", async || issuer.requests(Endpoint::Jwks) > 1).await;
    fail(&issuer, &failures, Endpoint::Jwks).await;
    let age = issuer.requests(Endpoint::Jwks);
    assert_eq!(age, 1 + requests, "{fault:?}");
    assert_eq!(failures.lock().unwrap()[..], [kind], "{fault:?}");
    assert!(matches!(health(&auth), JwksHealth::Stale { .. }), "{fault:?}");
    for _ in 0..100 {
        attempt(&issuer, &auth).await.unwrap();
    }
    // And an unknown key is neither let in nor called invalid.
    let unknown = issuer.token().header("kid", "unknown").sign();
    let answer = with(&auth, &unknown).await;
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    issuer.heal();
    until("the keys are fresh", async || {
        issuer.clock().advance(SECOND);
        attempt(&issuer, &auth).await.unwrap();
        settle().await;
        health(&auth) == JwksHealth::Fresh
    })
    .await;
}

#[test]
fn keys_that_are_known_serve_through_every_fault() {
    for (fault, requests, _, jwks) in FAULTS {
        peak(warm(fault, requests, jwks));
    }
}

async fn rediscovered(fault: Fault, requests: u64) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let builder = issuer.resource_server().key_sets(|key_sets| key_sets.rediscover = SECOND);
    let (builder, failures) = watched(builder);
    let auth = builder.build().await.unwrap();
    issuer.fail(Endpoint::Discovery, fault);
    issuer.clock().advance(14 * MINUTE);
    attempt(&issuer, &auth).await.unwrap();
    until("discovery is asked", async || issuer.requests(Endpoint::Discovery) > 1).await;
    if matches!(fault, Fault::Hang | Fault::Drip) {
        // It uses up the time of the whole fetch.
        fail(&issuer, &failures, Endpoint::Discovery).await;
    } else {
        until("the keys are asked for", async || issuer.requests(Endpoint::Jwks) == 2).await;
        until("they are fresh", async || health(&auth) == JwksHealth::Fresh).await;
        assert!(failures.lock().unwrap().is_empty(), "{fault:?}");
    }
    // Not even for a 500: it is known where the keys are.
    assert_eq!(issuer.requests(Endpoint::Discovery), 1 + requests, "{fault:?}");
    attempt(&issuer, &auth).await.unwrap();
}

/// The keys are where they were.
#[test]
fn metadata_that_cannot_be_fetched_again_harms_nobody() {
    for (fault, _, discovery, _) in FAULTS {
        peak(rediscovered(fault, if discovery == "no_metadata" { 2 } else { 1 }));
    }
}

#[test]
fn where_nobody_listens_is_no_issuer() {
    peak(deaf());
}

async fn deaf() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let (builder, failures) = believing(&issuer, Issuer::discover(issuer.url()).jwks_uri(&url));
    let auth = builder.build().await.unwrap();
    for _ in 0..10 {
        let answer = attempt(&issuer, &auth).await;
        assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    }
    assert_eq!(failures.lock().unwrap()[..], ["transport"]);
}

/// The answer of a server with an untrusted certificate is not read.
#[test]
fn bad_tls_is_no_issuer() {
    peak(untrusted());
}

async fn untrusted() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let jwks = Untrusted::start(issuer.jwks()).await;
    let at_keys = Issuer::discover(issuer.url()).jwks_uri(jwks.url());
    let metadata = Untrusted::start("{}").await;
    for (configured, untrusted, iss) in [
        (at_keys, &jwks, issuer.url().to_owned()),
        (Issuer::discover(metadata.url()), &metadata, metadata.url()),
    ] {
        let (builder, failures) = believing(&issuer, configured);
        let auth = builder.build().await.unwrap();
        let token = issuer.token().claim("iss", iss).scopes(["read:word"]).sign();
        for _ in 0..10 {
            let answer = with(&auth, &token).await;
            assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
        }
        assert_eq!(failures.lock().unwrap()[..], ["transport"]);
        // A connection that fails is tried once more.
        assert_eq!((untrusted.connections(), untrusted.requests()), (2, 0));
    }
}

/// Another server answers at the address of the keys.
#[test]
fn bad_tls_takes_no_key_away() {
    peak(untrusted_later());
}

async fn untrusted_later() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let jwks = Untrusted::start(issuer.jwks()).await;
    let [trusted, untrusted] = [format!("{}.well-known/jwks.json", issuer.url()), jwks.url()];
    let places = Arc::new(Mutex::new((String::new(), trusted)));
    let told = Arc::clone(&places);
    let url = answers::serve(move |_| {
        let (own, keys) = &*told.lock().unwrap();
        ok("", &json!({"issuer": own, "jwks_uri": keys}).to_string())
    })
    .await;
    places.lock().unwrap().0.clone_from(&url);
    let (builder, failures) = believing(&issuer, Issuer::discover(&url));
    let builder = builder.key_sets(|key_sets| key_sets.rediscover = SECOND);
    let auth = builder.build().await.unwrap();
    let token = |kid: Option<&str>| {
        let token = issuer.token().claim("iss", &*url).scopes(["read:word"]);
        kid.into_iter().fold(token, |token, kid| token.header("kid", kid)).sign()
    };
    with(&auth, &token(None)).await.unwrap();

    places.lock().unwrap().1 = untrusted;
    issuer.clock().advance(16 * MINUTE);
    with(&auth, &token(None)).await.unwrap();
    until("the refresh fails", async || !failures.lock().unwrap().is_empty()).await;
    assert_eq!(failures.lock().unwrap()[..], ["transport"]);
    assert!(matches!(health(&auth), JwksHealth::Stale { .. }));
    assert_eq!((jwks.connections(), jwks.requests()), (2, 0));
    assert_eq!(issuer.requests(Endpoint::Jwks), 1);
    for _ in 0..100 {
        with(&auth, &token(None)).await.unwrap();
    }
    let answer = with(&auth, &token(Some("unknown"))).await;
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
}

#[test]
fn a_clock_that_jumps_by_an_hour_either_way_costs_a_fetch_and_no_call() {
    for forward in [true, false] {
        peak(jumped(forward));
    }
}

async fn jumped(forward: bool) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().build().await.unwrap();
    let long_ago = issuer.clock().now() - 2 * HOUR;
    let iat = long_ago.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let token = issuer.token().claim("iat", iat).expires_in(4 * HOUR).scopes(["read:word"]);
    let token = token.sign();
    with(&auth, &token).await.unwrap();
    if forward {
        issuer.clock().advance(HOUR);
    } else {
        issuer.clock().rewind(HOUR);
    }
    for _ in 0..10 {
        with(&auth, &token).await.unwrap();
    }
    until("the keys are fetched", async || issuer.requests(Endpoint::Jwks) == 2).await;
    until("they are fresh", async || health(&auth) == JwksHealth::Fresh).await;
    settle().await;
    // The lifecycle goes on from there.
    issuer.replace_keys().unwrap();
    let fresh = issuer.token().claim("iat", iat).scopes(["read:word"]).sign();
    with(&auth, &fresh).await.unwrap();
    assert_eq!(issuer.requests(Endpoint::Jwks), 3);
    // What was found in the future is as old as can be.
    assert_eq!(issuer.requests(Endpoint::Discovery), if forward { 1 } else { 2 });
    let answer = with(&auth, &token).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
}
