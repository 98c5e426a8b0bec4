//! What an authorization request may ask, and where a rejection is shown.

use grpc_auth::testing::{ClientRegistration, GrantType};

use super::{CALLBACK, CHALLENGE, Oauth, VERIFIER, query};

/// The browser is never sent to an address that is not registered.
#[tokio::test]
async fn a_request_of_a_stranger_or_to_a_strangers_address_is_shown_to_the_person() {
    let oauth = Oauth::start().await;
    let unknown = "is not registered";
    let address = "has not registered";
    for (changes, text) in [
        (&[("client_id", "")][..], unknown),
        (&[("client_id", "stranger")], unknown),
        (&[("client_id", "cli"), ("client_id", "cli")], unknown),
        (&[("redirect_uri", "")], address),
        (&[("redirect_uri", CALLBACK), ("redirect_uri", "https://evil.example/")], address),
        (&[("redirect_uri", "https://evil.example/callback")], address),
        (&[("redirect_uri", "http://127.0.0.1:49152/callback/")], address),
        (&[("redirect_uri", "http://127.0.0.1:49152/Callback")], address),
        (&[("redirect_uri", "http://127.0.0.1:49152/callback?a=b")], address),
        (&[("redirect_uri", "http://127.0.0.1:49152/callback#a")], address),
        (&[("redirect_uri", "http://127.0.0.1:49152/x/../callback")], address),
        (&[("redirect_uri", "http://127.0.0.1:99999/callback")], address),
        (&[("redirect_uri", "http://127.0.0.1:49152@evil.example/callback")], address),
        (&[("redirect_uri", "http://127.0.0.1.evil.example/callback")], address),
        (&[("redirect_uri", "http://127.0.0.2/callback")], address),
        (&[("redirect_uri", "http://localhost/callback")], address),
        (&[("redirect_uri", "http://[::1]/callback")], address),
        (&[("redirect_uri", "https://127.0.0.1/callback")], address),
        (&[("redirect_uri", "HTTP://127.0.0.1/callback")], address),
        (&[("redirect_uri", "javascript:alert(1)")], address),
    ] {
        oauth.get(&oauth.address(changes)).await.assert_told(400, text);
    }
}

#[tokio::test]
async fn an_address_is_compared_exactly_but_for_the_port_of_a_loopback_address() {
    let oauth = Oauth::start().await;
    let registration = ClientRegistration::public("cli")
        .redirect_uri("http://127.0.0.1/callback")
        .redirect_uri("http://[::1]:1/callback?a=b")
        .redirect_uri("https://app.example/callback")
        .redirect_uri("http://localhost:7000/callback")
        .redirect_uri("com.example.app:/callback")
        .scopes(["read:echo"]);
    oauth.issuer.register(registration);
    for good in [
        "http://127.0.0.1/callback",
        "http://127.0.0.1:1/callback",
        "http://127.0.0.1:65535/callback",
        "http://[::1]:2/callback?a=b",
        "http://[::1]/callback?a=b",
        "https://app.example/callback",
        "http://localhost:7000/callback",
        "com.example.app:/callback",
    ] {
        let address = oauth.address(&[("redirect_uri", good)]);
        let sent = oauth.issuer.approve_authorization(&address, "alice");
        let separator = if good.contains('?') { '&' } else { '?' };
        assert!(sent.starts_with(&format!("{good}{separator}code=")), "{sent}");
    }
    for bad in [
        "https://app.example:444/callback",
        "http://app.example/callback",
        "http://localhost:7001/callback",
        "http://[::1]/callback",
        "com.example.app:/callback2",
    ] {
        let address = oauth.address(&[("redirect_uri", bad)]);
        oauth.get(&address).await.assert_told(400, "has not registered");
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_granted_is_answered_to_the_client() {
    let oauth = Oauth::start().await;
    let padded = format!("{CHALLENGE}=");
    for (changes, error) in [
        (&[("response_type", "")][..], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain"), ("code_challenge", VERIFIER)], "invalid_request"),
        (&[("code_challenge_method", "s256")], "invalid_request"),
        (&[("code_challenge", &CHALLENGE[1..])], "invalid_request"),
        (&[("code_challenge", &padded)], "invalid_request"),
        (&[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM")], "invalid_request"),
        (&[("scope", "admin:all")], "invalid_scope"),
        (&[("scope", "read:echo admin:all")], "invalid_scope"),
        (&[("scope", "read:echo"), ("scope", "write:echo")], "invalid_request"),
        (&[("nonce", "a"), ("nonce", "a")], "invalid_request"),
        (&[("prompt", "none")], "login_required"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("prompt", "create")], "invalid_request"),
        (&[("request", "a.b.c")], "request_not_supported"),
        (&[("request_uri", "https://a.example")], "request_uri_not_supported"),
        (&[("registration", "{}")], "registration_not_supported"),
        (&[("resource", "https://other.example")], "invalid_target"),
        (&[("audience", ""), ("resource", "not an address")], "invalid_target"),
        (&[("audience", ""), ("resource", "https://a.example/#b")], "invalid_target"),
        (&[("dpop_jkt", "short")], "invalid_request"),
    ] {
        let sent = oauth.get(&oauth.address(changes)).await.sent();
        assert_eq!(sent["error"], error, "{changes:?}");
        assert_eq!(sent["state"], "a state & more");
        assert_eq!(sent["iss"], oauth.issuer.url());
        assert!(sent.get("code").is_none());
    }
    let devices = ClientRegistration::public("cli").grants([GrantType::DeviceCode]);
    oauth.issuer.register(devices.redirect_uri(CALLBACK));
    let sent = oauth.get(&oauth.address(&[("scope", "")])).await.sent();
    assert_eq!(sent["error"], "unauthorized_client");
}

#[tokio::test]
async fn what_is_asked_of_people_each_time_may_be_asked_for() {
    let oauth = Oauth::start().await;
    for prompt in ["login", "consent", "login consent", "select_account"] {
        oauth.get(&oauth.address(&[("prompt", prompt)])).await.assert_told(200, "Password");
    }
}

#[tokio::test]
async fn a_request_without_scopes_asks_for_all_and_without_a_state_gets_none() {
    let oauth = Oauth::start().await;
    let address = oauth.address(&[("scope", ""), ("state", "")]);
    let sent = query(&oauth.issuer.approve_authorization(&address, "alice"));
    assert!(sent.get("state").is_none());
    let answer = oauth.redeem(sent["code"].as_str().unwrap()).await.granted();
    assert_eq!(answer["scope"], "read:echo write:echo");
    assert!(answer.get("refresh_token").is_none());
}

#[tokio::test]
async fn only_an_address_that_people_may_be_sent_to_is_registered() {
    let oauth = Oauth::start().await;
    for bad in [
        "",
        "callback",
        "http://app.example/callback",
        "http://128.0.0.1/callback",
        "https://app.example/callback#a",
        "https://user@app.example/callback",
        "https://app.example/call back",
        "https://app.example/\tcallback",
        "javascript:alert(1)",
        "data:text/html,a",
        "file:///etc/passwd",
        "app:/callback",
    ] {
        let registering = std::panic::AssertUnwindSafe(|| {
            oauth.issuer.register(ClientRegistration::public("bad").redirect_uri(bad));
        });
        let panic = std::panic::catch_unwind(registering).expect_err(bad);
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("`redirect_uris`"), "{text}");
    }
}
