//! What callers are told ([`Denied`]), what operators are told ([`ConfigError`]), and the only
//! map from the former to [`tonic::Status`].

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::policy::{AccessRule, Row};

mod config;

pub use config::ConfigError;

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
/// | `ScopeInsufficient` | PERMISSION_DENIED | ACCESS_TOKEN_SCOPE_INSUFFICIENT | `error="insufficient_scope"` |
/// | `MethodUnknown`, `ClaimsMismatch`, `PolicyRefused` | PERMISSION_DENIED | PERMISSION_DENIED_BY_POLICY | – |
/// | `BackendUnavailable` | UNAVAILABLE, RetryInfo | AUTH_BACKEND_UNAVAILABLE | – |
/// | `LayerMissing`, `PolicyPanicked` | INTERNAL | – | – |
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
    /// The authorization server's keys are not available, so that nobody knows whether the token is
    /// good; or the operator's [`Authorizer`](crate::server::Authorizer) does not decide.
    BackendUnavailable,
    /// The operator mounted a protected service without its layer.
    LayerMissing,
}

/// What a resource server tells about itself when it refuses a caller.
#[derive(Debug)]
pub(crate) struct Challenge {
    realm: Box<str>,
    disclose_scopes: bool,
}

/// How long a caller should wait before it tries again when keys are missing.
const RETRY_DELAY: Duration = Duration::from_secs(1);

impl Denied {
    /// The reason in ErrorInfo, by which programs tell refusals apart.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::CredentialsMissing => Some("CREDENTIALS_MISSING"),
            Self::CredentialsMalformed => Some("ACCESS_TOKEN_MALFORMED"),
            Self::SchemeUnsupported => Some("ACCESS_TOKEN_TYPE_UNSUPPORTED"),
            Self::TokenExpired => Some("ACCESS_TOKEN_EXPIRED"),
            Self::TokenInvalid => Some("ACCESS_TOKEN_INVALID"),
            Self::ScopeInsufficient(_) => Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            Self::MethodUnknown | Self::ClaimsMismatch | Self::PolicyRefused => {
                Some("PERMISSION_DENIED_BY_POLICY")
            }
            Self::BackendUnavailable => Some("AUTH_BACKEND_UNAVAILABLE"),
            Self::LayerMissing | Self::PolicyPanicked => None,
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
            | Self::TokenInvalid => Code::Unauthenticated,
            Self::ScopeInsufficient(_)
            | Self::MethodUnknown
            | Self::ClaimsMismatch
            | Self::PolicyRefused => Code::PermissionDenied,
            Self::BackendUnavailable => Code::Unavailable,
            Self::LayerMissing | Self::PolicyPanicked => Code::Internal,
        }
    }

    /// The answer to the caller.
    pub(crate) fn to_status(self, challenge: &Challenge) -> Status {
        let mut details = ErrorDetails::new();
        if let Some(reason) = self.reason() {
            details.set_error_info(reason, ERROR_DOMAIN, self.info());
        }
        if self == Self::BackendUnavailable {
            details.set_retry_info(Some(RETRY_DELAY));
        }
        let mut metadata = http::HeaderMap::new();
        if let Some(value) = challenge.for_denied(self) {
            metadata.insert(WWW_AUTHENTICATE, value);
        }
        Status::with_error_details_and_metadata(
            self.code(),
            self.to_string(),
            details,
            MetadataMap::from_headers(metadata),
        )
    }

    fn info(self) -> HashMap<String, String> {
        let Self::ScopeInsufficient(row) = self else { return HashMap::new() };
        HashMap::from([("method".into(), row.to_string())])
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
            Self::ScopeInsufficient(_) => "the access token lacks a required scope",
            Self::MethodUnknown | Self::ClaimsMismatch | Self::PolicyRefused => {
                "the caller may not call this method"
            }
            Self::BackendUnavailable => "the caller cannot be checked at the moment",
            Self::LayerMissing | Self::PolicyPanicked => "internal error",
        })
    }
}

impl std::error::Error for Denied {}

impl Challenge {
    pub(crate) fn new(realm: impl Into<Box<str>>, disclose_scopes: bool) -> Self {
        Self { realm: realm.into(), disclose_scopes }
    }

    /// The challenge of RFC 6750 §3. Without credentials it carries no error code.
    fn for_denied(&self, denied: Denied) -> Option<HeaderValue> {
        let error = match denied {
            Denied::CredentialsMissing | Denied::SchemeUnsupported => String::new(),
            Denied::CredentialsMalformed => ", error=\"invalid_request\"".into(),
            Denied::TokenExpired | Denied::TokenInvalid => {
                format!(", error=\"invalid_token\", error_description=\"{denied}\"")
            }
            Denied::ScopeInsufficient(row) => {
                format!(", error=\"insufficient_scope\"{}", self.scopes(row))
            }
            Denied::MethodUnknown
            | Denied::ClaimsMismatch
            | Denied::PolicyRefused
            | Denied::PolicyPanicked
            | Denied::BackendUnavailable
            | Denied::LayerMissing => return None,
        };
        HeaderValue::try_from(format!("Bearer realm=\"{}\"{error}", self.realm)).ok()
    }

    fn scopes(&self, row: Row) -> String {
        match row.rule() {
            AccessRule::RequireScopes(rule) if self.disclose_scopes => {
                let scopes = rule.sufficient_scopes();
                let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
                format!(", scope=\"{}\"", names.join(" "))
            }
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{MethodPolicy, ScopeRule, ServicePolicy};
    use crate::scope::Scope;

    const READ: ScopeRule = ScopeRule::Scope(Scope::from_static("read:echo"));
    const ADMIN: ScopeRule = ScopeRule::Scope(Scope::from_static("admin:all"));
    const POLICY: ServicePolicy = ServicePolicy::new(
        "echo.Echo",
        &[MethodPolicy::new(
            "Collect",
            AccessRule::RequireScopes(ScopeRule::All(&[READ, ScopeRule::Any(&[ADMIN, READ])])),
        )],
    );

    /// The table at [`Denied`], line by line: status, reason, challenge.
    #[test]
    fn every_refusal_says_what_the_table_says() {
        let row = POLICY.row("Collect").unwrap();
        let bare = Some("Bearer realm=\"api\"");
        for (denied, code, reason, header) in [
            (Denied::CredentialsMissing, Code::Unauthenticated, Some("CREDENTIALS_MISSING"), bare),
            (
                Denied::CredentialsMalformed,
                Code::Unauthenticated,
                Some("ACCESS_TOKEN_MALFORMED"),
                Some("Bearer realm=\"api\", error=\"invalid_request\""),
            ),
            (
                Denied::SchemeUnsupported,
                Code::Unauthenticated,
                Some("ACCESS_TOKEN_TYPE_UNSUPPORTED"),
                bare,
            ),
            (
                Denied::TokenExpired,
                Code::Unauthenticated,
                Some("ACCESS_TOKEN_EXPIRED"),
                Some(
                    "Bearer realm=\"api\", error=\"invalid_token\", \
                     error_description=\"the access token has expired\"",
                ),
            ),
            (
                Denied::TokenInvalid,
                Code::Unauthenticated,
                Some("ACCESS_TOKEN_INVALID"),
                Some(
                    "Bearer realm=\"api\", error=\"invalid_token\", \
                     error_description=\"the access token is invalid\"",
                ),
            ),
            (
                Denied::ScopeInsufficient(row),
                Code::PermissionDenied,
                Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
                Some(
                    "Bearer realm=\"api\", error=\"insufficient_scope\", \
                     scope=\"read:echo admin:all\"",
                ),
            ),
            (
                Denied::MethodUnknown,
                Code::PermissionDenied,
                Some("PERMISSION_DENIED_BY_POLICY"),
                None,
            ),
            (
                Denied::ClaimsMismatch,
                Code::PermissionDenied,
                Some("PERMISSION_DENIED_BY_POLICY"),
                None,
            ),
            (
                Denied::PolicyRefused,
                Code::PermissionDenied,
                Some("PERMISSION_DENIED_BY_POLICY"),
                None,
            ),
            (Denied::PolicyPanicked, Code::Internal, None, None),
            (Denied::BackendUnavailable, Code::Unavailable, Some("AUTH_BACKEND_UNAVAILABLE"), None),
            (Denied::LayerMissing, Code::Internal, None, None),
        ] {
            let status = denied.to_status(&Challenge::new("api", true));
            assert_eq!(status.code(), code, "{denied:?}");
            let info = status.get_details_error_info();
            assert_eq!(info.as_ref().map(|info| &*info.reason), reason, "{denied:?}");
            assert!(info.is_none_or(|info| info.domain == ERROR_DOMAIN));
            let challenge = status.metadata().get("www-authenticate");
            assert_eq!(challenge.map(|value| value.to_str().unwrap()), header, "{denied:?}");
            let retries = status.get_details_retry_info().and_then(|info| info.retry_delay);
            assert_eq!(retries.is_some(), denied == Denied::BackendUnavailable);
        }
    }

    #[test]
    fn scopes_are_not_disclosed_when_that_is_switched_off() {
        let denied = Denied::ScopeInsufficient(POLICY.row("Collect").unwrap());
        let status = denied.to_status(&Challenge::new("api", false));
        let challenge = status.metadata().get("www-authenticate").unwrap();
        assert_eq!(challenge, "Bearer realm=\"api\", error=\"insufficient_scope\"");
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.metadata["method"], "echo.Echo/Collect");
    }
}
