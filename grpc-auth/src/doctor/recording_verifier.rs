//! Looking on while rustls verifies: it decides, and what it was shown is kept.

use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{DigitallySignedStruct, Error, SignatureScheme};

use crate::clock::Clock;
use crate::error::ConfigError;
use crate::lock::locked;
use crate::tls::client::ClientTls;
use crate::tls::provider;

/// What was seen while rustls did its work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) certificate_requested: bool,
    pub(crate) has_identity: bool,
}

/// Hands every question on, and keeps what was asked.
#[derive(Debug)]
pub(crate) struct Onlooker {
    verifier: Arc<WebPkiServerVerifier>,
    identity: Option<Arc<CertifiedKey>>,
    notes: Mutex<Notes>,
}

impl Onlooker {
    pub(crate) fn new(tls: &ClientTls) -> Result<Self, ConfigError> {
        let verifier = WebPkiServerVerifier::builder_with_provider(tls.roots(), provider())
            .build()
            .map_err(ConfigError::tls)?;
        let identity = tls.own().map(crate::tls::identity::Identity::certified);
        let has_identity = identity.is_some();
        Ok(Self {
            verifier,
            identity,
            notes: Mutex::new(Notes { has_identity, ..Notes::default() }),
        })
    }

    pub(crate) fn notes(&self) -> Notes {
        locked(&self.notes).clone()
    }

    fn note(&self, note: impl FnOnce(&mut Notes)) {
        note(&mut locked(&self.notes));
    }
}

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).take(8);
        let chain: Vec<_> = chain.map(|der| der.clone().into_owned()).collect();
        self.note(|notes| notes.chain = chain);
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

impl ResolvesClientCert for Onlooker {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.note(|notes| notes.certificate_requested = true);
        let identity = self.identity.as_ref()?;
        identity.key.choose_scheme(schemes).is_some().then(|| Arc::clone(identity))
    }

    /// Asked for one or not, it is known only if rustls asks on.
    fn has_certs(&self) -> bool {
        true
    }
}

/// Certificates are judged by the doctor's clock.
#[derive(Debug)]
pub(crate) struct Time(pub(crate) Clock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let since = self.0.now().duration_since(UNIX_EPOCH).ok()?;
        Some(UnixTime::since_unix_epoch(since))
    }
}
