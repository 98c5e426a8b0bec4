//! Tokens that an issuer introspects.

use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{ClientAuthentication, Introspection, Issuer, Redis, ResourceServer};
use serde_json::json;
use tests::callers::{settle, with};

use super::Seen;

async fn server(
    seen: &Seen,
    issuer: &TestAuthorizationServer,
    introspection: Introspection,
) -> ResourceServer {
    seen.debug("how to introspect", &introspection);
    let asked = Issuer::discover(issuer.url()).introspection(introspection);
    seen.debug("an issuer that is asked", &asked);
    let builder = ResourceServer::builder().issuer(asked).clock(issuer.clock().clone());
    let auth = builder.audience(TestAuthorizationServer::AUDIENCE).build().await.unwrap();
    seen.debug("a server that introspects", &auth);
    auth
}

pub(super) async fn asked(seen: &Seen) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let secret = seen.secret("client secret", "canary-introspection-secret");
    issuer.add_client("service", &*secret, [""; 0]);
    let basic = ClientAuthentication::client_secret_basic("service", secret);
    seen.debug("how a client authenticates", &basic);
    let auth = server(seen, &issuer, Introspection::new(basic.clone())).await;
    for canary in ["canary-introspected", "canary-introspected-claim", "canary-introspected-scope"]
    {
        seen.secret("what an issuer tells of a token", canary);
    }
    let token = || {
        let token = issuer.token().subject("canary-introspected");
        token.claim("tenant", json!({"name": "canary-introspected-claim"}))
    };
    let scopes = ["read:word", "canary-introspected-scope"];
    let good = seen.token("an opaque token", token().scopes(scopes).opaque());
    for _ in 0..3 {
        with(&auth, &good).await.unwrap();
    }
    let weak = seen.token("a weak opaque token", token().opaque());
    let status = with(&auth, &weak).await.unwrap_err();
    assert_eq!(seen.refusal("a weak token", &status), "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    let unknown = seen.token("an unknown token", "canary-unknown-opaque-token".into());
    for _ in 0..2 {
        let status = with(&auth, &unknown).await.unwrap_err();
        assert_eq!(seen.refusal("an unknown token", &status), "ACCESS_TOKEN_INVALID");
    }
    seen.debug("what introspection is asked with", &issuer.requests(Endpoint::Introspection));

    // More failures in a row than open the circuit.
    for (fault, number) in [(Fault::Html, 0..3), (Fault::Status(401), 3..5), (Fault::Refuse, 5..7)]
    {
        issuer.fail(Endpoint::Introspection, fault);
        for n in number {
            let token = seen.token("a token nobody judges", format!("canary-unjudged-token-{n}"));
            let status = with(&auth, &token).await.unwrap_err();
            assert_eq!(seen.refusal("no answer", &status), "AUTH_BACKEND_UNAVAILABLE");
        }
    }
    issuer.heal();

    // No server listens there.
    let password = seen.secret("password", "canary-redis-password");
    let key = seen.secret("key", "canary-redis-key-of-32-bytes-and-more");
    let redis = Redis::new(&format!("redis://:{password}@127.0.0.1:1/0")).unwrap();
    seen.debug("a Redis", &redis);
    seen.error("a bad address", &Redis::new(&format!("canary://{password}")).unwrap_err());
    let introspection = Introspection::new(basic).shared_cache(&redis, key.into_bytes());
    let shared = server(seen, &issuer, introspection).await;
    with(&shared, &good).await.unwrap();
    settle().await;
}
