//! Reading PEM (RFC 7468), and saying what was found instead of what belongs there.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use secrecy::{ExposeSecret, SecretSlice};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::{PemObject, SectionKind};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::ConfigError;

/// A system's whole bundle has a fifth of it.
const MAX_BYTES: u64 = 2 * 1024 * 1024;

const EMPTY: &str = "it is empty";
const DER: &str = "it is not PEM; if it is DER, `openssl x509 -inform der -in IT -out IT.pem` \
                   converts a certificate, `openssl pkey -inform der` a key";
const NO_PEM: &str = "it has no PEM in it, which begins with `-----BEGIN`";
const DAMAGED: &str = "its PEM is damaged";
const KEY_FOR_CERTIFICATE: &str =
    "it has a private key where a certificate belongs, `-----BEGIN CERTIFICATE-----`";
const NO_CERTIFICATE: &str = "it has no certificate in it, `-----BEGIN CERTIFICATE-----`";
const BAD_CERTIFICATE: &str = "a certificate in it cannot be read";
const CERTIFICATE_FOR_KEY: &str =
    "it has a certificate where the private key belongs, `-----BEGIN PRIVATE KEY-----`";
const NO_KEY: &str = "it has no private key in it, `-----BEGIN PRIVATE KEY-----`";
const ENCRYPTED: &str = "its private key is encrypted; `openssl pkey -in IT -out KEY` decrypts it, \
                         into a file that only this program should be able to read";

/// What was read, and where it came from. It may hold a key.
pub(super) struct Pem {
    place: String,
    bytes: SecretSlice<u8>,
}

impl Pem {
    pub(super) fn file(path: &Path, expected: &'static str) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let bytes = read(path).map_err(|source| ConfigError::File {
            path: path.into(),
            expected,
            source,
        })?;
        Ok(Self { place: format!("the file `{shown}`"), bytes: bytes.into() })
    }

    /// `place` as an error names it.
    pub(super) fn given(place: &str, bytes: &[u8]) -> Self {
        Self { place: place.into(), bytes: bytes.to_vec().into() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.expose_secret()
    }

    pub(super) fn unusable(&self, problem: &'static str) -> ConfigError {
        ConfigError::TlsMaterial { place: self.place.clone(), problem }
    }

    /// All certificates, in their order; at least one. A key beside them is ignored.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
        let sections = self.sections()?;
        let has_key = sections.iter().any(|(kind, _)| is_key(*kind));
        let found: Vec<_> = sections
            .into_iter()
            .filter(|(kind, _)| *kind == SectionKind::Certificate)
            .map(|(_, der)| CertificateDer::from(der))
            .collect();
        match (found.is_empty(), has_key || self.is_encrypted()) {
            (false, _) => Ok(found),
            (true, true) => Err(self.unusable(KEY_FOR_CERTIFICATE)),
            (true, false) => Err(self.unusable(NO_CERTIFICATE)),
        }
    }

    /// The certificates, as those who sign others. One that cannot be read is refused, and not
    /// passed over: clients would then reject the server without a visible cause.
    pub(super) fn roots(&self, into: &mut RootCertStore) -> Result<(), ConfigError> {
        for certificate in self.certificates()? {
            into.add(certificate).map_err(|_| self.unusable(BAD_CERTIFICATE))?;
        }
        Ok(())
    }

    /// The first private key.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, ConfigError> {
        // Before the PEM is read: what is encrypted the old way looks like a damaged key.
        if self.is_encrypted() {
            return Err(self.unusable(ENCRYPTED));
        }
        let sections = self.sections()?;
        let has_certificate = sections.iter().any(|(kind, _)| *kind == SectionKind::Certificate);
        let key = sections.into_iter().find_map(|(kind, der)| PrivateKeyDer::from_pem(kind, der));
        key.ok_or_else(|| self.unusable(if has_certificate { CERTIFICATE_FOR_KEY } else { NO_KEY }))
    }

    fn sections(&self) -> Result<Vec<(SectionKind, Vec<u8>)>, ConfigError> {
        let bytes = self.bytes();
        if bytes.is_empty() {
            return Err(self.unusable(EMPTY));
        }
        if !self.has("-----BEGIN ") {
            // Certificates and keys are SEQUENCEs.
            return Err(self.unusable(if bytes.first() == Some(&0x30) { DER } else { NO_PEM }));
        }
        // The reader's own error may quote a line, and that line may be of a key.
        <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes)
            .collect::<Result<_, _>>()
            .map_err(|_| self.unusable(DAMAGED))
    }

    /// By its label (RFC 7468 §11), or by a header of RFC 1421 as OpenSSL once wrote.
    fn is_encrypted(&self) -> bool {
        self.has("-----BEGIN ENCRYPTED PRIVATE KEY-----") || self.has("Proc-Type: 4,ENCRYPTED")
    }

    fn has(&self, text: &str) -> bool {
        memchr::memmem::find(self.bytes(), text.as_bytes()).is_some()
    }
}

const fn is_key(kind: SectionKind) -> bool {
    matches!(kind, SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it has more than 2 MiB"));
    }
    Ok(bytes)
}
