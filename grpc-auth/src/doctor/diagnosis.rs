//! The classes of what can be wrong with a connection.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::tls::certificate::as_date;

/// A step of an examination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The host's name is looked up.
    Resolve,
    /// A TCP connection is made.
    Connect,
    /// TLS is agreed on, and the server's certificate verified.
    Tls,
    /// HTTP/2 begins: preface and SETTINGS.
    Http2,
    /// A method is called.
    Call,
}

impl Stage {
    /// Its name: `resolve`, `connect`, `tls`, `http2`, `call`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Http2 => "http2",
            Self::Call => "call",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the doctor found: one class, and the facts of this case.
///
/// Each class has a stable name and an exit code of its own, for scripts:
///
/// | exit code | name | |
/// |---:|---|---|
/// | 0 | `healthy` | a gRPC server answered |
/// | 10 | `name-not-found` | the host has no address |
/// | 11 | `timeout-resolve` | the name server does not answer |
/// | 12 | `connection-refused` | no program listens on the port |
/// | 13 | `timeout-connect` | packets to it vanish |
/// | 14 | `unreachable` | there is no way to it |
/// | 20 | `plaintext-on-tls-port` | `https` was asked of a server without TLS |
/// | 21 | `tls-on-plaintext-port` | `http` was asked of a server with TLS |
/// | 22 | `timeout-tls` | the handshake is not answered |
/// | 23 | `tls-failed` | the handshake failed for another reason |
/// | 24 | `client-certificate-required` | the server wants a client certificate (mutual TLS) |
/// | 25 | `client-certificate-refused` | the server does not trust the client's |
/// | 30 | `certificate-untrusted` | its issuer is not among the roots |
/// | 31 | `certificate-expired` | |
/// | 32 | `certificate-not-yet-valid` | often this machine's clock |
/// | 33 | `certificate-wrong-name` | it is for other names |
/// | 34 | `certificate-invalid` | something else is wrong with it |
/// | 35 | `no-roots` | this machine trusts no authority |
/// | 40 | `alpn-missing` | TLS without protocol negotiation: gRPC clients hang up |
/// | 41 | `alpn-http1-only` | the TLS end speaks HTTP/1.1 alone |
/// | 42 | `http1-answer` | HTTP/1.1 was answered to HTTP/2 |
/// | 50 | `timeout-http2` | connected, and then silence |
/// | 51 | `connection-closed` | the server hangs up |
/// | 52 | `goaway` | the server sends the client away |
/// | 53 | `http2-error` | what was said is not HTTP/2, or the call was reset |
/// | 60 | `timeout-call` | the call is not answered |
/// | 61 | `http-unauthorized` | 401 or 407 of something that is no gRPC server |
/// | 62 | `http-forbidden` | 403, likewise |
/// | 63 | `http-not-found` | 404, likewise |
/// | 64 | `http-server-error` | 5xx, likewise |
/// | 65 | `redirect` | 3xx |
/// | 66 | `html-page` | a web page |
/// | 67 | `grpc-web-only` | gRPC-Web, and no gRPC |
/// | 68 | `not-grpc` | any other answer that is not gRPC |
/// | 70 | `slow` | it works, and takes long |
/// | 71 | `clock-skew` | it works, but tokens may not: the clocks differ |
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[serde(untagged)]
#[expect(missing_docs, reason = "the table says it")]
pub enum Diagnosis {
    /// A gRPC server answered, with any status: the transport works.
    Healthy {
        /// Its status, if the answer ended.
        grpc_status: Option<u32>,
        /// Its message.
        message: Option<String>,
        /// The credentials it asks for, its `www-authenticate`.
        challenge: Option<String>,
    },
    NameNotFound {
        error: String,
    },
    ConnectionRefused,
    Unreachable {
        error: String,
    },
    /// A step took longer than it may.
    Timeout {
        stage: Stage,
    },
    PlaintextOnTlsPort {
        begins_with: Option<String>,
    },
    TlsOnPlaintextPort,
    TlsFailed {
        problem: String,
    },
    ClientCertificateRequired,
    ClientCertificateRefused {
        alert: String,
    },
    CertificateUntrusted {
        issuer: String,
        self_signed: bool,
    },
    CertificateExpired {
        subject: String,
        #[serde(serialize_with = "as_date")]
        not_after: SystemTime,
        #[serde(serialize_with = "as_date")]
        now: SystemTime,
    },
    CertificateNotYetValid {
        subject: String,
        #[serde(serialize_with = "as_date")]
        not_before: SystemTime,
        #[serde(serialize_with = "as_date")]
        now: SystemTime,
    },
    CertificateWrongName {
        names: Vec<String>,
    },
    CertificateInvalid {
        problem: String,
    },
    NoRoots,
    AlpnMissing,
    AlpnHttp1Only,
    Http1Answer {
        status_line: String,
    },
    ConnectionClosed {
        stage: Stage,
    },
    GoAway {
        reason: String,
        debug: String,
    },
    Http2Error {
        problem: String,
    },
    HttpUnauthorized {
        server: Option<String>,
        challenge: Option<String>,
    },
    HttpForbidden {
        server: Option<String>,
    },
    HttpNotFound {
        server: Option<String>,
    },
    HttpServerError {
        status: u16,
        server: Option<String>,
    },
    Redirect {
        status: u16,
        location: Option<String>,
    },
    HtmlPage {
        title: Option<String>,
        server: Option<String>,
    },
    GrpcWebOnly,
    NotGrpc {
        status: u16,
        content_type: Option<String>,
        server: Option<String>,
    },
    Slow {
        stage: Stage,
        took: Duration,
    },
    /// The server's clock is ahead of this one, or behind, by more than tokens are given.
    ClockSkew {
        server_ahead: bool,
        by: Duration,
    },
}

impl Diagnosis {
    /// Whether calls can be made: the exit code is 0.
    #[must_use]
    pub const fn is_healthy(&self) -> bool {
        matches!(self, Self::Healthy { .. })
    }

    /// Its stable name, of the table above.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.class().0
    }

    /// Its exit code, of the table above.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        self.class().1
    }

    const fn class(&self) -> (&'static str, u8) {
        match self {
            Self::Healthy { .. } => ("healthy", 0),
            Self::NameNotFound { .. } => ("name-not-found", 10),
            Self::Timeout { stage: Stage::Resolve } => ("timeout-resolve", 11),
            Self::ConnectionRefused => ("connection-refused", 12),
            Self::Timeout { stage: Stage::Connect } => ("timeout-connect", 13),
            Self::Unreachable { .. } => ("unreachable", 14),
            Self::PlaintextOnTlsPort { .. } => ("plaintext-on-tls-port", 20),
            Self::TlsOnPlaintextPort => ("tls-on-plaintext-port", 21),
            Self::Timeout { stage: Stage::Tls } => ("timeout-tls", 22),
            Self::TlsFailed { .. } => ("tls-failed", 23),
            Self::ClientCertificateRequired => ("client-certificate-required", 24),
            Self::ClientCertificateRefused { .. } => ("client-certificate-refused", 25),
            Self::CertificateUntrusted { .. } => ("certificate-untrusted", 30),
            Self::CertificateExpired { .. } => ("certificate-expired", 31),
            Self::CertificateNotYetValid { .. } => ("certificate-not-yet-valid", 32),
            Self::CertificateWrongName { .. } => ("certificate-wrong-name", 33),
            Self::CertificateInvalid { .. } => ("certificate-invalid", 34),
            Self::NoRoots => ("no-roots", 35),
            Self::AlpnMissing => ("alpn-missing", 40),
            Self::AlpnHttp1Only => ("alpn-http1-only", 41),
            Self::Http1Answer { .. } => ("http1-answer", 42),
            Self::Timeout { stage: Stage::Http2 } => ("timeout-http2", 50),
            Self::ConnectionClosed { .. } => ("connection-closed", 51),
            Self::GoAway { .. } => ("goaway", 52),
            Self::Http2Error { .. } => ("http2-error", 53),
            Self::Timeout { stage: Stage::Call } => ("timeout-call", 60),
            Self::HttpUnauthorized { .. } => ("http-unauthorized", 61),
            Self::HttpForbidden { .. } => ("http-forbidden", 62),
            Self::HttpNotFound { .. } => ("http-not-found", 63),
            Self::HttpServerError { .. } => ("http-server-error", 64),
            Self::Redirect { .. } => ("redirect", 65),
            Self::HtmlPage { .. } => ("html-page", 66),
            Self::GrpcWebOnly => ("grpc-web-only", 67),
            Self::NotGrpc { .. } => ("not-grpc", 68),
            Self::Slow { .. } => ("slow", 70),
            Self::ClockSkew { .. } => ("clock-skew", 71),
        }
    }

    /// The server's own words, which may repeat a token that it was sent.
    pub(super) fn said(&mut self) -> [Option<&mut String>; 2] {
        match self {
            Self::Healthy { message, challenge, .. } => [message.as_mut(), challenge.as_mut()],
            Self::HttpUnauthorized { server, challenge } => [server.as_mut(), challenge.as_mut()],
            Self::HtmlPage { title, server } => [title.as_mut(), server.as_mut()],
            Self::NotGrpc { content_type, server, .. } => [content_type.as_mut(), server.as_mut()],
            Self::GoAway { reason, debug } => [Some(reason), Some(debug)],
            Self::HttpForbidden { server }
            | Self::HttpNotFound { server }
            | Self::HttpServerError { server, .. } => [server.as_mut(), None],
            Self::Redirect { location: text, .. }
            | Self::PlaintextOnTlsPort { begins_with: text } => [text.as_mut(), None],
            Self::Http1Answer { status_line: text }
            | Self::Http2Error { problem: text }
            | Self::TlsFailed { problem: text }
            | Self::CertificateInvalid { problem: text }
            | Self::ClientCertificateRefused { alert: text }
            | Self::NameNotFound { error: text }
            | Self::Unreachable { error: text } => [Some(text), None],
            // What they say was said before a token was sent, or by this program.
            Self::ConnectionRefused
            | Self::Timeout { .. }
            | Self::TlsOnPlaintextPort
            | Self::ClientCertificateRequired
            | Self::CertificateUntrusted { .. }
            | Self::CertificateExpired { .. }
            | Self::CertificateNotYetValid { .. }
            | Self::CertificateWrongName { .. }
            | Self::NoRoots
            | Self::AlpnMissing
            | Self::AlpnHttp1Only
            | Self::ConnectionClosed { .. }
            | Self::GrpcWebOnly
            | Self::Slow { .. }
            | Self::ClockSkew { .. } => [None, None],
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashSet;
    use std::time::UNIX_EPOCH;

    use super::*;

    /// One of each class.
    pub(in crate::doctor) fn every() -> Vec<Diagnosis> {
        let text = || "text".to_owned();
        let server = || Some("nginx".to_owned());
        let now = UNIX_EPOCH;
        let by = Duration::from_secs(90);
        let timeout = |stage| Diagnosis::Timeout { stage };
        vec![
            Diagnosis::Healthy { grpc_status: Some(0), message: None, challenge: None },
            Diagnosis::NameNotFound { error: text() },
            timeout(Stage::Resolve),
            Diagnosis::ConnectionRefused,
            timeout(Stage::Connect),
            Diagnosis::Unreachable { error: text() },
            Diagnosis::PlaintextOnTlsPort { begins_with: None },
            Diagnosis::TlsOnPlaintextPort,
            timeout(Stage::Tls),
            Diagnosis::TlsFailed { problem: text() },
            Diagnosis::ClientCertificateRequired,
            Diagnosis::ClientCertificateRefused { alert: text() },
            Diagnosis::CertificateUntrusted { issuer: text(), self_signed: false },
            Diagnosis::CertificateExpired { subject: text(), not_after: now, now },
            Diagnosis::CertificateNotYetValid { subject: text(), not_before: now, now },
            Diagnosis::CertificateWrongName { names: vec![text()] },
            Diagnosis::CertificateInvalid { problem: text() },
            Diagnosis::NoRoots,
            Diagnosis::AlpnMissing,
            Diagnosis::AlpnHttp1Only,
            Diagnosis::Http1Answer { status_line: text() },
            timeout(Stage::Http2),
            Diagnosis::ConnectionClosed { stage: Stage::Http2 },
            Diagnosis::GoAway { reason: text(), debug: text() },
            Diagnosis::Http2Error { problem: text() },
            timeout(Stage::Call),
            Diagnosis::HttpUnauthorized { server: server(), challenge: None },
            Diagnosis::HttpForbidden { server: server() },
            Diagnosis::HttpNotFound { server: server() },
            Diagnosis::HttpServerError { status: 502, server: server() },
            Diagnosis::Redirect { status: 302, location: None },
            Diagnosis::HtmlPage { title: None, server: None },
            Diagnosis::GrpcWebOnly,
            Diagnosis::NotGrpc { status: 200, content_type: None, server: None },
            Diagnosis::Slow { stage: Stage::Call, took: by },
            Diagnosis::ClockSkew { server_ahead: true, by },
        ]
    }

    #[test]
    fn each_class_has_a_name_and_an_exit_code_of_its_own_as_documented() {
        let documented: Vec<_> = include_str!("diagnosis.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("/// | ")?.split_once(" | `"))
            .filter_map(|(exit_code, rest)| {
                Some((exit_code.parse().ok()?, rest.split('`').next()?))
            })
            .collect();
        let every = every();
        let found: Vec<_> = every.iter().map(|one| (one.exit_code(), one.code())).collect();
        assert_eq!(found, documented);
        // A class that `every` lacks has an arm.
        let arms = include_str!("diagnosis.rs").lines().filter(|line| line.contains(" => (\""));
        assert_eq!(arms.count(), documented.len());
        assert_eq!(
            found.iter().map(|(exit_code, _)| exit_code).collect::<HashSet<_>>().len(),
            found.len()
        );
        assert_eq!(found.iter().map(|(_, code)| code).collect::<HashSet<_>>().len(), found.len());
        assert!(every.iter().all(|one| one.is_healthy() == (one.exit_code() == 0)));
    }
}
