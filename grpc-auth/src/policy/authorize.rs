//! The decision: one pure function, and the permit that only it can make.

use super::denial::DenialReason;
use super::rule::AccessRule;
use super::service_policy::PolicyEntry;
use crate::token::principal::Principal;

/// Proof that [`authorize`] let a caller pass one entry. It cannot be made in any other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    entry: PolicyEntry,
}

impl Permit {
    /// The entry that was passed.
    #[must_use]
    pub const fn entry(&self) -> PolicyEntry {
        self.entry
    }
}

/// Decides whether a caller may pass an entry. Without a principal the caller is anonymous.
///
/// The function is pure: no I/O, no clock, no lock. The layer, the guard in each method, and
/// tests use the same one.
///
/// # Errors
/// [`DenialReason::CredentialsMissing`] when an anonymous caller meets a rule that asks for a token,
/// [`DenialReason::ScopeInsufficient`] when the principal lacks what the rule asks for.
///
/// # Examples
/// ```
/// # #[cfg(feature = "testing")] {
/// use grpc_auth::policy::{authorize, AccessRule, MethodPolicy, ScopeExpr, ServicePolicy};
/// use grpc_auth::{DenialReason, Scope};
/// use grpc_auth::testing::principal;
///
/// const READ: AccessRule =
///     AccessRule::RequireScopes(ScopeExpr::Scope(Scope::from_static("read:echo")));
/// const ECHO: ServicePolicy =
///     ServicePolicy::new("echo.Echo", &[MethodPolicy::new("UnaryEcho", READ)]);
///
/// let entry = ECHO.entry("UnaryEcho").unwrap();
/// assert_eq!(authorize(entry, Some(&principal(["read:echo"]))).unwrap().entry(), entry);
/// assert_eq!(authorize(entry, Some(&principal(["read:other"]))), Err(DenialReason::ScopeInsufficient(entry)));
/// assert_eq!(authorize(entry, None), Err(DenialReason::CredentialsMissing));
/// # }
/// ```
#[inline]
pub fn authorize(
    entry: PolicyEntry,
    principal: Option<&Principal>,
) -> Result<Permit, DenialReason> {
    match (entry.rule(), principal) {
        (AccessRule::AllowUnauthenticated, _) | (AccessRule::Authenticated, Some(_)) => {
            Ok(Permit { entry })
        }
        (AccessRule::RequireScopes(rule), Some(principal)) if rule.is_fulfilled_by(principal) => {
            Ok(Permit { entry })
        }
        (AccessRule::RequireScopes(_), Some(_)) => Err(DenialReason::ScopeInsufficient(entry)),
        (AccessRule::Authenticated | AccessRule::RequireScopes(_), None) => {
            Err(DenialReason::CredentialsMissing)
        }
    }
}
