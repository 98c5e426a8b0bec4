//! The nonces that servers want to see in proofs.

use std::collections::HashMap;

use arc_swap::ArcSwap;

/// Beyond, all are forgotten: each server tells its own again.
const MAX_ORIGINS: usize = 64;
/// It is sent with each call, and its text may be hostile.
const MAX_NONCE_BYTES: usize = 512;

/// By origin, the last one each.
#[derive(Default)]
pub(super) struct Nonces(ArcSwap<HashMap<Box<str>, Box<str>>>);

impl Nonces {
    pub(super) fn of(&self, origin: &str) -> Option<Box<str>> {
        self.0.load().get(origin).cloned()
    }

    /// Tells whether it is one.
    pub(super) fn remember(&self, origin: &str, nonce: &str) -> bool {
        if !is_nonce(nonce) {
            return false;
        }
        if self.0.load().get(origin).is_some_and(|known| **known == *nonce) {
            return true;
        }
        self.0.rcu(|known| {
            let mut known = (**known).clone();
            if known.len() >= MAX_ORIGINS && !known.contains_key(origin) {
                known.clear();
            }
            known.insert(origin.into(), nonce.into());
            known
        });
        true
    }
}

/// `NQCHAR` (RFC 9449 §8.1, RFC 6749 appendix A).
fn is_nonce(nonce: &str) -> bool {
    let is_one = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    (1..=MAX_NONCE_BYTES).contains(&nonce.len()) && nonce.bytes().all(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_is_bounded() {
        let nonces = Nonces::default();
        for bad in ["", "two words", "\"", "\\", &"x".repeat(MAX_NONCE_BYTES + 1)] {
            assert!(!nonces.remember("https://a.example", bad), "{bad:?}");
        }
        for n in 0..1000 {
            assert!(nonces.remember(&format!("https://{n}.example"), "nonce"));
            assert!(nonces.0.load().len() <= MAX_ORIGINS);
        }
        assert!(nonces.of("https://999.example").is_some());
        assert!(nonces.of("https://0.example").is_none());
    }
}
