//! The issuer's metadata: OpenID Connect Discovery 1.0 §4 and RFC 8414 §3.

use std::time::SystemTime;

use serde::Deserialize;
use url::Url;

use crate::error::ConfigError;
use crate::http_client::{HttpClient, secure_url};
use crate::jwks::FetchError;

/// Longer than any address; it may stand in a log line.
const MAX_URL_BYTES: usize = 2048;

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Option<String>,
    #[cfg(feature = "introspection")]
    introspection_endpoint: Option<String>,
}

/// Asks the issuer where its keys are.
pub(crate) async fn jwks_uri(
    http: &HttpClient,
    issuer: &Url,
    identifier: &str,
    now: SystemTime,
) -> Result<Url, FetchError> {
    read(&fetch(http, issuer, now).await?, issuer, identifier)
}

/// Asks the issuer where tokens are introspected, if anywhere.
#[cfg(feature = "introspection")]
pub(crate) async fn introspection_endpoint(
    http: &HttpClient,
    issuer: &Url,
    identifier: &str,
    now: SystemTime,
) -> Result<Option<Url>, FetchError> {
    let document = fetch(http, issuer, now).await?;
    let endpoint = metadata(&document, identifier)?.introspection_endpoint;
    endpoint.map(|url| check_url(issuer, "introspection_endpoint", &url)).transpose()
}

async fn fetch(http: &HttpClient, issuer: &Url, now: SystemTime) -> Result<Vec<u8>, FetchError> {
    let mut answer = http.get(&openid_configuration(issuer), None).await?;
    // An authorization server that is no OpenID provider has the other form alone.
    if answer.status == 404 {
        answer = http.get(&authorization_server(issuer), None).await?;
    }
    if answer.status != 200 {
        return Err(FetchError::refused(&answer, now));
    }
    Ok(answer.body)
}

/// Where the keys are, if the document is this issuer's.
pub(crate) fn read(document: &[u8], issuer: &Url, identifier: &str) -> Result<Url, FetchError> {
    let jwks_uri = metadata(document, identifier)?.jwks_uri.ok_or(FetchError::NotMetadata)?;
    check_url(issuer, "jwks_uri", &jwks_uri)
}

fn metadata(document: &[u8], identifier: &str) -> Result<Metadata, FetchError> {
    // serde would take an array of the two values as well.
    let is_object = document.trim_ascii_start().starts_with(b"{");
    let metadata: Option<Metadata> = serde_json::from_slice(document).ok();
    let metadata = metadata.filter(|_| is_object).ok_or(FetchError::NotMetadata)?;
    // RFC 8414 §3.3: identical, or the document must not be used.
    if metadata.issuer != identifier {
        return Err(FetchError::IssuerMismatch {
            configured: identifier.into(),
            // A stranger may have written it.
            found: metadata.issuer.chars().take(256).collect(),
        });
    }
    Ok(metadata)
}

/// A document that came over TLS cannot send us to plain http, not even on this host.
fn check_url(issuer: &Url, member: &'static str, value: &str) -> Result<Url, FetchError> {
    if value.len() > MAX_URL_BYTES {
        return Err(FetchError::NotMetadata);
    }
    let checked = secure_url(member, value).and_then(|url| {
        if issuer.scheme() == "https" && url.scheme() != "https" {
            return Err(ConfigError::UrlInsecure { setting: member, value: value.into() });
        }
        Ok(url)
    });
    checked.map_err(|error| FetchError::KeysUrl(error.into()))
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

    #[test]
    fn metadata_is_an_object_of_the_issuer_itself() {
        let issuer = Url::parse("https://a.example").unwrap();
        let found = |document: &str| match read(document.as_bytes(), &issuer, "https://a.example") {
            Ok(_) => "believed",
            Err(error) => error.kind(),
        };
        for (document, expected) in [
            (r#" {"jwks_uri":"https://a.example/k","issuer":"https://a.example"} "#, "believed"),
            (r#"["https://a.example","https://a.example/k"]"#, "not_metadata"),
            (r#"{"issuer":"https://a.example"}"#, "not_metadata"),
            (
                r#"{"issuer":"https://b","issuer":"https://a.example","jwks_uri":"https://k"}"#,
                "not_metadata",
            ),
            (r#"{"issuer":"https://a.example/","jwks_uri":"https://k"}"#, "issuer_mismatch"),
            (r#"{"issuer":"https://a.example","jwks_uri":"http://k"}"#, "keys_url"),
        ] {
            assert_eq!(found(document), expected, "{document}");
        }
    }

    #[test]
    fn keys_are_never_fetched_less_safely_than_the_metadata() {
        for (issuer, jwks_uri, accepted) in [
            ("https://a.example/", "https://keys.example/", true),
            ("https://a.example/", "http://keys.example/", false),
            ("https://a.example/", "http://127.0.0.1/", false),
            ("http://127.0.0.1/", "http://127.0.0.1:1/", true),
            ("http://127.0.0.1/", "http://keys.example/", false),
            ("http://127.0.0.1/", "/keys", false),
        ] {
            let issuer = Url::parse(issuer).unwrap();
            let found = check_url(&issuer, "jwks_uri", jwks_uri);
            assert_eq!(found.is_ok(), accepted, "{issuer} {jwks_uri}: {found:?}");
        }
    }
}
