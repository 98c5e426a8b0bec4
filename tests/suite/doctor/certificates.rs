//! Certificates that cannot be accepted, and why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use grpc_auth::testing::ManualClock;
use grpc_auth::tls::ClientTls;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa};
use tests::tls::Untrusted;
use tokio_rustls::rustls::ServerConfig;

use super::listeners::{answer, listen_tls, response};
use super::{DAY, Pki, assert_found, days_from_now, over_tls};

/// A gRPC server with this TLS, and whether a call ever came to it.
async fn serve(config: ServerConfig) -> (std::net::SocketAddr, Arc<AtomicBool>) {
    let called = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&called);
    let address = listen_tls(config, move |stream| {
        let seen = Arc::clone(&seen);
        async move {
            answer(stream, |_| {
                seen.store(true, Ordering::Relaxed);
                (response(200, &[("content-type", "application/grpc"), ("grpc-status", "0")]), b"")
            })
            .await;
        }
    })
    .await;
    (address, called)
}

#[tokio::test]
async fn each_reason_to_refuse_a_certificate_is_named_with_its_facts() {
    let pki = Pki::new("The Authority");
    let other = Pki::new("Another Authority");
    let local = &["127.0.0.1"];
    for (config, code, cause, fix) in [
        (pki.server(local, -9, -2), "certificate-expired", "expired on", "Renew it"),
        (
            pki.server(local, 2, 9),
            "certificate-not-yet-valid",
            "most likely this clock is wrong",
            "timedatectl set-ntp true",
        ),
        (
            pki.server(&["a.example", "b.example"], -1, 60),
            "certificate-wrong-name",
            "is for `a.example`, `b.example`, and not for `127.0.0.1`",
            "server_name(\"a.example\")",
        ),
        (
            other.server(local, -1, 60),
            "certificate-untrusted",
            "signed by `CN=Another Authority`",
            "ClientTls::ca_file(\"ca.pem\")",
        ),
    ] {
        let (address, called) = serve(config).await;
        let report = over_tls(address, pki.client()).examine().await;
        assert_found(&report, code, cause, fix);
        assert!(report.certificate().is_some(), "{report}");
        assert!(report.to_string().contains("issuer       CN="), "{report}");
        assert!(!called.load(Ordering::Relaxed), "{code}: a call was made all the same");
    }
}

#[tokio::test]
async fn a_certificate_signed_by_itself_is_told_from_one_of_another_authority() {
    let server = Untrusted::start("{}").await;
    let address = server.url().trim_start_matches("https://").trim_end_matches('/').parse();
    let report = over_tls(address.unwrap(), ClientTls::webpki_roots()).examine().await;
    assert_found(&report, "certificate-untrusted", "signed by itself", "DevelopmentCa");
    assert_eq!((server.handshakes(), server.requests()), (0, 0));
}

#[tokio::test]
async fn a_certificate_for_something_else_than_servers_is_invalid() {
    let pki = Pki::new("The Authority");
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let (address, _) = serve(pki.server_with(params)).await;
    let report = over_tls(address, pki.client()).examine().await;
    assert_found(&report, "certificate-invalid", "cannot be accepted", "serverAuth");

    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (address, _) = serve(pki.server_with(params)).await;
    let report = over_tls(address, pki.client()).examine().await;
    assert_found(&report, "certificate-invalid", "cannot be accepted", "CA:FALSE");
}

/// The server chose them, and they are shown before any certificate is verified.
#[tokio::test]
async fn what_a_certificate_says_cannot_give_orders_to_a_terminal() {
    let (pki, other) = (Pki::new("The Authority"), Pki::new("Another\u{1b}[2J Authority"));
    let mut params = CertificateParams::new(vec!["a\u{1b}[2J.example".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "echo\u{1b}]0;title\u{7}\u{202e}");
    for (config, code) in [
        (pki.server_with(params.clone()), "certificate-wrong-name"),
        (other.server_with(params), "certificate-untrusted"),
    ] {
        let (address, _) = serve(config).await;
        let report = over_tls(address, pki.client()).examine().await;
        assert_found(&report, code, "", "");
        assert!(
            report.certificate().unwrap().subject.contains("echo\u{fffd}]0;title"),
            "{report:?}"
        );
        let text = format!("{report} {}", report.cause());
        let obeyed = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(obeyed, None, "{text:?}");
    }
}

#[tokio::test]
async fn a_certificate_without_names_says_what_it_should_have() {
    let pki = Pki::new("The Authority");
    let (address, _) = serve(pki.server(&[], -1, 60)).await;
    let report = over_tls(address, pki.client()).examine().await;
    assert_found(
        &report,
        "certificate-wrong-name",
        "names no host",
        "alternative name `127.0.0.1`",
    );
}

#[tokio::test]
async fn the_expected_name_may_be_another_than_the_host() {
    let pki = Pki::new("The Authority");
    let (address, called) = serve(pki.server(&["echo.example.com"], -1, 60)).await;
    let tls = pki.client().server_name("echo.example.com").unwrap();
    assert_found(&over_tls(address, tls).examine().await, "healthy", "(OK)", "");
    assert!(called.load(Ordering::Relaxed));
}

#[tokio::test]
async fn certificates_are_judged_by_the_clock_that_was_given() {
    let pki = Pki::new("The Authority");
    let (address, _) = serve(pki.server(&["127.0.0.1"], -1, 60)).await;
    let at = |days| over_tls(address, pki.client()).clock(ManualClock::at(days_from_now(days)));
    assert_found(&at(0).examine().await, "healthy", "", "");
    assert_found(&at(61).examine().await, "certificate-expired", "this machine's clock says", "");
    assert_found(&at(-2).examine().await, "certificate-not-yet-valid", "", "timedatectl");

    // It is said before it happens.
    let soon = over_tls(address, pki.client()).clock(ManualClock::at(days_from_now(60) - DAY * 5));
    let report = soon.examine().await;
    assert_found(&report, "healthy", "", "");
    assert!(report.notes().iter().any(|note| note.contains("expires in 4 days")), "{report}");
}
