//! What was granted, and which tokens came of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::opaque::OpaqueTokens;
use crate::lock::locked;
use crate::token::confirmation::Thumbprint;

/// What a user, or a client for itself, allowed.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) subject: String,
    pub(crate) scopes: Vec<String>,
    /// Without one, access tokens are opaque.
    pub(crate) audience: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) authenticated_at: SystemTime,
    pub(crate) family: Arc<Family>,
}

/// An authorization code (RFC 6749 §4.1.2). It is kept when it was used: the next use is a theft.
pub(crate) struct Code {
    pub(crate) grant: Grant,
    /// As the request had it.
    pub(crate) redirect_uri: String,
    /// Of RFC 7636 §4.2, by S256.
    pub(crate) challenge: String,
    /// The key that has to redeem it (RFC 9449 §10).
    pub(crate) key: Option<String>,
    pub(crate) expires_at: SystemTime,
    pub(crate) is_used: bool,
}

impl Code {
    /// RFC 6749 §4.1.2 recommends at most ten minutes; a program redeems it at once.
    pub(crate) const LIFETIME: Duration = Duration::from_secs(60);
}

/// A refresh token. It is kept when it was used, as a code is.
pub(crate) struct RefreshToken {
    pub(crate) grant: Grant,
    /// A public client has nothing but its key to show whose the token is (RFC 9449 §5).
    pub(crate) key: Option<Thumbprint>,
    pub(crate) expires_at: SystemTime,
    pub(crate) is_used: bool,
}

impl RefreshToken {
    pub(crate) const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
}

/// All the tokens that came of one grant: they are revoked together.
#[derive(Default)]
pub(crate) struct Family(Mutex<Members>);

#[derive(Default)]
struct Members {
    is_revoked: bool,
    access_tokens: Vec<(SystemTime, String)>,
}

impl Family {
    pub(crate) fn is_revoked(&self) -> bool {
        locked(&self.0).is_revoked
    }

    /// Adds an access token; if the others were revoked meanwhile, it is as well.
    pub(crate) fn add(
        &self,
        tokens: &OpaqueTokens,
        token: &str,
        issued: SystemTime,
        expires: SystemTime,
    ) {
        let mut members = locked(&self.0);
        if members.is_revoked {
            tokens.revoke(token);
        }
        members.access_tokens.retain(|(expires, _)| *expires > issued);
        members.access_tokens.push((expires, token.into()));
    }

    pub(crate) fn revoke(&self, tokens: &OpaqueTokens) {
        let mut members = locked(&self.0);
        members.is_revoked = true;
        for (_, token) in members.access_tokens.drain(..) {
            tokens.revoke(&token);
        }
    }
}

/// The families of access tokens, so that what is exchanged for one is revoked with it.
#[derive(Default)]
pub(crate) struct Issued(Mutex<HashMap<[u8; 32], Descent>>);

struct Descent {
    family: Arc<Family>,
    expires_at: SystemTime,
}

impl Issued {
    pub(crate) fn add(
        &self,
        token: &str,
        family: &Arc<Family>,
        issued: SystemTime,
        expires: SystemTime,
    ) {
        let mut all = locked(&self.0);
        all.retain(|_, descent| descent.expires_at > issued);
        let descent = Descent { family: Arc::clone(family), expires_at: expires };
        all.insert(*Thumbprint::of(token.as_bytes()).as_bytes(), descent);
    }

    pub(crate) fn family(&self, token: &str) -> Option<Arc<Family>> {
        let all = locked(&self.0);
        let descent = all.get(Thumbprint::of(token.as_bytes()).as_bytes())?;
        Some(Arc::clone(&descent.family))
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two may use a code at a time: the second revokes before the first has its token.
    #[test]
    fn a_token_that_comes_after_its_family_was_revoked_is_revoked_too() {
        let (tokens, family) = (OpaqueTokens::default(), Family::default());
        let (now, hour) = (SystemTime::now(), Duration::from_secs(3600));
        family.add(&tokens, "before", now, now + hour);
        assert!(!tokens.is_revoked("before"));
        family.revoke(&tokens);
        family.add(&tokens, "after", now, now + hour);
        assert!(tokens.is_revoked("before") && tokens.is_revoked("after"));
    }
}
