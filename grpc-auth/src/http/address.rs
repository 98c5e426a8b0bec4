//! Which addresses may be fetched, and which are this machine's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Origin, Url};

use crate::error::ConfigError;

/// Parses an address that may be fetched: https, or http on a loopback address.
pub(crate) fn secure_url(setting: &'static str, value: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(value).map_err(|source| ConfigError::UrlInvalid {
        setting,
        value: value.into(),
        source: source.into(),
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigError::setting(
            "address",
            setting,
            format!("the {setting} has a user or a password in it: write it without"),
        ));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        // As it was parsed: its text may be hostile, and a URL has nothing in it that a terminal
        // obeys.
        _ => Err(ConfigError::UrlInsecure { setting, value: url.into() }),
    }
}

/// The same, or an address of the origin that was allowed to be fetched in plaintext.
pub(crate) fn fetched_url(
    setting: &'static str,
    value: &str,
    plaintext: Option<&Origin>,
) -> Result<Url, ConfigError> {
    match secure_url(setting, value) {
        Err(ConfigError::UrlInsecure { setting, value }) => match Url::parse(&value) {
            Ok(url) if url.scheme() == "http" && plaintext == Some(&url.origin()) => Ok(url),
            _ => Err(ConfigError::UrlInsecure { setting, value }),
        },
        outcome => outcome,
    }
}

/// Whether the host is this machine, the link, or no single machine: a loopback, link-local,
/// unspecified, multicast or broadcast address, or a name of this machine. `Url` has brought other
/// spellings of an address (`127.1`, `0x7f000001`, `2130706433`) into this form.
pub(crate) fn is_local(url: &Url) -> bool {
    match url.host() {
        // RFC 6761 §6.3.
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => is_local_v4(address),
        Some(Host::Ipv6(address)) => is_local_v6(address),
        None => false,
    }
}

fn is_local_v4(address: Ipv4Addr) -> bool {
    // "This network" (RFC 1122 §3.2.1.3), of which 0.0.0.0 leads to this machine.
    let is_this_network = matches!(address.octets(), [0, ..]);
    address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || is_this_network
}

fn is_local_v6(address: Ipv6Addr) -> bool {
    let is_local = address.is_loopback()
        || address.is_unspecified()
        || address.is_unicast_link_local()
        || address.is_multicast();
    // IPv4 in IPv6: mapped (RFC 4291 §2.5.5.2), compatible (§2.5.5.1), translated (RFC 6052 §2.1).
    let inner = match address.segments() {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    };
    is_local || inner.is_some_and(is_local_v4)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_and_of_the_link_are_local_however_they_are_written() {
        for local in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "keys.localhost",
            "127.0.0.1",
            "127.1",
            "127.255.255.254",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "%31%32%37.0.0.1",
            "１２７.0.0.1",
            "0.0.0.0",
            "0",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[febf::1]",
            "[ff02::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::127.0.0.1]",
            "[64:ff9b::169.254.169.254]",
        ] {
            for url in [format!("https://{local}/keys"), format!("https://{local}:8443/keys")] {
                assert!(is_local(&Url::parse(&url).unwrap()), "{url}");
            }
        }
        for other in [
            "keys.example.com",
            "localhost.example.com",
            "notlocalhost",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "1.1.1.1",
            "169.253.0.1",
            "[fd00::1]",
            "[2001:db8::1]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::10.0.0.1]",
        ] {
            let url = format!("https://{other}/keys");
            assert!(!is_local(&Url::parse(&url).unwrap()), "{url}");
        }
    }

    #[test]
    fn only_https_and_loopback_may_be_fetched() {
        for good in [
            "https://issuer.example.com/",
            "http://127.0.0.1:80/",
            "http://127.1.2.3/",
            "http://[::1]:1/",
            "http://localhost/x",
        ] {
            assert!(secure_url("issuer", good).is_ok(), "{good}");
        }
        for bad in [
            "http://issuer.example.com/",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "http://128.0.0.1/",
            "http://0.0.0.0/",
            "file:///etc/passwd",
            "ftp://127.0.0.1/",
        ] {
            let error = secure_url("issuer", bad).unwrap_err();
            assert!(matches!(error, ConfigError::UrlInsecure { .. }), "{bad}: {error}");
            assert!(error.to_string().contains("write `https://..`"));
        }
        for secret in ["https://user:hunter2@a.example/", "http://127.0.0.1@example.com/"] {
            let error = secure_url("issuer", secret).unwrap_err();
            assert!(error.to_string().contains("has a user or a password in it"), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        for written in
            ["http://a.example/\u{1b}[2J\u{202e}\n", "a.example\u{1b}[2J\n", "a:\u{1b}[2J\n"]
        {
            let error = secure_url("jwks_uri", written).unwrap_err().to_string();
            assert!(!error.contains(|c: char| c.is_control() || c == '\u{202e}'), "{error:?}");
        }
        let error = secure_url("issuer", "tenant.example.com").unwrap_err();
        assert!(matches!(error, ConfigError::UrlInvalid { .. }), "{error}");
    }
}
