//! Invalid opaque tokens: all of them introspected, also while the endpoint does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use allocation_counter::measure;
use grpc_auth::testing::{Endpoint, Fault, ManualClock, TestAuthorizationServer};
use grpc_auth::{
    BearerToken, ClientAuthentication, DenialReason, Introspection, Issuer, ResourceServer,
};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::endpoint::{self, GOOD};
use super::{JUNK, MEGABYTE, at_once, line};

/// Callers at a time; the endpoint gets 64 requests at once at most.
const STRANGERS: usize = 32;
/// What all of it may take at its peak, connections included.
const MEMORY: f64 = 5.0;
/// How long a caller may wait for nothing, in microseconds.
const CIRCUIT_OPEN: f64 = 5_000.0;

/// Junk while the endpoint answers: each token is introspected, and cached as not active.
pub(super) fn asked_about(junk: u64) -> bool {
    let endpoint = endpoint::start();
    // On this thread, whose memory is counted, is everything but the endpoint.
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let asked = Introspection::new(client()).endpoint(&endpoint.url);
    let issuer = Issuer::introspected("https://issuer.example/", asked);
    // The clock stands still: nothing that is remembered ends by itself.
    let builder = ResourceServer::builder().issuer(issuer).clock(ManualClock::new());
    let auth = runtime.block_on(builder.audience(endpoint::AUDIENCE).build()).unwrap();
    let good: Vec<BearerToken> = (0..1000).map(|n| token(&format!("{GOOD}{n}"))).collect();
    for token in &good {
        runtime.block_on(auth.verify(token)).unwrap();
    }
    assert_eq!(lost(&auth, &good), 0);

    let before = endpoint.asked();
    let started = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let memory = measure(|| {
        runtime.block_on(async {
            let mut strangers = JoinSet::new();
            for _ in 0..STRANGERS {
                strangers.spawn(knock(auth.clone(), Arc::clone(&next), junk));
            }
            strangers.join_all().await;
        });
    });
    let rate = junk as f64 / started.elapsed().as_secs_f64();
    assert_eq!(endpoint.asked() - before, junk, "each is asked about, once");
    println!("{junk} opaque junk tokens were asked about, {rate:.0} a second");
    let peak = memory.bytes_max as f64 / MEGABYTE as f64;
    let lost = lost(&auth, &good) as f64;
    line("opaque junk tokens, server up: memory at its peak", peak, MEMORY, "MB")
        & line("opaque junk tokens, server up: good entries lost", lost, 0.0, "of 1000")
}

async fn knock(auth: ResourceServer, next: Arc<AtomicU64>, junk: u64) {
    loop {
        let n = next.fetch_add(1, Relaxed);
        if n >= junk {
            return;
        }
        let refused = auth.verify(&token(&format!("junk-{n}"))).await.unwrap_err();
        assert_eq!(refused.denied(), DenialReason::TokenInvalid);
    }
}

/// Junk while the endpoint does not answer: the circuit is open, and nothing is remembered.
pub(super) fn unanswered(runtime: &Runtime, issuer: &TestAuthorizationServer) -> bool {
    issuer.add_client("bench", "s3cret", [""; 0]);
    let asked = Issuer::discover(issuer.url()).introspection(Introspection::new(client()));
    let builder = ResourceServer::builder().issuer(asked).clock(issuer.clock().clone());
    let auth =
        runtime.block_on(builder.audience(TestAuthorizationServer::AUDIENCE).build()).unwrap();
    let good: Vec<BearerToken> = (0..1000).map(|_| token(&issuer.token().opaque())).collect();
    for token in &good {
        runtime.block_on(auth.verify(token)).unwrap();
    }

    issuer.fail(Endpoint::Introspection, Fault::Refuse);
    // The first five are introspected, in vain.
    for n in 0..5 {
        runtime.block_on(auth.verify(&token(&format!("first-{n}")))).unwrap_err();
    }
    let started = Instant::now();
    let memory = measure(|| {
        for n in 0..JUNK {
            let refused = at_once(auth.verify(&token(&format!("junk-{n}"))));
            assert_eq!(refused.unwrap().unwrap_err().denied(), DenialReason::BackendUnavailable);
        }
    });
    let each = started.elapsed().as_secs_f64() * 1e6 / JUNK as f64;
    let peak = memory.bytes_max as f64 / MEGABYTE as f64;
    let lost = lost(&auth, &good) as f64;
    line("an opaque token, circuit open: until its refusal", each, CIRCUIT_OPEN, "µs")
        & line("10,000,000 opaque tokens, server down: memory at its peak", peak, MEMORY, "MB")
        & line("10,000,000 opaque tokens, server down: good entries lost", lost, 0.0, "of 1000")
}

fn client() -> ClientAuthentication {
    ClientAuthentication::client_secret_basic("bench", "s3cret")
}

fn token(text: &str) -> BearerToken {
    BearerToken::parse(text).unwrap()
}

/// Tokens that would be introspected again.
fn lost(auth: &ResourceServer, good: &[BearerToken]) -> usize {
    let is_known = |token: &&BearerToken| matches!(at_once(auth.verify(token)), Some(Ok(_)));
    good.len() - good.iter().filter(is_known).count()
}
