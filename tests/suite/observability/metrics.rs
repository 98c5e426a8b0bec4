//! What operators graph, with labels that no caller chooses.

use std::collections::BTreeMap;
use std::time::Duration;

use grpc_auth::policy::ServicePolicy;
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use metrics::Label;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tests::callers::{attempt, settle, until, with};
use tests::kinds::{Counting, call};
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::pb::kit::kinds_server::KindsServer;
use tests::pb::kit::names_client::NamesClient;
use tests::pb::kit::right_server::{Right, RightServer};
use tests::{Kit, assert_denied, assert_scope_denied, block_on, with_token};
use tonic::Code;
use tower_layer::Layer;
use tower_service::Service;

use crate::decisions::rpc_names::Misnamed;

async fn key_sets() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
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
        let stale = auth.key_sets().any(|(_, health)| health != grpc_auth::JwksHealth::Fresh);
        issuer.requests(Endpoint::Jwks) > before && stale
    })
    .await;
    // The age is reported after the failure, and as time goes by.
    settle().await;
    issuer.clock().advance(Duration::from_secs(30));
    settle().await;
}

/// What was recorded, with how often in place of how long.
fn recorded(work: impl FnOnce()) -> BTreeMap<String, String> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, work);
    let mut found = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let label = |label: &Label| match label.key() {
            "issuer" => "issuer=ISSUER".into(),
            name => format!("{name}={}", label.value()),
        };
        let labels: Vec<_> = key.key().labels().map(label).collect();
        let value = match value {
            DebugValue::Counter(count) => count.to_string(),
            DebugValue::Gauge(number) => number.to_string(),
            DebugValue::Histogram(values) => format!("{} times", values.len()),
        };
        let name = key.key().name().trim_start_matches("grpc_auth_");
        found.insert(format!("{name}{{{}}}", labels.join(",")), value);
    }
    found
}

fn assert_recorded<const N: usize>(
    found: &BTreeMap<String, String>,
    beginnings: &[&str],
    expected: [(&str, &str); N],
) {
    let is_meant = |name: &str| beginnings.iter().any(|beginning| name.starts_with(beginning));
    let found: BTreeMap<_, _> =
        found.iter().map(|(k, v)| (&**k, &**v)).filter(|(name, _)| is_meant(name)).collect();
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn key_sets_are_measured() {
    let found = recorded(|| block_on(key_sets()));
    assert_recorded(
        &found,
        &["key", "unknown"],
        [
            ("key_set_fetches_total{issuer=ISSUER,result=changed}", "2"),
            ("key_set_fetches_total{issuer=ISSUER,result=key_set}", "1"),
            ("key_set_fetches_total{issuer=ISSUER,result=unchanged}", "2"),
            ("key_set_generation{issuer=ISSUER}", "2"),
            ("key_set_age_seconds{issuer=ISSUER}", "990"),
            ("unknown_keys_total{issuer=ISSUER,decision=fetch}", "3"),
            ("unknown_keys_total{issuer=ISSUER,decision=not_there}", "2"),
        ],
    );
    assert_eq!(found["verification_duration_seconds{outcome=valid,waited=true}"], "1 times");
    assert_eq!(found["verification_duration_seconds{outcome=invalid,waited=true}"], "2 times");
}

async fn decisions() {
    let kit = Kit::start().await;
    let mut client = KindsClient::new(kit.auth.protect(Counting::default()));
    let token = || kit.issuer.token().scopes(["read:word"]);
    let good = token().sign();
    for _ in 0..5 {
        call(&mut client, "Unary", Some(&good)).await.unwrap();
    }
    for (token, code, reason) in [
        (None, Code::Unauthenticated, "CREDENTIALS_MISSING"),
        (Some(token().expired().sign()), Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED"),
        (Some(token().sign_with_wrong_key()), Code::Unauthenticated, "ACCESS_TOKEN_INVALID"),
        (Some("junk".repeat(8)), Code::Unauthenticated, "ACCESS_TOKEN_INVALID"),
    ] {
        assert_denied(call(&mut client, "ServerStream", token.as_deref()).await, code, reason);
    }
    assert_scope_denied(call(&mut client, "ClientStream", Some(&good)).await);
    call(&mut client, "Open", None).await.unwrap();

    // Methods without an entry are counted as one method.
    let layer = kit.auth.layer([ServicePolicy::new("a.B", &[])]).unwrap();
    for path in ["/a.B/One", "/a.B/Two", "/c.D/Three"] {
        let mut service = layer.layer(RightServer::new(Unreached));
        let request = http::Request::post(path).header("authorization", format!("Bearer {good}"));
        let answer = service.call(request.body(tonic::body::Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "7");
    }

    // A row whose name was derived, and the guard of a method without a layer.
    let mut names = NamesClient::new(kit.auth.protect(Misnamed));
    assert_denied(
        names.get_url(Word::default()).await,
        Code::Unauthenticated,
        "CREDENTIALS_MISSING",
    );
    assert_scope_denied(names.get_url(with_token(Word::default(), &good)).await);
    names.get_v2_item(with_token(Word::default(), &good)).await.unwrap();
    let mut bare = KindsClient::new(KindsServer::new(Counting::default()));
    assert_denied(call(&mut bare, "Unary", Some(&good)).await, Code::Internal, "");
}

struct Unreached;

#[tonic::async_trait]
impl Right for Unreached {
    async fn get(&self, _: tonic::Request<Word>) -> Result<tonic::Response<Word>, tonic::Status> {
        panic!("no policy names it")
    }
}

#[test]
fn decisions_are_counted_by_method_and_reason() {
    let found = recorded(|| block_on(decisions()));
    let rows = found.keys().filter(|name| name.contains("verdict=allow"));
    // Every row has its counter from the beginning, so that the first call can be seen as an increase.
    assert_eq!(rows.count(), 5 + 5);
    let found: BTreeMap<_, _> = found.into_iter().filter(|(_, value)| value != "0").collect();
    assert_recorded(
        &found,
        &["decisions"],
        [
            ("decisions_total{method=kit.v1.Kinds/Unary,verdict=allow,reason=OK}", "5"),
            ("decisions_total{method=kit.v1.Kinds/Open,verdict=allow,reason=OK}", "1"),
            ("decisions_total{method=kit.v1.Names/GetV2Item,verdict=allow,reason=OK}", "1"),
            (
                "decisions_total{method=kit.v1.Kinds/ServerStream,verdict=deny,reason=CREDENTIALS_MISSING}",
                "1",
            ),
            (
                "decisions_total{method=kit.v1.Kinds/ServerStream,verdict=deny,reason=ACCESS_TOKEN_EXPIRED}",
                "1",
            ),
            (
                "decisions_total{method=kit.v1.Kinds/ServerStream,verdict=deny,reason=ACCESS_TOKEN_INVALID}",
                "2",
            ),
            (
                "decisions_total{method=kit.v1.Kinds/ClientStream,verdict=deny,reason=ACCESS_TOKEN_SCOPE_INSUFFICIENT}",
                "1",
            ),
            ("decisions_total{method=_OTHER,verdict=deny,reason=PERMISSION_DENIED_BY_POLICY}", "3"),
            (
                "decisions_total{method=kit.v1.Names/GetUrl,verdict=deny,reason=CREDENTIALS_MISSING}",
                "1",
            ),
            (
                "decisions_total{method=kit.v1.Names/GetUrl,verdict=deny,reason=ACCESS_TOKEN_SCOPE_INSUFFICIENT}",
                "1",
            ),
            ("decisions_total{method=kit.v1.Kinds/Unary,verdict=deny,reason=INTERNAL}", "1"),
        ],
    );
}

/// A remembered token is verified no more, and is there as long as its server.
#[test]
fn the_cache_and_what_is_verified_past_it_are_measured() {
    let found = recorded(|| {
        block_on(async {
            let kit = Kit::start().await;
            let mut client = KindsClient::new(kit.auth.protect(Counting::default()));
            let good = kit.issuer.token().scopes(["read:word"]).sign();
            for _ in 0..5 {
                call(&mut client, "Unary", Some(&good)).await.unwrap();
            }
            let expired = kit.issuer.token().expired().sign();
            call(&mut client, "Unary", Some(&expired)).await.unwrap_err();
            std::mem::forget((client, kit));
        });
    });
    assert_recorded(
        &found,
        &["token_cache", "verification"],
        [
            ("token_cache_lookups_total{cache=verified,result=hit}", "3"),
            ("token_cache_lookups_total{cache=verified,result=miss}", "3"),
            ("token_cache_entries{cache=verified}", "1"),
            ("verification_duration_seconds{outcome=valid,waited=false}", "2 times"),
            ("verification_duration_seconds{outcome=expired,waited=false}", "1 times"),
            ("verification_duration_seconds{outcome=invalid,waited=false}", "0 times"),
            ("verification_duration_seconds{outcome=unavailable,waited=false}", "0 times"),
        ],
    );

    let found = recorded(|| block_on(decisions()));
    assert_eq!(found["token_cache_entries{cache=verified}"], "0", "its server is gone");

    let found = recorded(|| {
        block_on(async {
            let issuer = TestAuthorizationServer::start().await.unwrap();
            let off = issuer.resource_server().token_cache(grpc_auth::TokenCache::off());
            attempt(&issuer, &off.build().await.unwrap()).await.unwrap();
        });
    });
    assert_recorded(
        &found,
        &["token_cache"],
        [
            ("token_cache_lookups_total{cache=verified,result=hit}", "0"),
            ("token_cache_lookups_total{cache=verified,result=miss}", "0"),
            ("token_cache_entries{cache=verified}", "0"),
        ],
    );
}
