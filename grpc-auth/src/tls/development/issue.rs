//! Making certificates.

use std::fmt::Write;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::clock::Clock;

/// What an authority lasts, and everything it signs from then on.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// Clocks of containers and virtual machines lag.
const BACKDATED: Duration = Duration::from_secs(3600);

pub(super) struct Issued {
    pub(super) certificate_pem: String,
    pub(super) key_pem: String,
}

pub(super) fn authority(clock: &Clock) -> Result<Issued, rcgen::Error> {
    let key = KeyPair::generate()?;
    let certificate = valid(authority_params(&key)?, clock).self_signed(&key)?;
    Ok(Issued { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

/// A certificate that servers and clients may use, of the authority with this key.
pub(super) fn leaf(
    ca_key_pem: &str,
    names: &[String],
    clock: &Clock,
) -> Result<Issued, rcgen::Error> {
    let ca_key = KeyPair::from_pem(ca_key_pem)?;
    let issuer = Issuer::new(authority_params(&ca_key)?, ca_key);
    let key = KeyPair::generate()?;
    let mut params = valid(CertificateParams::new(names)?, clock);
    if let Some(name) = names.first() {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Issued { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

/// The name tells authorities apart, by their keys: of two with one name, the wrong one would be
/// tried, and the answer be a bad signature instead of an unknown issuer.
fn authority_params(key: &KeyPair) -> Result<CertificateParams, rcgen::Error> {
    let mut name = "grpc-auth development CA ".to_owned();
    for byte in digest(&SHA256, key.public_key_raw()).as_ref().iter().take(4) {
        let _ = write!(name, "{byte:02x}");
    }
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn valid(mut params: CertificateParams, clock: &Clock) -> CertificateParams {
    let now = clock.now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + LIFETIME).into();
    params
}
