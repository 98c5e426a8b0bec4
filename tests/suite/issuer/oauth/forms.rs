//! The forms in front of people: each counts once, for whom it was made.

use std::time::Duration;

use grpc_auth::testing::{Endpoint, Fault};
use reqwest::Method;
use reqwest::header::{HOST, ORIGIN};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Oauth, Page};

const EXPIRED: &str = "has expired or was sent already";
const RIGHT: [(&str, &str); 2] = [("username", "alice"), ("password", "wonderland")];

#[tokio::test]
async fn a_wrong_name_or_password_is_refused_without_saying_which() {
    let oauth = Oauth::start().await;
    let mut page = oauth.get(&oauth.address(&[])).await;
    for (name, password) in
        [("alice", "wrong"), ("alice", ""), ("mallory", "wonderland"), ("mallory", "")]
    {
        page = oauth.submit(&page, "sign-in", &[("username", name), ("password", password)]).await;
        page.assert_told(422, "The user name or the password is wrong.");
        assert!(page.html.contains("role=\"alert\""));
        assert!(page.html.contains(&format!("value=\"{name}\"")), "the name is kept");
        assert!(!page.html.contains("value=\"wrong\""), "the password is not");
    }
    // The right one is still taken.
    oauth.sign_in(&page).await.assert_told(200, "Allow Echo program?");
}

#[tokio::test]
async fn after_five_wrong_passwords_one_has_to_start_again() {
    let oauth = Oauth::start().await;
    let mut page = oauth.get(&oauth.address(&[])).await;
    let wrong = [("username", "alice"), ("password", "wrong")];
    for _ in 0..4 {
        page = oauth.submit(&page, "sign-in", &wrong).await;
        page.assert_told(422, "is wrong");
    }
    let last = oauth.submit(&page, "sign-in", &wrong).await;
    last.assert_told(400, "Too many wrong passwords");
    oauth.sign_in(&page).await.assert_told(400, EXPIRED);
}

#[tokio::test]
async fn a_person_who_cancels_or_denies_sends_the_program_away() {
    let oauth = Oauth::start().await;
    let page = oauth.get(&oauth.address(&[])).await;
    let cancelled = oauth.submit(&page, "sign-in", &[("decision", "deny")]).await.sent();
    let page = oauth.sign_in(&oauth.get(&oauth.address(&[])).await).await;
    let denied = oauth.submit(&page, "consent", &[("decision", "deny")]).await.sent();
    for sent in [cancelled, denied] {
        assert_eq!(sent["error"], "access_denied");
        assert_eq!(
            (&sent["state"], &sent["iss"]),
            (&json!("a state & more"), &json!(oauth.issuer.url()))
        );
        assert!(sent.get("code").is_none());
    }
}

#[tokio::test]
async fn a_form_counts_once_and_for_ten_minutes() {
    let oauth = Oauth::start().await;
    let first = oauth.get(&oauth.address(&[])).await;
    let second = oauth.sign_in(&first).await;
    oauth.sign_in(&first).await.assert_told(400, EXPIRED);
    oauth.submit(&second, "consent", &[("decision", "allow")]).await.sent();
    let again = oauth.submit(&second, "consent", &[("decision", "allow")]).await;
    again.assert_told(400, EXPIRED);

    let late = oauth.get(&oauth.address(&[])).await;
    oauth.issuer.clock().advance(Duration::from_secs(600));
    oauth.sign_in(&late).await.assert_told(400, EXPIRED);
    oauth.post("sign-in", &RIGHT).await.assert_told(400, EXPIRED);
    let made_up = [&[("ticket", "made up")][..], &RIGHT].concat();
    oauth.post("sign-in", &made_up).await.assert_told(400, EXPIRED);
}

#[tokio::test]
async fn nobody_consents_who_has_not_signed_in() {
    let oauth = Oauth::start().await;
    let page = oauth.get(&oauth.address(&[])).await;
    let form = [("ticket", page.ticket()), ("decision", "allow")];
    oauth.post("consent", &form).await.assert_told(400, "was not filled in");
    // Neither does one who pressed no button.
    let page = oauth.sign_in(&oauth.get(&oauth.address(&[])).await).await;
    oauth.submit(&page, "consent", &[]).await.assert_told(400, "was not filled in");
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let oauth = Oauth::start().await;
    let foreign = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ];
    for path in ["mint", "device", "sign-in", "consent"] {
        for (name, value) in foreign {
            let page = oauth.get(&oauth.address(&[])).await;
            let form = [&[("ticket", page.ticket())][..], &RIGHT].concat();
            let request = oauth.http.post(oauth.at(path)).header(name, value).form(&form);
            let refused = Page::of(request.send().await.unwrap()).await;
            refused.assert_told(403, "sent by another site");
            // It was not even looked at.
            oauth.sign_in(&page).await.assert_told(200, "Allow");
        }
    }
    let page = oauth.get(&oauth.address(&[])).await;
    let form = [&[("ticket", page.ticket())][..], &RIGHT].concat();
    let own = oauth.issuer.url().trim_end_matches('/').to_owned();
    let request = oauth.http.post(oauth.at("sign-in")).header(ORIGIN, own).form(&form);
    Page::of(request.send().await.unwrap()).await.assert_told(200, "Allow");
    // Browsers that say where a form is from: pages without referrer have no origin.
    let page = oauth.get(&oauth.address(&[])).await;
    let form = [&[("ticket", page.ticket())][..], &RIGHT].concat();
    let request = oauth.http.post(oauth.at("sign-in")).header(ORIGIN, "null").form(&form);
    let request = request.header("sec-fetch-site", "same-origin");
    Page::of(request.send().await.unwrap()).await.assert_told(200, "Allow");
}

/// The name of a web page can be made to lead here (DNS rebinding), and the page can read the answers
/// of every endpoint then.
#[tokio::test]
async fn every_endpoint_answers_to_names_of_this_machine_alone() {
    let oauth = Oauth::start().await;
    let foreign = [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "128.0.0.1",
        "0.0.0.0",
        "[::]",
        "",
    ];
    for (method, path) in [
        (Method::GET, ".well-known/openid-configuration"),
        (Method::GET, ".well-known/oauth-authorization-server"),
        (Method::GET, ".well-known/jwks.json"),
        (Method::GET, "authorize"),
        (Method::POST, "oauth/token"),
        (Method::POST, "oauth/device_authorization"),
        (Method::POST, "oauth/revoke"),
        (Method::POST, "introspect"),
        (Method::GET, ""),
        (Method::POST, "mint"),
        (Method::GET, "device"),
        (Method::POST, "device"),
        (Method::POST, "sign-in"),
        (Method::POST, "consent"),
        // The other methods of a path, and what is not there, are answered alike.
        (Method::OPTIONS, "oauth/token"),
        (Method::GET, "oauth/token"),
        (Method::HEAD, ".well-known/jwks.json"),
        (Method::GET, "not-there"),
        (Method::GET, "elsewhere/.well-known/jwks.json"),
    ] {
        let ask = async |host| {
            let request = oauth.http.request(method.clone(), oauth.at(path)).header(HOST, host);
            request.form(&RIGHT).send().await.unwrap().status()
        };
        for host in foreign {
            assert_eq!(ask(host).await, 421, "{method} /{path} at {host:?}");
        }
        for own in ["localhost", "127.0.0.1:1"] {
            assert_ne!(ask(own).await, 421, "{method} /{path} at {own:?}");
        }
    }
    let asked = oauth.issuer.requests(Endpoint::Jwks);
    oauth.issuer.fail(Endpoint::Jwks, Fault::Status(503));
    let keys = oauth.http.get(oauth.at(".well-known/jwks.json"));
    assert_eq!(keys.header(HOST, "evil.example").send().await.unwrap().status(), 421);
    assert_eq!(oauth.issuer.requests(Endpoint::Jwks), asked);

    // Requests that a browser does not send.
    let authority = oauth.issuer.url().trim_start_matches("http://").trim_end_matches('/');
    for (head, status) in [
        (format!("GET / HTTP/1.1\r\nhost: {authority}"), 200),
        (format!("GET http://{authority}/ HTTP/1.1\r\nhost: {authority}"), 200),
        (format!("GET http://evil.example/ HTTP/1.1\r\nhost: {authority}"), 421),
        (format!("GET / HTTP/1.1\r\nhost: {authority}\r\nhost: {authority}"), 421),
        ("GET / HTTP/1.0".into(), 421),
    ] {
        let mut stream = TcpStream::connect(authority).await.unwrap();
        let request = format!("{head}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.split(' ').nth(1) == Some(&status.to_string()), "{head}: {answer}");
    }

    let request = oauth.http.get(oauth.at("")).header(HOST, "evil.example");
    let refused = Page::of(request.send().await.unwrap()).await;
    refused.assert_told(421, "This server is for this machine");
    for host in ["localhost", "localhost:8080", "127.0.0.1", "127.1.2.3:1", "[::1]:80"] {
        let request = oauth.http.get(oauth.at("")).header(HOST, host);
        Page::of(request.send().await.unwrap()).await.assert_told(200, "Get a token");
    }
}

/// Anyone can open them, from anywhere.
#[tokio::test]
async fn a_thousand_forms_may_be_open_at_a_time() {
    let oauth = Oauth::start().await;
    let address = oauth.address(&[]);
    for _ in 0..1000 {
        assert_eq!(oauth.get(&address).await.status, 200);
    }
    oauth.get(&address).await.assert_told(503, "Too many people are signing in.");
    oauth.issuer.clock().advance(Duration::from_secs(600));
    assert_eq!(oauth.get(&address).await.status, 200);
}
