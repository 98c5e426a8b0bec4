//! The first failure explains itself: in the error of `build`, in health and in the log, in the same
//! words. Reported at actix-4-jwt-auth#34, platform#622 and jose#382.

use grpc_auth::tls::ClientTls;
use grpc_auth::{Issuer, ResourceServer, StartupPolicy};
use tests::answers::{self, ok};
use tests::logs::Logs;
use tests::tls::Untrusted;

const ISSUER: &str = "https://issuer.example";

/// What a server says of keys that it cannot fetch from this address.
async fn said_of(jwks_uri: &str) -> String {
    let server = |start| {
        let issuer = Issuer::discover(ISSUER).jwks_uri(jwks_uri).tls(ClientTls::webpki_roots());
        ResourceServer::builder().issuer(issuer).audience("api").start(start).build()
    };
    let error = server(StartupPolicy::Required).await.unwrap_err().to_string();
    assert!(
        error.starts_with("key set fetch failed: issuer=https://issuer.example url="),
        "{error}"
    );

    let logs = Logs::capture();
    let health = server(StartupPolicy::Warm).await.unwrap().health();
    let line = logs.line_with("key set fetch failed:");
    let (issuer, cause) = health.key_set_failures().next().unwrap();
    assert_eq!(issuer, ISSUER);
    assert!(error.contains(cause), "{error}: {cause}");
    // Without its quotes and escapes.
    let plain = |text: &str| text.replace(['\\', '"'], "");
    let (url, problem) = cause.strip_prefix("url=").unwrap().split_once(' ').unwrap();
    for part in [ISSUER, url, problem] {
        assert!(plain(&line).contains(&plain(part)), "{part}: {line}");
    }
    assert!(!line.trim_end().contains('\n'), "{line}");
    cause.to_owned()
}

async fn hangs_up() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    address.to_string()
}

async fn closed_port() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The fifth, an unknown host, needs an environment of its own: see the tests of the HTTP client.
#[tokio::test]
async fn causes_of_an_unreachable_issuer_are_different_texts() {
    let untrusted = Untrusted::start("{}").await;
    let plaintext = answers::serve(|_| ok("", "{}")).await.replace("http:", "https:");
    let (closing, closed) = (hangs_up().await, closed_port().await);
    for (url, texts) in [
        (format!("https://{closed}/"), ["connection was refused", "check the host and the port"]),
        (untrusted.url(), ["certificate is not trusted", "`SSL_CERT_FILE`"]),
        (
            untrusted.url(),
            ["invalid peer certificate: UnknownIssuer", "ResourceServerBuilder::tls"],
        ),
        (plaintext, ["speaks plaintext HTTP", "write the port that speaks TLS"]),
        (format!("https://{closing}/"), ["closed the connection", "load balancer"]),
        (format!("http://{closing}/"), ["closed the connection", "load balancer"]),
    ] {
        let said = said_of(&url).await;
        assert!(said.starts_with(&format!("url={url} ")), "{said}");
        for text in texts {
            assert!(said.contains(text), "{url}: {text}: {said}");
        }
    }
}

#[tokio::test]
async fn a_document_in_the_place_of_a_key_set_is_named() {
    for (answer, text) in [
        (ok("", "<html><title>Sign in</title>"), "an HTML page (\"Sign in\")"),
        (
            ok("", r#"{"issuer":"https://a.example","jwks_uri":"https://a.example/keys"}"#),
            "a discovery document: write its `jwks_uri`, `https://a.example/keys`",
        ),
        (ok("", r#"{"a":"-----BEGIN CERTIFICATE-----"}"#), "a map of X.509 certificates"),
        (ok("", r#"{"kty":"RSA","n":"AQ","e":"AQAB"}"#), "a single key (JWK)"),
        (ok("", r#"{"keys":[{"kty":"oct","kid":"a"}]}"#), "1 keys skipped (key 1, kid \"a\": it is sym"),
        (
            "HTTP/1.1 302 Found\r\nlocation: https://b.example/keys?code=hunter2\r\ncontent-length: 0\r\n\r\n"
                .to_owned(),
            "HTTP status 302, a redirect to https://b.example/keys: redirects are not followed",
        ),
    ] {
        let url = answers::serve(move |_| answer.clone()).await;
        let said = said_of(&format!("{url}keys?api_key=hunter2")).await;
        assert!(said.contains(text) && said.contains(&format!("url={url}keys?..")), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

/// Reported at typescript-sdk#804, #2783 and python-sdk#1193.
#[tokio::test]
async fn discovery_goes_on_with_the_other_form_and_names_both_addresses() {
    for (first, leads_on) in [
        ("400 Bad Request", true),
        ("401 Unauthorized", true),
        ("403 Forbidden", true),
        ("404 Not Found", true),
        ("410 Gone", true),
        ("501 Not Implemented", true),
        ("200 OK", true),
        ("429 Too Many Requests", false),
        ("500 Internal Server Error", false),
        ("302 Found", false),
    ] {
        for other_form in [true, false] {
            let url = answers::serve(move |head| {
                let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
                let body =
                    format!(r#"{{"issuer":"http://{host}/","jwks_uri":"http://{host}/keys"}}"#);
                match head.split(' ').nth(1).unwrap() {
                    "/.well-known/openid-configuration" => {
                        ok("", "<html>").replace("200 OK", first)
                    }
                    "/.well-known/oauth-authorization-server" if other_form => ok("", &body),
                    "/.well-known/oauth-authorization-server" => {
                        ok("", "").replace("200 OK", "404 No")
                    }
                    _ => ok("", KEYS).replace("200 OK", "201 Created"),
                }
            })
            .await;
            let server = ResourceServer::oidc(&url).audience("api").start(StartupPolicy::Required);
            let built = server.build().await;
            assert_eq!(built.is_ok(), leads_on && other_form, "{first}: {built:?}");
            if let Err(error) = built
                && leads_on
            {
                let text = error.to_string();
                for part in ["openid-configuration: ", "oauth-authorization-server: ", "status 404"]
                {
                    assert!(text.contains(part), "{first}: {part}: {text}");
                }
            }
        }
    }
}

/// RFC 8037 appendix A.2.
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
