//! Answers to the call that do not come from a gRPC server, and those that do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use grpc_auth::BearerToken;
use grpc_auth::doctor::{Diagnosis, Doctor};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use tests::Kit;
use tests::kinds::Counting;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use super::listeners::{answer, listen, listen_tls, response};
use super::{Pki, assert_found, examine_plain, over_tls};

const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.e30.hunter2";

/// Answers all calls so, over plaintext HTTP/2.
async fn answering(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static [u8],
) -> SocketAddr {
    listen(move |stream| answer(stream, move |_| (response(status, headers), body))).await
}

#[tokio::test]
async fn an_answer_without_a_grpc_status_is_explained_by_its_http_status() {
    for (status, headers, body, code, cause, fix) in [
        (
            401,
            &[("server", "envoy"), ("www-authenticate", "Basic realm=\"proxy\"")][..],
            &b""[..],
            "http-unauthorized",
            "HTTP 401 from `envoy`",
            "A proxy asks for credentials of its own",
        ),
        (
            403,
            &[("server", "cloudflare")],
            b"",
            "http-forbidden",
            "HTTP 403 from `cloudflare`",
            "Allow POST",
        ),
        (
            404,
            &[("server", "nginx")],
            b"404",
            "http-not-found",
            "no route for gRPC paths",
            "grpc_pass",
        ),
        (502, &[("server", "nginx")], b"", "http-server-error", "does not reach", "grpc://"),
        (503, &[], b"", "http-server-error", "HTTP 503 from something", "Start the backend"),
        (500, &[], b"", "http-server-error", "failed before", "See the log"),
        (
            302,
            &[("location", "https://login.example.com/?a=b")],
            b"",
            "redirect",
            "to `https://login.example.com/?a=b`",
            "`https://login.example.com`",
        ),
        (
            200,
            &[("content-type", "text/html; charset=utf-8")],
            b"<!doctype html><title>Free WiFi \x1b[31m</title>",
            "html-page",
            "(\"Free WiFi ",
            "log in to it first",
        ),
        (
            200,
            &[("content-type", "application/json")],
            b"{}",
            "not-grpc",
            "`application/json`",
            "REST",
        ),
        (429, &[], b"", "not-grpc", "HTTP 429 with no content type", "REST"),
        (
            200,
            &[("content-type", "application/grpc-web")],
            b"",
            "grpc-web-only",
            "gRPC-Web",
            "port that speaks gRPC",
        ),
    ] {
        let report = examine_plain(answering(status, headers, body).await).await;
        assert_found(&report, code, cause, fix);
    }
}

#[tokio::test]
async fn a_server_that_wants_grpc_web_is_asked_for_it() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let address = listen(move |stream| {
        let seen = Arc::clone(&seen);
        answer(stream, move |request| {
            let kind = request.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
            let is_web = kind.starts_with("application/grpc-web");
            seen.lock().unwrap().push((kind, request.headers().contains_key(AUTHORIZATION)));
            match is_web {
                true => (response(200, &[("content-type", "application/grpc-web+proto")]), b""),
                false => (response(415, &[]), b""),
            }
        })
    })
    .await;
    let doctor = Doctor::new(&format!("http://{address}")).unwrap();
    let report = doctor.token(BearerToken::parse(TOKEN).unwrap()).examine().await;
    assert_found(&report, "grpc-web-only", "which browsers use", "port that speaks gRPC");
    // The token goes with the question that it was given for.
    let expected = [("application/grpc", true), ("application/grpc-web+proto", false)];
    assert_eq!(*asked.lock().unwrap(), expected.map(|(kind, token)| (kind.to_owned(), token)));

    // One that wants neither is not called so.
    let report = examine_plain(answering(415, &[], b"").await).await;
    assert_found(&report, "not-grpc", "HTTP 415", "REST");
}

#[tokio::test]
async fn a_server_that_asks_for_a_token_is_healthy_and_so_is_one_that_got_it() {
    let kit = Kit::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_service(kit.auth.protect(Counting::default()));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let doctor =
        Doctor::new(&format!("http://{address}")).unwrap().method("kit.v1.Kinds/Unary").unwrap();
    let report = doctor.examine().await;
    assert_found(
        &report,
        "healthy",
        "asks for a token (UNAUTHENTICATED, `www-authenticate: Bearer",
        "",
    );
    let Diagnosis::Healthy { grpc_status: Some(16), .. } = report.diagnosis() else {
        panic!("{report}")
    };
    let token = kit.issuer.token().scopes(["read:word"]).sign();
    let report = doctor.token(BearerToken::parse(&token).unwrap()).examine().await;
    assert_found(&report, "healthy", "(OK)", "");
}

#[tokio::test]
async fn a_proxy_whose_backend_is_down_is_told_apart() {
    let headers = &[
        ("content-type", "application/grpc"),
        ("grpc-status", "14"),
        ("grpc-message", "upstream%20connect%20error"),
    ];
    let report = examine_plain(answering(200, headers, b"").await).await;
    assert_found(&report, "healthy", "UNAVAILABLE, \"upstream connect error\"", "behind the proxy");
}

#[tokio::test]
async fn a_stream_that_does_not_end_is_an_answer() {
    let address = listen(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        let head = response(200, &[("content-type", "application/grpc")]);
        let mut body = respond.send_response(head, false).unwrap();
        body.send_data(bytes::Bytes::from_static(&[0; 5]), false).unwrap();
        while connection.accept().await.is_some() {}
    })
    .await;
    assert_found(&examine_plain(address).await, "healthy", "answered at", "");
}

/// Whether an answer's server saw a token.
async fn seen_by(doctor: impl FnOnce(SocketAddr) -> Doctor, tls: Option<&Pki>) -> (String, bool) {
    let seen = Arc::new(Mutex::new(false));
    let called = Arc::clone(&seen);
    let behave = move |request: &http::Request<h2::RecvStream>| {
        *called.lock().unwrap() |= request.headers().contains_key(AUTHORIZATION);
        (response(200, &[("content-type", "application/grpc"), ("grpc-status", "0")]), &b""[..])
    };
    let address = match tls {
        Some(pki) => {
            let config = pki.server(&["127.0.0.1"], -1, 60);
            listen_tls(config, move |stream| answer(stream, behave.clone())).await
        }
        None => listen(move |stream| answer(stream, behave.clone())).await,
    };
    let doctor = doctor(address).token(BearerToken::parse(TOKEN).unwrap());
    let report = doctor.examine().await;
    let shown = format!("{report}{report:?}{doctor:?}{}", serde_json::to_string(&report).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
    let seen = *seen.lock().unwrap();
    (shown, seen)
}

#[tokio::test]
async fn a_token_is_sent_where_nobody_on_the_way_can_read_it_and_nowhere_else() {
    let pki = Pki::new("The Authority");
    let over = |tls| move |address| over_tls(address, tls);
    assert!(seen_by(over(pki.client()), Some(&pki)).await.1);
    assert!(!seen_by(over(Pki::new("Another").client()), Some(&pki)).await.1);

    let plain = |host: &'static str| {
        move |address: SocketAddr| {
            Doctor::new(&format!("http://{host}:{}", address.port())).unwrap()
        }
    };
    assert!(seen_by(plain("127.0.0.1"), None).await.1);
    // Not a loopback address, whatever answers there.
    let (shown, seen) = seen_by(plain("0.0.0.0"), None).await;
    assert!(!seen, "{shown}");
    assert!(shown.contains("the token was not sent"), "{shown}");
}
