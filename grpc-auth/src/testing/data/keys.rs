//! The server's signing keys and their rotation.

use std::sync::Arc;

use aws_lc_rs::error::Unspecified;
use serde_json::{Value, json};

use super::signing_key::SigningKey;
use crate::jose::algorithm::Algorithm;

/// One key for each algorithm, and what becomes of them.
pub(crate) struct KeyRing {
    generations: u32,
    signing: Vec<Arc<SigningKey>>,
    /// Published in advance, not used yet.
    next: Vec<Arc<SigningKey>>,
}

impl KeyRing {
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        let mut ring = Self { generations: 0, signing: Vec::new(), next: Vec::new() };
        ring.signing = ring.generation()?;
        Ok(ring)
    }

    /// Publishes new keys; tokens are still signed with the old ones.
    pub(crate) fn add(&mut self) -> Result<(), Unspecified> {
        self.next = self.generation()?;
        Ok(())
    }

    /// Signs with the added keys from now on and publishes them alone.
    pub(crate) fn retire(&mut self) -> Result<(), Unspecified> {
        if self.next.is_empty() {
            self.add()?;
        }
        self.signing = std::mem::take(&mut self.next);
        Ok(())
    }

    pub(crate) fn signing_keys(&self) -> Vec<Arc<SigningKey>> {
        self.signing.clone()
    }

    pub(crate) fn jwks(&self) -> Value {
        let keys: Vec<_> = self.signing.iter().chain(&self.next).map(|key| key.jwk()).collect();
        json!({ "keys": keys })
    }

    fn generation(&mut self) -> Result<Vec<Arc<SigningKey>>, Unspecified> {
        self.generations += 1;
        let generation = self.generations;
        [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]
            .into_iter()
            .map(|algorithm| {
                let kid = format!("{}-{generation}", algorithm.as_str().to_lowercase());
                SigningKey::generate(algorithm, kid).map(Arc::new)
            })
            .collect()
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("generations", &self.generations).finish_non_exhaustive()
    }
}
