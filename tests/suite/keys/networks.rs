//! Keys behind a private authority, a proxy, a plaintext network, or a bearer token.

use std::sync::{Arc, Mutex};

use grpc_auth::danger::PlaintextIssuer;
use grpc_auth::tls::ClientTls;
use grpc_auth::{
    BearerToken, ConfigError, Issuer, JwksToken, ResourceServer, ResourceServerBuilder,
    StartupPolicy,
};
use tests::answers::{self, ok};
use tests::logs::Logs;
use tests::tls::Untrusted;

/// RFC 8037 appendix A.2.
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn trusting(issuer: Issuer) -> ResourceServerBuilder {
    ResourceServer::builder().issuer(issuer).audience("api").start(StartupPolicy::Required)
}

fn text(built: Result<ResourceServer, ConfigError>) -> String {
    built.unwrap_err().to_string()
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_configured() {
    let server = Untrusted::start(KEYS).await;
    let private = ClientTls::ca_pem(server.certificate()).unwrap();
    let issuer = Issuer::discover("https://issuer.example").jwks_uri(server.url());
    assert!(trusting(issuer.clone()).tls(private.clone()).build().await.is_ok());
    assert!(trusting(issuer.clone().tls(private.clone())).build().await.is_ok());
    // The issuer's own settings replace those of the server.
    let public = ClientTls::webpki_roots();
    let own = trusting(issuer.clone().tls(public.clone())).tls(private);
    assert!(text(own.build().await).contains("certificate is not trusted"));
    assert!(
        text(trusting(issuer).tls(public).build().await).contains("certificate is not trusted")
    );
}

type Heads = Arc<Mutex<Vec<String>>>;

/// A server for all paths, with the heads that it was sent: metadata of `issuer`, or keys.
async fn recording(issuer: &'static str, jwks_uri: &'static str) -> (String, Heads) {
    let heads = Heads::default();
    let seen = Arc::clone(&heads);
    let url = answers::serve(move |head| {
        seen.lock().unwrap().push(head.to_owned());
        if head.lines().next().unwrap().contains("/.well-known/") {
            ok("", &format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#))
        } else {
            ok("", KEYS)
        }
    })
    .await;
    (url, heads)
}

/// Reported at keycloak#29783. The proxy resolves the name, as the network of docker compose would.
#[tokio::test]
async fn an_issuer_in_plaintext_is_allowed_by_its_origin_alone() {
    const ISSUER: &str = "http://keycloak:8080/realms/main";
    let (proxy, heads) = recording(ISSUER, "http://keycloak:8080/keys").await;
    let issuer = Issuer::discover(ISSUER);
    let refused = text(trusting(issuer.clone()).proxy(&proxy).build().await);
    assert!(refused.contains("is not https") && refused.contains("PlaintextIssuer"), "{refused}");
    for other in ["http://keycloak", "http://keycloak:8081", "http://other:8080"] {
        let other = issuer.clone().plaintext(PlaintextIssuer::new(other));
        let refused = text(trusting(other).proxy(&proxy).build().await);
        assert!(refused.contains("is not https"), "{refused}");
    }
    assert!(heads.lock().unwrap().is_empty());

    let allowed = issuer.plaintext(PlaintextIssuer::new("http://keycloak:8080"));
    let logs = Logs::capture();
    trusting(allowed.clone()).proxy(&proxy).build().await.unwrap();
    assert!(logs.line_with("issuer is fetched in plaintext").contains("WARN"));
    let first = |head: &String| head.lines().next().unwrap().to_owned();
    let lines: Vec<_> = heads.lock().unwrap().iter().map(first).collect();
    assert!(lines[0].starts_with("GET http://keycloak:8080/realms/main/.well-known/"), "{lines:?}");
    assert_eq!(lines[1], "GET http://keycloak:8080/keys HTTP/1.1");

    // Its document leads to no other host in plaintext.
    let (proxy, _) = recording(ISSUER, "http://keys.example/keys").await;
    let refused = text(trusting(allowed).proxy(&proxy).build().await);
    assert!(refused.contains("the jwks_uri `http://keys.example/keys` is not https"), "{refused}");
}

#[tokio::test]
async fn a_token_goes_to_the_key_set_alone_and_is_read_again_for_each_fetch() {
    let authorization = |head: &String| {
        head.lines().find_map(|line| line.strip_prefix("authorization: ")).map(str::to_owned)
    };
    const ISSUER: &str = "http://keycloak:8080";
    let (proxy, heads) = recording(ISSUER, "http://keycloak:8080/keys").await;
    let issuer = Issuer::discover(ISSUER).plaintext(PlaintextIssuer::new(ISSUER));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let by_file = issuer.clone().jwks_token(JwksToken::file(&file));
    for token in ["bmV3", "cm90YXRlZA"] {
        std::fs::write(&file, format!("{token}\n")).unwrap();
        trusting(by_file.clone()).proxy(&proxy).build().await.unwrap();
        let sent: Vec<_> =
            heads.lock().unwrap().drain(..).map(|head| authorization(&head)).collect();
        assert_eq!(sent, [None, Some(format!("Bearer {token}"))]);
    }
    std::fs::write(&file, "two secret words").unwrap();
    let refused = text(trusting(by_file).proxy(&proxy).build().await);
    assert!(refused.contains("token cannot be used: it holds no token"), "{refused}");
    assert!(!refused.contains("secret words"), "{refused}");
    let fixed = JwksToken::fixed(BearerToken::parse("Zml4ZWQ").unwrap());
    let issuer = issuer.jwks_token(fixed);
    assert!(!format!("{issuer:?}").contains("Zml4ZWQ"));
    heads.lock().unwrap().clear();
    trusting(issuer).proxy(&proxy).build().await.unwrap();
    let sent: Vec<_> = heads.lock().unwrap().iter().map(authorization).collect();
    assert_eq!(sent, [None, Some("Bearer Zml4ZWQ".to_owned())]);
}

/// Tokens are introspected by the same settings.
#[tokio::test]
async fn introspection_uses_the_settings_of_the_network() {
    use grpc_auth::{ClientAuthentication, Introspection};

    let server = Untrusted::start(r#"{"active":false}"#).await;
    let private = ClientTls::ca_pem(server.certificate()).unwrap();
    let client = || ClientAuthentication::client_secret_basic("id", "secret-of-the-client");
    let introspection = || Introspection::new(client()).endpoint(server.url());
    let issuer = Issuer::introspected("urn:example:issuer", introspection());
    let token = BearerToken::parse("b3BhcXVl").unwrap();
    for (tls, requests) in [(ClientTls::webpki_roots(), 0), (private, 1)] {
        let server_of_api = trusting(issuer.clone()).tls(tls).build().await.unwrap();
        assert!(server_of_api.verify(&token).await.is_err());
        assert_eq!(server.requests(), requests);
    }
}
