//! An authorization server with little discipline: its tokens are refused for each thing they lack.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::{ClientAuthentication, Introspection, Issuer, ResourceServer};
use serde_json::Value;
use tests::callers::with;
use tests::logs::Logs;
use tests::{assert_denied, assert_scope_denied};
use tonic::Code;

use crate::parts::{AUDIENCE, RESOURCE_SERVER, Sloppy};

#[tokio::test]
async fn a_token_without_a_type_and_an_audience_is_refused() {
    let logs = Logs::capture();
    let issuer = Sloppy::start().await;
    let token = issuer.token("read:word").await;
    let claims = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!((&claims["scope"], &claims["aud"]), (&"read:word".into(), &Value::Null), "{claims}");

    let auth = issuer.resource_server().build().await.unwrap();
    let answer = with(&auth, &token).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    assert!(logs.text().contains("configure `Issuer::accept_token_type`"));

    // What the line says is configured, and the audience is still missing.
    let lax = Issuer::discover(issuer.issuer()).accept_token_type("JWT").accept_token_type("");
    let auth = ResourceServer::builder().issuer(lax).audience(AUDIENCE).build().await.unwrap();
    let answer = with(&auth, &token).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    assert!(logs.text().contains("`aud` does not contain a configured audience"));
}

/// Its introspection endpoint calls every token active, and says nothing else.
#[tokio::test]
async fn a_token_that_is_active_and_nothing_else_opens_no_door() {
    let logs = Logs::capture();
    let issuer = Sloppy::start().await;
    let endpoint = format!("{}/introspect", issuer.issuer());
    let client = ClientAuthentication::client_secret_basic(RESOURCE_SERVER.0, RESOURCE_SERVER.1);
    let asked = Introspection::new(client).endpoint(endpoint);
    let asking = async |asked: Introspection| {
        let issuer = Issuer::introspected(issuer.issuer(), asked);
        ResourceServer::builder().issuer(issuer).audience(AUDIENCE).build().await.unwrap()
    };
    let strict = asking(asked.clone()).await;
    let answer = with(&strict, "junk").await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    assert!(logs.text().contains("configure `Introspection::allow_missing_audience`"));

    // What the line says is configured: the caller is known to the server, and may do nothing.
    let lax = asking(asked.allow_missing_audience()).await;
    assert_scope_denied(with(&lax, "junk").await);
}
