//! All that the server knows. It is gone when the server stops.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::bounded_cache::UsedAssertions;
use super::device::Device;
use super::fault::Switchboard;
use super::grants::{Code, RefreshToken};
use super::issued_tokens::IssuedTokens;
use super::keys::KeyRing;
use super::purpose::Interaction;
use super::registration::ClientRegistration;
use super::registry::Users;
use super::secret_store::Vault;
use super::settings::Settings;
use super::token::TokenBuilder;
use crate::clock::manual::ManualClock;
use crate::lock::locked;
use crate::proof_of_possession::dpop::DpopVerifier;

/// The audience of its tokens unless another is asked for.
pub(crate) const AUDIENCE: &str = "https://api.example.test";

/// What the server remembers between requests.
#[derive(Default)]
pub(crate) struct Grants {
    /// Forms in front of people.
    pub(crate) interactions: Vault<Interaction>,
    pub(crate) codes: Vault<Code>,
    pub(crate) refresh_tokens: Vault<RefreshToken>,
    pub(crate) devices: Vault<Device>,
    pub(crate) assertions: UsedAssertions,
}

/// What the endpoints share.
pub(crate) struct State {
    pub(crate) url: String,
    pub(crate) clock: ManualClock,
    pub(crate) keys: Mutex<KeyRing>,
    /// Checks DPoP proofs at the token endpoint (RFC 9449 §5).
    pub(crate) dpop: DpopVerifier,
    pub(crate) clients: Mutex<BTreeMap<String, ClientRegistration>>,
    pub(crate) users: Mutex<Users>,
    /// What scopes mean, for people.
    pub(crate) scope_texts: Mutex<BTreeMap<String, String>>,
    pub(crate) grants: Grants,
    pub(crate) issued_tokens: Arc<IssuedTokens>,
    pub(crate) settings: Mutex<Settings>,
    pub(crate) switches: Switchboard,
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
    pub(crate) fn new(url: String, clock: ManualClock, keys: KeyRing, dpop: DpopVerifier) -> Self {
        Self {
            url,
            clock,
            keys: Mutex::new(keys),
            dpop,
            clients: Mutex::default(),
            users: Mutex::default(),
            scope_texts: Mutex::default(),
            grants: Grants::default(),
            issued_tokens: Arc::default(),
            settings: Mutex::default(),
            switches: Switchboard::default(),
            not_modified: AtomicU64::default(),
            connections: Arc::default(),
        }
    }

    /// Starts a token for [`AUDIENCE`].
    pub(crate) fn token(&self) -> TokenBuilder {
        let keys = locked(&self.keys).signing_keys();
        let tokens = Arc::clone(&self.issued_tokens);
        TokenBuilder::new(keys, tokens, self.clock.now(), &self.url).audience(AUDIENCE)
    }

    /// Starts a token about a user, with their claims, or about anyone else.
    pub(crate) fn token_of(&self, subject: &str) -> TokenBuilder {
        let claims = locked(&self.users).0.get(subject).map(|user| user.claims.clone());
        self.token().claims(claims.unwrap_or_default()).subject(subject)
    }

    pub(crate) fn token_lifetime(&self) -> Duration {
        locked(&self.settings).token_lifetime
    }

    pub(crate) fn published_jwks(&self) -> String {
        let other = locked(&self.settings).jwks.clone();
        other.unwrap_or_else(|| locked(&self.keys).jwks().to_string())
    }
}
