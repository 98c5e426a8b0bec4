//! Why a connection did not lead to an answer.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a connection to a server did not lead to an answer. Its text says what to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionFailure {
    /// No program listens at the address.
    Refused,
    /// The name server does not know the host.
    UnknownHost,
    /// The server's certificate is not trusted, has expired, or is for another name.
    Certificate,
    /// The server speaks plaintext HTTP where `https` is configured.
    Plaintext,
    /// The server closed the connection before it answered.
    Closed,
    /// The proxy of the environment cannot be reached, or refuses to connect.
    Proxy,
    /// This machine has no certificates of authorities, so no server can be verified.
    NoAuthorities,
    /// Something else; the detail of the error says what.
    Other,
}

impl ConnectionFailure {
    /// The kind of this chain of causes. The types of TLS and name resolution below an HTTP client
    /// are private, so their texts are read; an unknown text is `Other`.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(kind) = Self::of_one(error) {
                return kind;
            }
            cause = error.source();
        }
        Self::Other
    }

    fn of_one(error: &(dyn Error + 'static)) -> Option<Self> {
        let text = error.to_string();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["No CA certificates"]) {
            return Some(Self::NoAuthorities);
        }
        if says(&["tunnel", "proxy", "Proxy"]) {
            return Some(Self::Proxy);
        }
        if says(&["dns error", "failed to lookup address", "invalid dns name"]) {
            return Some(Self::UnknownHost);
        }
        if says(&["invalid peer certificate"]) {
            return Some(Self::Certificate);
        }
        if says(&["InvalidContentType"]) {
            return Some(Self::Plaintext);
        }
        if says(&["connection closed before", "handshake eof"]) {
            return Some(Self::Closed);
        }
        match error.downcast_ref::<io::Error>()?.kind() {
            io::ErrorKind::ConnectionRefused => Some(Self::Refused),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Some(Self::Closed),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectionFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => {
                "the connection was refused: check the host and the port of the URL, and that the \
                 server runs"
            }
            Self::UnknownHost => {
                "the host name is unknown: check its spelling and the name server; where only a \
                 proxy reaches it, set `HTTPS_PROXY`"
            }
            Self::Certificate => {
                "its certificate is not trusted: for an authority of your own, name its file in \
                 `SSL_CERT_FILE` or `ResourceServerBuilder::tls(..)` (feature `tls`)"
            }
            Self::Plaintext => {
                "the port speaks plaintext HTTP, and the URL is `https`: write the port that speaks \
                 TLS"
            }
            Self::Closed => {
                "it closed the connection before it answered: check that the port is the right one, \
                 and the load balancer or firewall on the way"
            }
            Self::Proxy => {
                "the proxy did not connect: check `HTTPS_PROXY`, and name hosts that need no proxy \
                 in `NO_PROXY`"
            }
            Self::NoAuthorities => {
                "this machine has no certificates of authorities, so no https server can be \
                 verified: install the package `ca-certificates`, name a file in `SSL_CERT_FILE`, \
                 or set the authorities with `ResourceServerBuilder::tls(..)`"
            }
            Self::Other => "no answer was read: see the cause",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Text(&'static str, #[source] Option<io::Error>);

    #[test]
    fn each_cause_is_found_below_others_and_an_unknown_one_is_other() {
        let below = |kind: io::ErrorKind| Some(io::Error::from(kind));
        for (error, failure) in [
            (Text("error", below(io::ErrorKind::ConnectionRefused)), ConnectionFailure::Refused),
            (Text("error", below(io::ErrorKind::ConnectionReset)), ConnectionFailure::Closed),
            (Text("error", below(io::ErrorKind::UnexpectedEof)), ConnectionFailure::Closed),
            (Text("dns error", None), ConnectionFailure::UnknownHost),
            (Text("invalid peer certificate: Expired", None), ConnectionFailure::Certificate),
            (Text("No CA certificates were loaded", None), ConnectionFailure::NoAuthorities),
            (Text("tunnel error: unsuccessful", None), ConnectionFailure::Proxy),
            (Text("error", below(io::ErrorKind::OutOfMemory)), ConnectionFailure::Other),
            (Text("error", None), ConnectionFailure::Other),
        ] {
            assert_eq!(ConnectionFailure::of(&error), failure, "{error:?}");
        }
    }
}
