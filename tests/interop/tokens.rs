//! Signed tokens of a foreign authorization server, and its changes of keys.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::testing::ManualClock;
use serde_json::Value;
use tests::kinds::{Counting, call};
use tests::logs::Logs;
use tests::pb::kit::kinds_client::KindsClient;
use tests::{assert_denied, assert_scope_denied, serve};
use tokio::task::JoinSet;
use tonic::Code;

use crate::parts::{CLIENT, OidcProvider, Rotation};

const SIGNED: [(&str, &str); 5] = [
    ("urn:kit:words:rs256", "RS256"),
    ("urn:kit:words:ps256", "PS256"),
    ("urn:kit:words:es256", "ES256"),
    ("urn:kit:words:es384", "ES384"),
    ("urn:kit:words:eddsa", "EdDSA"),
];

fn header(token: &str) -> Value {
    let (header, _) = token.split_once('.').unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

#[tokio::test]
async fn each_algorithm_is_accepted_and_each_refusal_has_its_reason() {
    let logs = Logs::capture();
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let mut client = KindsClient::new(serve(auth.protect(Counting::default())).await);
    for (resource, algorithm) in SIGNED {
        let token = issuer.token(CLIENT, "read:word", resource).await;
        let header = header(&token);
        assert_eq!((&header["alg"], &header["typ"]), (&algorithm.into(), &"at+jwt".into()));
        for method in ["Unary", "ServerStream", "Bidi"] {
            call(&mut client, method, Some(&token)).await.unwrap();
        }
        assert_scope_denied(call(&mut client, "ClientStream", Some(&token)).await);

        // Another token's signature.
        let other = issuer.token(CLIENT, "write:word", resource).await;
        let (signed, _) = other.rsplit_once('.').unwrap();
        let (_, signature) = token.rsplit_once('.').unwrap();
        let forged = format!("{signed}.{signature}");
        let logged = logs.text().len();
        let answer = call(&mut client, "Bidi", Some(&forged)).await;
        assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
        assert!(logs.text()[logged..].contains("the signature is not the issuer's"));
    }
    let all = issuer.token(CLIENT, "write:word team:blue", "urn:kit:words:es256").await;
    call(&mut client, "ClientStream", Some(&all)).await.unwrap();

    let elsewhere = issuer.token(CLIENT, "read:word", "urn:kit:other").await;
    let answer = call(&mut client, "Unary", Some(&elsewhere)).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    assert!(logs.text().contains("`aud` does not contain a configured audience"));

    let issued_by_another = OidcProvider::start().await;
    let foreign = issued_by_another.token(CLIENT, "read:word", "urn:kit:words:es256").await;
    let answer = call(&mut client, "Unary", Some(&foreign)).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    assert!(logs.text().contains("`iss` is not a configured issuer"));
    // Once more for the bad signature: the key may have been replaced under its key id.
    assert_eq!((issuer.requests("discovery").await, issuer.requests("jwks").await), (1, 2));
}

#[tokio::test]
async fn a_token_ends_when_its_issuer_said_and_the_clocks_may_differ() {
    let issuer = OidcProvider::start().await;
    let clock = ManualClock::new();
    let auth = issuer.resource_server().clock(clock.clone()).build().await.unwrap();
    let mut client = KindsClient::new(serve(auth.protect(Counting::default())).await);
    let token = issuer.token(CLIENT, "read:word", "urn:kit:words:es256").await;
    clock.advance(Duration::from_secs(3600));
    call(&mut client, "Unary", Some(&token)).await.unwrap();
    // The clock stood still while the token was made.
    clock.advance(Duration::from_secs(30 + 10));
    let answer = call(&mut client, "Unary", Some(&token)).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
}

#[tokio::test]
async fn keys_change_and_no_call_fails() {
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let client = KindsClient::new(serve(auth.protect(Counting::default())).await);
    let everyone = async |tokens: &[String]| {
        let mut calls = JoinSet::new();
        for token in tokens.iter().cycle().take(50) {
            let (mut client, token) = (client.clone(), token.clone());
            calls.spawn(async move { call(&mut client, "Unary", Some(&token)).await });
        }
        for answer in calls.join_all().await {
            answer.unwrap();
        }
    };
    let mut valid = vec![issuer.token(CLIENT, "read:word", SIGNED[0].0).await];
    everyone(&valid).await;
    for (fetched, rotation) in [(2, Rotation::Add), (3, Rotation::Replace), (4, Rotation::Add)] {
        let published = issuer.rotate(rotation).await;
        if matches!(rotation, Rotation::Replace) {
            valid.clear();
        }
        for (resource, _) in SIGNED {
            valid.push(issuer.token(CLIENT, "read:word", resource).await);
        }
        let kid = header(valid.last().unwrap())["kid"].as_str().unwrap().to_owned();
        assert!(published.contains(&kid), "{kid} in {published:?}");
        everyone(&valid).await;
        assert_eq!(issuer.requests("jwks").await, fetched, "{rotation:?}");
        let headers = issuer.last_request("jwks").await;
        assert_eq!(headers["cache-control"], "no-cache");
    }
}

#[tokio::test]
async fn a_key_that_is_gone_is_dead_although_its_token_was_remembered() {
    let logs = Logs::capture();
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let mut client = KindsClient::new(serve(auth.protect(Counting::default())).await);
    let old = issuer.token(CLIENT, "read:word", "urn:kit:words:es256").await;
    call(&mut client, "Unary", Some(&old)).await.unwrap();
    issuer.rotate(Rotation::Replace).await;
    let new = issuer.token(CLIENT, "read:word", "urn:kit:words:es256").await;
    call(&mut client, "Unary", Some(&new)).await.unwrap();
    let answer = call(&mut client, "Unary", Some(&old)).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    assert!(logs.text().contains("the issuer has no key with this `kid`"));
}
