//! HTTP caching by the embedded authorization server.

use grpc_auth::testing::{AuthorizationServer, Endpoint};
use http::HeaderValue;
use http::header::{AGE, CACHE_CONTROL, ETAG, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Client, Response};

fn key_set(issuer: &AuthorizationServer) -> String {
    format!("{}.well-known/jwks.json", issuer.url())
}

async fn get(issuer: &AuthorizationServer) -> reqwest::Result<Response> {
    reqwest::get(key_set(issuer)).await
}

async fn get_unless(issuer: &AuthorizationServer, etags: &str) -> Response {
    Client::new().get(key_set(issuer)).header(IF_NONE_MATCH, etags).send().await.unwrap()
}

#[tokio::test]
async fn a_key_set_the_client_has_is_not_sent_again() {
    let issuer = AuthorizationServer::start().await.unwrap();
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
}

#[tokio::test]
async fn the_key_set_comes_with_the_headers_it_was_given() {
    let issuer = AuthorizationServer::start().await.unwrap();
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
    let issuer = AuthorizationServer::start().await.unwrap();
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
