//! All that the server knows. It is gone when the server stops.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;

use super::bounded_cache::UsedAssertions;
use super::device::Device;
use super::fault::Switchboard;
use super::grants::{Code, Issued, RefreshToken};
use super::keys::KeyRing;
use super::opaque::OpaqueTokens;
use super::proof_desk::ProofDesk;
use super::purpose::Interaction;
use super::registry::{Client, Users};
use super::secret_store::Vault;
use super::token::TokenBuilder;
use super::token_settings::TokenSettings;
use crate::clock::manual::ManualClock;
use crate::jose::algorithm::Algorithm;
use crate::lock::locked;

/// The audience of its tokens unless another is asked for.
pub(crate) const AUDIENCE: &str = "https://api.example.test";

/// What the server remembers between requests.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// Forms in front of people.
    pub(crate) interactions: Vault<Interaction>,
    pub(crate) codes: Vault<Code>,
    pub(crate) refresh_tokens: Vault<RefreshToken>,
    pub(crate) devices: Vault<Device>,
    pub(crate) issued: Issued,
    pub(crate) assertions: UsedAssertions,
}

/// What the endpoints share.
pub(crate) struct State {
    pub(crate) url: String,
    pub(crate) clock: ManualClock,
    pub(crate) keys: Mutex<KeyRing>,
    pub(crate) clients: Mutex<BTreeMap<String, Client>>,
    pub(crate) users: Mutex<Users>,
    /// What scopes mean, for people.
    pub(crate) scope_texts: Mutex<BTreeMap<String, String>>,
    pub(crate) grants: Grants,
    pub(crate) tokens: TokenSettings,
    pub(crate) proofs: ProofDesk,
    pub(crate) opaque_tokens: Arc<OpaqueTokens>,
    /// What introspection says instead of the truth.
    pub(crate) other_introspection: Mutex<Option<String>>,
    pub(crate) switches: Switchboard,
    /// What is published instead of the true key set.
    pub(crate) other_jwks: Mutex<Option<String>>,
    pub(crate) key_set_headers: Mutex<HeaderMap>,
    pub(crate) not_modified: AtomicU64,
    /// Held once by each open connection, and here.
    pub(crate) connections: Arc<()>,
}

/// Not its tokens, which stand beside their claims.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("url", &self.url).finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn new(url: String, clock: ManualClock, keys: KeyRing, proofs: ProofDesk) -> Self {
        Self {
            keys: Mutex::new(keys),
            proofs,
            url,
            clock,
            clients: Mutex::default(),
            users: Mutex::default(),
            scope_texts: Mutex::default(),
            grants: Grants::default(),
            tokens: TokenSettings::default(),
            opaque_tokens: Arc::default(),
            other_introspection: Mutex::default(),
            switches: Switchboard::default(),
            other_jwks: Mutex::default(),
            key_set_headers: Mutex::default(),
            not_modified: AtomicU64::default(),
            connections: Arc::default(),
        }
    }

    #[expect(clippy::expect_used, reason = "a key ring has a key for each of these")]
    pub(crate) fn token(&self) -> TokenBuilder {
        let ring = locked(&self.keys);
        let keys: Vec<_> = [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa]
            .into_iter()
            .filter_map(|algorithm| ring.signing_key(algorithm))
            .collect();
        let key = keys.first().cloned().expect("a key ring has an ES256 key");
        let opaque_tokens = Arc::clone(&self.opaque_tokens);
        TokenBuilder::new(keys, key, self.clock.now(), &self.url, AUDIENCE, opaque_tokens)
    }

    pub(crate) fn published_jwks(&self) -> String {
        let other = locked(&self.other_jwks).clone();
        other.unwrap_or_else(|| locked(&self.keys).jwks().to_string())
    }
}
