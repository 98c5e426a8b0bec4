//! Keys: fetched, not fetched, and gone.

use std::time::Duration;

use grpc_auth::danger::PlaintextIssuer;
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{Issuer, JwksHealth, ResourceServer, StartupPolicy};
use serde_json::{Value, json};
use tests::Kit;
use tests::callers::{attempt, settle, until, with};
use tonic::Code;
use tonic_health::server::health_reporter;

use super::Seen;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

async fn is(auth: &ResourceServer, health: fn(JwksHealth) -> bool) {
    until("its health is another", async || auth.key_sets().all(|(_, now)| health(now))).await;
}

pub(super) async fn failures(seen: &Seen) {
    for (endpoint, faults) in [
        (Endpoint::Discovery, &[Fault::Refuse, Fault::Html, Fault::Redirect][..]),
        (Endpoint::Jwks, &[Fault::Status(500), Fault::Empty, Fault::Truncated, Fault::Corrupt]),
    ] {
        for fault in faults {
            let issuer = TestAuthorizationServer::start().await.unwrap();
            issuer.fail(endpoint, *fault);
            let auth = issuer.resource_server().start(StartupPolicy::Warm).build().await.unwrap();
            let token = seen.token("a good token", issuer.token().scopes(["read:word"]).sign());
            let status = with(&auth, &token).await.unwrap_err();
            assert_eq!(seen.refusal("no keys", &status), "AUTH_BACKEND_UNAVAILABLE");
            seen.debug("a server without keys", &auth);
            let required = issuer.resource_server().start(StartupPolicy::Required).build().await;
            seen.error("keys that are required", &required.unwrap_err());
        }
    }

    // Another issuer's metadata.
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let url = issuer.url().trim_end_matches('/');
    let built =
        ResourceServer::oidc(url).audience("a").start(StartupPolicy::Required).build().await;
    seen.error("another issuer", &built.unwrap_err());

    let plaintext = Issuer::discover("http://keycloak:8080/realms/main")
        .plaintext(PlaintextIssuer::new("http://keycloak:8080"));
    let builder = ResourceServer::builder().issuer(plaintext).audience("a");
    seen.debug("a plaintext issuer", &builder.start(StartupPolicy::Lazy).build().await.is_ok());

    // Keys that ought to be secret, and others that need not be.
    // The key id of a skipped key is logged: it says which key.
    for secret in ["canary-private", "canary-symmetric", "canary-odd"] {
        seen.secret("a member of a key set", secret);
    }
    let mut jwks: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let keys = jwks["keys"].as_array_mut().unwrap();
    let private = keys[0].as_object().cloned().map(|mut key| {
        key.insert("d".into(), "canary-private".into());
        key.insert("kid".into(), "canary-key-id".into());
        Value::from(key)
    });
    keys.push(private.unwrap());
    keys.push(json!({"kty": "oct", "k": "canary-symmetric", "kid": "canary-key-id"}));
    keys.push(json!({"kty": "canary-odd", "kid": "canary-key-id"}));
    issuer.set_jwks(Some(jwks.to_string()));
    let auth = issuer.resource_server().build().await.unwrap();
    attempt(&issuer, &auth).await.unwrap();
    for bad in [r#"{"keys": [{"kty": "canary-odd"}]}"#, r#"{"canary-odd": 1}"#, "canary-odd"] {
        issuer.set_jwks(Some(bad.into()));
        let built = issuer.resource_server().start(StartupPolicy::Required).build().await;
        seen.error("a bad key set", &built.unwrap_err());
        let given = ResourceServer::static_keys("https://i.example/", bad).audience("a");
        seen.error("a bad key set", &given.build().await.unwrap_err());
    }
}

pub(super) async fn life(seen: &Seen) {
    let kit = Kit::start().await;
    // Without a word on stderr.
    let panics = |_: &str, _: &grpc_auth::JwksEvent<'_>| std::panic::resume_unwind(Box::new(()));
    let builder = kit.issuer.resource_server().on_key_set_event(panics);
    seen.debug("a configuration", &builder);
    let auth = builder.build().await.unwrap();
    let token = || kit.issuer.token().scopes(["read:word"]).expires_in(24 * HOUR);
    let stolen = seen.token("a token of a removed key", token().sign());
    for _ in 0..3 {
        with(&auth, &stolen).await.unwrap();
    }
    kit.issuer.replace_keys().unwrap();
    let fresh = seen.token("a token of a new key", token().sign());
    with(&auth, &fresh).await.unwrap();
    let status = with(&auth, &stolen).await.unwrap_err();
    assert_eq!(seen.refusal("a removed key", &status), "ACCESS_TOKEN_INVALID");
    let forged = seen.token("a token with a bad signature", token().sign_with_wrong_key());
    let status = with(&auth, &forged).await.unwrap_err();
    assert_eq!(seen.refusal("a bad signature", &status), "ACCESS_TOKEN_INVALID");
    // The removed key has caused a fetch; two more are paid for.
    let (invalid, limited) = ("ACCESS_TOKEN_INVALID", "AUTH_BACKEND_UNAVAILABLE");
    for (kid, reason) in [
        ("canary-kid-1", invalid),
        ("canary-kid-2", invalid),
        ("canary-kid-3", limited),
        ("canary-kid-3", limited),
    ] {
        seen.logged("key id", kid, &["kid"]);
        let token = seen.token("a token with an unknown key", token().header("kid", kid).sign());
        let status = with(&auth, &token).await.unwrap_err();
        assert_eq!(seen.refusal("an unknown key", &status), reason);
    }
    if let Some(request) = kit.issuer.last_request(Endpoint::Jwks) {
        seen.debug("what the issuer is told", &request);
    }

    kit.issuer.fail(Endpoint::Jwks, Fault::Refuse);
    kit.issuer.clock().advance(16 * MINUTE);
    with(&auth, &fresh).await.unwrap();
    is(&auth, |health| matches!(health, JwksHealth::Stale { .. })).await;
    // The third failure in a row is no warning.
    for _ in 0..3 {
        let asked = kit.issuer.requests(Endpoint::Jwks);
        kit.issuer.clock().advance(MINUTE);
        with(&auth, &fresh).await.unwrap();
        until("it is asked", async || kit.issuer.requests(Endpoint::Jwks) > asked).await;
        for _ in 0..20 {
            settle().await;
        }
    }
    kit.issuer.clock().advance(3 * HOUR);
    let _ = with(&auth, &fresh).await;
    is(&auth, |health| health == JwksHealth::Unavailable).await;
    let status = with(&auth, &fresh).await.unwrap_err();
    assert_eq!(seen.refusal("an outage", &status), "AUTH_BACKEND_UNAVAILABLE");
    kit.issuer.heal();
    kit.issuer.clock().advance(SECOND);
    is(&auth, |health| health == JwksHealth::Fresh).await;
    // The same keys again, with and without a new document.
    for headers in [vec![], vec![(http::header::ETAG, http::HeaderValue::from_static("\"2\""))]] {
        kit.issuer.set_key_set_headers(headers);
        kit.issuer.clock().advance(16 * MINUTE);
        with(&auth, &fresh).await.unwrap();
        is(&auth, |health| health == JwksHealth::Fresh).await;
    }
    seen.debug("a server", &auth);
}

pub(super) async fn metadata(seen: &Seen) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let builder = issuer.resource_server().key_sets(|key_sets| key_sets.rediscover = SECOND);
    let auth = builder.build().await.unwrap();
    issuer.fail(Endpoint::Discovery, Fault::Status(404));
    issuer.clock().advance(14 * MINUTE);
    attempt(&issuer, &auth).await.unwrap();
    until("the keys are asked for", async || issuer.requests(Endpoint::Jwks) == 2).await;
    settle().await;
    seen.debug("a server", &auth);
}

pub(super) async fn groups(seen: &Seen) {
    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let keys = format!("{}.well-known/jwks.json", issuer.url());
    let entra = Issuer::entra(TENANT).jwks_uri(keys);
    seen.debug("an issuer's configuration", &entra);
    let builder = ResourceServer::builder().issuer(entra).audience("api");
    let auth = builder.clock(issuer.clock().clone()).build().await.unwrap();
    seen.secret("a group", "canary-group");
    let token = issuer
        .token()
        .audience("api")
        .claim("iss", format!("https://login.microsoftonline.com/{TENANT}/v2.0"))
        .claim("tid", TENANT)
        .claim("azp", "client")
        .claim("scp", "read:word")
        .claim("_claim_names", json!({"groups": "canary-group"}));
    let token = seen.token("a token with too many groups", token.sign());
    with(&auth, &token).await.unwrap();
}

pub(super) async fn health(seen: &Seen) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.fail(Endpoint::Jwks, Fault::Status(500));
    let auth = issuer.resource_server().start(StartupPolicy::Warm).build().await.unwrap();
    let (reporter, _health) = health_reporter();
    let watch = auth.watch_health(reporter, ["", "kit.v1.Kinds"]);
    seen.debug("a health watch", &watch);
    seen.debug("a server's health", &auth.health());
    issuer.heal();
    issuer.clock().advance(SECOND);
    until("it is ready", async || auth.health().is_ready()).await;
    settle().await;
    seen.debug("a server's health", &auth.health());
}

/// Its task is gone.
pub(super) fn without_runtime(seen: &Seen) {
    let issuer = |runtime: &tokio::runtime::Runtime| {
        runtime.block_on(TestAuthorizationServer::start()).unwrap()
    };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (one, other) = (runtime(), runtime());
    let issuer = issuer(&other);
    let auth = one.block_on(issuer.resource_server().start(StartupPolicy::Lazy).build()).unwrap();
    drop(one);
    let status = other.block_on(attempt(&issuer, &auth)).unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    seen.refusal("no runtime", &status);
}
