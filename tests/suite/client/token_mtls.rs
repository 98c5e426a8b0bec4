//! Clients that show the authorization server a certificate (RFC 8705 §2).

use std::sync::Arc;

use grpc_auth::ClientAuthentication;
use grpc_auth::client::{OAuthClient, TokenError};
use grpc_auth::tls::{ClientTls, Identity};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tests::told;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::client::token_endpoint::Script;

/// A certificate authority, and a token endpoint that only answers clients it has certified.
struct Pki {
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { authority: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.authority).unwrap(), key)
    }

    /// Serves on a free port of 127.0.0.1 until the test ends.
    async fn serve(&self, script: Arc<Script>) -> String {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let clients =
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
        let (certificate, key) = self.issue("127.0.0.1");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, script) = (tls.clone(), Arc::clone(&script));
                tokio::spawn(async move {
                    if let Ok(stream) = tls.accept(stream).await {
                        script.serve(stream).await;
                    }
                });
            }
        });
        url
    }
}

fn granting() -> Arc<Script> {
    Script::new(|_| (200, json!({"access_token": "bound", "token_type": "Bearer"})))
}

#[tokio::test]
async fn a_client_that_shows_its_certificate_gets_a_token_and_no_other_does() {
    let (pki, others, script) = (Pki::new(), Pki::new(), granting());
    let url = format!("{}/token", pki.serve(Arc::clone(&script)).await);
    let orders = || {
        let client = ClientAuthentication::tls_client_auth("orders");
        OAuthClient::token_endpoint(&url, client)
    };
    let trusting = || ClientTls::ca_pem(pki.authority.pem()).unwrap();
    let showing = |tls: ClientTls, pki: &Pki| {
        let (certificate, key) = pki.issue("orders");
        let chain = format!("{}{}", certificate.pem(), pki.authority.pem());
        tls.identity(Identity::from_pem(chain, key.serialize_pem()).unwrap())
    };
    let good = orders().tls(showing(trusting(), &pki));
    assert!(!format!("{good:?}").contains("PRIVATE"));
    let token = good.client_credentials().build().unwrap().token().await.unwrap();
    assert_eq!(token.token().expose_secret(), "bound");
    {
        let asked = script.asked();
        let (headers, form) = &asked[0];
        assert_eq!(form["client_id"], "orders");
        assert!(!form.contains_key("client_secret") && !headers.contains_key("authorization"));
    }
    // Its certificate is another authority's, or the server's is.
    let distrusting = ClientTls::ca_pem(others.authority.pem()).unwrap();
    for bad in [showing(trusting(), &others), showing(distrusting, &pki)] {
        let error =
            orders().tls(bad).client_credentials().build().unwrap().token().await.unwrap_err();
        assert!(matches!(error, TokenError::Unreachable(_)), "{error}");
        assert!(told(&error).contains("the server does not answer"), "{}", told(&error));
    }
    // A secret besides does not open the door without one.
    let basic = ClientAuthentication::client_secret_basic("orders", "s3cret");
    let plain = OAuthClient::token_endpoint(&url, basic).tls(trusting());
    let plain = plain.client_credentials().build().unwrap();
    assert!(matches!(plain.token().await.unwrap_err(), TokenError::Unreachable(_)));
    assert_eq!(script.asked().len(), 1);
}
