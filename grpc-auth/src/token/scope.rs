//! A scope name: what a token grants and a rule asks for.

use std::fmt;

use serde::{Serialize, Serializer};

/// A scope name of RFC 6749 §3.3: one or more printable ASCII characters without space, `"` or `\`.
///
/// Scopes are opaque and compared byte for byte: there is no wildcard, no prefix, no case folding.
/// As constants they make a misspelt scope a compile error:
///
/// ```
/// use grpc_auth::Scope;
///
/// pub const READ_ECHO: Scope = Scope::from_static("read:echo");
/// assert_eq!(READ_ECHO.as_str(), "read:echo");
/// ```
///
/// ```compile_fail
/// use grpc_auth::Scope;
///
/// pub const READ_ECHO: Scope = Scope::from_static("read echo");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(&'static str);

impl Scope {
    /// Names a scope; in a `const` a name that RFC 6749 does not allow is a compile error.
    ///
    /// # Panics
    /// When called outside a constant with a name that is not a scope-token.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        assert!(!name.is_empty(), "a scope cannot be empty");
        assert!(
            is_scope_token(name.as_bytes()),
            "a scope consists of printable ASCII characters without space, `\"` and `\\`"
        );
        Self(name)
    }

    /// The name, as in tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
pub(crate) const fn is_scope_token(name: &[u8]) -> bool {
    let mut rest = name;
    while let [byte, tail @ ..] = rest {
        if !matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e) {
            return false;
        }
        rest = tail;
    }
    !name.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_of_rfc_6749_is_what_a_scope_may_be() {
        for good in ["a", "read:echo", "https://example.com/auth", "!", "~", "[]"] {
            assert!(is_scope_token(good.as_bytes()), "{good}");
        }
        for bad in ["", " ", "a b", "a\"", "a\\b", "é", "a\n", "\u{7f}"] {
            assert!(!is_scope_token(bad.as_bytes()), "{bad:?}");
        }
    }
}
