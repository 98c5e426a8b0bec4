//! What to do about it, in words.

use super::diagnosis::{Diagnosis, Stage};
use super::target::{Target, is_address};

/// What to do, with text to paste where there can be one. Nothing for what is healthy.
pub(crate) fn fix(diagnosis: &Diagnosis, target: &Target) -> Option<String> {
    let (host, authority) = (target.plain_host(), target.authority());
    let port = target.port;
    Some(match diagnosis {
        Diagnosis::Healthy { grpc_status: Some(16), .. } => {
            "Nothing, if the client attaches one; to examine with a token, give one to the doctor."
                .into()
        }
        Diagnosis::Healthy { grpc_status: Some(14), .. } => {
            "Look at the logs of what is behind the proxy, or of the server without a proxy.".into()
        }
        Diagnosis::Healthy { .. } => return None,
        Diagnosis::NameNotFound { .. } => {
            format!("Correct the name, or add it to DNS; `getent hosts {host}` shows what it is here.")
        }
        Diagnosis::Timeout { stage: Stage::Resolve } => {
            "See whether the name server of this machine works: `cat /etc/resolv.conf`, VPN.".into()
        }
        Diagnosis::ConnectionRefused => format!(
            "Start the server, or correct the port; it may listen on 127.0.0.1 alone (bind \
             `0.0.0.0:{port}` or `[::]:{port}`), or on another port."
        ),
        Diagnosis::Timeout { stage: Stage::Connect } => format!(
            "Open port {port} in the firewalls, security groups and network policies between here \
             and there, or correct the address."
        ),
        Diagnosis::Unreachable { .. } => {
            "See whether this machine has a route there: network, VPN, IPv6.".into()
        }
        Diagnosis::PlaintextOnTlsPort { .. } => format!(
            "Write `{}` if the server is meant to have no TLS, or give it a certificate: \
             `Server::builder().tls_config(ServerTls::from_pem_files(\"chain.pem\", \
             \"key.pem\")?.config())?`.",
            target.other_url()
        ),
        Diagnosis::TlsOnPlaintextPort => format!("Write `{}`.", target.other_url()),
        Diagnosis::Timeout { stage: Stage::Tls } => {
            format!("See what listens there; if it has no TLS, write `{}`.", target.other_url())
        }
        Diagnosis::TlsFailed { .. } => format!(
            "See what it says to others: `openssl s_client -connect {authority} -servername {host} \
             -alpn h2`."
        ),
        Diagnosis::ClientCertificateRequired => {
            "Show one: `ClientTls::system()?.identity(Identity::from_pem_files(\"client.pem\", \
             \"client-key.pem\")?)`."
                .into()
        }
        Diagnosis::ClientCertificateRefused { .. } => {
            "Show a certificate of the authority that the server asks for (its `client_ca`), that \
             has not expired and is meant for clients; the server's log says which part it minds."
                .into()
        }
        Diagnosis::CertificateUntrusted { self_signed: true, .. } => {
            "Trust it by name, with `ClientTls::ca_file(\"server.pem\")?` (for development: \
             `DevelopmentCa::new(..).client_tls()?`), or give the server a certificate of an \
             authority."
                .into()
        }
        Diagnosis::CertificateUntrusted { .. } => format!(
            "If the authority is your own, name it: `ClientTls::ca_file(\"ca.pem\")?`; if it is a \
             public one, let the server send its full chain (`fullchain.pem`, not `cert.pem`): \
             `openssl s_client -connect {authority} -showcerts` shows what it sends."
        ),
        Diagnosis::CertificateExpired { .. } => {
            "Renew it, and let the server load the new one (a restart, if nothing else does); if \
             this machine's clock is wrong, `timedatectl set-ntp true`."
                .into()
        }
        Diagnosis::CertificateNotYetValid { .. } => {
            "Set this machine's clock: `timedatectl set-ntp true`.".into()
        }
        Diagnosis::CertificateWrongName { names } => {
            match names.iter().find(|name| !name.contains('*')) {
                None => format!(
                    "Let the server have a certificate with the subject alternative name `{host}`."
                ),
                Some(name) if is_address(host) => format!(
                    "Connect by a name of the certificate, `https://{name}:{port}`, or expect it: \
                     `ClientTls::system()?.server_name(\"{name}\")?`."
                ),
                Some(name) => format!(
                    "Connect to `https://{name}:{port}`, or let the server have a certificate for \
                     `{host}`; if it is reached by another name on purpose, expect the \
                     certificate's: `ClientTls::system()?.server_name(\"{name}\")?`."
                ),
            }
        }
        Diagnosis::CertificateInvalid { .. } => {
            "Let the server have another certificate: for servers (extendedKeyUsage serverAuth), not \
             an authority's own (CA:FALSE), signed with SHA-256 or better."
                .into()
        }
        Diagnosis::NoRoots => {
            "Install the package `ca-certificates`, or use the roots of browsers: \
             `ClientTls::webpki_roots()`."
                .into()
        }
        Diagnosis::AlpnMissing => {
            "Let what ends TLS negotiate `h2`: rustls `config.alpn_protocols = vec![b\"h2\".to_vec()]`, \
             nginx `listen 443 ssl; http2 on;`, an AWS load balancer `ALPN policy HTTP2Only`; \
             tonic's own `tls_config` does."
                .into()
        }
        Diagnosis::AlpnHttp1Only | Diagnosis::Http1Answer { .. } => {
            "Switch HTTP/2 on there: nginx `http2 on;` with `grpc_pass`, an AWS load balancer a \
             target group of the protocol version gRPC, ASP.NET Core `\"Protocols\": \"Http2\"` in \
             `Kestrel:EndpointDefaults`; or connect past the proxy, to the gRPC server's own port."
                .into()
        }
        Diagnosis::Timeout { stage: Stage::Http2 } | Diagnosis::ConnectionClosed { .. } => format!(
            "See what listens on port {port}, and its log; a proxy may need a setting for HTTP/2 \
             comes{}.",
            if target.tls { String::new() } else { " in plaintext (h2c)".into() }
        ),
        Diagnosis::GoAway { reason, .. } if reason == "ENHANCE_YOUR_CALM" => {
            "Send fewer keep-alive pings (`Endpoint::http2_keep_alive_interval`: not below what the \
             server permits, often 5 minutes), and fewer connections or calls at once."
                .into()
        }
        Diagnosis::GoAway { reason, .. } if reason == "NO_ERROR" => {
            "Try again: it shuts down, or has as many connections as it wants; see its log if it \
             stays so."
                .into()
        }
        Diagnosis::GoAway { .. } | Diagnosis::Http2Error { .. } => {
            "See the server's log, and that of each proxy on the way: one of them does not speak \
             HTTP/2 as gRPC needs it."
                .into()
        }
        Diagnosis::Timeout { stage: Stage::Call } => {
            "See whether the backend answers when it is called directly, and how long the proxy waits \
             for it."
                .into()
        }
        Diagnosis::HttpUnauthorized { .. } => {
            "A proxy asks for credentials of its own: give it those, or let it pass gRPC on and the \
             gRPC server decide (it answers UNAUTHENTICATED, with HTTP 200)."
                .into()
        }
        Diagnosis::HttpForbidden { .. } => {
            "Allow POST with the content type `application/grpc` there, or connect past it.".into()
        }
        Diagnosis::HttpNotFound { .. } => {
            "Route the paths of the services there (nginx `location /package.Service/ { grpc_pass \
             grpc://backend; }`, Envoy and Kubernetes a route with the prefix `/package.Service/`), \
             and correct host and port: it may be the REST port."
                .into()
        }
        Diagnosis::HttpServerError { status: 502..=504, .. } => {
            "Start the backend, and let the proxy speak HTTP/2 to it: nginx `grpc_pass grpc://..` \
             (not `proxy_pass`), Envoy `http2_protocol_options`, Kubernetes \
             `appProtocol: kubernetes.io/h2c`."
                .into()
        }
        Diagnosis::HttpServerError { .. } => "See the log of that proxy or server.".into(),
        Diagnosis::Redirect { location: Some(location), .. } => format!(
            "Connect to where it points, if that is a gRPC server: `{}`.",
            origin(location).unwrap_or(location)
        ),
        Diagnosis::Redirect { .. } => "Connect to the gRPC server itself.".into(),
        Diagnosis::HtmlPage { .. } => {
            "Correct host and port; on a foreign network, log in to it first.".into()
        }
        Diagnosis::GrpcWebOnly => {
            "Connect to the port that speaks gRPC, or switch gRPC on beside gRPC-Web (tonic: the \
             service without `accept_http1` alone, Envoy: a route past the `grpc_web` filter)."
                .into()
        }
        Diagnosis::NotGrpc { .. } => {
            "Correct host and port: it may be the REST or metrics port of the service.".into()
        }
        Diagnosis::Slow { stage, .. } => match stage {
            Stage::Resolve => "See why the name server is slow.".into(),
            Stage::Connect | Stage::Tls => {
                "See whether the network loses packets, or an address of the name does not answer."
                    .into()
            }
            Stage::Http2 | Stage::Call => {
                "See whether the server is overloaded, or starts cold.".into()
            }
        },
        Diagnosis::ClockSkew { .. } => {
            "Synchronize both clocks (`timedatectl set-ntp true`): tokens are valid between two \
             times, and 30 s are forgiven."
                .into()
        }
    })
}

/// Scheme, host and port of a URL.
fn origin(location: &str) -> Option<&str> {
    let path = location.find("://")? + 3;
    let end = location.get(path..)?.find('/').map_or(location.len(), |slash| path + slash);
    location.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::cause::cause;
    use crate::doctor::diagnosis::tests::every;

    #[test]
    fn each_class_is_one_sentence_of_cause_and_something_to_do() {
        let target = Target::parse("https://echo.example.com").unwrap();
        for diagnosis in every() {
            let cause = cause(&diagnosis, &target);
            assert!(
                cause.ends_with('.') && cause.starts_with(|c: char| !c.is_lowercase() || c == 'e'),
                "{cause}"
            );
            assert_eq!(fix(&diagnosis, &target).is_none(), diagnosis.is_healthy(), "{cause}");
        }
    }

    #[test]
    fn a_fix_repeats_what_is_to_be_pasted() {
        let target = Target::parse("https://10.0.0.1:8443").unwrap();
        let names = vec!["*.example.com".into(), "echo.example.com".into()];
        let text = fix(&Diagnosis::CertificateWrongName { names }, &target).unwrap();
        assert!(text.contains("server_name(\"echo.example.com\")"), "{text}");
        let location = Some("https://login.example.com/path".into());
        let text = fix(&Diagnosis::Redirect { status: 302, location }, &target).unwrap();
        assert!(text.contains("`https://login.example.com`"), "{text}");
    }
}
