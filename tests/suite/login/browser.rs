//! A login by the browser that succeeds, and what it sends.

use std::io;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::ClientAuthentication;
use grpc_auth::client::OAuthClient;
use serde_json::{Value, json};
use tests::told;

use super::visit::Start;
use super::{CLIENT, Kit, Running, in_time};

#[tokio::test]
async fn a_person_logs_in_and_the_program_has_their_tokens() {
    let kit = Kit::start().await;
    let login =
        kit.login().scopes(["read:orders"]).audience("orders").resource("https://o.example");
    let (running, visit) = kit.open(login.prompt("consent").parameter("login_hint", "al")).await;
    let scope = visit.get("scope").unwrap();
    assert_eq!(scope, "offline_access openid read:orders");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("code_challenge_method", "S256"),
        ("audience", "orders"),
        ("resource", "https://o.example"),
        ("prompt", "consent"),
        ("login_hint", "al"),
    ] {
        assert_eq!(visit.get(name), Some(value), "{name}");
    }
    assert_eq!((visit.state().len(), visit.nonce().len()), (43, 43));
    assert_eq!(visit.redirect_uri().host_str(), Some("127.0.0.1"));

    let shown = visit.answer().await;
    shown.says(200, "You are logged in");
    let logged_in = running.end().await.unwrap();
    assert_eq!(logged_in.subject(), Some("alice"));
    assert_eq!(logged_in.claims::<Value>().unwrap()["name"], "Alice A.");
    assert!(logged_in.can_renew());
    let token = logged_in.tokens().token().await.unwrap();
    assert_eq!(token.token().expose_secret(), "at-1");

    let forms = kit.server.forms("/token");
    assert_eq!(forms.len(), 1, "the code is sent once");
    let form = &forms[0];
    assert_eq!((&*form["grant_type"], &*form["code"]), ("authorization_code", "c-1"));
    assert_eq!(form["redirect_uri"], visit.get("redirect_uri").unwrap());
    assert_eq!(form["resource"], "https://o.example");
    let hash = digest::digest(&digest::SHA256, form["code_verifier"].as_bytes());
    assert_eq!(visit.get("code_challenge"), Some(&*URL_SAFE_NO_PAD.encode(hash)));
    for secret in
        ["c-1", "at-1", visit.state(), visit.nonce(), &form["code_verifier"], &visit.cookie]
    {
        assert!(!shown.html.contains(secret), "the page shows {secret}");
        assert!(!format!("{logged_in:?} {:?}", kit.login()).contains(secret));
    }
}

#[tokio::test]
async fn its_tokens_are_renewed_by_the_refresh_token_that_came_last() {
    let kit = Kit::start().await;
    let (running, visit) = kit.open(kit.login().scopes(["read:orders"])).await;
    visit.answer().await;
    let tokens = running.end().await.unwrap().tokens();
    for expected in ["at-1", "at-2", "at-3"] {
        assert_eq!(tokens.token().await.unwrap().token().expose_secret(), expected);
        kit.clock.advance(std::time::Duration::from_secs(601));
    }
    let forms = kit.server.forms("/token");
    let shown: Vec<_> = forms.iter().filter_map(|form| form.get("refresh_token")).collect();
    assert_eq!(shown, ["rt-1", "rt-2"]);
    assert!(forms.iter().skip(1).all(|form| !form.contains_key("scope")));
}

/// RFC 6749 §6: what an answer does not say is as it was granted, not as it was asked for.
#[tokio::test]
async fn what_was_granted_is_still_known_after_a_renewal() {
    let kit = Kit::start().await;
    let server = kit.server.clone();
    kit.server.on("/token", move |form| {
        let (status, mut answer) = server.grant(form);
        if form["grant_type"] == "authorization_code" {
            answer["scope"] = "read:orders".into();
        }
        (status, answer)
    });
    let login = kit.login().scopes(["read:orders", "write:orders"]);
    let (running, visit) = kit.open(login).await;
    visit.answer().await;
    let tokens = running.end().await.unwrap().tokens();
    for expected in ["at-1", "at-2"] {
        let token = tokens.token().await.unwrap();
        assert_eq!(token.token().expose_secret(), expected);
        assert_eq!(token.scope(), Some("read:orders"));
        kit.clock.advance(std::time::Duration::from_secs(601));
    }
}

#[tokio::test]
async fn what_is_said_in_further_parameters_is_not_shown() {
    let kit = Kit::start().await;
    let login = kit.login().scopes(["read:orders"]).parameter("ticket", "very-secret");
    let shown = format!("{login:?}");
    assert!(shown.contains("read:orders") && shown.contains("ticket"), "{shown}");
    assert!(!shown.contains("very-secret"), "{shown}");
}

#[tokio::test]
async fn each_login_has_secrets_of_its_own() {
    let kit = Kit::start().await;
    let (_first, one) = kit.open(kit.login()).await;
    let (_second, other) = kit.open(kit.login()).await;
    for name in ["state", "nonce", "code_challenge", "redirect_uri"] {
        assert_ne!(one.get(name), other.get(name), "{name}");
    }
    // Nor does one of them take the other's answer.
    let shown = one.back(&format!("code=c-1&state={}", other.state())).await;
    shown.says(403, "`state` was not the one of this login");
}

#[tokio::test]
async fn a_server_that_knows_no_openid_is_asked_for_no_identity() {
    let kit = Kit::start().await;
    kit.server.say("scopes_supported", json!(["read:orders"]));
    kit.server.on("/token", |_| {
        (200, json!({ "access_token": "at-1", "token_type": "Bearer", "expires_in": 600 }))
    });
    for login in [kit.login().scopes(["read:orders"]), kit.login().only_these_scopes()] {
        let (running, visit) = kit.open(login).await;
        assert_eq!(visit.get("nonce"), None);
        assert!(matches!(visit.get("scope"), None | Some("read:orders")));
        visit.answer().await.says(200, "You are logged in");
        let logged_in = running.end().await.unwrap();
        assert_eq!((logged_in.subject(), logged_in.can_renew()), (None, false));
        assert!(logged_in.claims::<u8>().is_err());
    }
}

#[tokio::test]
async fn a_client_with_a_secret_shows_it_once_more_for_nothing() {
    let kit = Kit::start().await;
    // It may be rotated; the code is not sent again for that.
    let path = std::env::temp_dir().join(format!("grpc-auth-secret-{}", std::process::id()));
    std::fs::write(&path, "old").unwrap();
    let secret = grpc_auth::ClientSecret::from_file(&path).unwrap();
    let program = ClientAuthentication::client_secret_post(CLIENT, secret);
    let client = OAuthClient::oidc(kit.server.url(), program).clock(kit.clock.clone());
    let rotated = path.clone();
    kit.server.on("/token", move |form| {
        assert_eq!(form["client_secret"], "old");
        std::fs::write(&rotated, "new").unwrap();
        (401, json!({ "error": "invalid_client" }))
    });
    let (running, visit) = kit.open(client.login()).await;
    visit.answer().await.says(400, "`invalid_client`");
    assert!(running.error().await.contains("`invalid_client`"));
    assert_eq!(kit.server.forms("/token").len(), 1);
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_browser_that_does_not_open_ends_nothing_if_the_address_is_shown() {
    let kit = Kit::start().await;
    let broken = |_: &url::Url| Err(io::Error::other("no display"));
    let error = in_time(kit.login().browser(broken).run()).await.unwrap_err();
    let error = told(&error);
    assert!(error.contains("show the address") && error.contains("no display"), "{error}");

    let shown = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&shown);
    let login = kit.login().browser(broken);
    let login = login.announce(move |url| *seen.lock().unwrap() = Some(url.clone()));
    let running = tokio::spawn(async move { login.run().await });
    let url = in_time(async {
        loop {
            if let Some(url) = shown.lock().unwrap().take() {
                break url;
            }
            tokio::task::yield_now().await;
        }
    });
    let visit = Start { url: url.await }.begin().await;
    kit.server.expect_nonce(visit.nonce());
    visit.answer().await.says(200, "You are logged in");
    in_time(running).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_pages_say_what_the_program_wants_in_its_language() {
    let kit = Kit::start().await;
    let german = || {
        let login = kit.login().success_page("Fertig", "Zurück zu <orders>").page_language("de");
        login.failure_page("Das ging nicht", "Noch einmal.").callback_path("/oauth2/cb")
    };
    let (running, visit) = kit.open(german()).await;
    assert_eq!(visit.redirect_uri().path(), "/oauth2/cb");
    let shown = visit.answer().await;
    shown.says(200, "<h1>Fertig</h1>\n<p>Zurück zu &lt;orders&gt;</p>");
    shown.says(200, "<html lang=\"de\">");
    running.end().await.unwrap();

    let (running, visit) = kit.open(german()).await;
    visit.back(&format!("error=access_denied&state={}", visit.state())).await.says(400, "Das ging");
    running.end().await.unwrap_err();
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_anything_is_asked() {
    use std::time::Duration;

    let kit = Kit::start().await;
    let by_hand = format!("{}/token", kit.server.url());
    let by_hand = OAuthClient::token_endpoint(by_hand, ClientAuthentication::none(CLIENT));
    for (login, reason) in [
        (kit.login().timeout(Duration::ZERO), "`timeout`"),
        (kit.login().timeout(Duration::from_secs(3601)), "`timeout`"),
        (kit.login().callback_path("callback"), "`callback_path`"),
        (kit.login().callback_path("/call back"), "`callback_path`"),
        (kit.login().callback_path("/a?b"), "`callback_path`"),
        (kit.login().parameter("state", "mine"), "`parameter`"),
        (kit.login().parameter("code_challenge_method", "plain"), "`parameter`"),
        (kit.login().scopes(["two words"]), "`scopes`"),
        (kit.login().audience(""), "`audience`"),
        (by_hand.login(), "`OAuthClient::oidc(..)`"),
    ] {
        let error = Running::start(login).error().await;
        assert!(error.contains(reason), "{error}");
    }
    let error = kit.login().load().await.unwrap_err().to_string();
    assert!(error.contains("`.store(TokenStore::open()?)`"), "{error}");
    assert_eq!(kit.server.requests(), 0);
}
