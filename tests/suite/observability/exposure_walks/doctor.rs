//! A doctor that calls with a token, at servers of all kinds, also such that repeat it.

use std::net::SocketAddr;

use grpc_auth::BearerToken;
use grpc_auth::doctor::{Doctor, Report};
use grpc_auth::testing::TestAuthorizationServer;
use http::header::AUTHORIZATION;
use tokio_stream::wrappers::TcpListenerStream;

use super::Seen;
use crate::doctor::listeners::{SETTINGS, answer, goaway, listen, response, say};

/// Examines with the token, and shows all that comes of it.
async fn examined(seen: &Seen, address: SocketAddr, token: &str) -> Report {
    let doctor = Doctor::new(&format!("http://{address}")).unwrap();
    let doctor = doctor.token(BearerToken::parse(token).unwrap());
    seen.debug("a doctor", &doctor);
    let report = doctor.examine().await;
    seen.debug("a report", &report);
    seen.shows("a report", report.to_string());
    seen.shows("a report", serde_json::to_string(&report).unwrap());
    report
}

pub(super) async fn examinations(seen: &Seen) {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let subject = seen.secret("subject", "canary-examined");
    let token = issuer.token().subject(&subject).sign();
    let token = seen.token("a doctor's token", token);

    let auth = issuer.resource_server().build().await.unwrap();
    let service = auth.protect(tests::kinds::Counting::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    assert_eq!(examined(seen, address, &token).await.diagnosis().code(), "healthy");

    // Each repeats what it was sent, where one or another server says something.
    for (status, headers, code) in [
        (200, &["grpc-message", "www-authenticate"][..], "healthy"),
        (401, &["www-authenticate", "server"], "http-unauthorized"),
        (403, &["server"], "http-forbidden"),
        (404, &["server"], "http-not-found"),
        (502, &["server"], "http-server-error"),
        (302, &["location", "server"], "redirect"),
        (200, &["content-type", "server"], "not-grpc"),
        (200, &["server"], "html-page"),
    ] {
        let page = format!("<title>For {token}</title>");
        let page: &'static str = Box::leak(page.into_boxed_str());
        let address = listen(move |stream| {
            answer(stream, move |request| {
                let sent = request.headers()[AUTHORIZATION].to_str().unwrap();
                let mut response = response(status, &[]);
                let kind = match code {
                    "healthy" => "application/grpc",
                    _ => "text/html",
                };
                response.headers_mut().insert("content-type", kind.parse().unwrap());
                for name in headers {
                    response.headers_mut().insert(*name, sent.parse().unwrap());
                }
                (response, page.as_bytes())
            })
        })
        .await;
        let report = examined(seen, address, &token).await;
        assert_eq!(report.diagnosis().code(), code, "{report}");
        assert!(report.to_string().contains("[redacted]") || code == "healthy", "{report}");
        let json = serde_json::to_string(&report).unwrap();
        assert!(json.contains("[redacted]"), "{json}");
    }
    for said in [
        [SETTINGS, &goaway(11, &token.as_bytes()[..200])].concat(),
        format!("HTTP/1.1 401 {token}\r\n\r\n").into_bytes(),
        token.clone().into_bytes(),
    ] {
        let address = listen(move |stream| {
            let said = said.clone();
            async move { say(stream, &said).await }
        })
        .await;
        let report = examined(seen, address, &token).await;
        assert!(report.to_string().contains("[redacted]"), "{report}");
    }
}
