//! The log line of every decision, written where it is made: allow at debug, deny at info, with
//! the same fields. No token, no secret and no claim's value is in them, but `iss` and an `aud` that is
//! rejected.
//!
//! Allow means that the layer let the caller in: the rule, and the authorizer if there is one.
//! Requirements that do not hold, and claims that do not fit the method's type, are denied after
//! that, on a line of their own.

use std::borrow::Cow;
use std::time::Duration;

use tonic::Status;
use tracing::{debug, info};

use super::challenge::{Challenge, RETRY_DELAY};
use crate::metrics;
use crate::policy::denial::DenialReason;
use crate::policy::rpc_kind::RpcKind;
use crate::policy::service_policy::PolicyEntry;
use crate::proof_of_possession::Unproved;
use crate::sanitize_untrusted::escape;
use crate::token::bearer::NoToken;
use crate::token::claims::ClaimsError;
use crate::token::principal::Principal;
use crate::verify::error::{VerifyErrorKind, VerifyFailure};

/// A refusal with its cause, which callers are not told.
#[derive(Debug)]
pub(crate) struct Denial {
    pub(crate) denied: DenialReason,
    cause: Cow<'static, str>,
    kid: Option<Box<str>>,
    issuer: Option<Box<str>>,
    audience: Option<Box<str>>,
    retry_after: Duration,
}

impl Denial {
    pub(crate) fn new(denied: DenialReason, cause: impl Into<Cow<'static, str>>) -> Self {
        let (kid, issuer, audience) = (None, None, None);
        Self { denied, cause: cause.into(), kid, issuer, audience, retry_after: RETRY_DELAY }
    }

    /// The answer to the caller.
    pub(crate) fn to_status(&self, challenge: &Challenge) -> Status {
        self.denied.to_status_with(challenge, self.retry_after)
    }

    /// Names the issuer of a caller who is known and denied all the same.
    pub(crate) fn of(self, principal: &Principal) -> Self {
        Self { issuer: Some(principal.issuer().into()), ..self }
    }

    /// The same, unless the caller is anonymous.
    pub(crate) fn of_caller(self, principal: Option<&Principal>) -> Self {
        match principal {
            Some(principal) => self.of(principal),
            None => self,
        }
    }

    /// Logs and counts a call that is rejected.
    pub(crate) fn log(&self, method: &str, entry: Option<PolicyEntry>) {
        self.record(method, entry, "call denied");
    }

    fn record(&self, method: &str, entry: Option<PolicyEntry>, message: &str) {
        info!(
            target: "grpc_auth",
            method = escape(method),
            rule = entry.map(|entry| entry.rule().to_string()),
            verdict = "deny",
            reason = self.denied.reason(),
            cause = &*self.cause,
            kid = self.kid,
            issuer = self.issuer,
            audience = self.audience,
            "{message}"
        );
        metrics::denied(entry, self.denied);
    }
}

/// `principal` is `None` for an anonymous caller. The caller of this function counts: the layer has a
/// counter at hand.
pub(crate) fn log_allowed(method: &str, entry: Option<PolicyEntry>, principal: Option<&Principal>) {
    debug!(
        target: "grpc_auth",
        method = escape(method),
        rule = entry.map(|entry| entry.rule().to_string()),
        verdict = "allow",
        reason = None::<&str>,
        cause = None::<&str>,
        kid = None::<&str>,
        issuer = principal.map(Principal::issuer),
        audience = None::<&str>,
        "call allowed"
    );
}

/// A call that was allowed has to end: the message of a unary one came too late, or a stream was open
/// for too long.
pub(crate) fn log_ended(entry: PolicyEntry, issuer: &str, cause: &'static str) {
    let issuer = Some(issuer.into());
    let denial = Denial { issuer, ..Denial::new(DenialReason::TokenExpired, cause) };
    let message = if entry.kind() == RpcKind::Unary { "call denied" } else { "stream ended" };
    denial.record(&format!("/{entry}"), Some(entry), message);
}

impl From<DenialReason> for Denial {
    fn from(denied: DenialReason) -> Self {
        let cause = match denied {
            DenialReason::MethodUnknown => "no entry of the policy has this path: add one",
            DenialReason::ScopeInsufficient(_) => "the token does not grant what the rule requires",
            DenialReason::CredentialsMissing => {
                "the caller is anonymous and the rule asks for a token"
            }
            // The others come with a cause of their own.
            _ => "",
        };
        Self::new(denied, cause)
    }
}

impl From<NoToken> for Denial {
    fn from(none: NoToken) -> Self {
        match none {
            NoToken::Missing => Self::new(DenialReason::CredentialsMissing, "no `authorization`"),
            NoToken::OtherScheme => Self::new(
                DenialReason::SchemeUnsupported,
                "`authorization` does not begin with `Bearer `: another scheme, or the token alone",
            ),
            NoToken::DpopOff => Self::new(
                DenialReason::SchemeUnsupported,
                "`authorization` begins with `DPoP `, and proofs are not checked here: configure \
                 `.dpop(Dpop::for_origins(..))`",
            ),
            NoToken::TooLong { bytes, max } => {
                VerifyFailure::from(VerifyErrorKind::TooLong { bytes, max }).into()
            }
            NoToken::Malformed(how) => Self::new(DenialReason::CredentialsMalformed, how),
        }
    }
}

impl From<VerifyFailure> for Denial {
    fn from(refusal: VerifyFailure) -> Self {
        Self {
            denied: refusal.rejection.denied(),
            retry_after: refusal.rejection.retry_after().unwrap_or(RETRY_DELAY),
            cause: refusal.cause().into(),
            kid: refusal.kid,
            issuer: refusal.issuer,
            audience: refusal.audience,
        }
    }
}

impl From<Unproved> for Denial {
    fn from(unproved: Unproved) -> Self {
        Self::new(unproved.denied(), unproved.to_string())
    }
}

impl From<ClaimsError> for Denial {
    fn from(mismatch: ClaimsError) -> Self {
        let denied = if mismatch.has_panicked() {
            DenialReason::PolicyPanicked
        } else {
            DenialReason::ClaimsMismatch
        };
        Self::new(denied, mismatch.to_string())
    }
}
