//! A caller: who it is, and the token that says so.

use std::fmt;

use super::bearer::BearerToken;
use super::principal::Principal;

/// A caller whose token was verified. Every call clones it, so it counts one pointer only where the
/// principal keeps its token.
#[derive(Clone)]
pub(crate) struct AuthenticatedCaller {
    principal: Principal,
    /// If the principal does not keep it.
    token: Option<BearerToken>,
}

impl AuthenticatedCaller {
    /// With the token, if the principal does not keep it.
    pub(crate) fn new(principal: Principal, token: Option<BearerToken>) -> Self {
        Self { principal, token }
    }

    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(crate) fn token(&self) -> Option<&BearerToken> {
        self.token.as_ref().or_else(|| self.principal.token())
    }
}

impl fmt::Debug for AuthenticatedCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.principal.fmt(f)
    }
}
