//! The decision: one pure function, and the permit that only it can make.

use super::denial::Denied;
use super::rule::AccessRule;
use super::service_policy::Row;
use crate::token::principal::Principal;

/// Proof that [`authorize`] let a caller pass one row. It cannot be made in any other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    row: Row,
}

impl Permit {
    /// The row that was passed.
    #[must_use]
    pub const fn row(&self) -> Row {
        self.row
    }
}

/// Decides whether a caller may pass a row. Without a principal the caller is anonymous.
///
/// The function is pure: no I/O, no clock, no lock. The layer, the guard in each method, and
/// whoever wants to know ask the same one.
///
/// # Errors
/// [`Denied::CredentialsMissing`] when an anonymous caller meets a rule that asks for a token,
/// [`Denied::ScopeInsufficient`] when the principal lacks what the rule asks for.
///
/// # Examples
/// ```
/// # #[cfg(feature = "testing")] {
/// use grpc_auth::policy::{authorize, AccessRule, MethodPolicy, ScopeRule, ServicePolicy};
/// use grpc_auth::{Denied, Scope};
/// use grpc_auth::testing::principal;
///
/// const READ: AccessRule =
///     AccessRule::RequireScopes(ScopeRule::Scope(Scope::from_static("read:echo")));
/// const ECHO: ServicePolicy =
///     ServicePolicy::new("echo.Echo", &[MethodPolicy::new("UnaryEcho", READ)]);
///
/// let row = ECHO.row("UnaryEcho").unwrap();
/// assert_eq!(authorize(row, Some(&principal(["read:echo"]))).unwrap().row(), row);
/// assert_eq!(authorize(row, Some(&principal(["read:other"]))), Err(Denied::ScopeInsufficient(row)));
/// assert_eq!(authorize(row, None), Err(Denied::CredentialsMissing));
/// # }
/// ```
#[inline]
pub fn authorize(row: Row, principal: Option<&Principal>) -> Result<Permit, Denied> {
    match (row.rule(), principal) {
        (AccessRule::AllowUnauthenticated, _) | (AccessRule::Authenticated, Some(_)) => {
            Ok(Permit { row })
        }
        (AccessRule::RequireScopes(rule), Some(principal)) if rule.is_fulfilled_by(principal) => {
            Ok(Permit { row })
        }
        (AccessRule::RequireScopes(_), Some(_)) => Err(Denied::ScopeInsufficient(row)),
        (AccessRule::Authenticated | AccessRule::RequireScopes(_), None) => {
            Err(Denied::CredentialsMissing)
        }
    }
}
