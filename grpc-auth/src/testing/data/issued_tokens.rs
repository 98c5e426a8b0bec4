//! Tokens that are no JWT, tokens that were revoked, and which grant a token came of.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use serde_json::Value;

use super::bounded_cache::Recent;
use super::secret_store::{hash, random};
use crate::lock::locked;

/// All the tokens that came of one grant: they are revoked together.
#[derive(Default)]
pub(crate) struct Family {
    is_revoked: AtomicBool,
}

impl Family {
    pub(crate) fn revoke(&self) {
        self.is_revoked.store(true, Ordering::Release);
    }

    pub(crate) fn is_revoked(&self) -> bool {
        self.is_revoked.load(Ordering::Acquire)
    }
}

/// What the server alone knows of access tokens.
#[derive(Default)]
pub(crate) struct IssuedTokens {
    claims: Mutex<Recent<Value>>,
    revoked: Mutex<Recent<()>>,
    /// By the hash of the token. No token is forgotten before it expires: it would count again.
    families: Mutex<HashMap<[u8; 32], Descent>>,
}

struct Descent {
    family: Arc<Family>,
    expires_at: SystemTime,
}

impl IssuedTokens {
    /// Makes an opaque token of these claims.
    pub(crate) fn add_opaque(&self, claims: Value) -> String {
        let token = random();
        locked(&self.claims).insert(&token, claims);
        token
    }

    /// The claims of an opaque token.
    pub(crate) fn claims(&self, token: &str) -> Option<Value> {
        locked(&self.claims).get(token).cloned()
    }

    /// Adds a token that is issued now; if its family was revoked meanwhile, it is as well.
    pub(crate) fn add_to_family(
        &self,
        token: &str,
        family: &Arc<Family>,
        now: SystemTime,
        expires_at: SystemTime,
    ) {
        let mut families = locked(&self.families);
        families.retain(|_, descent| descent.expires_at > now);
        families.insert(hash(token), Descent { family: Arc::clone(family), expires_at });
    }

    /// The family of a token, so that what is exchanged for it is revoked with it.
    pub(crate) fn family(&self, token: &str) -> Option<Arc<Family>> {
        locked(&self.families).get(&hash(token)).map(|descent| Arc::clone(&descent.family))
    }

    pub(crate) fn revoke(&self, token: &str) {
        locked(&self.revoked).insert(token, ());
    }

    pub(crate) fn is_revoked(&self, token: &str) -> bool {
        locked(&self.revoked).get(token).is_some()
            || self.family(token).is_some_and(|family| family.is_revoked())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Two may use a code at a time: the second revokes before the first has its token.
    #[test]
    fn a_token_that_comes_after_its_family_was_revoked_is_revoked_too() {
        let (tokens, family) = (IssuedTokens::default(), Arc::new(Family::default()));
        let (now, hour) = (SystemTime::now(), Duration::from_secs(3600));
        tokens.add_to_family("before", &family, now, now + hour);
        assert!(!tokens.is_revoked("before"));
        family.revoke();
        tokens.add_to_family("after", &family, now, now + hour);
        assert!(tokens.is_revoked("before") && tokens.is_revoked("after"));
    }

    #[test]
    fn a_revoked_family_is_remembered_until_its_tokens_expire() {
        let (tokens, family) = (IssuedTokens::default(), Arc::new(Family::default()));
        let (now, hour) = (SystemTime::UNIX_EPOCH, Duration::from_secs(3600));
        tokens.add_to_family("old", &family, now, now + hour);
        family.revoke();
        let add = |token: &str, now| tokens.add_to_family(token, &Arc::default(), now, now + hour);
        (0..1000).for_each(|token| add(&token.to_string(), now + hour / 2));
        assert!(tokens.is_revoked("old"));
        add("last", now + hour);
        assert!(tokens.family("old").is_none());
    }
}
