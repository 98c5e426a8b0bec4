//! From a name to HTTP/2.

use std::net::SocketAddr;

use grpc_auth::doctor::Doctor;
use grpc_auth::tls::{ClientTls, DevelopmentCa};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::ServerConfig;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use super::listeners::{SETTINGS, answer, goaway, listen, listen_tls, read, response, say};
use super::{Pki, assert_found, examine_plain, over_tls};

/// A gRPC server with a health service, with TLS or without.
async fn serve(tls: Option<&DevelopmentCa>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = Server::builder();
    if let Some(ca) = tls {
        server = server.tls_config(ca.server_tls().unwrap().config()).unwrap();
    }
    let (_, health) = tonic_health::server::health_reporter();
    let server = server.add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

#[tokio::test]
async fn a_healthy_server_is_said_to_be_healthy_with_tls_and_without() {
    let report = examine_plain(serve(None).await).await;
    assert_found(&report, "healthy", "(OK)", "");
    assert_eq!(report.diagnosis().exit_code(), 0);
    assert_eq!(report.steps().len(), 4);

    let folder = tempfile::tempdir().unwrap();
    let ca = DevelopmentCa::new(folder.path().join("ca"));
    let address = serve(Some(&ca)).await;
    let doctor = Doctor::new(&format!("https://localhost:{}", address.port())).unwrap();
    let report = doctor.tls(ca.client_tls().unwrap()).examine().await;
    assert_found(&report, "healthy", "(OK)", "");
    assert_eq!(report.steps().len(), 5);
    assert!(report.steps()[2].detail.contains("TLSv1.3, h2"), "{report}");
    let certificate = report.certificate().unwrap();
    assert_eq!(certificate.names, ["localhost", "127.0.0.1", "::1"]);
    assert!(certificate.issuer.contains("grpc-auth development CA"), "{certificate:?}");
    assert!(report.notes().is_empty(), "{report}");
}

#[tokio::test]
async fn a_method_that_is_not_there_is_healthy() {
    let address = serve(None).await;
    let doctor = Doctor::new(&format!("http://{address}")).unwrap().method("a.B/C").unwrap();
    assert_found(&doctor.examine().await, "healthy", "(UNIMPLEMENTED)", "");
}

#[tokio::test]
async fn a_name_without_an_address_is_said_so() {
    // No label has more than 63 octets (RFC 1035): it is not even asked for.
    let name = format!("{}.example", "a".repeat(64));
    let report = Doctor::new(&format!("https://{name}")).unwrap().examine().await;
    assert_found(&report, "name-not-found", "has no address", "getent hosts");
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let report = examine_plain(address).await;
    assert_found(&report, "connection-refused", "Nothing listens", "bind `0.0.0.0:");
}

#[tokio::test]
async fn another_address_of_the_name_is_tried_when_one_refuses() {
    // `localhost` may be ::1 first, where no server listens.
    let address = serve(None).await;
    let report =
        Doctor::new(&format!("http://localhost:{}", address.port())).unwrap().examine().await;
    assert_found(&report, "healthy", "(OK)", "");
}

#[tokio::test]
async fn plaintext_on_a_port_that_should_speak_tls_is_recognized() {
    let tls = || Pki::new("any").client();
    // A gRPC server, an HTTP/1.1 server, SSH.
    let report = over_tls(serve(None).await, tls()).examine().await;
    assert_found(&report, "plaintext-on-tls-port", "speaks none", "Write `http://127.0.0.1:");

    let http1 = listen(|stream| say(stream, b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let report = over_tls(http1, tls()).examine().await;
    assert_found(&report, "plaintext-on-tls-port", "\"HTTP/1.1 400 Bad Request\"", "tls_config");

    let ssh = listen(|stream| say(stream, b"SSH-2.0-OpenSSH\x1b[31m\r\n")).await;
    let report = over_tls(ssh, tls()).examine().await;
    assert_found(&report, "plaintext-on-tls-port", "SSH-2.0", "Write `http://");

    // One that hangs up on what it does not know.
    let hangs_up = listen(|mut stream: TcpStream| async move {
        let mut first = [0];
        if stream.peek(&mut first).await.is_ok() && first != [0x16] {
            say(&mut stream, SETTINGS).await;
        }
    })
    .await;
    let report = over_tls(hangs_up, tls()).examine().await;
    assert_found(&report, "plaintext-on-tls-port", "speaks none", "Write `http://");
}

#[tokio::test]
async fn tls_on_a_port_that_should_speak_plaintext_is_recognized() {
    let folder = tempfile::tempdir().unwrap();
    let ca = DevelopmentCa::new(folder.path().join("ca"));
    let report = examine_plain(serve(Some(&ca)).await).await;
    assert_found(&report, "tls-on-plaintext-port", "speaks TLS", "Write `https://127.0.0.1:");

    let nginx = b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port";
    let nginx = listen(|stream| say(stream, nginx)).await;
    let report = examine_plain(nginx).await;
    assert_found(&report, "tls-on-plaintext-port", "speaks TLS", "Write `https://");

    // One that hangs up on what is no handshake.
    let config = Pki::new("theirs").server(&["127.0.0.1"], -1, 1);
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let hangs_up = listen(move |stream: TcpStream| {
        let acceptor = acceptor.clone();
        async move {
            let mut first = [0];
            if stream.peek(&mut first).await.is_ok() && first == [0x16] {
                let _ = acceptor.accept(stream).await;
            }
        }
    })
    .await;
    let report = examine_plain(hangs_up).await;
    assert_found(&report, "tls-on-plaintext-port", "speaks TLS", "Write `https://");
}

#[tokio::test]
async fn a_server_that_hangs_up_is_not_guessed_at() {
    let address = listen(|mut stream: TcpStream| async move {
        read(&mut stream).await;
    })
    .await;
    let report = examine_plain(address).await;
    assert_found(&report, "connection-closed", "at the beginning of HTTP/2", "in plaintext (h2c)");
    let report = over_tls(address, Pki::new("any").client()).examine().await;
    assert_found(&report, "connection-closed", "at the TLS handshake", "See what listens");
}

#[tokio::test]
async fn http_1_1_alone_is_recognized_with_protocol_negotiation_and_without() {
    let downgraded = "Response protocol downgraded to HTTP/1.1";
    let pki = Pki::new("theirs");
    let http1 = || {
        let mut config = pki.server(&["127.0.0.1"], -1, 60);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    };
    // rustls refuses what it was offered; others pass over it.
    let address = listen_tls(http1(), |stream| say(stream, b"")).await;
    let report = over_tls(address, pki.client()).examine().await;
    assert_found(&report, "alpn-http1-only", downgraded, "http2 on;");

    let address = listen(|stream| say(stream, b"HTTP/1.1 505 \x1b]0;HTTP Version\r\n\r\n")).await;
    let report = examine_plain(address).await;
    assert_found(&report, "http1-answer", downgraded, "grpc_pass");

    // It says so in HTTP/2.
    let address = listen(|mut stream: TcpStream| async move {
        let reset = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0xd];
        read(&mut stream).await;
        stream.write_all(SETTINGS).await.unwrap();
        say(stream, &reset).await;
    })
    .await;
    let report = examine_plain(address).await;
    assert_found(&report, "http1-answer", "HTTP_1_1_REQUIRED", "http2 on;");
}

#[tokio::test]
async fn tls_without_protocol_negotiation_is_recognized_though_http_2_is_spoken() {
    let pki = Pki::new("theirs");
    let mut config = pki.server(&["127.0.0.1"], -1, 60);
    config.alpn_protocols.clear();
    let address = listen_tls(config, |stream| {
        answer(stream, |_| (response(200, &[("content-type", "application/grpc")]), b""))
    })
    .await;
    let report = over_tls(address, pki.client()).examine().await;
    assert_found(&report, "alpn-missing", "(ALPN)", "alpn_protocols");
}

#[tokio::test]
async fn a_tls_server_that_chooses_no_version_or_name_is_reported_with_its_alert() {
    for (alert, text) in
        [(70, "ProtocolVersion"), (112, "UnrecognisedName"), (40, "HandshakeFailure")]
    {
        let address = listen(move |stream| async move {
            say(stream, &[0x15, 3, 3, 0, 2, 2, alert]).await;
        })
        .await;
        let report = over_tls(address, Pki::new("any").client()).examine().await;
        assert_found(&report, "tls-failed", text, "openssl s_client -connect 127.0.0.1:");
    }
}

#[tokio::test]
async fn a_server_that_sends_the_client_away_is_quoted() {
    let calm = goaway(11, b"too_many_pings\x1b[2J");
    // At once, and in the place of an answer.
    let at_once = calm.clone();
    let address = listen(move |stream| {
        let bytes = [SETTINGS, &at_once].concat();
        async move { say(stream, &bytes).await }
    })
    .await;
    let report = examine_plain(address).await;
    assert_found(
        &report,
        "goaway",
        "GOAWAY ENHANCE_YOUR_CALM, \"too_many_pings",
        "keep-alive pings",
    );

    let address = listen(move |mut stream: TcpStream| {
        let calm = calm.clone();
        async move {
            read(&mut stream).await;
            stream.write_all(SETTINGS).await.unwrap();
            say(stream, &calm).await;
        }
    })
    .await;
    let report = examine_plain(address).await;
    assert_found(&report, "goaway", "GOAWAY ENHANCE_YOUR_CALM", "keep-alive pings");

    let shutdown = [SETTINGS, &goaway(0, b"")].concat();
    let address = listen(move |mut stream: TcpStream| {
        let shutdown = shutdown.clone();
        async move {
            read(&mut stream).await;
            stream.write_all(&shutdown).await.unwrap();
        }
    })
    .await;
    let report = examine_plain(address).await;
    assert_found(&report, "goaway", "GOAWAY NO_ERROR", "Try again");
}

#[tokio::test]
async fn what_is_not_http_2_is_said_so() {
    let reset = [SETTINGS, &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7]].concat();
    let address = listen(move |mut stream: TcpStream| {
        let reset = reset.clone();
        async move {
            read(&mut stream).await;
            stream.write_all(SETTINGS).await.unwrap();
            say(stream, &reset[9..]).await;
        }
    })
    .await;
    let report = examine_plain(address).await;
    assert_found(&report, "http2-error", "REFUSED_STREAM", "server's log");

    let redis = listen(|stream| say(stream, b"-ERR unknown command 'PRI'\r\n")).await;
    let report = examine_plain(redis).await;
    assert_found(&report, "http2-error", "-ERR unknown command 'PRI'", "server's log");
}

#[tokio::test]
async fn a_server_that_closes_instead_of_answering_is_said_so() {
    let address = listen(|mut stream: TcpStream| async move {
        read(&mut stream).await;
        stream.write_all(SETTINGS).await.unwrap();
        read(&mut stream).await;
    })
    .await;
    let report = examine_plain(address).await;
    assert_found(&report, "connection-closed", "at the call", "its log");
}

#[tokio::test]
async fn mutual_tls_is_recognized_whatever_the_version() {
    let (ours, theirs) = (Pki::new("ours"), Pki::new("theirs"));
    let folder = tempfile::tempdir().unwrap();
    let ca = DevelopmentCa::new(folder.path().join("ca"));
    let tls = ca.server_tls().unwrap().client_ca_pem(ours.0.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    let server = Server::builder().tls_config(tls.config()).unwrap().add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let client = || ca.client_tls().unwrap();
    let report = over_tls(address, client()).examine().await;
    assert_found(&report, "client-certificate-required", "mutual TLS", "Identity::from_pem_files");
    let stranger = client().identity(theirs.identity("stranger"));
    let report = over_tls(address, stranger).examine().await;
    assert_found(&report, "client-certificate-refused", "does not accept", "`client_ca`");
    let known = client().identity(ours.identity("known"));
    assert_found(&over_tls(address, known).examine().await, "healthy", "(OK)", "");

    let old: ServerConfig = ours.old_server_with_client_certificates();
    let address = listen_tls(old, |stream| say(stream, b"")).await;
    let report = over_tls(address, ours.client()).examine().await;
    assert_found(&report, "client-certificate-required", "mutual TLS", "Identity::from_pem_files");
}

#[tokio::test]
async fn one_who_trusts_nobody_is_told_who_is_asked() {
    // Public roots, and a server that none of them knows.
    let folder = tempfile::tempdir().unwrap();
    let ca = DevelopmentCa::new(folder.path().join("ca"));
    let address = serve(Some(&ca)).await;
    let report = over_tls(address, ClientTls::webpki_roots()).examine().await;
    assert_found(
        &report,
        "certificate-untrusted",
        "grpc-auth development CA",
        "ClientTls::ca_file",
    );
}

#[tokio::test]
async fn an_address_that_nothing_leads_to_is_unreachable() {
    // No TCP connection leads to a group of machines.
    let report = Doctor::new("http://224.0.0.1:4000").unwrap().examine().await;
    assert_found(&report, "unreachable", "224.0.0.1:4000 cannot be reached: ", "has a route there");
    assert_eq!(report.diagnosis().exit_code(), 14);
}
