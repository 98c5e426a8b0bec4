//! Opaque tokens of foreign authorization servers: what their endpoints say of them, and that who
//! verifies signatures refuses them.

use serde_json::json;
use tests::assert_denied;
use tests::callers::with;
use tests::logs::Logs;
use tonic::Code;

use crate::parts::{AUDIENCE, CLIENT, Django, OidcProvider};

#[tokio::test]
async fn oidc_provider_says_what_its_opaque_tokens_are_worth() {
    let issuer = OidcProvider::start().await;
    let token = issuer.token(CLIENT, "read:word", "urn:kit:words:opaque").await;
    let active = issuer.introspect(&token).await;
    assert_eq!(active["active"], true, "{active}");
    assert_eq!(active["aud"], AUDIENCE, "{active}");
    assert_eq!(active["scope"], "read:word", "{active}");
    assert_eq!(active["iss"], issuer.issuer(), "{active}");
    assert_eq!(active["exp"].as_u64().unwrap() - active["iat"].as_u64().unwrap(), 300);
    issuer.revoke(&token).await;
    for worthless in [&*token, "junk"] {
        assert_eq!(issuer.introspect(worthless).await, json!({"active": false}));
    }
    assert_eq!(issuer.requests("introspection").await, 3);
}

#[tokio::test]
async fn django_says_what_its_opaque_tokens_are_worth() {
    let issuer = Django::start().await;
    let token = issuer.token(CLIENT, "read:word").await;
    let active = issuer.introspect(&token).await;
    assert_eq!(active["active"], true, "{active}");
    assert_eq!(active["scope"], "read:word", "{active}");
    assert!(active["exp"].is_u64(), "{active}");
    assert_eq!(active["client_id"], "svc", "{active}");
    // What others check has to be configured here.
    assert!(active["aud"].is_null() && active["iss"].is_null(), "{active}");
    issuer.revoke(&token).await;
    for worthless in [&*token, "junk"] {
        assert_eq!(issuer.introspect(worthless).await["active"], false);
    }
}

#[tokio::test]
async fn an_opaque_token_is_no_signed_one() {
    let logs = Logs::capture();
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let django = Django::start().await;
    for token in [
        issuer.token(CLIENT, "read:word", "urn:kit:words:opaque").await,
        django.token(CLIENT, "read:word").await,
    ] {
        let logged = logs.text().len();
        let answer = with(&auth, &token).await;
        assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
        assert!(logs.text()[logged..].contains("it is no signed JWT, which has three parts"));
    }
    assert_eq!(issuer.requests("introspection").await, 0);
}
