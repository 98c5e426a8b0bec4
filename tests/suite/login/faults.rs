//! Logins that the authorization server spoils.

use std::time::Duration;

use serde_json::{Value, json};
use tests::told;

use super::{Kit, Running};

#[tokio::test]
async fn the_servers_no_is_shown_and_returned() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login()).await;
    let no = "error=access_denied&error_description=%3Cb%3Enot+you%3C%2Fb%3E%0A";
    let shown = visit.back(&format!("{no}&state={}", visit.state())).await;
    shown.says(400, "You are not logged in");
    shown.says(400, "&lt;b&gt;not you&lt;/b&gt;");
    let error = running.error().await;
    assert_eq!(
        error,
        "the authorization server answers `access_denied`, \"<b>not you</b>\\n\": log in again and \
         agree, or ask for access there"
    );
    assert!(kit.server.forms("/token").is_empty());

    let (running, visit) = kit.open(kit.login()).await;
    visit.back(&format!("error=a%1B%5B2Jb&state={}", visit.state())).await.says(400, "`a?[2Jb`");
    assert!(running.error().await.contains("`a?[2Jb`: log in again"));
}

#[tokio::test]
async fn an_answer_of_another_server_is_refused() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login()).await;
    let other = format!("code=c-1&state={}&iss=https%3A%2F%2Fother.example", visit.state());
    visit.back(&other).await.says(400, "another authorization server");
    assert!(running.error().await.contains("another authorization server than the one"));

    kit.server.say("authorization_response_iss_parameter_supported", true);
    let (running, visit) = kit.open(kit.login()).await;
    visit.answer().await.says(400, "does not name its issuer");
    assert!(running.error().await.contains("does not name its issuer"));
    assert!(kit.server.forms("/token").is_empty());

    let (running, visit) = kit.open(kit.login()).await;
    let ours: String = url::form_urlencoded::byte_serialize(kit.server.url().as_bytes()).collect();
    visit
        .back(&format!("code=c-1&state={}&iss={ours}", visit.state()))
        .await
        .says(200, "logged in");
    running.end().await.unwrap();
}

#[tokio::test]
async fn no_browser_is_opened_for_a_server_that_cannot_be_trusted_with_a_login() {
    let kit = Kit::start().await;
    let cases: [(&str, Value, &str); 5] = [
        ("code_challenge_methods_supported", json!(["plain"]), "without `S256`"),
        ("code_challenge_methods_supported", json!([]), "without `S256`"),
        ("authorization_endpoint", json!("http://login.example/"), "is not https"),
        ("authorization_endpoint", json!("file:///bin/sh"), "is not https"),
        ("authorization_endpoint", Value::Null, "`authorization_endpoint`"),
    ];
    for (member, value, reason) in cases {
        let kit = Kit::start().await;
        kit.server.say(member, value);
        let mut running = Running::start(kit.login());
        assert!(running.opened.recv().await.is_none(), "a browser was opened");
        let error = running.error().await;
        assert!(error.contains(reason), "{error}");
    }
    // One that says nothing about it is asked, by S256.
    kit.server.say("code_challenge_methods_supported", Value::Null);
    let (running, visit) = kit.open(kit.login()).await;
    assert_eq!(visit.get("code_challenge_method"), Some("S256"));
    visit.answer().await.says(200, "You are logged in");
    running.end().await.unwrap();
}

#[tokio::test]
async fn a_code_is_redeemed_once_whatever_the_token_endpoint_says() {
    for (status, body, reason) in [
        (400, json!({ "error": "invalid_grant" }), "`invalid_grant`"),
        (503, Value::Null, "cannot be asked"),
        (0, Value::Null, "cannot be asked"),
        (200, json!({ "token_type": "Bearer" }), "no `access_token`"),
        (200, json!([]), "it is an array, expected an object"),
    ] {
        let kit = Kit::start().await;
        kit.server.on("/token", move |_| (status, body.clone()));
        let (running, visit) = kit.open(kit.login()).await;
        visit.answer().await.says(400, "You are not logged in");
        let error = running.error().await;
        assert!(error.contains(reason), "{error}");
        assert_eq!(kit.server.forms("/token").len(), 1, "{reason}");
    }
}

/// There is no key to prove with: each call would be refused, long after the login.
#[tokio::test]
async fn tokens_that_are_bound_to_a_key_are_of_no_use_to_a_login() {
    let kit = Kit::start().await;
    let server = kit.server.clone();
    kit.server.on("/token", move |form| {
        let (status, mut tokens) = server.grant(form);
        tokens["token_type"] = "DPoP".into();
        (status, tokens)
    });
    let (running, visit) = kit.open(kit.login()).await;
    visit.answer().await.says(400, "You are not logged in");
    let error = running.error().await;
    assert!(error.contains("its `token_type` is `DPoP`"), "{error}");
}

/// Within the day for which its metadata is cached.
#[tokio::test]
async fn a_token_endpoint_that_has_moved_is_found_without_a_restart() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login()).await;
    visit.answer().await;
    let tokens = running.end().await.unwrap().tokens();
    tokens.token().await.unwrap();

    let server = kit.server.clone();
    kit.server.on("/token", |_| (404, Value::Null));
    kit.server.on("/new", move |form| server.grant(form));
    kit.server.say("token_endpoint", format!("{}/new", kit.server.url()));
    kit.clock.advance(Duration::from_secs(601));
    let error = tokens.token().await.unwrap_err();
    assert!(!error.is_permanent() && told(&error).contains("404"), "{error}");
    kit.clock.advance(Duration::from_secs(1));
    assert_eq!(tokens.token().await.unwrap().token().expose_secret(), "at-2");

    // As is one that was not named at first.
    kit.server.say("token_endpoint", Value::Null);
    kit.server.on("/new", |_| (410, Value::Null));
    kit.clock.advance(Duration::from_secs(601));
    tokens.token().await.unwrap_err();
    kit.clock.advance(Duration::from_secs(1));
    let error = tokens.token().await.unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("`token_endpoint`"), "{error}");
    kit.server.say("token_endpoint", format!("{}/newest", kit.server.url()));
    let server = kit.server.clone();
    kit.server.on("/newest", move |form| server.grant(form));
    kit.clock.advance(Duration::from_secs(30));
    assert_eq!(tokens.token().await.unwrap().token().expose_secret(), "at-3");
}

#[tokio::test]
async fn what_the_server_repeats_of_our_secrets_is_not_shown() {
    let kit = Kit::start().await;
    kit.server.on("/token", |form| {
        let description = format!("code {} with {}", form["code"], form["code_verifier"]);
        (400, json!({ "error": "invalid_grant", "error_description": description }))
    });
    let (running, visit) = kit.open(kit.login()).await;
    let shown = visit.back(&format!("code=very-secret&state={}", visit.state())).await;
    let error = running.error().await;
    assert!(error.contains("`invalid_grant`") && !error.contains("very-secret"), "{error}");
    assert!(!shown.html.contains("very-secret"), "{}", shown.html);
}

#[tokio::test]
async fn an_identity_token_that_is_not_of_this_login_ends_it() {
    for (changed, reason) in [
        (json!({ "nonce": "another" }), "its `nonce` is not the one of this login"),
        (json!({ "nonce": null }), "it has no `nonce`"),
        (json!({ "iss": "https://other.example" }), "its `iss` is another"),
        (json!({ "aud": "another" }), "its `aud` does not name this client"),
        (json!({ "exp": 1 }), "it has expired"),
    ] {
        let kit = Kit::start().await;
        let server = kit.server.clone();
        kit.server.on("/token", move |form| {
            let (status, mut tokens) = server.grant(form);
            tokens["id_token"] = server.id_token(&changed).into();
            (status, tokens)
        });
        let (running, visit) = kit.open(kit.login()).await;
        visit.answer().await.says(400, "You are not logged in");
        let error = running.error().await;
        assert!(error.contains(reason), "{error}");
    }
}

#[tokio::test]
async fn an_identity_token_that_was_asked_for_has_to_come() {
    for (scope, reason) in [
        (None, Some("it is missing")),
        (Some("openid read:orders"), Some("it is missing")),
        // The server says that it granted less.
        (Some("read:orders"), None),
    ] {
        let kit = Kit::start().await;
        kit.server.on("/token", move |_| {
            (200, json!({ "access_token": "at-1", "token_type": "Bearer", "scope": scope }))
        });
        let (running, visit) = kit.open(kit.login()).await;
        visit.answer().await;
        let error = running.end().await.err().map(|error| error.to_string());
        assert_eq!(error.is_some(), reason.is_some(), "{error:?}");
        assert!(error.unwrap_or_default().contains(reason.unwrap_or_default()));
    }
}
