//! Whether another token helps a call that was refused.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::{HeaderMap, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::client::dpop::DPOP_NONCE;
use crate::policy::denial::ERROR_DOMAIN;

const GRPC_STATUS: &str = "grpc-status";
const GRPC_DETAILS: &str = "grpc-status-details-bin";

/// Both are in use, with padding and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What helps a call that was answered UNAUTHENTICATED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The server's nonce in its proof.
    Nonce,
    /// Another token.
    Token,
    /// Nothing that could be done here.
    None,
}

/// Whether nothing but this was received: the status is in the headers (trailers-only), or a proxy
/// refused, which has no status of gRPC's.
pub(super) fn is_unauthenticated<R>(answer: &Response<R>) -> bool {
    match answer.headers().get(GRPC_STATUS) {
        Some(status) => status == "16",
        None => answer.status() == StatusCode::UNAUTHORIZED,
    }
}

pub(super) fn remedy(headers: &HeaderMap) -> Remedy {
    let asks_for_nonce = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|challenge| challenge.to_str().ok())
        .any(|challenge| challenge.contains("error=\"use_dpop_nonce\""));
    match reason(headers).as_deref() {
        Some("DPOP_NONCE_REQUIRED") => Remedy::Nonce,
        // Of any server that says no more.
        _ if asks_for_nonce && headers.contains_key(DPOP_NONCE) => Remedy::Nonce,
        // The next token would be presented in the same way.
        Some(
            "ACCESS_TOKEN_TYPE_UNSUPPORTED" | "ACCESS_TOKEN_MALFORMED" | "CREDENTIALS_MISSING",
        ) => Remedy::None,
        _ => Remedy::Token,
    }
}

/// The reason that a server of this crate gives. Not by way of `Status::from_header_map`, which
/// panics where the details are no base64.
fn reason(headers: &HeaderMap) -> Option<String> {
    let details = BASE64.decode(headers.get(GRPC_DETAILS)?).ok()?;
    let status = Status::with_details(Code::Unauthenticated, "", details.into());
    let info = status.get_details_error_info()?;
    (info.domain == ERROR_DOMAIN).then_some(info.reason)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tonic_types::ErrorDetails;

    use super::*;

    fn answered(code: Code, reason: &str, domain: &str) -> Response<()> {
        let nothing: [(String, String); 0] = [];
        let details = ErrorDetails::with_error_info(reason, domain, nothing);
        Status::with_error_details(code, "", details).into_http()
    }

    #[test]
    fn only_unauthenticated_has_a_remedy() {
        for (answer, expected) in [
            (answered(Code::Unauthenticated, "", ""), true),
            (answered(Code::PermissionDenied, "", ""), false),
            (answered(Code::Unavailable, "", ""), false),
            (Response::new(()), false),
            (Response::builder().status(401).body(()).unwrap(), true),
            (Response::builder().status(403).body(()).unwrap(), false),
            (Response::builder().status(401).header("grpc-status", "7").body(()).unwrap(), false),
        ] {
            assert_eq!(is_unauthenticated(&answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn the_remedy_is_what_the_reason_of_this_crates_servers_says() {
        for (reason, domain, expected) in [
            ("ACCESS_TOKEN_EXPIRED", ERROR_DOMAIN, Remedy::Token),
            ("ACCESS_TOKEN_INVALID", ERROR_DOMAIN, Remedy::Token),
            ("ACCESS_TOKEN_MALFORMED", ERROR_DOMAIN, Remedy::None),
            ("ACCESS_TOKEN_TYPE_UNSUPPORTED", ERROR_DOMAIN, Remedy::None),
            ("CREDENTIALS_MISSING", ERROR_DOMAIN, Remedy::None),
            ("DPOP_NONCE_REQUIRED", ERROR_DOMAIN, Remedy::Nonce),
            ("ACCESS_TOKEN_TYPE_UNSUPPORTED", "example.com", Remedy::Token),
            ("ANY", "example.com", Remedy::Token),
        ] {
            let answer = answered(Code::Unauthenticated, reason, domain);
            assert_eq!(remedy(answer.headers()), expected, "{reason} {domain}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(remedy(&headers), Remedy::Token);
        headers.insert(GRPC_DETAILS, HeaderValue::from_static("!no base64!"));
        assert_eq!(remedy(&headers), Remedy::Token);
        let challenge = HeaderValue::from_static("DPoP realm=\"a\", error=\"use_dpop_nonce\"");
        headers.append(WWW_AUTHENTICATE, challenge);
        assert_eq!(remedy(&headers), Remedy::Token);
        headers.insert(DPOP_NONCE, HeaderValue::from_static("nonce"));
        assert_eq!(remedy(&headers), Remedy::Nonce);
    }
}
