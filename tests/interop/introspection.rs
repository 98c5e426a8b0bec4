//! Opaque tokens of foreign authorization servers: what is asked, what the answers are worth.

use std::sync::Arc;
use std::time::Duration;

use grpc_auth::testing::ManualClock;
use grpc_auth::{ClientAuthentication, Introspection, Issuer, ResourceServer};
use serde_json::json;
use tests::callers::{until, with};
use tests::kinds::{Counting, call};
use tests::logs::Logs;
use tests::pb::kit::kinds_client::KindsClient;
use tests::{assert_denied, assert_scope_denied, serve};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::parts::{AUDIENCE, CLIENT, ClientKey, Django, OidcProvider, RESOURCE_SERVER};

const SECOND: Duration = Duration::from_secs(1);
pub(crate) const OPAQUE: &str = "urn:kit:words:opaque";

/// What the resource server is at every authorization server.
pub(crate) fn client() -> ClientAuthentication {
    ClientAuthentication::client_secret_basic(RESOURCE_SERVER.0, RESOURCE_SERVER.1)
}

/// A resource server that asks oidc-provider, and verifies its signed tokens.
pub(crate) async fn asking(
    issuer: &OidcProvider,
    client: ClientAuthentication,
    clock: &ManualClock,
) -> ResourceServer {
    let issuer = Issuer::discover(issuer.issuer()).introspection(Introspection::new(client));
    let builder = ResourceServer::builder().issuer(issuer).audience(AUDIENCE);
    builder.clock(clock.clone()).build().await.unwrap()
}

#[track_caller]
pub(crate) fn assert_invalid<T>(answer: Result<T, Status>) {
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
}

#[tokio::test]
async fn oidc_provider_says_what_its_opaque_tokens_are_worth() {
    let issuer = OidcProvider::start().await;
    let token = issuer.token(CLIENT, "read:word", OPAQUE).await;
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
    for token in
        [issuer.token(CLIENT, "read:word", OPAQUE).await, django.token(CLIENT, "read:word").await]
    {
        let logged = logs.text().len();
        assert_invalid(with(&auth, &token).await);
        assert!(logs.text()[logged..].contains("it is no signed JWT, which has three parts"));
    }
    assert_eq!(issuer.requests("introspection").await, 0);
}

#[tokio::test]
async fn opaque_tokens_are_asked_about_and_signed_ones_verified() {
    let logs = Logs::capture();
    let issuer = OidcProvider::start().await;
    let auth = asking(&issuer, client(), &ManualClock::new()).await;
    let mut client = KindsClient::new(serve(auth.protect(Counting::default())).await);
    let signed = issuer.token(CLIENT, "read:word", "urn:kit:words:es256").await;
    call(&mut client, "Unary", Some(&signed)).await.unwrap();
    assert_eq!(issuer.requests("introspection").await, 0);

    let opaque = issuer.token(CLIENT, "read:word", OPAQUE).await;
    for method in ["Unary", "ServerStream", "Bidi"] {
        call(&mut client, method, Some(&opaque)).await.unwrap();
    }
    assert_scope_denied(call(&mut client, "ClientStream", Some(&opaque)).await);
    assert_eq!(issuer.requests("introspection").await, 1);

    let elsewhere = issuer.token(CLIENT, "read:word", "urn:kit:other:opaque").await;
    for (worthless, cause) in [
        (&*elsewhere, "`aud` does not contain a configured audience"),
        ("bm9ib2R5J3MgdG9rZW4", "the authorization server says that the token is not active"),
    ] {
        let logged = logs.text().len();
        assert_invalid(call(&mut client, "Unary", Some(worthless)).await);
        assert!(logs.text()[logged..].contains(cause), "{cause}");
    }
}

#[tokio::test]
async fn each_client_authentication_is_understood() {
    let key = ClientKey::p256();
    let issuer = OidcProvider::with_client_keys(&json!({ "keys": [key.named("1")] })).await;
    let token = issuer.token(CLIENT, "read:word", OPAQUE).await;
    for client in [
        client(),
        // RFC 6749 §2.3.1: both parts are form-url-encoded first.
        ClientAuthentication::client_secret_basic("rs:odd %", "a+b /c:%"),
        ClientAuthentication::client_secret_post("rs-post", "rs-post-secret"),
        ClientAuthentication::private_key_jwt("rs-jwt", &key.pem).unwrap().key_id("1"),
    ] {
        let auth = asking(&issuer, client.clone(), &ManualClock::new()).await;
        with(&auth, &token).await.unwrap_or_else(|status| panic!("{client:?}: {status:?}"));
    }
    let logs = Logs::capture();
    let wrong = ClientAuthentication::client_secret_basic("rs", "another");
    let auth = asking(&issuer, wrong, &ManualClock::new()).await;
    let answer = with(&auth, &token).await;
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    assert!(logs.text().contains("does not accept this client (HTTP status 401)"));
}

#[tokio::test]
async fn a_revoked_token_is_refused_once_its_answer_is_a_minute_old() {
    let logs = Logs::capture();
    let issuer = OidcProvider::start().await;
    let clock = ManualClock::new();
    let auth = asking(&issuer, client(), &clock).await;
    let token = issuer.token(CLIENT, "read:word", OPAQUE).await;
    with(&auth, &token).await.unwrap();
    issuer.revoke(&token).await;
    clock.advance(59 * SECOND);
    with(&auth, &token).await.unwrap();
    clock.advance(SECOND);
    assert_invalid(with(&auth, &token).await);
    assert!(logs.text().contains("the authorization server says that the token is not active"));
    assert_eq!(issuer.requests("introspection").await, 2);
}

#[tokio::test]
async fn an_expired_token_is_refused_by_either_clock() {
    let issuer = OidcProvider::start().await;
    let clock = ManualClock::new();
    let auth = asking(&issuer, client(), &clock).await;
    let token = issuer.token(CLIENT, "read:word", "urn:kit:words:opaque").await;
    // Ours is ahead: the endpoint still says active.
    clock.advance((300 + 30 + 10) * SECOND);
    let answer = with(&auth, &token).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
    assert_eq!(issuer.introspect(&token).await["active"], true);

    // Ours stands still; at the endpoint the token lives for two seconds.
    let clock = ManualClock::new();
    let auth = asking(&issuer, client(), &clock).await;
    let short = issuer.token(CLIENT, "read:word", "urn:kit:words:opaque:short").await;
    with(&auth, &short).await.unwrap();
    until("it has expired", async || issuer.introspect(&short).await["active"] == false).await;
    clock.advance(3 * SECOND);
    assert_invalid(with(&auth, &short).await);
}

#[tokio::test]
async fn a_thousand_calls_with_one_token_ask_once() {
    let issuer = OidcProvider::start().await;
    let auth = asking(&issuer, client(), &ManualClock::new()).await;
    let channel = serve(auth.protect(Counting::default())).await;
    let token: Arc<str> = issuer.token(CLIENT, "read:word", OPAQUE).await.into();
    let mut calls = JoinSet::new();
    for _ in 0..1000 {
        let (mut client, token) = (KindsClient::new(channel.clone()), Arc::clone(&token));
        calls.spawn(async move { call(&mut client, "Unary", Some(&token)).await });
    }
    for answer in calls.join_all().await {
        answer.unwrap();
    }
    assert_eq!(issuer.requests("introspection").await, 1);
}

#[tokio::test]
async fn what_is_known_outlives_the_authorization_server() {
    let issuer = OidcProvider::start().await;
    let auth = asking(&issuer, client(), &ManualClock::new()).await;
    let known = issuer.token(CLIENT, "read:word", OPAQUE).await;
    let unknown = issuer.token(CLIENT, "read:word", OPAQUE).await;
    with(&auth, &known).await.unwrap();
    drop(issuer);
    for _ in 0..20 {
        with(&auth, &known).await.unwrap();
        let answer = with(&auth, &unknown).await;
        assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    }
}

#[tokio::test]
async fn django_is_asked_once_its_want_of_an_audience_is_allowed() {
    let logs = Logs::capture();
    let issuer = Django::start().await;
    let clock = ManualClock::new();
    let asking = async |introspection: Introspection| {
        let introspection = introspection.endpoint(issuer.introspection());
        let issuer = Issuer::introspected(issuer.base(), introspection);
        let builder = ResourceServer::builder().issuer(issuer).audience(AUDIENCE);
        builder.clock(clock.clone()).build().await.unwrap()
    };
    let token = issuer.token(CLIENT, "read:word").await;
    let strict = asking(Introspection::new(client())).await;
    assert_invalid(with(&strict, &token).await);
    assert!(logs.text().contains("configure `Introspection::allow_missing_audience`"));

    let auth = asking(Introspection::new(client()).allow_missing_audience()).await;
    with(&auth, &token).await.unwrap();
    let poor = issuer.token(CLIENT, "write:word").await;
    assert_scope_denied(with(&auth, &poor).await);
    assert_invalid(with(&auth, "bm9ib2R5J3MgdG9rZW4").await);

    issuer.revoke(&token).await;
    clock.advance(59 * SECOND);
    with(&auth, &token).await.unwrap();
    clock.advance(SECOND);
    assert_invalid(with(&auth, &token).await);
    assert!(logs.text().contains("the authorization server says that the token is not active"));

    clock.advance((300 + 30) * SECOND);
    let answer = with(&auth, &poor).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
}
