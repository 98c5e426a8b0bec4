//! Fetches an issuer's metadata from the address that OpenID Connect or RFC 8414 gives it.

use std::time::SystemTime;

use http::header::HeaderMap;
use serde::Deserialize;
use url::Url;

use super::client::{Document, HttpClient};
use super::document::{describe, without_query};
use super::error::HttpError;
use crate::json;
use crate::json::error::JsonError;

/// An authorization server that is no OpenID provider has the other form alone, and may answer the
/// first with any error of the client's, or with a page for people.
pub(super) async fn fetch(
    http: &HttpClient,
    issuer: &Url,
    now: SystemTime,
) -> Result<Vec<u8>, HttpError> {
    let openid = openid_configuration(issuer);
    let first = match fetch_from(http, &openid, now).await {
        Err(error) if leads_to_other_form(&error) => error,
        outcome => return outcome,
    };
    let oauth = authorization_server(issuer);
    fetch_from(http, &oauth, now).await.map_err(|second| {
        let outcome = |url: &Url, error: &HttpError| format!("{}: {error}", without_query(url));
        HttpError::NoMetadata {
            openid: outcome(&openid, &first).into(),
            oauth: outcome(&oauth, &second).into(),
            retry_after: second.retry_after().max(first.retry_after()),
        }
    })
}

fn leads_to_other_form(error: &HttpError) -> bool {
    match error {
        // A server that asks clients to slow down has said nothing of the form.
        HttpError::Status { status: 429, .. } => false,
        HttpError::Status { status, .. } => (400..500).contains(status) || *status == 501,
        HttpError::NotMetadata { .. } => true,
        _ => false,
    }
}

#[derive(Deserialize)]
struct Object {}

/// Fetches a JSON object.
async fn fetch_from(http: &HttpClient, url: &Url, now: SystemTime) -> Result<Vec<u8>, HttpError> {
    let answer = http.get(Document::Json, url, HeaderMap::new()).await?;
    if !answer.is_success() {
        return Err(answer.to_error(now));
    }
    match json::read::<Object>(&answer.body) {
        Ok(Object {}) => Ok(answer.body),
        Err(error) => Err(not_metadata(&answer.body, &error)),
    }
}

pub(super) fn not_metadata(document: &[u8], error: &JsonError) -> HttpError {
    HttpError::NotMetadata { cause: describe(document).unwrap_or_else(|| error.to_string()) }
}

/// OpenID Connect appends its suffix to the issuer's path.
fn openid_configuration(issuer: &Url) -> Url {
    let path = issuer.path().trim_end_matches('/');
    with_path(issuer, &format!("{path}/.well-known/openid-configuration"))
}

/// RFC 8414 §3.1 puts its suffix between the host and the issuer's path.
fn authorization_server(issuer: &Url) -> Url {
    let path = issuer.path().trim_end_matches('/');
    with_path(issuer, &format!("/.well-known/oauth-authorization-server{path}"))
}

fn with_path(issuer: &Url, path: &str) -> Url {
    let mut url = issuer.clone();
    url.set_path(path);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_forms_place_their_suffix_as_specified() {
        for (issuer, openid, oauth) in [
            (
                "https://a.example/",
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://a.example/realms/r",
                "https://a.example/realms/r/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server/realms/r",
            ),
        ] {
            let issuer = Url::parse(issuer).unwrap();
            assert_eq!(openid_configuration(&issuer).as_str(), openid);
            assert_eq!(authorization_server(&issuer).as_str(), oauth);
        }
    }
}
