//! Who may call: an access rule, and the expression of scopes inside it.

use serde::Serialize;

use crate::token::principal::Principal;
use crate::token::scope::Scope;

/// Who may call one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessRule {
    /// Lets anyone in. A valid token still identifies its caller; an invalid one means anonymous.
    AllowUnauthenticated,
    /// Lets in every caller with a valid token.
    Authenticated,
    /// Lets in callers whose token grants what the expression asks for.
    RequireScopes(ScopeExpr),
}

/// An expression over scopes. An empty `All` or `Any` rejects every caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeExpr {
    /// Requires this scope.
    Scope(Scope),
    /// Requires every one of these.
    All(&'static [ScopeExpr]),
    /// Requires at least one of these.
    Any(&'static [ScopeExpr]),
}

impl ScopeExpr {
    /// Tells whether the principal's grants fulfil the expression.
    #[must_use]
    pub fn is_fulfilled_by(&self, principal: &Principal) -> bool {
        match self {
            Self::Scope(scope) => principal.has_scope(scope.as_str()),
            // An empty `all` is true in logic and an open door in practice.
            Self::All(rules) => {
                !rules.is_empty() && rules.iter().all(|rule| rule.is_fulfilled_by(principal))
            }
            Self::Any(rules) => rules.iter().any(|rule| rule.is_fulfilled_by(principal)),
        }
    }

    /// A set of scopes that is sufficient and as small as the expression's first alternatives
    /// allow: what a caller should ask the authorization server for (RFC 6750 §3, `scope`).
    #[must_use]
    pub fn sufficient_scopes(&self) -> Vec<Scope> {
        let mut scopes = Vec::new();
        self.collect_sufficient(&mut scopes);
        scopes
    }

    fn collect_sufficient(&self, scopes: &mut Vec<Scope>) {
        match self {
            Self::Scope(scope) if scopes.contains(scope) => {}
            Self::Scope(scope) => scopes.push(*scope),
            Self::All(rules) => rules.iter().for_each(|rule| rule.collect_sufficient(scopes)),
            Self::Any(rules) => {
                if let Some(first) = rules.first() {
                    first.collect_sufficient(scopes);
                }
            }
        }
    }
}
