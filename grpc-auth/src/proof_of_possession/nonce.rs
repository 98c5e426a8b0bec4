//! Nonces for DPoP proofs (RFC 9449 §9): a proof with one was made after the nonce was issued.

use std::fmt;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Clock;

/// How long a nonce is accepted after it was issued, in seconds.
const LIFETIME: f64 = 600.0;
/// How far the clock of the replica that issued it may be ahead, in seconds.
const CLOCK_DIFFERENCE: f64 = 300.0;

/// Issues and checks nonces. A nonce is the time at which it was issued and an HMAC of that:
/// nothing is remembered, and replicas with one key accept each other's.
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
        let mut nonce = self.clock.moment().seconds.to_be_bytes().to_vec();
        let tag = sign(&self.key, &nonce);
        nonce.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(nonce)
    }

    /// When the nonce was issued, in seconds since 1970. `None` if it was not issued with this key,
    /// or not within the last ten minutes.
    pub(crate) fn issued_at(&self, nonce: &str) -> Option<f64> {
        let nonce = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (time, tag) = nonce.split_first_chunk()?;
        verify(&self.key, time, tag).ok()?;
        let issued_at = f64::from_be_bytes(*time);
        let age = self.clock.moment().seconds - issued_at;
        (-CLOCK_DIFFERENCE..LIFETIME).contains(&age).then_some(issued_at)
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
    use crate::clock::manual::ManualClock;

    #[test]
    fn a_nonce_is_accepted_for_ten_minutes_where_the_key_is_the_same() {
        let start = UNIX_EPOCH + Duration::from_millis(3_000_000_250);
        let clock = ManualClock::at(start);
        let nonces = Nonces::new(&[7; 32], clock.clone().into());
        let nonce = nonces.current();
        assert_eq!(nonces.issued_at(&nonce), Some(3_000_000.25));
        let with_key = |key| Nonces::new(&[key; 32], clock.clone().into());
        assert_eq!(with_key(7).issued_at(&nonce), Some(3_000_000.25));
        assert_eq!(with_key(8).issued_at(&nonce), None);

        clock.advance(Duration::from_secs(599));
        assert_ne!(nonces.current(), nonce);
        assert!(nonces.issued_at(&nonce).is_some());
        clock.advance(Duration::from_secs(1));
        assert_eq!(nonces.issued_at(&nonce), None);
        // A replica whose clock is behind accepts the nonces of one whose clock is ahead.
        clock.rewind(Duration::from_secs(900));
        assert!(nonces.issued_at(&nonce).is_some());
        clock.rewind(Duration::from_secs(1));
        assert_eq!(nonces.issued_at(&nonce), None);
    }

    #[test]
    fn a_nonce_that_was_changed_is_rejected() {
        let nonces = Nonces::new(&[7; 32], ManualClock::new().into());
        let nonce = URL_SAFE_NO_PAD.decode(nonces.current()).unwrap();
        for place in 0..nonce.len() {
            let mut changed = nonce.clone();
            changed[place] ^= 1;
            for bytes in [&*changed, &nonce[..place]] {
                let changed = URL_SAFE_NO_PAD.encode(bytes);
                assert_eq!(nonces.issued_at(&changed), None, "{place}");
            }
        }
        assert_eq!(nonces.issued_at("no base64url"), None);
    }
}
