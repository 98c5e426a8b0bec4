//! Faults that the embedded authorization server makes on request, and HTTP caching.

use std::error::Error;
use std::io;
use std::time::Duration;

use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use http::HeaderValue;
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_LENGTH, ETAG, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RETRY_AFTER,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tests::tls::Untrusted;

const SECOND: Duration = Duration::from_secs(1);

/// A server that misbehaves like this when asked for its key set.
async fn failing(fault: Fault) -> TestAuthorizationServer {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.fail(Endpoint::Jwks, fault);
    issuer
}

fn key_set(issuer: &TestAuthorizationServer) -> String {
    format!("{}.well-known/jwks.json", issuer.url())
}

async fn get(issuer: &TestAuthorizationServer) -> reqwest::Result<Response> {
    reqwest::get(key_set(issuer)).await
}

async fn get_unless(issuer: &TestAuthorizationServer, etags: &str) -> Response {
    Client::new().get(key_set(issuer)).header(IF_NONE_MATCH, etags).send().await.unwrap()
}

/// Lets the server work until the condition holds; the test's time limit is the bound.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(20 * SECOND, wait).await;
    assert!(in_time.is_ok(), "waited in vain until {what}");
}

/// What is at the bottom of an error.
fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, root)
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    root(error).downcast_ref::<io::Error>().map(io::Error::kind)
}

#[tokio::test]
async fn each_fault_is_what_its_name_says_and_heals() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let get = || reqwest::get(key_set(&issuer));
    issuer.fail(Endpoint::Jwks, Fault::Status(503));
    assert_eq!(get().await.unwrap().status(), 503);
    issuer.fail(Endpoint::Jwks, Fault::Html);
    assert!(get().await.unwrap().text().await.unwrap().starts_with("<!doctype html>"));
    issuer.fail(Endpoint::Jwks, Fault::Empty);
    assert_eq!(get().await.unwrap().json::<Value>().await.unwrap(), json!({"keys": []}));
    issuer.fail(Endpoint::Jwks, Fault::Refuse);
    assert!(get().await.is_err());
    issuer.fail(Endpoint::Jwks, Fault::RetryAfter { status: 429, seconds: 17 });
    let busy = get().await.unwrap();
    assert_eq!((busy.status().as_u16(), &busy.headers()[RETRY_AFTER]), (429, &17.into()));
    issuer.fail(Endpoint::Jwks, Fault::Hang);
    let hanging = tokio::spawn(get());
    until("the request hangs", || issuer.requests(Endpoint::Jwks) == 6).await;
    assert!(!hanging.is_finished());
    hanging.abort();
    // Other endpoints were well all the time.
    let discovery = format!("{}.well-known/openid-configuration", issuer.url());
    assert_eq!(reqwest::get(discovery).await.unwrap().status(), 200);
    issuer.heal();
    assert_eq!(get().await.unwrap().text().await.unwrap(), issuer.jwks());
    assert_eq!(issuer.requests(Endpoint::Jwks), 7);
}

#[tokio::test]
async fn half_an_answer_ends_with_the_connection_or_with_its_reset() {
    for (fault, is_reset) in [(Fault::Truncated, false), (Fault::Reset, true)] {
        let issuer = failing(fault).await;
        let mut response = get(&issuer).await.unwrap();
        assert_eq!(response.status(), 200, "{fault:?}");
        let whole = issuer.jwks();
        assert_eq!(response.content_length(), Some(whole.len() as u64), "{fault:?}");
        let mut read = Vec::new();
        let error = loop {
            match response.chunk().await {
                Ok(chunk) => read.extend_from_slice(&chunk.expect("it breaks off")),
                Err(error) => break error,
            }
        };
        assert_eq!(read, &whole.as_bytes()[..whole.len() / 2], "{fault:?}");
        let reset = io_kind(&error) == Some(io::ErrorKind::ConnectionReset);
        assert_eq!(reset, is_reset, "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_drips_as_the_clock_is_moved() {
    let issuer = failing(Fault::Drip).await;
    let mut response = get(&issuer).await.unwrap();
    let whole = issuer.jwks();
    assert_eq!(
        (response.status().as_u16(), response.content_length()),
        (200, Some(whole.len() as u64))
    );
    let mut read = Vec::new();
    for seconds in [1, 2, whole.len() - 3] {
        issuer.clock().advance(seconds as u32 * SECOND);
        let due = read.len() + seconds;
        while read.len() < due {
            read.extend_from_slice(&response.chunk().await.unwrap().unwrap());
        }
        assert_eq!(read, &whole.as_bytes()[..due]);
    }
    assert!(response.chunk().await.unwrap().is_none());

    // A client that leaves is noticed although the clock stands still.
    let other = get(&issuer).await.unwrap();
    assert!(issuer.connections() > 0);
    drop(other);
    until("its connection is closed", || issuer.connections() == 0).await;
}

#[tokio::test]
async fn a_huge_answer_lasts_until_the_client_hangs_up() {
    let issuer = failing(Fault::Huge).await;
    let mut response = get(&issuer).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.content_length(), None);
    let mut read = 0;
    while read < 8 << 20 {
        let chunk = response.chunk().await.unwrap().unwrap();
        assert!(chunk.iter().all(|byte| *byte == b' '));
        read += chunk.len();
    }
    assert_eq!(issuer.connections(), 1);
    drop(response);
    until("the server stops", || issuer.connections() == 0).await;
}

#[tokio::test]
async fn who_follows_a_redirect_is_found_out_by_succeeding() {
    let issuer = failing(Fault::Redirect).await;
    let careful = Client::builder().redirect(Policy::none()).build().unwrap();
    let response = careful.get(key_set(&issuer)).send().await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()[LOCATION], "/elsewhere/.well-known/jwks.json");
    assert_eq!(issuer.requests(Endpoint::Elsewhere), 0);

    let followed = get(&issuer).await.unwrap();
    assert_eq!(followed.text().await.unwrap(), issuer.jwks());
    assert_eq!((issuer.requests(Endpoint::Jwks), issuer.requests(Endpoint::Elsewhere)), (2, 1));
}

#[tokio::test]
async fn a_corrupt_answer_has_the_true_headers_and_length() {
    let issuer = failing(Fault::Corrupt).await;
    let corrupt = get(&issuer).await.unwrap();
    issuer.heal();
    let good = get(&issuer).await.unwrap();
    assert_eq!(corrupt.status(), 200);
    for header in [CONTENT_LENGTH, ETAG] {
        assert_eq!(corrupt.headers()[&header], good.headers()[&header]);
    }
    let (corrupt, good) = (corrupt.bytes().await.unwrap(), good.bytes().await.unwrap());
    assert_eq!(corrupt.len(), good.len());
    assert!(std::str::from_utf8(&corrupt).is_err());
    assert!(corrupt.iter().zip(&good).all(|(corrupt, good)| corrupt == &!good));
}

#[tokio::test]
async fn a_key_set_the_client_has_is_not_sent_again() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let first = get(&issuer).await.unwrap();
    let etag = first.headers()[ETAG].to_str().unwrap().to_owned();
    // Strong, and 256 bits in base64url.
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() == 2 + 43, "{etag}");
    assert!(issuer.last_request(Endpoint::Jwks).unwrap().get(IF_NONE_MATCH).is_none());
    assert_eq!(issuer.last_request(Endpoint::Discovery), None);

    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".into()] {
        let again = get_unless(&issuer, &known).await;
        assert_eq!(again.status(), 304, "{known}");
        assert_eq!(again.headers()[ETAG], etag);
        assert_eq!(again.text().await.unwrap(), "");
        assert_eq!(issuer.last_request(Endpoint::Jwks).unwrap()[IF_NONE_MATCH], known);
    }
    assert_eq!((issuer.not_modified(), issuer.requests(Endpoint::Jwks)), (4, 5));

    let other = get_unless(&issuer, "\"other\"").await;
    assert_eq!(other.text().await.unwrap(), issuer.jwks());
    issuer.replace_keys().unwrap();
    let replaced = get_unless(&issuer, &etag).await;
    assert_eq!(replaced.status(), 200);
    assert_ne!(replaced.headers()[ETAG], etag);
    assert_eq!(replaced.text().await.unwrap(), issuer.jwks());
    assert_eq!(issuer.not_modified(), 4);

    // A spoilt answer is spoilt for those who have the document, too.
    issuer.fail(Endpoint::Jwks, Fault::Corrupt);
    assert_eq!(get_unless(&issuer, "*").await.status(), 200);
}

#[tokio::test]
async fn the_key_set_comes_with_the_headers_it_was_given() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    assert!(get(&issuer).await.unwrap().headers().get(CACHE_CONTROL).is_none());
    let date = "Tue, 01 Oct 2024 00:00:00 GMT";
    issuer.set_key_set_headers([
        (CACHE_CONTROL, HeaderValue::from_static("max-age=60")),
        (AGE, 30.into()),
        (LAST_MODIFIED, HeaderValue::from_static(date)),
        (ETAG, HeaderValue::from_static("W/\"1\"")),
    ]);
    for (response, status) in
        [(get(&issuer).await.unwrap(), 200), (get_unless(&issuer, "W/\"1\"").await, 304)]
    {
        assert_eq!(response.status(), status);
        for (header, value) in
            [(CACHE_CONTROL, "max-age=60"), (AGE, "30"), (LAST_MODIFIED, date), (ETAG, "W/\"1\"")]
        {
            let values: Vec<_> = response.headers().get_all(&header).iter().collect();
            assert_eq!(values, [value], "{header}");
        }
    }
    issuer.set_key_set_headers([]);
    assert!(get(&issuer).await.unwrap().headers().get(AGE).is_none());
}

#[tokio::test]
async fn any_document_can_stand_for_the_key_set() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let (truth, first) = (issuer.jwks(), get(&issuer).await.unwrap());
    let other = r#"{"keys": "none"}"#;
    issuer.set_jwks(Some(other.into()));
    let response = get(&issuer).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_ne!(response.headers()[ETAG], first.headers()[ETAG]);
    assert_eq!(response.text().await.unwrap(), other);
    assert_eq!(issuer.jwks(), other);
    issuer.set_jwks(None);
    assert_eq!(get(&issuer).await.unwrap().text().await.unwrap(), truth);
}

#[tokio::test]
async fn the_untrusted_server_is_refused_for_its_certificate_alone() {
    let server = Untrusted::start(r#"{"keys": []}"#).await;
    let error = reqwest::get(server.url()).await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    assert!(root(&error).to_string().contains("UnknownIssuer"), "{error:?}");
    assert_eq!((server.connections(), server.handshakes(), server.requests()), (1, 0, 0));

    let careless = Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
    let answer = careless.get(server.url()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"keys": []}));
    assert_eq!((server.connections(), server.handshakes(), server.requests()), (2, 1, 1));
}
