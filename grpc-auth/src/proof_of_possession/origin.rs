//! The addresses that clients call: what `htu` has to say.

use url::Url;

use crate::error::ConfigError;
use crate::http::address::is_loopback;

/// Scheme and authority of an address (RFC 3986 §3.1, §3.2), normalized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    is_https: bool,
    /// In lower case.
    host: String,
    port: u16,
}

/// Whether this is an origin, and nothing else.
pub(crate) fn check_origin(value: &str) -> Result<(), ConfigError> {
    Origin::configured(value).map(|_| ())
}

impl Origin {
    /// Reads what was configured: nothing behind the authority, and https unless it is a loopback
    /// address.
    pub(crate) fn configured(value: &str) -> Result<Self, ConfigError> {
        let invalid = || {
            ConfigError::value(
                "DPoP origin",
                value,
                "write scheme and authority as clients know them, like `https://echo.example.com`, \
                 and nothing else (plain http is accepted for loopback addresses alone)",
            )
        };
        let url = Url::parse(value).map_err(|_| invalid())?;
        let (origin, path) = Self::split(value).ok_or_else(invalid)?;
        let is_secure = origin.is_https || is_loopback(&url);
        // The parser of browsers mends what it reads; both have to see the same host.
        let is_plain = matches!(path, "" | "/") && !value.contains(['?', '#']);
        if is_secure && is_plain && url.host_str() == Some(&*origin.host) {
            Ok(origin)
        } else {
            Err(invalid())
        }
    }

    /// Whether `htu` is the address of this path at this origin, without query and fragment, after
    /// the normalization of RFC 3986 §6.2.2.1 and §6.2.3 (RFC 9449 §4.3). The path of an RPC has
    /// one spelling.
    pub(crate) fn is_target(&self, htu: &str, path: &str) -> bool {
        let address = htu.split(['?', '#']).next().unwrap_or_default();
        Self::split(address).is_some_and(|(origin, own)| origin == *self && own == path)
    }

    /// Takes the origin off an address.
    fn split(address: &str) -> Option<(Self, &str)> {
        let (scheme, rest) = address.split_once("://")?;
        let is_https = scheme.eq_ignore_ascii_case("https");
        if !is_https && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // A colon inside of brackets is an IPv6 address's.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, ""),
        };
        let port = match port {
            "" if is_https => 443,
            "" => 80,
            // `parse` takes a sign as well.
            port if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
            _ => return None,
        };
        let is_host = |byte: u8| byte.is_ascii_graphic() && !b"@*\\\"<>^`{|}%".contains(&byte);
        let host = host.to_ascii_lowercase();
        (!host.is_empty() && host.bytes().all(is_host))
            .then_some((Self { is_https, host, port }, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_https_or_on_a_loopback_address_and_nothing_but_an_origin() {
        for good in [
            "https://echo.example.com",
            "https://echo.example.com/",
            "HTTPS://Echo.Example.COM:8443",
            "http://127.0.0.1:50051",
            "http://localhost",
            "https://[2001:db8::1]:8443",
            "http://[::1]:50051",
        ] {
            assert!(Origin::configured(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "echo.example.com",
            "http://echo.example.com",
            "http://localhost.example.com",
            "https://",
            "https:///echo",
            "https://echo.example.com/v1",
            "https://echo.example.com?a",
            "https://echo.example.com#a",
            "https://user@echo.example.com",
            "https://user:hunter2@echo.example.com",
            "https:\\\\echo.example.com",
            "https://echo.example.com:99999",
            "https://echo.example.com:+443",
            "https://ec%68o.example.com",
            "https://ec\tho.example.com",
            " https://echo.example.com",
            "https://*.example.com",
            "ftp://127.0.0.1",
            "grpc://echo.example.com",
        ] {
            let error = Origin::configured(bad).map(|origin| format!("{origin:?}"));
            let error = error.expect_err(bad);
            assert!(error.to_string().starts_with("the DPoP origin "), "{bad}: {error}");
        }
    }

    #[test]
    fn an_address_is_compared_by_what_it_means() {
        let origin = Origin::configured("https://Echo.example.com").unwrap();
        let path = "/echo.Echo/Unary";
        for same in [
            "https://echo.example.com/echo.Echo/Unary",
            "HTTPS://ECHO.Example.com/echo.Echo/Unary",
            "https://echo.example.com:443/echo.Echo/Unary",
            "https://echo.example.com:/echo.Echo/Unary",
            "https://echo.example.com/echo.Echo/Unary?a=/b#c",
            "https://echo.example.com/echo.Echo/Unary#c",
        ] {
            assert!(origin.is_target(same, path), "{same}");
        }
        for other in [
            "",
            "/echo.Echo/Unary",
            "https://echo.example.com",
            "https://echo.example.com/",
            "https://echo.example.com/echo.Echo/unary",
            "https://echo.example.com/echo.Echo/Unary/",
            "https://echo.example.com//echo.Echo/Unary",
            "https://echo.example.com/x/../echo.Echo/Unary",
            "https://echo.example.com/echo.Echo/%55nary",
            "https://echo.example.com?/echo.Echo/Unary",
            "http://echo.example.com/echo.Echo/Unary",
            "http://echo.example.com:443/echo.Echo/Unary",
            "https://echo.example.com:80/echo.Echo/Unary",
            "https://echo.example.com:8443/echo.Echo/Unary",
            "https://echo.example.com.evil.example/echo.Echo/Unary",
            "https://evil.example@echo.example.com/echo.Echo/Unary",
            "https://echo.example.com@evil.example/echo.Echo/Unary",
            "https:\\\\echo.example.com/echo.Echo/Unary",
            "https:/echo.example.com/echo.Echo/Unary",
            " https://echo.example.com/echo.Echo/Unary",
            "https://echo.example.com/echo.Echo/Unary ",
        ] {
            assert!(!origin.is_target(other, path), "{other}");
        }
        let local = Origin::configured("http://[::1]:50051").unwrap();
        assert!(local.is_target("http://[::1]:50051/echo.Echo/Unary", path));
        assert!(!local.is_target("http://[::1]/echo.Echo/Unary", path));
        assert!(!local.is_target("http://[::2]:50051/echo.Echo/Unary", path));
    }
}
