//! Grants beyond client credentials: refresh tokens that rotate, and tokens that are exchanged.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_auth::client::{OAuthClient, SubjectToken, TokenError};
use grpc_auth::testing::{Endpoint, ManualClock, TestAuthorizationServer};
use grpc_auth::{BearerToken, ClientAuthentication};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::logs::Logs;
use tokio::task::JoinSet;

use crate::client::token_endpoint::{Form, TokenEndpoint};

const SECOND: Duration = Duration::from_secs(1);
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

fn client(endpoint: &TokenEndpoint, clock: &ManualClock) -> OAuthClient {
    let service = ClientAuthentication::client_secret_post("service", "s3cret");
    OAuthClient::token_endpoint(&endpoint.url, service).clock(clock.clone())
}

fn granted(token: &str, more: &Value) -> Value {
    let mut answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": 60});
    answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    answer
}

fn caller(name: &str) -> BearerToken {
    BearerToken::parse(name).unwrap()
}

/// Takes a refresh token once.
async fn rotating() -> TokenEndpoint {
    let expected = Mutex::new(0);
    TokenEndpoint::start(move |form| {
        let mut number = expected.lock().unwrap();
        if form["refresh_token"] != format!("refresh-{number}") {
            return (400, json!({"error": "invalid_grant"}));
        }
        *number += 1;
        let next = json!({"refresh_token": format!("refresh-{number}")});
        (200, granted(&format!("access-{number}"), &next))
    })
    .await
}

#[tokio::test]
async fn a_refresh_token_that_is_rotated_is_used_from_then_on_and_told_of() {
    let (endpoint, clock) = (rotating().await, ManualClock::new());
    let told = Arc::new(Mutex::new(Vec::new()));
    let request = client(&endpoint, &clock).refresh_token("refresh-0").scopes(["read:word"]);
    let tokens = request.on_rotation({
        let told = Arc::clone(&told);
        move |token| told.lock().unwrap().push(token.expose_secret().to_owned())
    });
    let tokens = tokens.build().unwrap();
    for number in 1..4 {
        let token = tokens.token().await.unwrap();
        assert_eq!(token.token().expose_secret(), format!("access-{number}"));
        clock.advance(60 * SECOND);
    }
    assert_eq!(*told.lock().unwrap(), ["refresh-1", "refresh-2", "refresh-3"]);
    let form = &endpoint.forms()[2];
    assert_eq!(form["grant_type"], "refresh_token");
    assert_eq!(form["refresh_token"], "refresh-2");
    assert_eq!(form["scope"], "read:word");
    assert_eq!((&*form["client_id"], &*form["client_secret"]), ("service", "s3cret"));
}

/// Or one would use what the other's rotation made useless.
#[tokio::test]
async fn sources_of_one_refresh_token_rotate_it_together() {
    let (endpoint, clock) = (rotating().await, ManualClock::new());
    let client = client(&endpoint, &clock);
    let (first, second) = (client.refresh_token("refresh-0"), client.refresh_token("refresh-0"));
    let (first, second) = (first.build().unwrap(), second.build().unwrap());
    for _ in 0..3 {
        let token = first.token().await.unwrap();
        assert!(Arc::ptr_eq(&token, &second.token().await.unwrap()));
        clock.advance(60 * SECOND);
    }
    assert_eq!(endpoint.forms().len(), 3);
    let other = client.refresh_token("refresh-9").build().unwrap();
    let error = other.token().await.unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("invalid_grant"), "{error}");
}

#[tokio::test]
async fn a_callback_that_panics_loses_no_token() {
    let (endpoint, clock) = (rotating().await, ManualClock::new());
    let tokens = client(&endpoint, &clock).refresh_token("refresh-0");
    let tokens = tokens.on_rotation(|_| panic!("for the test")).build().unwrap();
    let logs = Logs::capture();
    for _ in 0..2 {
        tokens.token().await.unwrap();
        clock.advance(60 * SECOND);
    }
    assert_eq!(logs.text().matches("the callback for refresh tokens panicked").count(), 2);
}

#[tokio::test]
async fn a_refresh_token_that_stays_is_used_again() {
    let endpoint = TokenEndpoint::start(|form| {
        let same = json!({"refresh_token": form["refresh_token"]});
        (200, granted("access", &same))
    });
    let (endpoint, clock) = (endpoint.await, ManualClock::new());
    let tokens = client(&endpoint, &clock).refresh_token("stays");
    let tokens = tokens.on_rotation(|_| panic!("it is the same")).build().unwrap();
    for _ in 0..2 {
        tokens.token().await.unwrap();
        clock.advance(60 * SECOND);
    }
    assert!(endpoint.forms().iter().all(|form| form["refresh_token"] == "stays"));
}

/// The server names the subject in the token.
async fn exchanging() -> TokenEndpoint {
    TokenEndpoint::start(|form: &Form| {
        let subject = form.get("subject_token").map(String::as_str).unwrap_or_default();
        if subject.starts_with("unknown") {
            let text = format!("the token {subject} of {} is not known", form["client_secret"]);
            return (400, json!({"error": "invalid_request", "error_description": text}));
        }
        let kind = json!({"issued_token_type": "urn:ietf:params:oauth:token-type:access_token"});
        (200, granted(&format!("for-{subject}"), &kind))
    })
    .await
}

#[tokio::test]
async fn a_token_is_exchanged_as_rfc_8693_says() {
    let (endpoint, clock) = (exchanging().await, ManualClock::new());
    let client = client(&endpoint, &clock);
    let request = client.token_exchange(SubjectToken::id_token("alice"));
    let request = request.actor(SubjectToken::jwt("robot")).audience("https://stock.example");
    let tokens = request.scopes(["read:stock"]).resource("https://stock.example").build().unwrap();
    assert_eq!(tokens.token().await.unwrap().token().expose_secret(), "for-alice");
    let form = endpoint.forms().remove(0);
    let kind = |name: &str| format!("urn:ietf:params:oauth:token-type:{name}");
    for (name, value) in [
        ("grant_type", EXCHANGE),
        ("subject_token", "alice"),
        ("subject_token_type", &kind("id_token")),
        ("actor_token", "robot"),
        ("actor_token_type", &kind("jwt")),
        ("audience", "https://stock.example"),
        ("resource", "https://stock.example"),
        ("scope", "read:stock"),
        ("client_id", "service"),
        ("client_secret", "s3cret"),
    ] {
        assert_eq!(form[name], value, "{name}");
    }
    // Another subject's token is another token.
    let other = client.token_exchange(SubjectToken::access_token("bob"));
    let other = other.audience("https://stock.example").build().unwrap();
    assert_eq!(other.token().await.unwrap().token().expose_secret(), "for-bob");
}

#[tokio::test]
async fn what_was_exchanged_must_be_good_for_calls() {
    for (answer, problem) in [
        (
            json!({"issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}),
            "`issued_token_type`",
        ),
        (json!({"token_type": "N_A"}), "`token_type`"),
    ] {
        let endpoint = TokenEndpoint::start(move |_| (200, granted("token", &answer))).await;
        let client = client(&endpoint, &ManualClock::new());
        let tokens = client.token_exchange(SubjectToken::jwt("alice")).build().unwrap();
        let error = tokens.token().await.unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[tokio::test]
async fn a_description_that_shows_what_was_sent_is_not_shown() {
    let (endpoint, clock) = (exchanging().await, ManualClock::new());
    let client = client(&endpoint, &clock);
    let logs = Logs::capture();
    let tokens = client.token_exchange(SubjectToken::jwt("unknown-token")).build().unwrap();
    let error = tokens.token().await.unwrap_err();
    assert!(matches!(&error, TokenError::Refused { description: None, .. }), "{error:?}");
    for secret in ["unknown-token", "s3cret"] {
        assert!(!logs.text().contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn each_caller_gets_a_token_of_its_own_and_all_its_calls_ask_once() {
    let (endpoint, clock) = (exchanging().await, ManualClock::new());
    let stock = client(&endpoint, &clock)
        .on_behalf_of(|request| request.audience("https://stock.example").scopes(["read:stock"]))
        .unwrap();
    let mut calls = JoinSet::new();
    for number in 0..300 {
        let (stock, caller) = (stock.clone(), caller(["alice", "bob", "carol"][number % 3]));
        calls.spawn(async move {
            let token = stock.token(&caller).await.unwrap();
            assert_eq!(token.token().expose_secret(), format!("for-{}", caller.expose_secret()));
        });
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap();
    }
    let forms = endpoint.forms();
    assert_eq!(forms.len(), 3);
    assert!(forms.iter().all(|form| form["audience"] == "https://stock.example"));
    assert!(forms.iter().all(|form| form["subject_token_type"].ends_with(":access_token")));
    // Kept and renewed as all are.
    clock.advance(55 * SECOND);
    stock.token(&caller("alice")).await.unwrap();
    assert_eq!(endpoint.forms().len(), 4);
    assert!(!format!("{stock:?}").contains("alice"));
}

#[tokio::test]
async fn callers_that_come_no_more_are_forgotten_and_those_that_do_are_not() {
    let (endpoint, clock) = (exchanging().await, ManualClock::new());
    let stock = client(&endpoint, &clock).on_behalf_of(|request| request).unwrap();
    let stock = stock.max_callers(16).unwrap();
    for number in 0..200 {
        stock.token(&caller(&format!("caller-{number}"))).await.unwrap();
        stock.token(&caller("regular")).await.unwrap();
    }
    assert_eq!(endpoint.forms().len(), 201);
    let shown = format!("{stock:?}");
    let callers = shown.split("callers: ").nth(1).unwrap().split(',').next().unwrap();
    assert!(callers.parse::<usize>().unwrap() <= 16, "{shown}");
}

#[tokio::test]
async fn callers_whose_tokens_are_not_exchanged_fill_no_log() {
    let (endpoint, clock) = (exchanging().await, ManualClock::new());
    let stock = client(&endpoint, &clock).on_behalf_of(|request| request).unwrap();
    let logs = Logs::capture();
    for number in 0..64 {
        stock.token(&caller(&format!("unknown-{number}"))).await.unwrap_err();
    }
    let warnings = logs.text().lines().filter(|line| line.contains("WARN")).count();
    assert_eq!(warnings, 7);
    // One caller's token has nothing to do with another's.
    stock.token(&caller("alice")).await.unwrap();
    // And is not asked for again at once.
    stock.token(&caller("unknown-1")).await.unwrap_err();
    assert_eq!(endpoint.forms().len(), 65);
}

#[tokio::test]
async fn the_metadata_is_fetched_once_for_all_callers_that_wait() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.add_client("service", "s3cret", [""; 0]);
    let service = ClientAuthentication::client_secret_post("service", "s3cret");
    let client = OAuthClient::oidc(issuer.url(), service).clock(issuer.clock().clone());
    let stock = client.on_behalf_of(|request| request).unwrap();
    let mut calls = JoinSet::new();
    for number in 0..200 {
        let stock = stock.clone();
        calls.spawn(async move { stock.token(&caller(&format!("caller-{number}"))).await });
    }
    // None of these tokens is the issuer's.
    for answer in calls.join_all().await {
        assert!(matches!(answer, Err(TokenError::Refused { .. })), "{answer:?}");
    }
    let requests = [Endpoint::Discovery, Endpoint::Token].map(|of| issuer.requests(of));
    assert_eq!(requests, [1, 200]);
}
