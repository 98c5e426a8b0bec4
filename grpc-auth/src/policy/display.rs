//! Policies in the words of the attributes that made them.

use std::fmt;

use super::rule::{AccessRule, ScopeExpr};
use super::service_policy::{PolicyEntry, ServicePolicy};

impl fmt::Display for ServicePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.service())?;
        let width = self.entries().map(|entry| entry.rpc().len()).max().unwrap_or(0);
        self.entries().try_for_each(|entry| {
            write!(f, "  {:width$}  {}", entry.rpc(), entry.rule())?;
            entry.requirements().iter().try_for_each(|text| write!(f, " require({text})"))?;
            writeln!(f)
        })
    }
}

/// Writes `package.Service/Method`, the path of a call without its slash.
impl fmt::Display for PolicyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service(), self.rpc())
    }
}

impl fmt::Display for AccessRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllowUnauthenticated => f.write_str("allow_unauthenticated"),
            Self::Authenticated => f.write_str("authenticated"),
            // The arguments of the attribute are an `all` of their own.
            Self::RequireScopes(ScopeExpr::All(rules)) => list(f, "require_scopes", rules),
            Self::RequireScopes(rule) => write!(f, "require_scopes({rule})"),
        }
    }
}

impl fmt::Display for ScopeExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(scope) => write!(f, "\"{scope}\""),
            Self::All(rules) => list(f, "all", rules),
            Self::Any(rules) => list(f, "any", rules),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, name: &str, rules: &[ScopeExpr]) -> fmt::Result {
    write!(f, "{name}(")?;
    for (position, rule) in rules.iter().enumerate() {
        let comma = if position == 0 { "" } else { ", " };
        write!(f, "{comma}{rule}")?;
    }
    f.write_str(")")
}
