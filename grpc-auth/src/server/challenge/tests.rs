//! Each refusal as a caller gets it.

use tonic::Code;

use super::*;
use crate::policy::rule::ScopeExpr;
use crate::policy::service_policy::{MethodPolicy, ServicePolicy};
use crate::token::scope::Scope;

const READ: ScopeExpr = ScopeExpr::Scope(Scope::from_static("read:echo"));
const ADMIN: ScopeExpr = ScopeExpr::Scope(Scope::from_static("admin:all"));
const POLICY: ServicePolicy = ServicePolicy::new(
    "echo.Echo",
    &[MethodPolicy::new(
        "Collect",
        AccessRule::RequireScopes(ScopeExpr::All(&[READ, ScopeExpr::Any(&[ADMIN, READ])])),
    )],
);

/// The table at [`DenialReason`], line by line: status, reason, challenge.
#[test]
fn every_refusal_says_what_the_table_says() {
    let entry = POLICY.entry("Collect").unwrap();
    let bare = Some("Bearer realm=\"api\"");
    for (denied, code, reason, header) in [
        (
            DenialReason::CredentialsMissing,
            Code::Unauthenticated,
            Some("CREDENTIALS_MISSING"),
            bare,
        ),
        (
            DenialReason::CredentialsMalformed,
            Code::Unauthenticated,
            Some("ACCESS_TOKEN_MALFORMED"),
            Some("Bearer realm=\"api\", error=\"invalid_request\""),
        ),
        (
            DenialReason::SchemeUnsupported,
            Code::Unauthenticated,
            Some("ACCESS_TOKEN_TYPE_UNSUPPORTED"),
            bare,
        ),
        (
            DenialReason::TokenExpired,
            Code::Unauthenticated,
            Some("ACCESS_TOKEN_EXPIRED"),
            Some(
                "Bearer realm=\"api\", error=\"invalid_token\", \
                 error_description=\"the access token has expired\"",
            ),
        ),
        (
            DenialReason::TokenInvalid,
            Code::Unauthenticated,
            Some("ACCESS_TOKEN_INVALID"),
            Some(
                "Bearer realm=\"api\", error=\"invalid_token\", \
                 error_description=\"the access token is invalid\"",
            ),
        ),
        (
            DenialReason::ScopeInsufficient(entry),
            Code::PermissionDenied,
            Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            Some(
                "Bearer realm=\"api\", error=\"insufficient_scope\", \
                 scope=\"read:echo admin:all\"",
            ),
        ),
        (
            DenialReason::MethodUnknown,
            Code::PermissionDenied,
            Some("PERMISSION_DENIED_BY_POLICY"),
            None,
        ),
        (
            DenialReason::ClaimsMismatch,
            Code::PermissionDenied,
            Some("PERMISSION_DENIED_BY_POLICY"),
            None,
        ),
        (
            DenialReason::PolicyRefused,
            Code::PermissionDenied,
            Some("PERMISSION_DENIED_BY_POLICY"),
            None,
        ),
        (DenialReason::PolicyPanicked, Code::Internal, None, None),
        (
            DenialReason::BackendUnavailable,
            Code::Unavailable,
            Some("AUTH_BACKEND_UNAVAILABLE"),
            None,
        ),
        (DenialReason::LayerMissing, Code::Internal, None, None),
        (DenialReason::PermitMissing, Code::Internal, None, None),
    ] {
        let status = denied.to_status(&Challenge::new("api", true));
        assert_eq!(status.code(), code, "{denied:?}");
        let info = status.get_details_error_info();
        assert_eq!(info.as_ref().map(|info| &*info.reason), reason, "{denied:?}");
        assert!(info.is_none_or(|info| info.domain == ERROR_DOMAIN));
        let challenge = status.metadata().get("www-authenticate");
        assert_eq!(challenge.map(|value| value.to_str().unwrap()), header, "{denied:?}");
        let retries = status.get_details_retry_info().and_then(|info| info.retry_delay);
        assert_eq!(retries.is_some(), denied == DenialReason::BackendUnavailable);
    }
}

/// RFC 9449 §7.1: for tokens with proofs, beside those of bearer tokens.
#[test]
fn where_proofs_are_checked_the_challenge_says_so() {
    let challenge = || {
        let nonces = Nonces::new(&[7; 32], crate::clock::Clock::system());
        Challenge::new("api", true).with_dpop(Some(Arc::new(nonces)))
    };
    let entry = POLICY.entry("Collect").unwrap();
    let scopes = "error=\"insufficient_scope\", scope=\"read:echo admin:all\"";
    let of_proof = |denied, error| format!("error=\"{error}\", error_description=\"{denied}\"");
    let invalid = of_proof(DenialReason::ProofInvalid, "invalid_dpop_proof");
    let malformed = of_proof(DenialReason::ProofMalformed, "invalid_dpop_proof");
    let nonce = of_proof(DenialReason::ProofNonceRequired, "use_dpop_nonce");
    for (denied, reason, error, is_of_bearer) in [
        (DenialReason::CredentialsMissing, "CREDENTIALS_MISSING", "", true),
        (DenialReason::ScopeInsufficient(entry), "ACCESS_TOKEN_SCOPE_INSUFFICIENT", scopes, true),
        (DenialReason::ProofMalformed, "ACCESS_TOKEN_MALFORMED", &malformed, false),
        (DenialReason::ProofInvalid, "ACCESS_TOKEN_INVALID", &invalid, false),
        (DenialReason::ProofNonceRequired, "DPOP_NONCE_REQUIRED", &nonce, false),
    ] {
        let status = denied.to_status(&challenge());
        assert_eq!(status.get_details_error_info().unwrap().reason, reason);
        let values = status.metadata().get_all("www-authenticate").iter();
        let values: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
        let error = if error.is_empty() { String::new() } else { format!(", {error}") };
        let mut expected = vec![format!(
            "DPoP realm=\"api\"{error}, \
             algs=\"RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA\""
        )];
        if is_of_bearer {
            expected.insert(0, format!("Bearer realm=\"api\"{error}"));
        }
        assert_eq!(values, expected, "{denied:?}");
        let has_nonce = status.metadata().contains_key("dpop-nonce");
        assert_eq!(has_nonce, denied == DenialReason::ProofNonceRequired, "{denied:?}");
    }
}

#[test]
fn scopes_are_not_disclosed_when_that_is_switched_off() {
    let denied = DenialReason::ScopeInsufficient(POLICY.entry("Collect").unwrap());
    let status = denied.to_status(&Challenge::new("api", false));
    let challenge = status.metadata().get("www-authenticate").unwrap();
    assert_eq!(challenge, "Bearer realm=\"api\", error=\"insufficient_scope\"");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["method"], "echo.Echo/Collect");
}
