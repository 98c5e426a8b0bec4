//! For each class: what is wrong, and what to do about it.

mod cases;

use super::diagnosis::{Diagnosis, Stage};
use super::target::Target;
use super::words::{aside, named, origin, seconds};
use crate::tls::certificate::date;
use cases::{healthy, see_what_listens, wrong_name};

/// A diagnosis in words.
pub(crate) struct Explanation {
    /// What is wrong: one sentence.
    pub(crate) cause: String,
    /// What to do, with text to paste where there can be one. Nothing for what is healthy.
    pub(crate) fix: Option<String>,
}

/// What .NET clients say of a server that speaks HTTP/1.1.
const DOTNET: &str = ".NET says \"Response protocol downgraded to HTTP/1.1\" of that";

const SWITCH_HTTP2_ON: &str = "\
    Switch HTTP/2 on there: nginx `http2 on;` with `grpc_pass`, an AWS load balancer a target group \
    of the protocol version gRPC, ASP.NET Core `\"Protocols\": \"Http2\"` in \
    `Kestrel:EndpointDefaults`; or connect past the proxy, to the gRPC server's own port.";

const SEE_LOGS_ON_THE_WAY: &str = "\
    See the server's log, and that of each proxy on the way: one of them does not speak HTTP/2 as \
    gRPC needs it.";

pub(crate) fn explain(diagnosis: &Diagnosis, target: &Target) -> Explanation {
    let (host, authority, port) = (target.plain_host(), target.authority(), target.port);
    match diagnosis {
        Diagnosis::Healthy { grpc_status, message, challenge } => {
            healthy(*grpc_status, message.as_ref(), challenge.as_ref(), &authority)
        }
        Diagnosis::NameNotFound { error } => found(
            format!("`{host}` has no address: {error}."),
            format!(
                "Correct the name, or add it to DNS; `getent hosts {host}` shows what it is here."
            ),
        ),
        Diagnosis::Timeout { stage: Stage::Resolve } => found(
            format!("The name server did not say in time which address `{host}` has."),
            "See whether the name server of this machine works: `cat /etc/resolv.conf`, VPN.",
        ),
        Diagnosis::ConnectionRefused => found(
            format!("Nothing listens on {authority}."),
            format!(
                "Start the server, or correct the port; it may listen on 127.0.0.1 alone (bind \
                 `0.0.0.0:{port}` or `[::]:{port}`), or on another port."
            ),
        ),
        Diagnosis::Timeout { stage: Stage::Connect } => found(
            format!(
                "Nothing came back from {authority}, not even a refusal: a firewall drops the \
                 packets, or the host is down."
            ),
            format!(
                "Open port {port} in the firewalls, security groups and network policies between \
                 here and there, or correct the address."
            ),
        ),
        Diagnosis::Unreachable { error } => found(
            format!("{authority} cannot be reached: {error}."),
            "See whether this machine has a route there: network, VPN, IPv6.",
        ),
        Diagnosis::PlaintextOnTlsPort { begins_with } => found(
            format!(
                "TLS was begun on {authority}, and what answered speaks none{}.",
                aside(" (it said \"", begins_with.as_ref(), "\")")
            ),
            format!(
                "Write `{}` if the server is meant to have no TLS, or give it a certificate: \
                 `Server::builder().tls_config(ServerTls::from_pem_files(\"chain.pem\", \
                 \"key.pem\")?.config())?`.",
                target.other_url()
            ),
        ),
        Diagnosis::TlsOnPlaintextPort => found(
            format!("Plaintext was sent to {authority}, and the server there speaks TLS."),
            format!("Write `{}`.", target.other_url()),
        ),
        Diagnosis::Timeout { stage: Stage::Tls } => found(
            format!(
                "{authority} took the connection, and did not answer the TLS handshake: what \
                 listens there hangs, or speaks no TLS and waits for more."
            ),
            format!("See what listens there; if it has no TLS, write `{}`.", target.other_url()),
        ),
        Diagnosis::TlsFailed { problem } => found(
            format!("No TLS could be agreed on with {authority}: {problem}."),
            format!(
                "See what it says to others: `openssl s_client -connect {authority} -servername \
                 {host} -alpn h2`."
            ),
        ),
        Diagnosis::ClientCertificateRequired => found(
            format!(
                "{authority} lets in clients with a certificate alone (mutual TLS), and none was \
                 shown."
            ),
            "Show one: `ClientTls::system()?.identity(Identity::from_pem_files(\"client.pem\", \
             \"client-key.pem\")?)`.",
        ),
        Diagnosis::ClientCertificateRefused { alert } => found(
            format!("{authority} does not accept the client's certificate (it sent {alert})."),
            "Show a certificate of the authority that the server asks for (its `client_ca`), that \
             has not expired and is meant for clients; the server's log says which part it minds.",
        ),
        Diagnosis::CertificateUntrusted { self_signed: true, .. } => found(
            format!(
                "The certificate of {authority} is signed by itself, and not among those that are \
                 trusted here."
            ),
            "Trust it by name, with `ClientTls::ca_file(\"server.pem\")?` (for development: \
             `DevelopmentCa::new(..).client_tls()?`), or give the server a certificate of an \
             authority.",
        ),
        Diagnosis::CertificateUntrusted { issuer, self_signed: false } => found(
            format!(
                "The certificate of {authority} is signed by `{issuer}`, which is not trusted here, \
                 or the server sends its chain without the certificates in between."
            ),
            format!(
                "If the authority is your own, name it: `ClientTls::ca_file(\"ca.pem\")?`; if it is \
                 a public one, let the server send its full chain (`fullchain.pem`, not \
                 `cert.pem`): `openssl s_client -connect {authority} -showcerts` shows what it \
                 sends."
            ),
        ),
        Diagnosis::CertificateExpired { subject, not_after, now } => found(
            format!(
                "The certificate `{subject}` of {authority} expired on {}; this machine's clock \
                 says {}.",
                date(*not_after),
                date(*now)
            ),
            "Renew it, and let the server load the new one (a restart, if nothing else does); if \
             this machine's clock is wrong, `timedatectl set-ntp true`.",
        ),
        Diagnosis::CertificateNotYetValid { subject, not_before, now } => found(
            format!(
                "The certificate `{subject}` of {authority} is valid from {} on, and this machine's \
                 clock says {}: most likely this clock is wrong.",
                date(*not_before),
                date(*now)
            ),
            "Set this machine's clock: `timedatectl set-ntp true`.",
        ),
        Diagnosis::CertificateWrongName { names } => wrong_name(names, target),
        Diagnosis::CertificateInvalid { problem } => found(
            format!("The certificate of {authority} cannot be accepted: {problem}."),
            "Let the server have another certificate: for servers (extendedKeyUsage serverAuth), \
             not an authority's own (CA:FALSE), signed with SHA-256 or better.",
        ),
        Diagnosis::NoRoots => found(
            "This machine's certificate store is empty, so no server can be verified.",
            "Install the package `ca-certificates`, or use the roots of browsers: \
             `ClientTls::webpki_roots()`.",
        ),
        Diagnosis::AlpnMissing => found(
            format!(
                "{authority} speaks TLS, but does not negotiate a protocol (ALPN), which HTTP/2 \
                 over TLS needs: gRPC clients hang up."
            ),
            "Let what ends TLS negotiate `h2`: rustls `config.alpn_protocols = \
             vec![b\"h2\".to_vec()]`, nginx `listen 443 ssl; http2 on;`, an AWS load balancer `ALPN \
             policy HTTP2Only`; tonic's own `tls_config` does.",
        ),
        Diagnosis::AlpnHttp1Only => found(
            format!(
                "What ends TLS at {authority} speaks HTTP/1.1 and no HTTP/2, and gRPC needs HTTP/2; \
                 {DOTNET}."
            ),
            SWITCH_HTTP2_ON,
        ),
        Diagnosis::Http1Answer { status_line } => found(
            format!(
                "{authority} answered HTTP/2 with HTTP/1.1 (\"{status_line}\"), and gRPC needs \
                 HTTP/2; {DOTNET}."
            ),
            SWITCH_HTTP2_ON,
        ),
        Diagnosis::Timeout { stage: Stage::Http2 } => found(
            format!(
                "{authority} took the connection, and said nothing to the beginning of HTTP/2: it \
                 speaks another protocol, or hangs."
            ),
            see_what_listens(target),
        ),
        Diagnosis::ConnectionClosed { stage } => found(
            format!(
                "{authority} closed the connection {} without a word.",
                match stage {
                    Stage::Tls => "at the TLS handshake",
                    Stage::Call => "at the call",
                    Stage::Resolve | Stage::Connect | Stage::Http2 => "at the beginning of HTTP/2",
                }
            ),
            see_what_listens(target),
        ),
        Diagnosis::GoAway { reason, debug } => found(
            format!(
                "{authority} sent the client away (GOAWAY {reason}{}).",
                aside(", \"", Some(debug).filter(|debug| !debug.is_empty()), "\"")
            ),
            match &**reason {
                "ENHANCE_YOUR_CALM" => {
                    "Send fewer keep-alive pings (`Endpoint::http2_keep_alive_interval`: not below \
                     what the server permits, often 5 minutes), and fewer connections or calls at \
                     once."
                }
                "NO_ERROR" => {
                    "Try again: it shuts down, or has as many connections as it wants; see its log \
                     if it stays so."
                }
                _ => SEE_LOGS_ON_THE_WAY,
            },
        ),
        Diagnosis::Http2Error { problem } => {
            found(format!("HTTP/2 with {authority} failed: {problem}."), SEE_LOGS_ON_THE_WAY)
        }
        Diagnosis::Timeout { stage: Stage::Call } => found(
            format!(
                "{authority} speaks HTTP/2, and did not answer the call in time: a proxy's backend \
                 may hang, or the server is overloaded."
            ),
            "See whether the backend answers when it is called directly, and how long the proxy \
             waits for it.",
        ),
        Diagnosis::HttpUnauthorized { server, challenge } => found(
            format!(
                "HTTP 401 from {} at {authority}, which is no answer of a gRPC server{}.",
                named(server.as_ref()),
                aside(" (`www-authenticate: ", challenge.as_ref(), "`)")
            ),
            "A proxy asks for credentials of its own: give it those, or let it pass gRPC on and the \
             gRPC server decide (it answers UNAUTHENTICATED, with HTTP 200).",
        ),
        Diagnosis::HttpForbidden { server } => found(
            format!(
                "HTTP 403 from {} at {authority}, which is no answer of a gRPC server: a firewall \
                 for web applications or an access rule stands before it.",
                named(server.as_ref())
            ),
            "Allow POST with the content type `application/grpc` there, or connect past it.",
        ),
        Diagnosis::HttpNotFound { server } => found(
            format!(
                "HTTP 404 from {} at {authority}: it has no route for gRPC paths, like \
                 `/package.Service/Method`.",
                named(server.as_ref())
            ),
            "Route the paths of the services there (nginx `location /package.Service/ { grpc_pass \
             grpc://backend; }`, Envoy and Kubernetes a route with the prefix `/package.Service/`), \
             and correct host and port: it may be the REST port.",
        ),
        Diagnosis::HttpServerError { status: status @ 502..=504, server } => found(
            format!(
                "HTTP {status} from {} at {authority}: it does not reach a gRPC server behind it, \
                 or speaks HTTP/1.1 to it.",
                named(server.as_ref())
            ),
            "Start the backend, and let the proxy speak HTTP/2 to it: nginx `grpc_pass grpc://..` \
             (not `proxy_pass`), Envoy `http2_protocol_options`, Kubernetes `appProtocol: \
             kubernetes.io/h2c`.",
        ),
        Diagnosis::HttpServerError { status, server } => found(
            format!(
                "HTTP {status} from {} at {authority}: it failed before a gRPC server saw the call.",
                named(server.as_ref())
            ),
            "See the log of that proxy or server.",
        ),
        Diagnosis::Redirect { status, location } => found(
            format!(
                "{authority} redirects (HTTP {status}{}), and gRPC clients do not follow.",
                aside(" to `", location.as_ref(), "`")
            ),
            match location {
                Some(location) => format!(
                    "Connect to where it points, if that is a gRPC server: `{}`.",
                    origin(location).unwrap_or(location)
                ),
                None => "Connect to the gRPC server itself.".into(),
            },
        ),
        Diagnosis::HtmlPage { title, server } => found(
            format!(
                "{authority} answers with a web page{} from {}: it is a web server, or a network's \
                 log-in page.",
                aside(" (\"", title.as_ref(), "\")"),
                named(server.as_ref())
            ),
            "Correct host and port; on a foreign network, log in to it first.",
        ),
        Diagnosis::GrpcWebOnly => found(
            format!("{authority} speaks gRPC-Web, which browsers use, and no gRPC."),
            "Connect to the port that speaks gRPC, or switch gRPC on beside gRPC-Web (tonic: the \
             service without `accept_http1` alone, Envoy: a route past the `grpc_web` filter).",
        ),
        Diagnosis::NotGrpc { status, content_type, server } => found(
            format!(
                "HTTP {status} with {} from {} at {authority}, which is no answer of a gRPC server.",
                content_type.as_ref().map_or("no content type".into(), |t| format!("`{t}`")),
                named(server.as_ref())
            ),
            "Correct host and port: it may be the REST or metrics port of the service.",
        ),
        Diagnosis::Slow { stage, took } => found(
            format!(
                "A gRPC server answered at {authority}, but the step `{stage}` took {}.",
                seconds(*took)
            ),
            match stage {
                Stage::Resolve => "See why the name server is slow.",
                Stage::Connect | Stage::Tls => {
                    "See whether the network loses packets, or an address of the name does not \
                     answer."
                }
                Stage::Http2 | Stage::Call => {
                    "See whether the server is overloaded, or starts cold."
                }
            },
        ),
        Diagnosis::ClockSkew { server_ahead, by } => found(
            format!(
                "A gRPC server answered at {authority}, but its clock is {} {} this machine's.",
                seconds(*by),
                if *server_ahead { "ahead of" } else { "behind" }
            ),
            "Synchronize both clocks (`timedatectl set-ntp true`): tokens are valid between two \
             times, and 30 s are forgiven.",
        ),
    }
}

fn found(cause: impl Into<String>, fix: impl Into<String>) -> Explanation {
    Explanation { cause: cause.into(), fix: Some(fix.into()) }
}

#[cfg(test)]
mod tests;
