//! What callers are told ([`Denied`]), what operators are told ([`ConfigError`]), and the only
//! map from the former to [`tonic::Status`].

use std::fmt;

use tonic::Code;

use super::service_policy::Row;

/// The `domain` of every ErrorInfo this crate sends.
pub const ERROR_DOMAIN: &str = "grpc-auth";

/// Why a call is refused.
///
/// Callers see the reason, a constant text and, where the protocol has one, a challenge (RFC 6750
/// §3). Which check failed is for the log alone.
///
/// | variant | status | ErrorInfo.reason | `www-authenticate` |
/// |---|---|---|---|
/// | `CredentialsMissing` | UNAUTHENTICATED | CREDENTIALS_MISSING | `Bearer realm=".."` |
/// | `CredentialsMalformed` | UNAUTHENTICATED | ACCESS_TOKEN_MALFORMED | `error="invalid_request"` |
/// | `SchemeUnsupported` | UNAUTHENTICATED | ACCESS_TOKEN_TYPE_UNSUPPORTED | `Bearer realm=".."` |
/// | `TokenExpired` | UNAUTHENTICATED | ACCESS_TOKEN_EXPIRED | `error="invalid_token"` |
/// | `TokenInvalid` | UNAUTHENTICATED | ACCESS_TOKEN_INVALID | `error="invalid_token"` |
/// | `ProofMalformed` | UNAUTHENTICATED | ACCESS_TOKEN_MALFORMED | `DPoP error="invalid_dpop_proof"` |
/// | `ProofInvalid` | UNAUTHENTICATED | ACCESS_TOKEN_INVALID | `DPoP error="invalid_dpop_proof"` |
/// | `ProofNonceRequired` | UNAUTHENTICATED | DPOP_NONCE_REQUIRED | `DPoP error="use_dpop_nonce"` |
/// | `ScopeInsufficient` | PERMISSION_DENIED | ACCESS_TOKEN_SCOPE_INSUFFICIENT | `error="insufficient_scope"` |
/// | `MethodUnknown`, `ClaimsMismatch`, `PolicyRefused` | PERMISSION_DENIED | PERMISSION_DENIED_BY_POLICY | – |
/// | `BackendUnavailable` | UNAVAILABLE, RetryInfo | AUTH_BACKEND_UNAVAILABLE | – |
/// | `LayerMissing`, `PermitMissing`, `PolicyPanicked` | INTERNAL | – | – |
///
/// Where DPoP proofs are checked ([`Dpop`](crate::Dpop)), each challenge comes for both schemes, in
/// two values (RFC 9449 §7.1); `DPOP_NONCE_REQUIRED` comes with the nonce in `dpop-nonce`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denied {
    /// The caller sent no `authorization`.
    CredentialsMissing,
    /// The caller sent several credentials, or something that is no credential.
    CredentialsMalformed,
    /// The caller authenticates with another scheme than `Bearer`.
    SchemeUnsupported,
    /// The caller's token was good and has expired.
    TokenExpired,
    /// The caller's token is not one of ours. One reason for every cause, so that it helps nobody
    /// who guesses.
    TokenInvalid,
    /// The caller sent no proof with a token that is bound to a key, several, or something that is
    /// none.
    ProofMalformed,
    /// The caller's proof is not for this call, this token and this key, or was used before. One
    /// answer for every cause.
    ProofInvalid,
    /// The caller's proof needs the nonce that comes with the answer; nothing is wrong with its
    /// token.
    ProofNonceRequired,
    /// The caller's token is valid and lacks a scope that the row asks for.
    ScopeInsufficient(Row),
    /// The operator's policies say nothing about the method.
    MethodUnknown,
    /// The token's claims do not fit the type that the operator's method asks for.
    ClaimsMismatch,
    /// The operator's requirement or [`Authorizer`](crate::server::Authorizer) says no.
    PolicyRefused,
    /// The operator's requirement or [`Authorizer`](crate::server::Authorizer) panicked.
    PolicyPanicked,
    /// The token may be good, and the key that would tell cannot be fetched at the moment: the
    /// authorization server does not answer, or tokens with unknown key ids have caused enough
    /// fetches; or the operator's [`Authorizer`](crate::server::Authorizer) does not decide.
    BackendUnavailable,
    /// The operator mounted a protected service without its layer.
    LayerMissing,
    /// The operator's code called a protected method without a permit for it: a handler called
    /// another one with its own request, or kept a request's extensions for a later call. The shared
    /// code belongs in a plain function that both handlers call.
    PermitMissing,
}

impl Denied {
    /// The reason in ErrorInfo, by which programs tell refusals apart.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::CredentialsMissing => Some("CREDENTIALS_MISSING"),
            Self::CredentialsMalformed | Self::ProofMalformed => Some("ACCESS_TOKEN_MALFORMED"),
            Self::SchemeUnsupported => Some("ACCESS_TOKEN_TYPE_UNSUPPORTED"),
            Self::TokenExpired => Some("ACCESS_TOKEN_EXPIRED"),
            Self::TokenInvalid | Self::ProofInvalid => Some("ACCESS_TOKEN_INVALID"),
            Self::ProofNonceRequired => Some("DPOP_NONCE_REQUIRED"),
            Self::ScopeInsufficient(_) => Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            Self::MethodUnknown | Self::ClaimsMismatch | Self::PolicyRefused => {
                Some("PERMISSION_DENIED_BY_POLICY")
            }
            Self::BackendUnavailable => Some("AUTH_BACKEND_UNAVAILABLE"),
            Self::LayerMissing | Self::PermitMissing | Self::PolicyPanicked => None,
        }
    }

    /// The gRPC status code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::CredentialsMissing
            | Self::CredentialsMalformed
            | Self::SchemeUnsupported
            | Self::TokenExpired
            | Self::TokenInvalid
            | Self::ProofMalformed
            | Self::ProofInvalid
            | Self::ProofNonceRequired => Code::Unauthenticated,
            Self::ScopeInsufficient(_)
            | Self::MethodUnknown
            | Self::ClaimsMismatch
            | Self::PolicyRefused => Code::PermissionDenied,
            Self::BackendUnavailable => Code::Unavailable,
            Self::LayerMissing | Self::PermitMissing | Self::PolicyPanicked => Code::Internal,
        }
    }
}

/// The constant text that callers see.
impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CredentialsMissing => "the call carries no access token",
            Self::CredentialsMalformed => "the authorization metadata is not one bearer token",
            Self::SchemeUnsupported => "the authorization scheme is not supported: use Bearer",
            Self::TokenExpired => "the access token has expired",
            Self::TokenInvalid => "the access token is invalid",
            Self::ProofMalformed => "the dpop metadata is not one DPoP proof",
            Self::ProofInvalid => "the DPoP proof is invalid",
            Self::ProofNonceRequired => "the DPoP proof needs the nonce of this answer",
            Self::ScopeInsufficient(_) => "the access token lacks a required scope",
            Self::MethodUnknown | Self::ClaimsMismatch | Self::PolicyRefused => {
                "the caller may not call this method"
            }
            Self::BackendUnavailable => "the caller cannot be checked at the moment",
            Self::LayerMissing | Self::PermitMissing | Self::PolicyPanicked => "internal error",
        })
    }
}

impl std::error::Error for Denied {}
