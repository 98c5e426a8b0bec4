//! A caller: who it is, and the token that says so.

use std::fmt;
use std::sync::Arc;

use crate::bearer::BearerToken;
use crate::principal::Principal;

/// A caller whose token was verified. Cloning it copies a pointer: every call does.
#[derive(Clone)]
pub(crate) struct Caller(Arc<Inner>);

struct Inner {
    principal: Principal,
    token: BearerToken,
}

impl Caller {
    pub(crate) fn new(principal: Principal, token: BearerToken) -> Self {
        Self(Arc::new(Inner { principal, token }))
    }

    pub(crate) fn principal(&self) -> &Principal {
        &self.0.principal
    }

    pub(crate) fn token(&self) -> &BearerToken {
        &self.0.token
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.principal().fmt(f)
    }
}
