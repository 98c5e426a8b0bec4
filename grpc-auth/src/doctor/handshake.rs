//! TLS, verified as any client of this crate does, and looked at on the way.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{AlertDescription, CertificateError, ClientConfig, Error};

use super::diagnosis::Diagnosis;
use super::recording_verifier::{Notes, Onlooker, Time};
use super::sanitize::greeting;
use super::tee_stream::{Recorded, Seen, tls_error};
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::sanitize_untrusted::shown;
use crate::tls::certificate::CertificateFacts;
use crate::tls::client::ClientTls;
use crate::tls::provider;

pub(crate) const H2: &[u8] = b"h2";
pub(crate) const HTTP1: &[u8] = b"http/1.1";

/// One handshake, as it went.
pub(crate) struct Handshake {
    pub(crate) outcome: Result<Option<TlsStream<Recorded<TcpStream>>>, Error>,
    /// What the server sent below of TLS.
    pub(crate) seen: Seen,
    notes: Notes,
}

impl Handshake {
    pub(crate) async fn with(
        tcp: TcpStream,
        tls: &ClientTls,
        name: ServerName<'static>,
        clock: &Clock,
        protocols: &[&[u8]],
    ) -> Result<Self, ConfigError> {
        let onlooker = Arc::new(Onlooker::new(tls)?);
        let mut config =
            ClientConfig::builder_with_details(provider(), Arc::new(Time(clock.clone())))
                .with_safe_default_protocol_versions()
                .map_err(ConfigError::tls)?
                // The verifier of rustls decides; it is only watched.
                .dangerous()
                .with_custom_certificate_verifier(Arc::clone(&onlooker) as _)
                .with_client_cert_resolver(Arc::clone(&onlooker) as _);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();

        let (tcp, record) = Recorded::new(tcp);
        let connected = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
        let outcome = connected.map(Some).map_err(|error| match tls_error(&error) {
            Some(error) => error.clone(),
            None => Error::General(error.to_string()),
        });
        Ok(Self { outcome, seen: record.seen(), notes: onlooker.notes() })
    }

    pub(crate) fn certificate(&self) -> Option<CertificateFacts> {
        CertificateFacts::of(self.notes.chain.first()?)
    }

    /// What was agreed on (ALPN, RFC 7301).
    pub(crate) fn protocol(&self) -> Option<Vec<u8>> {
        Some(self.stream()?.get_ref().1.alpn_protocol()?.to_vec())
    }

    /// `TLSv1.3`
    pub(crate) fn version(&self) -> String {
        let version = self.stream().and_then(|stream| stream.get_ref().1.protocol_version());
        version.map(|version| format!("{version:?}").replace('_', ".")).unwrap_or_default()
    }

    /// The connection, if HTTP/2 was agreed on: nothing else is spoken on it.
    pub(crate) fn take_http2(&mut self) -> Option<TlsStream<Recorded<TcpStream>>> {
        if self.protocol().as_deref() != Some(H2) {
            return None;
        }
        self.outcome.as_mut().ok()?.take()
    }

    fn stream(&self) -> Option<&TlsStream<Recorded<TcpStream>>> {
        self.outcome.as_ref().ok()?.as_ref()
    }

    /// Whether the server said that it speaks none of the protocols it was offered.
    pub(crate) fn no_protocol(&self) -> bool {
        matches!(
            self.outcome,
            Err(Error::AlertReceived(AlertDescription::NoApplicationProtocol)
                | Error::NoApplicationProtocol)
        )
    }

    /// Whether what answered is no TLS.
    pub(crate) fn is_plaintext(&self) -> bool {
        self.outcome.is_err() && self.seen.bytes.first().is_some_and(|byte| !is_tls(*byte))
    }

    /// Whether TLS is spoken there, whatever came of it.
    pub(crate) fn is_tls(&self) -> bool {
        self.seen.bytes.first().is_some_and(|byte| is_tls(*byte))
    }

    /// Why it failed, at `now`.
    pub(crate) fn diagnosis(&self, error: &Error, now: SystemTime) -> Diagnosis {
        if self.is_plaintext() {
            let begins_with = greeting(&self.seen.bytes);
            return Diagnosis::PlaintextOnTlsPort { begins_with };
        }
        match error {
            Error::InvalidCertificate(error) => self.certificate_diagnosis(error, now),
            Error::AlertReceived(alert) => self.alert_diagnosis(*alert),
            Error::PeerIncompatible(_) => Diagnosis::TlsFailed {
                problem: "the server speaks no version of TLS that is safe (1.2 or 1.3)".into(),
            },
            error => Diagnosis::TlsFailed { problem: shown(error.to_string().as_bytes()) },
        }
    }

    /// Also after the handshake: TLS 1.3 servers judge the client's certificate when the client is
    /// done (RFC 8446 §4.4.2.4).
    pub(crate) fn alert_diagnosis(&self, alert: AlertDescription) -> Diagnosis {
        use AlertDescription as Alert;
        let says = format!("{alert:?}");
        match alert {
            Alert::CertificateRequired => Diagnosis::ClientCertificateRequired,
            _ if self.notes.certificate_requested && !self.notes.has_identity => {
                Diagnosis::ClientCertificateRequired
            }
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
                if self.notes.certificate_requested =>
            {
                Diagnosis::ClientCertificateRefused { alert: says }
            }
            Alert::UnrecognisedName => Diagnosis::TlsFailed {
                problem: "the server has no certificate for this name (UnrecognisedName)".into(),
            },
            Alert::ProtocolVersion => Diagnosis::TlsFailed {
                problem: "the server speaks no version of TLS that is safe (ProtocolVersion)"
                    .into(),
            },
            _ => Diagnosis::TlsFailed { problem: format!("the server sent the alert {says}") },
        }
    }

    fn certificate_diagnosis(&self, error: &CertificateError, now: SystemTime) -> Diagnosis {
        let leaf = self.certificate();
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                // It need not be the server's own.
                let expired = self.facts().find(|facts| facts.not_after < now).or(leaf);
                match expired {
                    Some(CertificateFacts { subject, not_after, .. }) => {
                        Diagnosis::CertificateExpired { subject, not_after, now }
                    }
                    None => invalid(error),
                }
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                let early = self.facts().find(|facts| facts.not_before > now).or(leaf);
                match early {
                    Some(CertificateFacts { subject, not_before, .. }) => {
                        Diagnosis::CertificateNotYetValid { subject, not_before, now }
                    }
                    None => invalid(error),
                }
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Diagnosis::CertificateWrongName {
                    names: leaf.map(|facts| facts.names).unwrap_or_default(),
                }
            }
            // A bad signature is what another authority of the same name gives.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                let last = self.facts().last();
                Diagnosis::CertificateUntrusted {
                    issuer: last.map(|facts| facts.issuer).unwrap_or_default(),
                    self_signed: leaf.is_some_and(|facts| facts.issuer == facts.subject),
                }
            }
            error => invalid(error),
        }
    }

    fn facts(&self) -> impl Iterator<Item = CertificateFacts> {
        self.notes.chain.iter().filter_map(|der| CertificateFacts::of(der))
    }
}

fn invalid(error: &CertificateError) -> Diagnosis {
    Diagnosis::CertificateInvalid { problem: shown(error.to_string().as_bytes()) }
}

/// The content types of records (RFC 8446 §5.1).
const fn is_tls(first: u8) -> bool {
    matches!(first, 0x14..=0x17)
}

/// Why TLS could not read on, after the handshake.
pub(crate) const fn alert(error: &Error) -> Option<AlertDescription> {
    match error {
        Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}
