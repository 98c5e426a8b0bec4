//! Nonces for DPoP proofs (RFC 9449 §9): proofs cannot be made in advance.

use std::fmt;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use constant_time_eq::constant_time_eq;

use crate::clock::Clock;

/// A nonce is given out for so many seconds, and accepted for as many after that.
const SLOT_SECONDS: f64 = 300.0;

/// Makes nonces out of the time and a key: nothing is remembered, and replicas with one key accept
/// each other's.
pub(crate) struct Nonces {
    key: Key,
    clock: Clock,
}

impl Nonces {
    pub(crate) fn new(key: &[u8], clock: Clock) -> Self {
        Self { key: Key::new(HMAC_SHA256, key), clock }
    }

    /// The nonce for proofs that are made now.
    pub(crate) fn current(&self) -> String {
        self.of(self.slot())
    }

    /// Whether the nonce was given out lately; by a replica whose clock is ahead, too.
    pub(super) fn accepts(&self, nonce: &str) -> bool {
        let slot = self.slot();
        [slot, slot.saturating_sub(1), slot.saturating_add(1)]
            .into_iter()
            .any(|slot| constant_time_eq(self.of(slot).as_bytes(), nonce.as_bytes()))
    }

    fn slot(&self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds since 1970, never negative"
        )]
        let slot = (self.clock.moment().seconds / SLOT_SECONDS) as u64;
        slot
    }

    fn of(&self, slot: u64) -> String {
        URL_SAFE_NO_PAD.encode(sign(&self.key, &slot.to_be_bytes()))
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::testing::ManualClock;

    #[test]
    fn a_nonce_is_accepted_for_five_to_ten_minutes_where_the_key_is_the_same() {
        let start = UNIX_EPOCH + Duration::from_secs(3_000_000);
        let clock = ManualClock::at(start);
        let nonces = Nonces::new(&[7; 32], clock.clone().into());
        let nonce = nonces.current();
        assert!(nonces.accepts(&nonce));
        assert!(Nonces::new(&[7; 32], clock.clone().into()).accepts(&nonce));
        assert!(!Nonces::new(&[8; 32], clock.clone().into()).accepts(&nonce));
        assert!(!nonces.accepts("") && !nonces.accepts(&nonce[1..]));

        clock.advance(Duration::from_secs(599));
        assert_ne!(nonces.current(), nonce);
        assert!(nonces.accepts(&nonce));
        clock.advance(Duration::from_secs(1));
        assert!(!nonces.accepts(&nonce));
        // A replica that is late accepts what one gave out that is not.
        clock.rewind(Duration::from_secs(601));
        assert!(nonces.accepts(&nonce));
        clock.rewind(Duration::from_secs(301));
        assert!(!nonces.accepts(&nonce));
    }
}
