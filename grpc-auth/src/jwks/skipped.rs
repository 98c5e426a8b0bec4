//! Which key of a set is not used, and why.

use std::fmt;

use crate::jose::jwk::{self, Skipped};
use crate::sanitize_untrusted::escape;

/// A key of a set that is not used, and why. Its text is `key 2, kid "a": ` and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    position: usize,
    /// As text, escaped and cut.
    kid: Option<Box<str>>,
    reason: Skipped,
}

impl SkippedKey {
    pub(super) fn new(position: usize, jwk: &[u8], reason: Skipped) -> Self {
        let kid = jwk::read(jwk).ok().and_then(|jwk| Some(escape(jwk.text("kid")?).into()));
        Self { position, kid, reason }
    }

    /// Its place in the set, from 0.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Its key id, with control characters escaped, at most 256 characters.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.kid.as_deref()
    }
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}, ", self.position + 1)?;
        match &self.kid {
            Some(kid) => write!(f, "kid \"{kid}\"")?,
            None => f.write_str("no `kid`")?,
        }
        write!(f, ": {}", self.reason)
    }
}
