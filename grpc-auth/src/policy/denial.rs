//! Why a call is rejected, and the one table of what its caller sees.

use std::fmt;

use tonic::Code;

use super::service_policy::PolicyEntry;

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
pub enum DenialReason {
    /// The caller sent no `authorization`.
    CredentialsMissing,
    /// The caller sent several credentials, or something that is no credential.
    CredentialsMalformed,
    /// The caller authenticates with another scheme than `Bearer`.
    SchemeUnsupported,
    /// The caller's token was good and has expired.
    TokenExpired,
    /// The caller's token is invalid. One reason for every cause, so that it does not help a caller
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
    /// The caller's token is valid and lacks a scope that the entry asks for.
    ScopeInsufficient(PolicyEntry),
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

/// What the caller of a rejected call sees.
pub(crate) struct Answer {
    pub(crate) code: Code,
    /// In ErrorInfo.
    pub(crate) reason: Option<&'static str>,
    pub(crate) text: &'static str,
    pub(crate) challenge: Demand,
}

/// What the `www-authenticate` challenge asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// There is no challenge.
    Nothing,
    /// Credentials, without an error code (RFC 6750 §3.1).
    Credentials,
    /// A well-formed request: this error code without a description.
    Request(&'static str),
    /// Another token, with this error code.
    Token(&'static str),
    /// A token with the scopes of the method.
    Scopes(&'static str),
    /// Another DPoP proof, with this error code; the token is not in question.
    Proof(&'static str),
}

impl DenialReason {
    /// The one table of the answers: a new reason is a variant and a row here.
    pub(crate) const fn answer(&self) -> Answer {
        use Demand::{Credentials, Nothing, Proof, Request, Scopes, Token};
        let (code, reason, text, challenge) = match self {
            Self::CredentialsMissing => (
                Code::Unauthenticated,
                "CREDENTIALS_MISSING",
                "the call carries no access token",
                Credentials,
            ),
            Self::CredentialsMalformed => (
                Code::Unauthenticated,
                "ACCESS_TOKEN_MALFORMED",
                "the authorization metadata is not one bearer token",
                Request("invalid_request"),
            ),
            Self::SchemeUnsupported => (
                Code::Unauthenticated,
                "ACCESS_TOKEN_TYPE_UNSUPPORTED",
                "the authorization scheme is not supported: use Bearer",
                Credentials,
            ),
            Self::TokenExpired => (
                Code::Unauthenticated,
                "ACCESS_TOKEN_EXPIRED",
                "the access token has expired",
                Token("invalid_token"),
            ),
            Self::TokenInvalid => (
                Code::Unauthenticated,
                "ACCESS_TOKEN_INVALID",
                "the access token is invalid",
                Token("invalid_token"),
            ),
            Self::ProofMalformed => (
                Code::Unauthenticated,
                "ACCESS_TOKEN_MALFORMED",
                "the dpop metadata is not one DPoP proof",
                Proof("invalid_dpop_proof"),
            ),
            Self::ProofInvalid => (
                Code::Unauthenticated,
                "ACCESS_TOKEN_INVALID",
                "the DPoP proof is invalid",
                Proof("invalid_dpop_proof"),
            ),
            Self::ProofNonceRequired => (
                Code::Unauthenticated,
                "DPOP_NONCE_REQUIRED",
                "the DPoP proof needs the nonce of this answer",
                Proof("use_dpop_nonce"),
            ),
            Self::ScopeInsufficient(_) => (
                Code::PermissionDenied,
                "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                "the access token lacks a required scope",
                Scopes("insufficient_scope"),
            ),
            Self::MethodUnknown | Self::ClaimsMismatch | Self::PolicyRefused => (
                Code::PermissionDenied,
                "PERMISSION_DENIED_BY_POLICY",
                "the caller may not call this method",
                Nothing,
            ),
            Self::BackendUnavailable => (
                Code::Unavailable,
                "AUTH_BACKEND_UNAVAILABLE",
                "the caller cannot be checked at the moment",
                Nothing,
            ),
            Self::LayerMissing | Self::PermitMissing | Self::PolicyPanicked => {
                let (text, challenge) = ("internal error", Nothing);
                return Answer { code: Code::Internal, reason: None, text, challenge };
            }
        };
        Answer { code, reason: Some(reason), text, challenge }
    }

    /// The reason in ErrorInfo, by which programs tell rejections apart.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        self.answer().reason
    }

    /// The gRPC status code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.answer().code
    }
}

/// The constant text that callers see.
impl fmt::Display for DenialReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.answer().text)
    }
}

impl std::error::Error for DenialReason {}
