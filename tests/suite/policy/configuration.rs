//! Configuration that cannot work fails when it is built, with what to write.

use std::time::Duration;

use grpc_auth::server::ResourceServerBuilder;
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{Auth0Config, ConfigError, Issuer, ResourceServer, ScopeSource, StartupPolicy};
use tests::told;

const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn offline() -> ResourceServerBuilder {
    ResourceServer::static_keys("https://issuer.example/", KEYS).audience("api")
}

#[tokio::test]
async fn what_cannot_work_is_said_with_the_setting_and_what_to_write() {
    assert!(offline().build().await.is_ok());
    let keys = |jwks| ResourceServer::static_keys("https://issuer.example/", jwks).audience("api");
    for (builder, texts) in [
        (
            ResourceServer::builder()
                .issuer(
                    Issuer::static_keys("https://i.example/", KEYS)
                        .scopes_from([ScopeSource::words("scope")]),
                )
                .audience("api"),
            &["the claim \"scope\" cannot be used: it is not a JSON pointer", "like `/scope`"][..],
        ),
        (
            ResourceServer::static_keys("https://issuer.example/", KEYS),
            &["no audience is set", "`.audience(\"https://api.example.com\")`"][..],
        ),
        (
            ResourceServer::builder().audience("api"),
            &["no issuer is set", "`ResourceServer::auth0(..)`"],
        ),
        (
            ResourceServer::oidc("http://issuer.example/").audience("api"),
            &["the issuer `http://issuer.example/` is not https", "write `https://..`"],
        ),
        (
            ResourceServer::oidc("issuer.example").audience("api"),
            &["the issuer \"issuer.example\" cannot be used", "`Issuer::jwks_uri(\"https://..\")`"],
        ),
        (
            ResourceServer::oidc("https://issuer.example/?tenant=a").audience("api"),
            &["has a query or a fragment", "write it without"],
        ),
        (
            ResourceServer::oidc("https://i.example/#a").audience("api"),
            &["has a query or a fragment"],
        ),
        (
            ResourceServer::oidc("https://a@i.example/").audience("api"),
            &["the issuer has a user or a password in it"],
        ),
        (
            ResourceServer::oidc("https://:a@i.example/").audience("api"),
            &["the issuer has a user or a password in it"],
        ),
        (
            ResourceServer::oidc("https://login.microsoftonline.com/{tenantid}/v2.0")
                .audience("api"),
            &[
                "/{tenantid}/v2.0\" cannot be used: it is a template",
                "write `Issuer::entra_any_tenant()`",
            ],
        ),
        (
            ResourceServer::builder()
                .issuer(Issuer::discover("https://i.example/").jwks_uri("http://i.example/keys"))
                .audience("api"),
            &["the jwks_uri `http://i.example/keys` is not https"],
        ),
        (
            ResourceServer::auth0("https://tenant.eu.auth0.com/", "api"),
            &[
                "the Auth0 domain \"https://tenant.eu.auth0.com/\"",
                "write it like `tenant.eu.auth0.com`",
            ],
        ),
        (ResourceServer::auth0("t.auth0.com", ""), &["the audience \"\" cannot be used"]),
        (ResourceServer::auth0("t.auth0.com", "a\"b"), &["the audience \"a\\\"b\" cannot be used"]),
        (offline().realm("a\nb"), &["the realm \"a\\nb\" cannot be used"]),
        (
            offline().leeway(Duration::from_secs(301)),
            &["the leeway of 301 s", "synchronize the clocks"],
        ),
        (
            offline().refresh_every(Duration::from_secs(59)),
            &["the key-set setting `refresh` cannot work", "from a minute to a day"],
        ),
        (
            offline().issuer(Issuer::discover("https://issuer.example/")),
            &["the issuer `https://issuer.example/` is configured twice"],
        ),
        (
            keys("{\"keys\":[]}"),
            &[
                "the key set given for the issuer `https://issuer.example/`",
                "no usable signing key",
            ],
        ),
        (keys("nonsense"), &["cannot be used", "not a JSON Web Key Set"]),
    ] {
        let error = builder.build().await.unwrap_err();
        let whole = told(&error);
        // What a `main` prints that returns the error.
        assert!(format!("{error:?}").starts_with(&error.to_string()), "{error:?}");
        for text in texts {
            assert!(whole.contains(text), "{text:?} in {whole:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_requires_keys_does_not_start_without_them() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    for (endpoint, fault, cause) in [
        (Endpoint::Jwks, Fault::Empty, "no usable signing key"),
        (Endpoint::Jwks, Fault::Html, "not a JSON Web Key Set"),
        (Endpoint::Jwks, Fault::Status(500), "HTTP status 500"),
        (Endpoint::Jwks, Fault::Refuse, "does not answer"),
        (Endpoint::Jwks, Fault::Truncated, "does not answer"),
        (Endpoint::Discovery, Fault::Empty, "`issuer` is missing"),
        (Endpoint::Discovery, Fault::Status(404), "HTTP status 404"),
    ] {
        issuer.heal();
        issuer.fail(endpoint, fault);
        let error = issuer.resource_server().build().await.unwrap_err();
        assert!(matches!(error, ConfigError::KeysUnavailable { .. }), "{error}");
        let whole = told(&error);
        for text in [cause, issuer.url(), "`.start(StartupPolicy::Warm)`"] {
            assert!(whole.contains(text), "{fault:?}: {text:?} in {whole:?}");
        }
        assert!(issuer.resource_server().start(StartupPolicy::Warm).build().await.is_ok());
    }
    issuer.heal();
    assert!(issuer.resource_server().build().await.is_ok());
}

#[tokio::test]
async fn an_issuer_is_compared_byte_for_byte() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let without_slash = issuer.url().trim_end_matches('/');
    let server = ResourceServer::oidc(without_slash).audience("api").start(StartupPolicy::Required);
    let whole = told(&server.build().await.unwrap_err());
    assert!(whole.contains("write the issuer exactly as the document spells it"), "{whole}");
}

#[test]
fn auth0_is_configured_from_the_environment_for_both_sides() {
    // The process has none of these variables, and a test must not set them for others.
    let error = Auth0Config::from_env().unwrap_err();
    assert!(matches!(error, ConfigError::VariableMissing { name: "AUTH0_DOMAIN", .. }));
    assert!(error.to_string().contains("`tenant.eu.auth0.com`"), "{error}");
}

#[tokio::test]
async fn a_key_set_with_a_secret_in_it_does_not_show_it() {
    for jwks in [r#"{"keys":[{"kty":"oct","k":"canary"}]}"#, "\"canary\"", "canary"] {
        let builder = ResourceServer::static_keys("https://i.example/", jwks).audience("api");
        assert!(!format!("{builder:?}").contains("canary"));
        let error = builder.build().await.unwrap_err();
        assert!(!format!("{error:?} {}", told(&error)).contains("canary"), "{error:?}");
    }
}
