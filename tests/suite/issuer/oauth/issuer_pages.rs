//! The pages: what protects them, what they show, and the tokens that the index gives.

use grpc_auth::testing::ClientRegistration;
use reqwest::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use serde_json::json;

use super::{CALLBACK, Oauth, claims};

/// A page's headers, and itself.
async fn seen(oauth: &Oauth, address: &str) -> (HeaderMap, String) {
    let response = oauth.http.get(address).send().await.unwrap();
    (response.headers().clone(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_page_runs_no_script_and_stands_in_no_frame_and_in_no_cache() {
    let oauth = Oauth::start().await;
    for (address, referrer) in [
        (oauth.at(""), "same-origin"),
        (oauth.at("device"), "no-referrer"),
        (oauth.address(&[]), "no-referrer"),
        // Sent on, and refused.
        (oauth.address(&[("prompt", "none")]), "no-referrer"),
        (oauth.address(&[("client_id", "stranger")]), "no-referrer"),
    ] {
        let (headers, html) = seen(&oauth, &address).await;
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        assert_eq!(headers[REFERRER_POLICY], referrer, "{address}");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[X_FRAME_OPTIONS], "DENY");
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        for directive in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(directive), "{policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
        assert!(!html.contains("<script") && !html.contains("style=\""), "{html}");
    }
}

/// The style is allowed by its hash: the page has the very bytes.
#[tokio::test]
async fn the_style_is_the_one_that_the_policy_allows() {
    use base64::Engine;
    let oauth = Oauth::start().await;
    let (headers, html) = seen(&oauth, &oauth.at("")).await;
    let (_, style) = html.split_once("<style>").unwrap();
    let (style, _) = style.split_once("</style>").unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
    let hash = base64::engine::general_purpose::STANDARD.encode(hash);
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains(&format!("style-src 'sha256-{hash}'")), "{policy}");
}

/// Browsers hold a form to it also where it is redirected to.
#[tokio::test]
async fn a_form_may_lead_to_the_program_that_asked_and_nowhere_else() {
    let oauth = Oauth::start().await;
    oauth.issuer.register(
        ClientRegistration::public("cli")
            .redirect_uri("http://127.0.0.1/callback")
            .redirect_uri("http://[::1]/callback")
            .redirect_uri("https://app.example/callback")
            .redirect_uri("com.example.app:/callback"),
    );
    for (redirect_uri, source) in [
        (CALLBACK, "http://127.0.0.1:49152"),
        ("http://[::1]:49152/callback", "http:"),
        ("https://app.example/callback", "https://app.example"),
        ("com.example.app:/callback", "com.example.app:"),
    ] {
        let address = oauth.address(&[("redirect_uri", redirect_uri), ("scope", "")]);
        let (headers, _) = seen(&oauth, &address).await;
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.ends_with(&format!("; form-action 'self' {source}")), "{policy}");
    }
    let (headers, _) = seen(&oauth, &oauth.at("")).await;
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.ends_with("; form-action 'self'"), "{policy}");
}

#[tokio::test]
async fn what_others_chose_is_shown_as_text() {
    let oauth = Oauth::start().await;
    let mark = "\"><script>alert('x')</script>&amp;";
    let escaped = "&quot;&gt;&lt;script&gt;alert('x')&lt;/script&gt;&amp;amp;";
    oauth.issuer.register(
        ClientRegistration::public("cli")
            .name(mark)
            .redirect_uri(CALLBACK)
            .scopes(["read:echo<b>"]),
    );
    oauth.issuer.describe_scope("read:echo<b>", mark);
    oauth.issuer.add_user(mark, "wonderland");
    let page = oauth.get(&oauth.address(&[("scope", ""), ("login_hint", mark)])).await;
    let again = [("username", mark), ("password", "wrong")];
    let wrong = oauth.submit(&page, "sign-in", &again).await;
    let right = [("username", mark), ("password", "wonderland")];
    let consent = oauth.submit(&wrong, "sign-in", &right).await;
    let device = oauth.get(&format!("{}?user_code=%22%3E%3Cscript%3E", oauth.at("device"))).await;
    let index = oauth.get(&oauth.at("")).await;
    let mint = [("subject", mark), ("audience", mark), ("scope", mark)];
    let mint = oauth.post("mint", &mint).await;
    for page in [&page, &wrong, &consent, &device, &index, &mint] {
        assert!(!page.html.contains("<script"), "{}", page.html);
        assert!(!page.html.contains("echo<b>"), "{}", page.html);
    }
    for page in [&page, &wrong, &consent, &index, &mint] {
        assert!(page.html.contains(escaped), "{}", page.html);
    }
}

#[tokio::test]
async fn a_field_has_a_label_and_a_mistake_has_a_link_to_it() {
    let oauth = Oauth::start().await;
    let sign_in = oauth.get(&oauth.address(&[])).await;
    let wrong = oauth.submit(&sign_in, "sign-in", &[("username", "a"), ("password", "b")]).await;
    let device = oauth.get(&oauth.at("device")).await;
    let unknown = oauth.post("device", &[("user_code", "AAAA")]).await;
    let index = oauth.get(&oauth.at("")).await;
    for page in [&sign_in, &wrong, &device, &unknown, &index] {
        for field in page.html.split("<input id=\"").skip(1) {
            let (id, _) = field.split_once('"').unwrap();
            assert!(page.html.contains(&format!("<label for=\"{id}\">")), "{id}");
        }
        for shown in ["<html lang=\"en\">", "<h1>", "<main", "name=\"viewport\"", "<title>"] {
            assert!(page.html.contains(shown), "{shown}");
        }
        assert_eq!(page.html.matches("<h1>").count(), 1);
        assert_eq!(page.html.matches("autofocus").count().max(1), 1);
    }
    for (page, field) in [(&wrong, "username"), (&unknown, "user_code")] {
        assert!(page.html.contains("<title>Problem:"));
        assert!(page.html.contains(&format!("<a href=\"#{field}\">")));
        assert!(page.html.contains("aria-invalid=\"true\""));
    }
}

#[tokio::test]
async fn the_index_shows_what_is_registered_and_no_secret() {
    let oauth = Oauth::start().await;
    oauth.issuer.describe_scope("read:echo", "Read what you have sent");
    let page = oauth.get(&oauth.at("")).await;
    for shown in [
        oauth.issuer.url(),
        "oauth/device_authorization",
        "Echo program",
        "<code>web</code>, with a secret",
        "http://127.0.0.1/callback",
        "write:echo",
        "Read what you have sent",
        "alice",
        "es256-1",
        "rs256-1",
    ] {
        assert!(page.html.contains(shown), "{shown}");
    }
    for secret in ["web's secret", "other's secret", "wonderland"] {
        assert!(!page.html.contains(secret) && !page.html.contains(&secret.replace('\'', "&#39;")));
    }
}

#[tokio::test]
async fn the_index_gives_a_token_to_try_things_with() {
    let oauth = Oauth::start().await;
    let auth = oauth.issuer.resource_server().build().await.unwrap();
    let form = [
        ("subject", "alice"),
        ("audience", super::AUDIENCE),
        ("scope", "read:echo"),
        ("scope", " write:echo  extra "),
    ];
    let page = oauth.post("mint", &form).await;
    page.assert_told(200, "Here is your token");
    let (_, token) = page.html.split_once("<textarea id=\"token\"").unwrap();
    let (_, token) = token.split_once('>').unwrap();
    let token = json!(token.split_once('<').unwrap().0);
    let minted = claims(&token);
    assert_eq!((&minted["sub"], &minted["tenant"]), (&json!("alice"), &json!("blue")));
    assert_eq!(minted["scope"], "read:echo write:echo extra");
    let token = token.as_str().unwrap();
    let line = format!("grpcurl -plaintext -H 'authorization: Bearer {token}' localhost:50051");
    assert!(page.html.contains(&line) || page.html.contains(&line.replace('\'', "&#39;")));
    let mut client = tests::pb::kit::kinds_client::KindsClient::new(
        auth.protect(tests::kinds::Counting::default()),
    );
    assert!(tests::kinds::call(&mut client, "Bidi", Some(token)).await.is_ok());
}

#[tokio::test]
async fn the_index_says_which_field_of_a_token_is_wrong() {
    let oauth = Oauth::start().await;
    let right = [("subject", "alice"), ("audience", "https://a.example"), ("scope", "a")];
    for (name, value, field) in [
        ("subject", " ", "subject"),
        ("audience", "", "audience"),
        ("scope", "a\"b", "scope"),
        ("scope", "a\\b", "scope"),
    ] {
        let page = oauth.post("mint", &super::changed(right.to_vec(), &[(name, value)])).await;
        page.assert_told(422, &format!("<a href=\"#{field}\">"));
        assert!(!page.html.contains("Here is your token"));
    }
}
