//! Who this program is: a certificate and its private key.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretSlice};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys};

use super::pem::Pem;
use super::provider;
use crate::error::ConfigError;

const UNREADABLE: &str = "its first certificate cannot be read";
const UNSUPPORTED: &str = "its private key is of no kind that TLS here signs with: write one for \
                           RSA (2048 bits or more), P-256, P-384, P-521 or Ed25519";
const MISMATCH: &str = "its private key does not belong to the first certificate of the chain: \
                        write the server's or client's own certificate first, and its own key";

/// A chain of certificates, one's own first, and the private key of the first. Cloning shares it.
///
/// Servers have one always, clients where the server asks for it (mutual TLS).
#[derive(Clone)]
pub struct Identity(Arc<Material>);

struct Material {
    /// As tonic wants them.
    chain_pem: Vec<u8>,
    key_pem: SecretSlice<u8>,
    certified: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads the chain and the key from PEM files, now. Both may stand in the same file.
    ///
    /// # Errors
    /// [`ConfigError::File`] when a file cannot be read, [`ConfigError::TlsMaterial`] when what
    /// is in it is not what belongs there: no PEM, a certificate in the place of the key, an
    /// encrypted key, a key of another certificate.
    pub fn from_pem_files(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, ConfigError> {
        let chain = Pem::file(chain.as_ref(), "a PEM file with the chain of certificates")?;
        let key = Pem::file(key.as_ref(), "a PEM file with the private key of the certificate")?;
        Self::new(&chain, &key)
    }

    /// Takes the chain and the key in PEM, from wherever secrets come.
    ///
    /// # Errors
    /// [`ConfigError::TlsMaterial`] as [`from_pem_files`](Self::from_pem_files).
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let chain = Pem::given("the chain of certificates", chain.as_ref());
        Self::new(&chain, &Pem::given("the private key", key.as_ref()))
    }

    fn new(chain: &Pem, key: &Pem) -> Result<Self, ConfigError> {
        let certificates = chain.certificates()?;
        if let Some(own) = certificates.first() {
            ParsedCertificate::try_from(own).map_err(|_| chain.unusable(UNREADABLE))?;
        }
        let certified =
            CertifiedKey::from_der(certificates, key.key()?, &provider()).map_err(|error| {
                match error {
                    Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                        key.unusable(MISMATCH)
                    }
                    _ => key.unusable(UNSUPPORTED),
                }
            })?;
        Ok(Self(Arc::new(Material {
            chain_pem: chain.bytes().to_vec(),
            key_pem: key.bytes().to_vec().into(),
            certified: Arc::new(certified),
        })))
    }

    pub(super) fn to_tonic(&self) -> tonic::transport::Identity {
        tonic::transport::Identity::from_pem(&self.0.chain_pem, self.0.key_pem.expose_secret())
    }

    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.certified)
    }

    /// The chain in DER, one's own certificate first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.certified.cert
    }
}

/// The key is a secret.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificates = self.0.certified.cert.len();
        f.debug_struct("Identity")
            .field("certificates", &certificates)
            .field("key", &format_args!("[redacted]"))
            .finish()
    }
}
