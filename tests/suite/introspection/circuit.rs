//! The circuit of an introspection endpoint: answers about one token do not open it for all.

use std::time::Duration;

use grpc_auth::testing::TestAuthorizationServer;
use tests::assert_denied;
use tests::callers::with;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tonic::Code;

use super::canned::{active, introspection, server};

const SECOND: Duration = Duration::from_secs(1);

/// The URL of an introspection endpoint that answers `refusal` to a token that begins with `junk`, as
/// firewalls do, 500 to one that begins with `down`, and `active` to others.
async fn endpoint(refusal: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/introspect", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut chunk = [0; 4096];
                while !String::from_utf8_lossy(&request).contains("token_type_hint") {
                    match stream.read(&mut chunk).await {
                        Ok(n) if n > 0 => request.extend_from_slice(&chunk[..n]),
                        _ => return,
                    }
                }
                let is_about = |what: &str| {
                    String::from_utf8_lossy(&request).contains(&format!("token={what}"))
                };
                let (status, body) = match () {
                    () if is_about("junk") => (refusal, "{}".to_owned()),
                    () if is_about("down") => ("500 Internal Server Error", String::new()),
                    () => ("200 OK", active("").unwrap()),
                };
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    url
}

#[tokio::test]
async fn junk_tokens_of_one_caller_do_not_open_the_circuit() {
    for refusal in ["400 Bad Request", "403 Forbidden", "413 Content Too Large"] {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        let auth = server(&issuer, introspection().endpoint(endpoint(refusal).await)).await;
        with(&auth, "good0").await.unwrap();
        for n in 0..5 {
            let answer = with(&auth, &format!("junk{n}")).await;
            assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
        }
        let answer = with(&auth, "good1").await;
        assert!(answer.is_ok(), "{refusal}: {answer:?}");
    }
}

/// After an outage the first tokens may well be an attacker's.
#[tokio::test]
async fn junk_tokens_after_an_outage_do_not_keep_the_circuit_open() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = server(&issuer, introspection().endpoint(endpoint("403 Forbidden").await)).await;
    for n in 0..5 {
        let answer = with(&auth, &format!("down{n}")).await;
        assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    }
    let answer = with(&auth, "good0").await;
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    issuer.clock().advance(5 * SECOND);
    let answer = with(&auth, "junk").await;
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    with(&auth, "good1").await.unwrap();
}

/// Five answers about one token are too long.
#[tokio::test]
async fn answers_about_one_token_do_not_open_the_circuit_for_all() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = server(&issuer, introspection()).await;
    let one = issuer.token().scopes(["read:word"]).opaque();
    let filler = "x".repeat(300 * 1024);
    issuer.set_introspection_response(active(&format!(r#","filler":"{filler}""#)));
    for _ in 0..5 {
        assert!(with(&auth, &one).await.is_err());
    }
    issuer.set_introspection_response(None);
    let other = with(&auth, &issuer.token().scopes(["read:word"]).opaque()).await;
    assert!(other.is_ok(), "{other:?}");
}
