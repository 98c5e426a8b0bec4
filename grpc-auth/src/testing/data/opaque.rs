//! Tokens that are no JWT, and tokens that were revoked.

use std::fmt;
use std::sync::Mutex;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::bounded_cache::Recent;
use crate::lock::locked;

/// What the server alone knows of tokens.
#[derive(Default)]
pub(crate) struct OpaqueTokens {
    claims: Mutex<Recent<Value>>,
    revoked: Mutex<Recent<()>>,
}

impl OpaqueTokens {
    /// Makes a token of these claims.
    pub(crate) fn add(&self, claims: Value) -> Result<String, Unspecified> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes)?;
        let token = URL_SAFE_NO_PAD.encode(bytes);
        locked(&self.claims).insert(&token, claims);
        Ok(token)
    }

    pub(crate) fn claims(&self, token: &str) -> Option<Value> {
        locked(&self.claims).get(token).cloned()
    }

    pub(crate) fn revoke(&self, token: &str) {
        locked(&self.revoked).insert(token, ());
    }

    pub(crate) fn is_revoked(&self, token: &str) -> bool {
        locked(&self.revoked).get(token).is_some()
    }
}

/// Without the tokens.
impl fmt::Debug for OpaqueTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpaqueTokens").finish_non_exhaustive()
    }
}
