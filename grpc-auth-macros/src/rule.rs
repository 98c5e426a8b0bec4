//! An access rule: who may call a method.

use syn::{LitStr, Path};

/// Who may call.
#[derive(Clone)]
pub(crate) enum Rule {
    AllowUnauthenticated,
    Authenticated,
    RequireScopes(Vec<ScopeExpr>),
}

#[derive(Clone)]
pub(crate) enum ScopeExpr {
    Literal(LitStr),
    Constant(Path),
    All(Vec<ScopeExpr>),
    Any(Vec<ScopeExpr>),
}
