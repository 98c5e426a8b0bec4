//! Signing in with a code and PKCE (RFC 6749 §4.1, RFC 7636).

use std::time::Duration;

use grpc_auth::testing::ClientRegistration;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use super::{AUDIENCE, CALLBACK, Oauth, VERIFIER, changed, claims, query, redeeming};

#[tokio::test]
async fn its_metadata_says_what_it_does() {
    let oauth = Oauth::start().await;
    let document = oauth.get(&oauth.at(".well-known/oauth-authorization-server")).await;
    let metadata: Value = serde_json::from_str(&document.html).unwrap();
    for (name, path) in [
        ("authorization_endpoint", "authorize"),
        ("token_endpoint", "oauth/token"),
        ("device_authorization_endpoint", "oauth/device_authorization"),
        ("revocation_endpoint", "oauth/revoke"),
        ("introspection_endpoint", "introspect"),
    ] {
        assert_eq!(metadata[name], oauth.at(path));
    }
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["grant_types_supported"].as_array().unwrap().len(), 5);
    assert!(metadata["dpop_signing_alg_values_supported"].to_string().contains("ES256"));
}

#[tokio::test]
async fn a_person_signs_in_consents_and_the_program_gets_their_token() {
    let oauth = Oauth::start().await;
    oauth.issuer.describe_scope("read:echo", "Read what you have sent");
    let page = oauth.get(&oauth.address(&[])).await;
    page.assert_told(200, "to go on to <strong>Echo program</strong>");
    let page = oauth.sign_in(&page).await;
    page.assert_told(200, "Allow Echo program?");
    for shown in ["alice", "Read what you have sent", "<code>read:echo</code>", CALLBACK, AUDIENCE]
    {
        assert!(page.html.contains(shown), "{shown}");
    }
    let page = oauth.submit(&page, "consent", &[("decision", "allow")]).await;
    assert!(page.location.as_deref().unwrap().starts_with(&format!("{CALLBACK}?code=")));
    let sent = page.sent();
    assert_eq!(sent["state"], "a state & more");
    assert_eq!(sent["iss"], oauth.issuer.url());

    let answer = oauth.redeem(sent["code"].as_str().unwrap()).await.granted();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 3600);
    assert_eq!(answer["scope"], "read:echo offline_access");
    assert!(answer["refresh_token"].is_string());
    assert!(answer.get("id_token").is_none());
    let token = claims(&answer["access_token"]);
    assert_eq!(token["sub"], "alice");
    assert_eq!(token["aud"], AUDIENCE);
    assert_eq!(token["client_id"], "cli");
    assert_eq!(token["tenant"], "blue");

    let auth = oauth.issuer.resource_server().build().await.unwrap();
    let mut client = tests::pb::kit::kinds_client::KindsClient::new(
        auth.protect(tests::kinds::Counting::default()),
    );
    let token = answer["access_token"].as_str();
    assert!(tests::kinds::call(&mut client, "Bidi", token).await.is_ok());
    tests::assert_scope_denied(tests::kinds::call(&mut client, "Unary", token).await);
}

#[tokio::test]
async fn a_test_decides_without_a_browser() {
    let oauth = Oauth::start().await;
    let answer = oauth.tokens(&[]).await;
    assert_eq!(claims(&answer["access_token"])["sub"], "alice");
    let denied = query(&oauth.issuer.deny_authorization(&oauth.address(&[])));
    assert_eq!(
        (&denied["error"], &denied["state"]),
        (&json!("access_denied"), &json!("a state & more"))
    );
    let refused =
        oauth.issuer.approve_authorization(&oauth.address(&[("scope", "admin")]), "alice");
    assert_eq!(query(&refused)["error"], "invalid_scope");
}

#[tokio::test]
async fn a_confidential_client_authenticates_and_uses_pkce_as_well() {
    let oauth = Oauth::start().await;
    let code = oauth.code(&[("client_id", "web")]);
    let form = changed(redeeming(&code), &[("client_id", "web")]);
    oauth.token(&form).await.assert_refused(401, "invalid_client");
    let wrong = changed(form.clone(), &[("client_secret", "other's secret")]);
    oauth.token(&wrong).await.assert_refused(401, "invalid_client");
    let form = changed(form, &[("client_secret", "web's secret")]);
    oauth
        .token(&changed(form.clone(), &[("code_verifier", "")]))
        .await
        .assert_refused(400, "invalid_request");
    oauth.token(&form).await.granted();
    // One without a secret has none to send.
    let form = changed(redeeming(&code), &[("client_secret", "guess")]);
    oauth.token(&form).await.assert_refused(401, "invalid_client");
    let basic =
        oauth.http.post(oauth.issuer.token_endpoint()).basic_auth("web", Some("web%27s+secret"));
    let both =
        basic.form(&[("grant_type", "client_credentials"), ("client_secret", "web's secret")]);
    super::Answer::of(both.send().await.unwrap()).await.assert_refused(400, "invalid_request");
}

#[tokio::test]
async fn a_code_is_refused_for_its_reason_and_stays_good_for_whose_it_is() {
    let oauth = Oauth::start().await;
    let code = oauth.code(&[]);
    let short = "a".repeat(42);
    let long = "a".repeat(129);
    let unfit = "a".repeat(43);
    let odd = format!("{}+", "a".repeat(43));
    for (changes, error, reason) in [
        (&[("code", "unknown")][..], "invalid_grant", "unknown code"),
        (&[("code", "")], "invalid_request", "`code` is missing"),
        (&[("redirect_uri", "")], "invalid_request", "`redirect_uri` is missing"),
        (
            &[("redirect_uri", "http://127.0.0.1:49153/callback")],
            "invalid_grant",
            "`redirect_uri` is another",
        ),
        (&[("code_verifier", "")], "invalid_request", "`code_verifier` is missing"),
        (&[("code_verifier", &short)], "invalid_request", "is not 43 to 128"),
        (&[("code_verifier", &long)], "invalid_request", "is not 43 to 128"),
        (&[("code_verifier", &odd)], "invalid_request", "is not 43 to 128"),
        (&[("code_verifier", &unfit)], "invalid_grant", "does not fit the challenge"),
        // As if the challenge had been the verifier itself.
        (&[("code_verifier", super::CHALLENGE)], "invalid_grant", "does not fit the challenge"),
        (
            &[("client_id", "other"), ("client_secret", "other's secret")],
            "invalid_grant",
            "the code is another client's",
        ),
        (&[("audience", "https://b.example")], "invalid_target", "another audience"),
        (&[("grant_type", "implicit")], "unsupported_grant_type", "no such grant"),
        (&[("grant_type", "client_credentials")], "unauthorized_client", "may not use"),
    ] {
        let answer = oauth.token(&changed(redeeming(&code), changes)).await;
        answer.assert_refused_because(error, reason);
    }
    let twice = [&redeeming(&code)[..], &[("code_verifier", VERIFIER)]].concat();
    oauth.token(&twice).await.assert_refused_because("invalid_request", "stands twice");
    oauth.redeem(&code).await.granted();
}

#[tokio::test]
async fn a_code_is_good_for_a_minute_by_the_servers_clock() {
    let oauth = Oauth::start().await;
    let (early, late) = (oauth.code(&[]), oauth.code(&[]));
    oauth.issuer.clock().advance(Duration::from_secs(59));
    oauth.redeem(&early).await.granted();
    oauth.issuer.clock().advance(Duration::from_secs(1));
    oauth.redeem(&late).await.assert_refused_because("invalid_grant", "the code has expired");
}

#[tokio::test]
async fn a_code_used_twice_revokes_what_came_of_it() {
    let oauth = Oauth::start().await;
    let (code, bystander) = (oauth.code(&[]), oauth.tokens(&[]).await);
    let first = oauth.redeem(&code).await.granted();
    assert!(oauth.is_active(&first["access_token"]).await);
    // Even much later.
    oauth.issuer.clock().advance(Duration::from_secs(600));
    oauth.redeem(&code).await.assert_refused_because("invalid_grant", "the code was used");
    assert!(!oauth.is_active(&first["access_token"]).await);
    let refreshed = oauth.refresh(&first["refresh_token"], &[]).await;
    refreshed.assert_refused_because("invalid_grant", "revoked");
    assert!(oauth.is_active(&bystander["access_token"]).await);
}

#[tokio::test]
async fn without_an_audience_the_token_is_opaque_or_for_the_first_of_the_clients() {
    let oauth = Oauth::start().await;
    let answer = oauth.tokens(&[("audience", "")]).await;
    assert!(!answer["access_token"].as_str().unwrap().contains('.'));
    let known = oauth.introspect(&answer["access_token"]).await;
    assert_eq!((&known["sub"], &known["tenant"]), (&json!("alice"), &json!("blue")));

    let resource = oauth.tokens(&[("audience", ""), ("resource", "https://b.example/")]).await;
    assert_eq!(claims(&resource["access_token"])["aud"], "https://b.example/");

    oauth.issuer.register(
        ClientRegistration::public("cli").redirect_uri(CALLBACK).audiences(["https://c.example"]),
    );
    let answer = oauth.tokens(&[("audience", ""), ("scope", "openid")]).await;
    assert_eq!(claims(&answer["access_token"])["aud"], "https://c.example");
    let refused = oauth.issuer.approve_authorization(&oauth.address(&[("scope", "")]), "alice");
    assert_eq!(query(&refused)["error"], "invalid_target");
}

/// Another implementation verifies it, with the key from the key set.
#[tokio::test]
async fn an_id_token_says_who_signed_in_and_lets_nobody_in() {
    let oauth = Oauth::start().await;
    let answer = oauth.tokens(&[("scope", "openid"), ("nonce", "n-0S6_WzA2Mj")]).await;
    let id_token = &answer["id_token"];
    let text = id_token.as_str().unwrap();
    let keys: JwkSet = serde_json::from_str(&oauth.issuer.jwks()).unwrap();
    let header = decode_header(text).unwrap();
    let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&["cli"]);
    validation.set_issuer(&[oauth.issuer.url()]);
    let claims = decode::<Value>(text, &key, &validation).unwrap().claims;
    assert_eq!((&claims["sub"], &claims["nonce"]), (&json!("alice"), &json!("n-0S6_WzA2Mj")));
    assert_eq!(claims["tenant"], "blue");
    assert_eq!(claims["auth_time"], claims["iat"]);
    // OpenID Connect Core §3.1.3.6.
    use base64::Engine;
    let token = answer["access_token"].as_str().unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let half = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]);
    assert_eq!(claims["at_hash"], half);

    assert!(!oauth.is_active(id_token).await);
    let auth = oauth.issuer.resource_server().audience("cli").build().await.unwrap();
    let mut client = tests::pb::kit::kinds_client::KindsClient::new(
        auth.protect(tests::kinds::Counting::default()),
    );
    let refused = tests::kinds::call(&mut client, "Unary", Some(text)).await;
    tests::assert_denied(refused, tonic::Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    let without = oauth.tokens(&[]).await;
    assert!(without.get("id_token").is_none());
}

#[tokio::test]
async fn a_client_that_was_forgotten_is_unknown() {
    let oauth = Oauth::start().await;
    let code = oauth.code(&[]);
    oauth.issuer.remove_client("cli");
    oauth.redeem(&code).await.assert_refused(401, "invalid_client");
    oauth.get(&oauth.address(&[])).await.assert_told(400, "is not registered");
}

#[test]
fn a_server_that_is_printed_shows_no_secret() {
    tests::block_on(async {
        let oauth = Oauth::start().await;
        let code = oauth.code(&[]);
        let answer = oauth.redeem(&code).await.granted();
        let text =
            format!("{:?} {:?}", oauth.issuer, ClientRegistration::confidential("a", "hunter2"));
        for secret in [
            "hunter2",
            "wonderland",
            "web's secret",
            &code,
            answer["refresh_token"].as_str().unwrap(),
        ] {
            assert!(!text.contains(secret), "{text}");
        }
    });
}

/// A caller that only knows a public client's name learns nothing about tokens.
#[tokio::test]
async fn introspection_is_for_clients_that_show_who_they_are() {
    let oauth = Oauth::start().await;
    let token = oauth.issuer.token().sign();
    let refused = oauth.answer("introspect", &[("client_id", "cli"), ("token", &token)]).await;
    refused.assert_refused(401, "invalid_client");
}
