//! What a certificate says about itself (RFC 5280), for people to read.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::clock::Clock;
use crate::sanitize_untrusted::shown;

/// Names beyond these are not kept: certificates of large hosters have hundreds.
const MAX_NAMES: usize = 32;
/// The last second that a date can be written for, at the end of the year 9999.
const LAST: u64 = 253_402_300_799;

/// What a certificate says about itself: read from it, and not verified here. Its author chose
/// the texts: control characters, which a terminal would obey, are replaced, and long ones are cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CertificateFacts {
    /// Whose it is, like `CN=echo.example.com`.
    pub subject: String,
    /// The host names and addresses it is valid for, up to 32 of them.
    pub names: Vec<String>,
    /// Who signed it, like `CN=Example CA`.
    pub issuer: String,
    /// When it begins to be valid.
    #[serde(serialize_with = "as_date")]
    pub not_before: SystemTime,
    /// When it expires.
    #[serde(serialize_with = "as_date")]
    pub not_after: SystemTime,
}

impl CertificateFacts {
    /// Reads a certificate in DER. None if it is no certificate.
    #[must_use]
    pub fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        Some(Self {
            subject: shown(certificate.subject().to_string().as_bytes()),
            names: names(&certificate),
            issuer: shown(certificate.issuer().to_string().as_bytes()),
            not_before: time(validity.not_before.timestamp()),
            not_after: time(validity.not_after.timestamp()),
        })
    }

    /// How long it is still valid, by this clock; none if it is not valid.
    #[must_use]
    pub fn remaining(&self, clock: &Clock) -> Option<Duration> {
        let now = clock.now();
        (now >= self.not_before).then(|| self.not_after.duration_since(now).ok()).flatten()
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(shown(name.as_bytes())),
        GeneralName::IPAddress(octets) => address(octets).map(|address| address.to_string()),
        _ => None,
    });
    names.take(MAX_NAMES).collect()
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(|octets| IpAddr::V6(Ipv6Addr::from(octets))))
        .ok()
}

/// Before 1970 is 1970, for what cannot be valid any more.
fn time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default().min(LAST))
}

/// As `Date` headers have it (RFC 9110 §5.6.7).
pub(crate) fn date(time: SystemTime) -> impl fmt::Display {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    httpdate::HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST)))
}

pub(crate) fn as_date<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&date(*time))
}
