//! Classes whose words depend on the facts.

use super::{Explanation, found};
use crate::doctor::target::{Target, is_address};
use crate::doctor::words::{aside, list, status_name};

pub(super) fn healthy(
    grpc_status: Option<u32>,
    message: Option<&String>,
    challenge: Option<&String>,
    authority: &str,
) -> Explanation {
    match grpc_status {
        Some(16) => found(
            format!(
                "A gRPC server answered at {authority}, and asks for a token (UNAUTHENTICATED{}).",
                aside(", `www-authenticate: ", challenge, "`")
            ),
            "Nothing, if the client attaches one; to examine with a token, give one to the doctor.",
        ),
        Some(14) => found(
            format!(
                "A gRPC server answered at {authority} with UNAVAILABLE{}: the way to it works, \
                 what is behind it does not.",
                aside(", \"", message, "\"")
            ),
            "Look at the logs of what is behind the proxy, or of the server without a proxy.",
        ),
        status => {
            let name = status.and_then(status_name).map(ToOwned::to_owned);
            let name = aside(" (", name.as_ref(), ")");
            let cause = format!("A gRPC server answered at {authority}{name}.");
            Explanation { cause, fix: None }
        }
    }
}

pub(super) fn wrong_name(names: &[String], target: &Target) -> Explanation {
    let (host, authority, port) = (target.plain_host(), target.authority(), target.port);
    let cause = if names.is_empty() {
        format!(
            "The certificate of {authority} names no host at all (the common name alone does not \
             count)."
        )
    } else {
        format!("The certificate of {authority} is for {}, and not for `{host}`.", list(names))
    };
    let fix = match names.iter().find(|name| !name.contains('*')) {
        None => {
            format!("Let the server have a certificate with the subject alternative name `{host}`.")
        }
        Some(name) if is_address(host) => format!(
            "Connect by a name of the certificate, `https://{name}:{port}`, or expect it: \
             `ClientTls::system()?.server_name(\"{name}\")?`."
        ),
        Some(name) => format!(
            "Connect to `https://{name}:{port}`, or let the server have a certificate for `{host}`; \
             if it is reached by another name on purpose, expect the certificate's: \
             `ClientTls::system()?.server_name(\"{name}\")?`."
        ),
    };
    found(cause, fix)
}

pub(super) fn see_what_listens(target: &Target) -> String {
    let plaintext = if target.tls { "" } else { " in plaintext (h2c)" };
    format!(
        "See what listens on port {}, and its log; a proxy may need a setting for HTTP/2 \
         comes{plaintext}.",
        target.port
    )
}
