//! The verifier of DPoP proofs at the token endpoint (RFC 9449 §5).

use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::manual::ManualClock;
use crate::error::ConfigError;
use crate::proof_of_possession::dpop::{Dpop, DpopVerifier};

/// Where proofs are checked.
#[derive(Debug)]
pub(crate) struct ProofDesk {
    pub(crate) verifier: DpopVerifier,
    demands_nonce: AtomicBool,
}

impl ProofDesk {
    pub(crate) fn new(url: &str, clock: ManualClock) -> Result<Self, ConfigError> {
        // The server begins with this process, and so do the addresses that proofs are made for.
        let verifier = Dpop::for_origins([url]).build(clock.into())?.without_past();
        Ok(Self { verifier, demands_nonce: AtomicBool::new(false) })
    }

    pub(crate) fn set_demands_nonce(&self, demands: bool) {
        self.demands_nonce.store(demands, Ordering::Relaxed);
    }

    pub(crate) fn demands_nonce(&self) -> bool {
        self.demands_nonce.load(Ordering::Relaxed)
    }
}
