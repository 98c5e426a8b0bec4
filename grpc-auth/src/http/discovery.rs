//! The issuer's metadata: OpenID Connect Discovery 1.0 §4 and RFC 8414 §3.

use std::time::SystemTime;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::{Origin, Url};

use super::address::{fetched_url, is_local};
use super::client::HttpClient;
use super::error::HttpError;
use super::metadata::{fetch, not_metadata};
use super::optional::{flag, object, text, texts};
use crate::error::ConfigError;
use crate::json;

/// Longer than any address; it may stand in a log line.
const MAX_URL_BYTES: usize = 2048;

#[derive(Deserialize)]
struct Identity {
    issuer: String,
}

#[derive(Deserialize)]
struct KeyMetadata {
    #[serde(default, deserialize_with = "text")]
    jwks_uri: Option<String>,
}

#[derive(Deserialize)]
struct IntrospectionMetadata {
    #[serde(default, deserialize_with = "text")]
    introspection_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct ClientMetadata {
    #[serde(default, deserialize_with = "text")]
    token_endpoint: Option<String>,
    #[serde(default, deserialize_with = "text")]
    authorization_endpoint: Option<String>,
    #[serde(default, deserialize_with = "text")]
    device_authorization_endpoint: Option<String>,
    #[serde(default, deserialize_with = "text")]
    revocation_endpoint: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    authorization_response_iss_parameter_supported: Option<bool>,
    #[serde(default, deserialize_with = "texts")]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default, deserialize_with = "texts")]
    scopes_supported: Option<Vec<String>>,
    #[serde(default, deserialize_with = "object")]
    mtls_endpoint_aliases: Option<Aliases>,
}

/// Where clients turn to that show a certificate (RFC 8705 §5).
#[derive(Default, Deserialize)]
struct Aliases {
    #[serde(default, deserialize_with = "text")]
    token_endpoint: Option<String>,
    #[serde(default, deserialize_with = "text")]
    device_authorization_endpoint: Option<String>,
    #[serde(default, deserialize_with = "text")]
    revocation_endpoint: Option<String>,
}

/// Where an authorization server takes a client's requests (RFC 8414 §2).
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) token: Option<Url>,
    pub(crate) authorization: Option<Url>,
    pub(crate) device_authorization: Option<Url>,
    pub(crate) revocation: Option<Url>,
    /// It says who answers (RFC 9207 §3).
    pub(crate) names_itself: bool,
    /// How codes may be bound to the client that requested them (RFC 7636), if it says so.
    pub(crate) challenge_methods: Option<Vec<String>>,
    /// What clients may ask for, if it says so.
    pub(crate) scopes: Option<Vec<String>>,
}

/// Asks the issuer where its keys are.
pub(crate) async fn jwks_uri(
    http: &HttpClient,
    issuer: &Url,
    identifier: &str,
    now: SystemTime,
) -> Result<Url, HttpError> {
    let document = fetch(http, issuer, now).await?;
    jwks_uri_in(&document, issuer, identifier, http.plaintext())
}

/// Asks the issuer where tokens are introspected, if anywhere.
pub(crate) async fn introspection_endpoint(
    http: &HttpClient,
    issuer: &Url,
    identifier: &str,
    now: SystemTime,
) -> Result<Option<Url>, HttpError> {
    let document = fetch(http, issuer, now).await?;
    introspection_endpoint_in(&document, issuer, identifier, http.plaintext())
}

fn introspection_endpoint_in(
    document: &[u8],
    issuer: &Url,
    identifier: &str,
    plaintext: Option<&Origin>,
) -> Result<Option<Url>, HttpError> {
    let metadata: IntrospectionMetadata = metadata(document, identifier)?;
    let endpoint = metadata.introspection_endpoint;
    endpoint.map(|url| check_url(issuer, "introspection_endpoint", &url, plaintext)).transpose()
}

/// Asks the issuer where its clients turn to, or those that show a certificate.
pub(crate) async fn endpoints(
    http: &HttpClient,
    issuer: &Url,
    identifier: &str,
    with_certificate: bool,
    now: SystemTime,
) -> Result<Endpoints, HttpError> {
    endpoints_in(&fetch(http, issuer, now).await?, issuer, identifier, with_certificate)
}

fn endpoints_in(
    document: &[u8],
    issuer: &Url,
    identifier: &str,
    with_certificate: bool,
) -> Result<Endpoints, HttpError> {
    let metadata: ClientMetadata = metadata(document, identifier)?;
    let aliases = metadata.mtls_endpoint_aliases.filter(|_| with_certificate).unwrap_or_default();
    let address = |member, value: Option<String>| {
        value.map(|url| check_url(issuer, member, &url, None)).transpose()
    };
    Ok(Endpoints {
        token: address("token_endpoint", aliases.token_endpoint.or(metadata.token_endpoint))?,
        authorization: address("authorization_endpoint", metadata.authorization_endpoint)?,
        device_authorization: address(
            "device_authorization_endpoint",
            aliases.device_authorization_endpoint.or(metadata.device_authorization_endpoint),
        )?,
        revocation: address(
            "revocation_endpoint",
            aliases.revocation_endpoint.or(metadata.revocation_endpoint),
        )?,
        names_itself: metadata.authorization_response_iss_parameter_supported.unwrap_or_default(),
        challenge_methods: metadata.code_challenge_methods_supported,
        scopes: metadata.scopes_supported,
    })
}

/// Where the keys are, if the document is this issuer's.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn read(document: &[u8], issuer: &Url, identifier: &str) -> Result<Url, HttpError> {
    jwks_uri_in(document, issuer, identifier, None)
}

fn jwks_uri_in(
    document: &[u8],
    issuer: &Url,
    identifier: &str,
    plaintext: Option<&Origin>,
) -> Result<Url, HttpError> {
    let metadata: KeyMetadata = metadata(document, identifier)?;
    let address = metadata.jwks_uri.ok_or_else(|| not_said("jwks_uri"))?;
    check_url(issuer, "jwks_uri", &address, plaintext)
}

fn metadata<T: DeserializeOwned>(document: &[u8], identifier: &str) -> Result<T, HttpError> {
    let identity: Identity =
        json::read(document).map_err(|error| not_metadata(document, &error))?;
    // RFC 8414 §3.3: identical, or the document must not be used.
    if identity.issuer != identifier {
        return Err(HttpError::IssuerMismatch {
            configured: identifier.into(),
            // Its text may be hostile.
            found: identity.issuer.chars().take(256).collect(),
        });
    }
    json::read(document).map_err(|error| not_metadata(document, &error))
}

fn not_said(member: &str) -> HttpError {
    HttpError::NotMetadata { cause: format!("`{member}` is missing") }
}

/// A document that came over TLS cannot lead to plain http, and one of another host cannot lead to
/// this machine or its network link. Private networks are allowed: issuers of a company are there.
fn check_url(
    issuer: &Url,
    member: &'static str,
    value: &str,
    plaintext: Option<&Origin>,
) -> Result<Url, HttpError> {
    if value.len() > MAX_URL_BYTES {
        let cause = format!("`{member}` is longer than {MAX_URL_BYTES} bytes");
        return Err(HttpError::NotMetadata { cause });
    }
    let checked = fetched_url(member, value, plaintext).and_then(|url| {
        if issuer.scheme() == "https" && url.scheme() != "https" {
            return Err(ConfigError::UrlInsecure { setting: member, value: url.into() });
        }
        if is_local(&url) && !is_local(issuer) {
            let help = instead_of(member);
            return Err(ConfigError::UrlLocal { member, value: url.into(), help });
        }
        Ok(url)
    });
    checked.map_err(|error| HttpError::Address(error.into()))
}

/// The setting that replaces a member of the document.
fn instead_of(member: &str) -> &'static str {
    match member {
        "jwks_uri" => "`Issuer::jwks_uri`",
        "introspection_endpoint" => "`Introspection::endpoint`",
        "token_endpoint" => "`OAuthClient::token_endpoint`",
        _ => "an issuer on this machine",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_an_object_of_the_issuer_itself() {
        let issuer = Url::parse("https://a.example").unwrap();
        let found = |document: &str| match read(document.as_bytes(), &issuer, "https://a.example") {
            Ok(_) => "accepted",
            Err(error) => error.kind(),
        };
        for (document, expected) in [
            (r#" {"jwks_uri":"https://a.example/k","issuer":"https://a.example"} "#, "accepted"),
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
    fn clients_that_show_a_certificate_turn_to_the_endpoints_that_ask_for_one() {
        let issuer = Url::parse("https://a.example").unwrap();
        let document = r#"{"issuer":"https://a.example","token_endpoint":"https://a.example/t",
            "revocation_endpoint":"https://a.example/r",
            "mtls_endpoint_aliases":{"token_endpoint":"https://mtls.a.example/t"}}"#;
        for (with_certificate, token) in
            [(false, "https://a.example/t"), (true, "https://mtls.a.example/t")]
        {
            let found =
                endpoints_in(document.as_bytes(), &issuer, "https://a.example", with_certificate);
            let found = found.unwrap();
            assert_eq!(found.token.unwrap().as_str(), token);
            // What has no alias is where it is for everyone.
            assert_eq!(found.revocation.unwrap().as_str(), "https://a.example/r");
        }
        let insecure = document.replace("https://mtls", "http://mtls");
        let refused = endpoints_in(insecure.as_bytes(), &issuer, "https://a.example", true);
        assert_eq!(refused.unwrap_err().kind(), "keys_url");
    }

    #[test]
    fn an_issuer_elsewhere_names_no_address_of_this_machine_or_its_link() {
        let identifier = "https://a.example";
        let issuer = Url::parse(identifier).unwrap();
        let cause = |error: HttpError| error.to_string();
        for host in ["127.0.0.1:8500", "localhost", "169.254.169.254", "[::ffff:127.0.0.1]"] {
            let document = |member: &str| {
                format!(
                    r#"{{"issuer":"{identifier}","mtls_endpoint_aliases":{{}},"{member}":"https://{host}/"}}"#
                )
            };
            let keys = read(document("jwks_uri").as_bytes(), &issuer, identifier).map(drop);
            let error = cause(keys.unwrap_err());
            assert!(error.contains("jwks_uri") && error.contains("`Issuer::jwks_uri`"), "{error}");
            {
                let document = document("introspection_endpoint");
                let found =
                    introspection_endpoint_in(document.as_bytes(), &issuer, identifier, None);
                assert!(cause(found.unwrap_err()).contains("introspection_endpoint"), "{document}");
            }
            for member in [
                "token_endpoint",
                "authorization_endpoint",
                "device_authorization_endpoint",
                "revocation_endpoint",
            ] {
                let document = document(member);
                let aliased = document.replace(member, "x").replace(
                    "\"mtls_endpoint_aliases\":{}",
                    &format!("\"mtls_endpoint_aliases\":{{\"{member}\":\"https://{host}/\"}}"),
                );
                let found = endpoints_in(document.as_bytes(), &issuer, identifier, true);
                assert!(cause(found.unwrap_err()).contains(member), "{document}");
                let found = endpoints_in(aliased.as_bytes(), &issuer, identifier, true);
                let is_aliased = member != "authorization_endpoint";
                assert_eq!(found.is_err(), is_aliased, "{aliased}");
            }
        }
        for (issuer, jwks_uri, accepted) in [
            ("https://a.example/", "https://10.0.0.1/", true),
            ("https://a.example/", "https://[fd00::1]/", true),
            ("https://127.0.0.1/", "https://localhost/", true),
            ("http://127.0.0.1/", "http://[::1]:1/", true),
            ("https://10.0.0.1/", "https://127.0.0.1/", false),
            ("https://10.0.0.1/", "https://0.0.0.0/", false),
        ] {
            let issuer = Url::parse(issuer).unwrap();
            let found = check_url(&issuer, "jwks_uri", jwks_uri, None);
            assert_eq!(found.is_ok(), accepted, "{issuer} {jwks_uri}: {found:?}");
        }
    }

    #[test]
    fn keys_are_never_fetched_less_safely_than_the_metadata() {
        for (issuer, jwks_uri, accepted) in [
            ("https://a.example/", "https://keys.example/", true),
            ("https://a.example/", "http://keys.example/", false),
            ("https://a.example/", "http://127.0.0.1/", false),
            ("https://127.0.0.1/", "http://127.0.0.1/", false),
            ("http://127.0.0.1/", "http://127.0.0.1:1/", true),
            ("http://127.0.0.1/", "http://keys.example/", false),
            ("http://127.0.0.1/", "/keys", false),
        ] {
            let issuer = Url::parse(issuer).unwrap();
            let found = check_url(&issuer, "jwks_uri", jwks_uri, None);
            assert_eq!(found.is_ok(), accepted, "{issuer} {jwks_uri}: {found:?}");
        }
    }
}
