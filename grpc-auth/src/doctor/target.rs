//! What is examined.

use http::uri::PathAndQuery;
use url::{Host, Url};

use crate::error::ConfigError;
use crate::http::address::is_loopback;

/// A server's address, as a client has it in its configuration.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// As in `:authority`: an IPv6 address has brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) loopback: bool,
}

impl Target {
    pub(crate) fn parse(value: &str) -> Result<Self, ConfigError> {
        let refuse = |help| {
            ConfigError::value(
                "doctor\'s endpoint",
                // It may have a password in it.
                value.rsplit('@').next().unwrap_or_default(),
                help,
            )
        };
        let url = Url::parse(value)
            .map_err(|_| refuse("write it like `https://echo.example.com:443`"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("write it with `https://` before the host, or `http://`"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ConfigError::setting(
                "doctor",
                "endpoint",
                "the endpoint has a user or a password in it: write it without",
            ));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(refuse(
                "write it without a path; the method to call is a setting of its own",
            ));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(refuse("write it with a host, like `https://echo.example.com:443`"));
        };
        let tls = url.scheme() == "https";
        Ok(Self { tls, host: host.into(), port, loopback: is_loopback(&url) })
    }

    /// Without the brackets of an IPv6 address.
    pub(crate) fn plain_host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&self.host)
    }

    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// The same address by the other scheme.
    pub(crate) fn other_url(&self) -> String {
        Self { tls: !self.tls, ..self.clone() }.url()
    }
}

/// `echo.Echo/UnaryEcho`, with a slash before it or without.
pub(crate) fn method(value: &str) -> Result<PathAndQuery, ConfigError> {
    let path = value.strip_prefix('/').unwrap_or(value);
    let fits = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let parts: Vec<_> = path.split('/').collect();
    match (parts.len(), parts.iter().all(|part| fits(part)), format!("/{path}").parse()) {
        (2, true, Ok(path)) => Ok(path),
        _ => Err(ConfigError::value(
            "doctor\'s method",
            value,
            "write service and method, like `grpc.health.v1.Health/Check`",
        )),
    }
}

/// Whether a URL's host is an address and no name.
pub(crate) fn is_address(host: &str) -> bool {
    matches!(Host::parse(host), Ok(Host::Ipv4(_) | Host::Ipv6(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_scheme_host_and_port_and_nothing_else() {
        let target = Target::parse("https://[::1]").unwrap();
        assert_eq!((target.plain_host(), &*target.authority()), ("::1", "[::1]:443"));
        assert_eq!(target.other_url(), "http://[::1]:443");
        for (wrong, text) in [
            ("echo.example.com:443", "with `https://` before the host"),
            ("echo.example.com", "like `https://echo.example.com:443`"),
            ("ftp://echo.example.com", "with `https://`"),
            ("https://echo.example.com/echo.Echo", "without a path"),
            ("https://echo.example.com?a", "without a path"),
        ] {
            let error = Target::parse(wrong).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        for secret in ["https://a:hunter2@echo.example.com", "a:hunter2@echo.example.com"] {
            let error = Target::parse(secret).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_method_is_a_service_and_a_name() {
        assert_eq!(method("a.B/C").unwrap(), "/a.B/C");
        assert_eq!(method("/a.B/C").unwrap(), "/a.B/C");
        for wrong in ["", "/", "a.B", "a.B/", "/C", "a/b/c", "a.B/C?d", "a b/c", "//c"] {
            let error = method(wrong).unwrap_err().to_string();
            assert!(error.contains("grpc.health.v1.Health/Check"), "{wrong}: {error}");
        }
    }
}
