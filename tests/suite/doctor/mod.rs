//! The doctor: for each class a real listener that behaves so, and what is said of it.

mod answers;
mod certificates;
pub(crate) mod listeners;
mod time;
mod transport;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use grpc_auth::doctor::{Doctor, Report};
use grpc_auth::tls::{ClientTls, Identity};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::TLS12;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// An authority, and what it issues.
struct Pki(CertifiedIssuer<'static, KeyPair>);

impl Pki {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Trusts what it issues.
    fn client(&self) -> ClientTls {
        ClientTls::ca_pem(self.0.pem()).unwrap()
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }

    fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity::from_pem(certificate.pem(), key.serialize_pem()).unwrap()
    }

    /// A server with a certificate for these names, valid from and to days from now.
    fn server(&self, names: &[&str], from: i32, to: i32) -> ServerConfig {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = days_from_now(from).into();
        params.not_after = days_from_now(to).into();
        self.server_with(params)
    }

    fn server_with(&self, params: CertificateParams) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key.into())
                .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    /// A server of TLS 1.2 alone that lets in clients of this authority.
    fn old_server_with_client_certificates(&self) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(self.roots(), Arc::clone(&provider));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS12])
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }
}

fn days_from_now(days: i32) -> SystemTime {
    let distance = DAY * days.unsigned_abs();
    if days < 0 { SystemTime::now() - distance } else { SystemTime::now() + distance }
}

async fn examine_plain(address: SocketAddr) -> Report {
    Doctor::new(&format!("http://{address}")).unwrap().examine().await
}

fn over_tls(address: SocketAddr, tls: ClientTls) -> Doctor {
    Doctor::new(&format!("https://{address}")).unwrap().tls(tls)
}

/// Asserts the class, and what cause and fix say.
#[track_caller]
fn assert_found(report: &Report, code: &str, cause: &str, fix: &str) {
    assert_eq!(report.diagnosis().code(), code, "{report}");
    assert!(report.cause().contains(cause), "{cause:?} in {report}");
    assert!(report.fix().unwrap_or_default().contains(fix), "{fix:?} in {report}");
    // What a person sees is what a program sees.
    let shown = report.to_string();
    assert!(shown.contains(report.cause()) && shown.contains(code), "{shown}");
    let json = serde_json::to_value(report).unwrap();
    assert_eq!(json["code"], code);
    assert_eq!(json["exit_code"], report.diagnosis().exit_code());
    assert_eq!(json["healthy"], code == "healthy");
    assert!(json["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{json}");
    // Whatever a server sent.
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    let failed = report.steps().iter().filter(|step| !step.passed).count();
    let works = matches!(code, "healthy" | "slow" | "clock-skew");
    assert_eq!(failed, usize::from(!works), "{shown}");
}

/// Classes that no listener here can bring about: these are tested where the cause can be set.
const ELSEWHERE: [(&str, &str); 2] = [
    ("timeout-resolve", include_str!("../../../grpc-auth/src/doctor/connect.rs")),
    ("no-roots", include_str!("../../../grpc-auth/tests/cli/doctor.rs")),
];

#[test]
fn each_class_has_a_test() {
    let here = [
        include_str!("answers.rs"),
        include_str!("certificates.rs"),
        include_str!("time.rs"),
        include_str!("transport.rs"),
    ]
    .concat();
    let classes: Vec<_> = include_str!("../../../grpc-auth/src/doctor/diagnosis.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("/// | ")?.split('`').nth(1))
        .collect();
    assert!(classes.len() > 30, "{classes:?}");
    for class in classes {
        let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == class);
        let tests = elsewhere.map_or(&*here, |(_, tests)| tests);
        assert!(tests.contains(&format!("\"{class}\"")), "no test brings about `{class}`");
    }
}
