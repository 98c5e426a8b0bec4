//! What is wrong, in words.

use std::time::Duration;

use super::diagnosis::{Diagnosis, Stage};
use super::target::Target;
use crate::tls::certificate::date;

/// What .NET clients say of a server that speaks HTTP/1.1.
const DOTNET: &str = ".NET says \"Response protocol downgraded to HTTP/1.1\" of that";

/// One sentence: what is wrong.
pub(crate) fn cause(diagnosis: &Diagnosis, target: &Target) -> String {
    let (host, authority) = (target.plain_host(), target.authority());
    match diagnosis {
        Diagnosis::Healthy { grpc_status: Some(16), challenge, .. } => format!(
            "A gRPC server answered at {authority}, and asks for a token (UNAUTHENTICATED{}).",
            challenge.as_ref().map(|c| format!(", `www-authenticate: {c}`")).unwrap_or_default()
        ),
        Diagnosis::Healthy { grpc_status: Some(14), message, .. } => format!(
            "A gRPC server answered at {authority} with UNAVAILABLE{}: the way to it works, what is \
             behind it does not.",
            message.as_ref().map(|m| format!(", \"{m}\"")).unwrap_or_default()
        ),
        Diagnosis::Healthy { grpc_status, .. } => match grpc_status.and_then(status_name) {
            Some(name) => format!("A gRPC server answered at {authority} ({name})."),
            None => format!("A gRPC server answered at {authority}."),
        },
        Diagnosis::NameNotFound { error } => format!("`{host}` has no address: {error}."),
        Diagnosis::Timeout { stage: Stage::Resolve } => {
            format!("The name server did not say in time which address `{host}` has.")
        }
        Diagnosis::ConnectionRefused => format!("Nothing listens on {authority}."),
        Diagnosis::Timeout { stage: Stage::Connect } => format!(
            "Nothing came back from {authority}, not even a refusal: a firewall drops the packets, \
             or the host is down."
        ),
        Diagnosis::Unreachable { error } => format!("{authority} cannot be reached: {error}."),
        Diagnosis::PlaintextOnTlsPort { begins_with } => format!(
            "TLS was begun on {authority}, and what answered speaks none{}.",
            begins_with.as_ref().map(|b| format!(" (it said \"{b}\")")).unwrap_or_default()
        ),
        Diagnosis::TlsOnPlaintextPort => {
            format!("Plaintext was sent to {authority}, and the server there speaks TLS.")
        }
        Diagnosis::Timeout { stage: Stage::Tls } => format!(
            "{authority} took the connection, and did not answer the TLS handshake: what listens \
             there hangs, or speaks no TLS and waits for more."
        ),
        Diagnosis::TlsFailed { problem } => {
            format!("No TLS could be agreed on with {authority}: {problem}.")
        }
        Diagnosis::ClientCertificateRequired => format!(
            "{authority} lets in clients with a certificate alone (mutual TLS), and none was shown."
        ),
        Diagnosis::ClientCertificateRefused { alert } => {
            format!("{authority} does not accept the client's certificate (it sent {alert}).")
        }
        Diagnosis::CertificateUntrusted { self_signed: true, .. } => format!(
            "The certificate of {authority} is signed by itself, and not among those that are \
             trusted here."
        ),
        Diagnosis::CertificateUntrusted { issuer, .. } => format!(
            "The certificate of {authority} is signed by `{issuer}`, which is not trusted here, or \
             the server sends its chain without the certificates in between."
        ),
        Diagnosis::CertificateExpired { subject, not_after, now } => format!(
            "The certificate `{subject}` of {authority} expired on {}; this machine's clock says {}.",
            date(*not_after),
            date(*now)
        ),
        Diagnosis::CertificateNotYetValid { subject, not_before, now } => format!(
            "The certificate `{subject}` of {authority} is valid from {} on, and this machine's \
             clock says {}: most likely this clock is wrong.",
            date(*not_before),
            date(*now)
        ),
        Diagnosis::CertificateWrongName { names } if names.is_empty() => format!(
            "The certificate of {authority} names no host at all (the common name alone does not \
             count)."
        ),
        Diagnosis::CertificateWrongName { names } => {
            format!("The certificate of {authority} is for {}, and not for `{host}`.", list(names))
        }
        Diagnosis::CertificateInvalid { problem } => {
            format!("The certificate of {authority} cannot be accepted: {problem}.")
        }
        Diagnosis::NoRoots => {
            "This machine's certificate store is empty, so no server can be verified.".into()
        }
        Diagnosis::AlpnMissing => format!(
            "{authority} speaks TLS, but does not negotiate a protocol (ALPN), which HTTP/2 over TLS \
             needs: gRPC clients hang up."
        ),
        Diagnosis::AlpnHttp1Only => format!(
            "What ends TLS at {authority} speaks HTTP/1.1 and no HTTP/2, and gRPC needs HTTP/2; \
             {DOTNET}."
        ),
        Diagnosis::Http1Answer { status_line } => format!(
            "{authority} answered HTTP/2 with HTTP/1.1 (\"{status_line}\"), and gRPC needs HTTP/2; \
             {DOTNET}."
        ),
        Diagnosis::Timeout { stage: Stage::Http2 } => format!(
            "{authority} took the connection, and said nothing to the beginning of HTTP/2: it \
             speaks another protocol, or hangs."
        ),
        Diagnosis::ConnectionClosed { stage } => format!(
            "{authority} closed the connection {} without a word.",
            match stage {
                Stage::Tls => "at the TLS handshake",
                Stage::Call => "at the call",
                _ => "at the beginning of HTTP/2",
            }
        ),
        Diagnosis::GoAway { reason, debug } => format!(
            "{authority} sent the client away (GOAWAY {reason}{}).",
            if debug.is_empty() { String::new() } else { format!(", \"{debug}\"") }
        ),
        Diagnosis::Http2Error { problem } => {
            format!("HTTP/2 with {authority} failed: {problem}.")
        }
        Diagnosis::Timeout { stage: Stage::Call } => format!(
            "{authority} speaks HTTP/2, and did not answer the call in time: a proxy's backend may \
             hang, or the server is overloaded."
        ),
        Diagnosis::HttpUnauthorized { server, challenge } => format!(
            "HTTP 401 from {} at {authority}, which is no answer of a gRPC server{}.",
            named(server.as_ref()),
            challenge.as_ref().map(|c| format!(" (`www-authenticate: {c}`)")).unwrap_or_default()
        ),
        Diagnosis::HttpForbidden { server } => format!(
            "HTTP 403 from {} at {authority}, which is no answer of a gRPC server: a firewall for web \
             applications or an access rule stands before it.",
            named(server.as_ref())
        ),
        Diagnosis::HttpNotFound { server } => format!(
            "HTTP 404 from {} at {authority}: it has no route for gRPC paths, like \
             `/package.Service/Method`.",
            named(server.as_ref())
        ),
        Diagnosis::HttpServerError { status, server } => format!(
            "HTTP {status} from {} at {authority}: {}.",
            named(server.as_ref()),
            match status {
                502..=504 => "it does not reach a gRPC server behind it, or speaks HTTP/1.1 to it",
                _ => "it failed before a gRPC server saw the call",
            }
        ),
        Diagnosis::Redirect { status, location } => format!(
            "{authority} redirects (HTTP {status}{}), and gRPC clients do not follow.",
            location.as_ref().map(|l| format!(" to `{l}`")).unwrap_or_default()
        ),
        Diagnosis::HtmlPage { title, server } => format!(
            "{authority} answers with a web page{} from {}: it is a web server, or a network's \
             log-in page.",
            title.as_ref().map(|t| format!(" (\"{t}\")")).unwrap_or_default(),
            named(server.as_ref())
        ),
        Diagnosis::GrpcWebOnly => {
            format!("{authority} speaks gRPC-Web, which browsers use, and no gRPC.")
        }
        Diagnosis::NotGrpc { status, content_type, server } => format!(
            "HTTP {status} with {} from {} at {authority}, which is no answer of a gRPC server.",
            content_type.as_ref().map_or("no content type".into(), |t| format!("`{t}`")),
            named(server.as_ref())
        ),
        Diagnosis::Slow { stage, took } => format!(
            "A gRPC server answered at {authority}, but the step `{stage}` took {}.",
            seconds(*took)
        ),
        Diagnosis::ClockSkew { server_ahead, by } => format!(
            "A gRPC server answered at {authority}, but its clock is {} {} this machine's.",
            seconds(*by),
            if *server_ahead { "ahead of" } else { "behind" }
        ),
    }
}

fn named(server: Option<&String>) -> String {
    server.map_or_else(|| "something".into(), |server| format!("`{server}`"))
}

fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(5).map(|name| format!("`{name}`")).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

pub(crate) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..=119 => format!("{:.1} s", duration.as_secs_f64()),
        s @ 120..=7199 => format!("{} min", s / 60),
        s @ 7200..=172_799 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

fn status_name(code: u32) -> Option<&'static str> {
    STATUS_NAMES.get(usize::try_from(code).ok()?).copied()
}

/// In the order of their codes.
const STATUS_NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
