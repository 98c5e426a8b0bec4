//! What operators graph: counters and gauges of what happens to key sets, with bounded labels.

use std::collections::BTreeMap;
use std::time::Duration;

use grpc_auth::testing::{AuthorizationServer, Endpoint, Fault};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tests::callers::{attempt, until, with};
use tests::{assert_denied, block_on};
use tonic::Code;

async fn work() -> String {
    let issuer = AuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().build().await.unwrap();
    issuer.replace_keys().unwrap();
    attempt(&issuer, &auth).await.unwrap();
    for kid in ["canary-1", "canary-2"] {
        let unknown = issuer.token().header("kid", kid).sign();
        let answer = with(&auth, &unknown).await;
        assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    }
    issuer.fail(Endpoint::Jwks, Fault::Html);
    issuer.clock().advance(Duration::from_secs(16 * 60));
    let before = issuer.requests(Endpoint::Jwks);
    attempt(&issuer, &auth).await.unwrap();
    until("the refresh fails", async || {
        tokio::task::yield_now().await;
        let stale = auth.key_sets().any(|(_, health)| health != grpc_auth::KeySetHealth::Fresh);
        issuer.requests(Endpoint::Jwks) > before && stale
    })
    .await;
    // The age is told after the failure.
    tests::callers::settle().await;
    issuer.url().to_owned()
}

#[test]
fn key_sets_are_measured_with_labels_that_no_stranger_chooses() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let url = metrics::with_local_recorder(&recorder, || block_on(work()));
    let mut found = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> =
            key.key().labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
        let labels = labels.join(",").replace(&url, "ISSUER");
        let value = match value {
            DebugValue::Counter(count) => count.to_string(),
            DebugValue::Gauge(number) => number.to_string(),
            DebugValue::Histogram(_) => "histogram".into(),
        };
        found.insert(format!("{}{{{labels}}}", key.key().name()), value);
    }
    let expected = [
        ("grpc_auth_key_set_fetches_total{issuer=ISSUER,result=changed}", "2"),
        ("grpc_auth_key_set_fetches_total{issuer=ISSUER,result=key_set}", "1"),
        ("grpc_auth_key_set_fetches_total{issuer=ISSUER,result=unchanged}", "2"),
        ("grpc_auth_key_set_generation{issuer=ISSUER}", "2"),
        ("grpc_auth_key_set_stale_age_seconds{issuer=ISSUER}", "960"),
        ("grpc_auth_unknown_keys_total{issuer=ISSUER,decision=fetch}", "3"),
        ("grpc_auth_unknown_keys_total{issuer=ISSUER,decision=not_there}", "2"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found, BTreeMap::from(expected));
}
