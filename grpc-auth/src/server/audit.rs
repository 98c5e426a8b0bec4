//! The log line of every decision, written where it is made: allow at debug, deny at info, with
//! the same fields. No token, no secret and no claim's value stands in them, but `iss`.
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
use crate::policy::denial::Denied;
use crate::policy::service_policy::Row;
use crate::proof_of_possession::Unproved;
use crate::sanitize_untrusted::escape;
use crate::token::bearer::NoToken;
use crate::token::claims::ClaimsMismatch;
use crate::token::principal::Principal;
use crate::verify::error::Refusal;

/// A refusal with its cause, which callers are not told.
#[derive(Debug)]
pub(crate) struct Denial {
    pub(crate) denied: Denied,
    cause: Cow<'static, str>,
    kid: Option<String>,
    issuer: Option<String>,
    retry_after: Duration,
}

impl Denial {
    pub(crate) fn new(denied: Denied, cause: impl Into<Cow<'static, str>>) -> Self {
        Self { denied, cause: cause.into(), kid: None, issuer: None, retry_after: RETRY_DELAY }
    }

    /// The answer to the caller.
    pub(crate) fn to_status(&self, challenge: &Challenge) -> Status {
        self.denied.to_status_with(challenge, self.retry_after)
    }

    /// Names the issuer of a caller who is known and denied all the same.
    pub(crate) fn of(self, principal: &Principal) -> Self {
        Self { issuer: Some(principal.issuer().to_owned()), ..self }
    }

    /// The same, unless the caller is anonymous.
    pub(crate) fn of_caller(self, principal: Option<&Principal>) -> Self {
        match principal {
            Some(principal) => self.of(principal),
            None => self,
        }
    }

    /// Logs it, and counts it.
    pub(crate) fn log(&self, method: &str, row: Option<Row>) {
        info!(
            target: "grpc_auth",
            method = escape(method),
            rule = row.map(|row| row.rule().to_string()),
            verdict = "deny",
            reason = self.denied.reason(),
            cause = &*self.cause,
            kid = self.kid,
            issuer = self.issuer,
            "call denied"
        );
        metrics::denied(row, self.denied);
    }
}

/// `principal` is none for an anonymous caller. Whoever logs counts: the layer has a counter at hand.
pub(crate) fn log_allowed(method: &str, row: Option<Row>, principal: Option<&Principal>) {
    debug!(
        target: "grpc_auth",
        method = escape(method),
        rule = row.map(|row| row.rule().to_string()),
        verdict = "allow",
        reason = None::<&str>,
        cause = None::<&str>,
        kid = None::<&str>,
        issuer = principal.map(Principal::issuer),
        "call allowed"
    );
}

/// A unary call that was allowed gets its message too late to begin.
pub(crate) fn log_late(row: Row, issuer: &str, cause: &'static str) {
    let issuer = Some(issuer.to_owned());
    let denial = Denial { issuer, ..Denial::new(Denied::TokenExpired, cause) };
    denial.log(&format!("/{row}"), Some(row));
}

/// A call that was allowed has to end. The fields are those of a refusal.
pub(crate) fn log_ended(row: Row, issuer: &str, cause: &'static str) {
    info!(
        target: "grpc_auth",
        method = format!("/{row}"),
        rule = row.rule().to_string(),
        verdict = "deny",
        reason = Denied::TokenExpired.reason(),
        cause,
        kid = None::<&str>,
        issuer,
        "stream ended"
    );
    metrics::denied(Some(row), Denied::TokenExpired);
}

impl From<Denied> for Denial {
    fn from(denied: Denied) -> Self {
        let cause = match denied {
            Denied::MethodUnknown => "no entry of the policy has this path: add one",
            Denied::ScopeInsufficient(_) => "the token does not grant what the rule requires",
            Denied::CredentialsMissing => "the caller is anonymous and the rule asks for a token",
            // These come with a cause of their own, below.
            Denied::CredentialsMalformed
            | Denied::SchemeUnsupported
            | Denied::TokenExpired
            | Denied::TokenInvalid
            | Denied::ProofMalformed
            | Denied::ProofInvalid
            | Denied::ProofNonceRequired
            | Denied::ClaimsMismatch
            | Denied::PolicyRefused
            | Denied::PolicyPanicked
            | Denied::BackendUnavailable
            | Denied::LayerMissing
            | Denied::PermitMissing => "",
        };
        Self::new(denied, cause)
    }
}

impl From<NoToken> for Denial {
    fn from(none: NoToken) -> Self {
        match none {
            NoToken::Missing => Self::new(Denied::CredentialsMissing, "no `authorization`"),
            NoToken::OtherScheme => Self::new(
                Denied::SchemeUnsupported,
                "`authorization` does not begin with `Bearer `: another scheme, or the token alone",
            ),
            NoToken::DpopOff => Self::new(
                Denied::SchemeUnsupported,
                "`authorization` begins with `DPoP `, and proofs are not checked here: configure \
                 `.dpop(Dpop::for_origins(..))`",
            ),
            NoToken::Malformed(how) => Self::new(Denied::CredentialsMalformed, how),
        }
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self {
            denied: refusal.rejection.denied(),
            retry_after: refusal.rejection.retry_after().unwrap_or(RETRY_DELAY),
            cause: refusal.cause().into(),
            kid: refusal.kid,
            issuer: refusal.issuer,
        }
    }
}

impl From<Unproved> for Denial {
    fn from(unproved: Unproved) -> Self {
        Self::new(unproved.denied(), unproved.to_string())
    }
}

impl From<ClaimsMismatch> for Denial {
    fn from(mismatch: ClaimsMismatch) -> Self {
        let denied =
            if mismatch.has_panicked() { Denied::PolicyPanicked } else { Denied::ClaimsMismatch };
        Self::new(denied, mismatch.to_string())
    }
}
