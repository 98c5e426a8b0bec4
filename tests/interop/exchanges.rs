//! Refresh tokens that are rotated, and tokens that are exchanged, at oidc-provider.
//!
//! It exchanges no tokens by itself: `servers/oidc_exchange.mjs` has the checks of that grant. The
//! form, the client's authentication, the tokens and their signatures are read by oidc-provider and
//! `jose`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::client::{SubjectToken, TokenSource};
use grpc_auth::testing::ManualClock;
use grpc_auth::{BearerToken, ClientAuthentication};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::grants::{call, refused};
use crate::parts::{CLIENT, OidcProvider};

const HOUR: Duration = Duration::from_secs(3600);
const SIGNED: &str = "urn:kit:words:es256";

/// The claims of the token that the source has.
async fn claims(tokens: &TokenSource) -> Value {
    let token = tokens.token().await.unwrap();
    let payload = token.token().expose_secret().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn a_refresh_token_is_used_once_and_the_next_one_is_told() {
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let clock = ManualClock::new();
    let client = issuer.client(ClientAuthentication::client_secret_basic("web", "web-secret"));
    let client = client.clock(clock.clone());
    let first = issuer.refresh_token("read:word", SIGNED).await;
    let told = Arc::new(Mutex::new(vec![first.clone()]));
    let list = Arc::clone(&told);
    let tokens = client
        .refresh_token(first.clone())
        .on_rotation(move |token| list.lock().unwrap().push(token.expose_secret().into()))
        .build()
        .unwrap();
    for used in 1..=3 {
        call(&auth, &tokens).await.unwrap();
        let told = told.lock().unwrap();
        assert_eq!(told.len(), used + 1);
        assert!(!told[..used].contains(&told[used]));
        clock.advance(HOUR);
    }
    assert_eq!(claims(&tokens).await["sub"], "alice");

    // A refresh token that is used twice looks stolen, and ends all that came of it.
    let thief = client.refresh_token(first).build().unwrap();
    let (error, text) = refused(&thief).await;
    assert_eq!(error, "invalid_grant");
    assert!(text.contains("was used before"), "{text}");
    clock.advance(HOUR);
    assert_eq!(refused(&tokens).await.0, "invalid_grant");
}

#[tokio::test]
async fn a_token_is_exchanged_for_one_that_names_both() {
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let secret = ClientAuthentication::client_secret_basic("svc-exchange", "svc-exchange-secret");
    let client = issuer.client(secret);
    let subject = issuer.token(CLIENT, "read:word write:word", "urn:kit:other").await;
    let exchange_for = |resource, subject: &str| {
        let subject = SubjectToken::access_token(subject);
        client.token_exchange(subject).resource(resource).scopes(["read:word"])
    };
    let exchange = |subject: &str| exchange_for(SIGNED, subject);
    let tokens = exchange(&subject).build().unwrap();
    call(&auth, &tokens).await.unwrap();
    let exchanged = claims(&tokens).await;
    assert_eq!(exchanged["sub"], "svc");
    assert_eq!(exchanged["act"], json!({"sub": "svc-exchange"}));
    assert_eq!(exchanged["scope"], "read:word");

    let actor = ("svc-post", "svc-post-secret");
    let actor = issuer.token(actor, "read:word", SIGNED).await;
    let tokens = exchange(&subject).actor(SubjectToken::access_token(actor)).build().unwrap();
    assert_eq!(claims(&tokens).await["act"], json!({"sub": "svc-post"}));

    for (request, error) in [
        (exchange("e30.e30.c2ln"), "invalid_grant"),
        (exchange(&subject).scopes(["team:blue"]), "invalid_scope"),
        (exchange_for("urn:kit:nowhere", &subject), "invalid_target"),
    ] {
        assert_eq!(refused(&request.build().unwrap()).await.0, error);
    }
}

#[tokio::test]
async fn each_caller_is_exchanged_once() {
    let issuer = OidcProvider::start().await;
    let auth = issuer.resource_server().build().await.unwrap();
    let secret = ClientAuthentication::client_secret_basic("svc-exchange", "svc-exchange-secret");
    let callers = issuer.client(secret).on_behalf_of(|request| request.resource(SIGNED)).unwrap();
    for (credentials, subject) in [(CLIENT, "svc"), (("svc-post", "svc-post-secret"), "svc-post")] {
        let caller = issuer.token(credentials, "read:word", SIGNED).await;
        let caller = BearerToken::parse(&caller).unwrap();
        let before = issuer.requests("token").await;
        for _ in 0..3 {
            let tokens = callers.source(&caller);
            call(&auth, &tokens).await.unwrap();
            assert_eq!(claims(&tokens).await["sub"], subject);
        }
        assert_eq!(issuer.requests("token").await - before, 1);
    }
}
