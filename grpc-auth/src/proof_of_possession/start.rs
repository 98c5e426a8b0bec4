//! Proofs from before the moment from which used proofs are remembered.

use std::time::{Duration, SystemTime};

use super::Unproved;
use crate::clock::Moment;

/// The memory of used proofs begins at some moment: when this server was built, or when the store
/// last lost its data. A proof that was used before that moment looks unused. This decides which
/// proofs may be such.
///
/// A proof that was accepted at a time `t` had an `iat` of at most `t` and the clock skew, as
/// clients' clocks may be ahead. So a proof that was accepted before the moment has an `iat` before
/// the moment and the clock skew. One with a nonce that was issued after the moment was not used
/// before it.
///
/// The moment itself counts as after: the `iat` of a proof is equal to it where a test's clock
/// stands still, and otherwise by chance alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// When this server was built, in seconds since 1970.
    pub(crate) built: f64,
    pub(crate) clock_skew: Duration,
    pub(crate) requires_nonce: bool,
    /// The key of the nonces is not older than this server: nonces from before it are not accepted.
    pub(crate) nonces_begin_here: bool,
}

/// When a proof was made, as it says itself and as its nonce proves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// `iat`, in seconds since 1970.
    pub(crate) issued_at: f64,
    /// When its nonce was issued, if it has an accepted one, in seconds since 1970.
    pub(crate) nonce_issued_at: Option<f64>,
}

impl Start {
    /// Rejects a proof that may have been used before the store, or this server if the store does
    /// not say, began to remember.
    pub(crate) fn check(
        &self,
        made: Made,
        store_began: Option<SystemTime>,
        now: Moment,
    ) -> Result<(), Unproved> {
        let began = store_began.map_or(self.built, |time| Moment::of(time).to_microsecond());
        let is_proved_later = made.nonce_issued_at.is_some_and(|nonce| {
            nonce >= began || (self.nonces_begin_here && store_began.is_none())
        });
        let is_older = made.issued_at < began;
        let is_of_clock_ahead =
            began < made.issued_at && made.issued_at < began + self.clock_skew.as_secs_f64();
        if is_proved_later || !(is_older || is_of_clock_ahead) {
            return Ok(());
        }
        // In whole seconds, one of the same second may be younger; and if this clock was set back
        // since, any may.
        let is_surely_older = made.issued_at < began.floor() && began <= now.seconds;
        if is_surely_older && !self.requires_nonce {
            return Err(Unproved::ProofBeforeStart);
        }
        Err(Unproved::ProofAtStart)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const START: Start = Start {
        built: 1000.25,
        clock_skew: Duration::from_secs(5),
        requires_nonce: false,
        nonces_begin_here: true,
    };

    fn at(seconds: f64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs_f64(seconds)
    }

    fn answer(start: Start, iat: f64, nonce: Option<f64>, store: Option<f64>) -> &'static str {
        let made = Made { issued_at: iat, nonce_issued_at: nonce };
        match start.check(made, store.map(at), Moment::of(at(1001.0))) {
            Ok(()) => "accepted",
            Err(Unproved::ProofBeforeStart) => "rejected",
            Err(Unproved::ProofAtStart) => "asked for a nonce",
            Err(_) => "something else",
        }
    }

    #[test]
    fn a_proof_that_may_have_been_used_before_is_not_accepted() {
        for (iat, without_nonces, with_nonces) in [
            (950.0, "rejected", "asked for a nonce"),
            (999.9, "rejected", "asked for a nonce"),
            // Of the same second: in whole seconds it may be younger.
            (1000.0, "asked for a nonce", "asked for a nonce"),
            (1000.249, "asked for a nonce", "asked for a nonce"),
            (1000.25, "accepted", "accepted"),
            // A client whose clock is ahead may have used it.
            (1000.251, "asked for a nonce", "asked for a nonce"),
            (1005.249, "asked for a nonce", "asked for a nonce"),
            (1005.25, "accepted", "accepted"),
        ] {
            assert_eq!(answer(START, iat, None, None), without_nonces, "{iat}");
            let start = Start { requires_nonce: true, ..START };
            assert_eq!(answer(start, iat, None, None), with_nonces, "{iat}");
        }
        let exact = Start { clock_skew: Duration::ZERO, ..START };
        assert_eq!(answer(exact, 1000.251, None, None), "accepted");
    }

    #[test]
    fn a_nonce_that_was_issued_since_shows_that_a_proof_was_not_used_before() {
        for iat in [950.0, 1000.0, 1003.0] {
            assert_eq!(answer(START, iat, Some(1000.25), None), "accepted", "{iat}");
            let shared = Start { requires_nonce: true, nonces_begin_here: false, ..START };
            assert_eq!(answer(shared, iat, Some(1000.25), None), "accepted", "{iat}");
            // From before this server, by another replica.
            assert_eq!(answer(shared, iat, Some(1000.24), None), "asked for a nonce", "{iat}");
        }
    }

    #[test]
    fn a_store_that_says_since_when_it_remembers_decides() {
        // It outlived the server.
        for iat in [950.0, 1000.0, 1003.0] {
            assert_eq!(answer(START, iat, None, Some(900.0)), "accepted", "{iat}");
        }
        // It lost its data after this server was built, and so after some of its nonces.
        for (iat, expected) in
            [(1005.3, "rejected"), (1010.5, "asked for a nonce"), (1015.5, "accepted")]
        {
            let made = Made { issued_at: iat, nonce_issued_at: Some(1001.0) };
            let now = Moment::of(at(1011.0));
            let found = match START.check(made, Some(at(1010.5 - 0.1)), now) {
                Ok(()) => "accepted",
                Err(Unproved::ProofBeforeStart) => "rejected",
                Err(_) => "asked for a nonce",
            };
            assert_eq!(found, expected, "{iat}");
        }
    }

    /// All proofs that are made now are from before the start: only a nonce tells them apart.
    #[test]
    fn a_clock_that_was_set_back_before_the_start_leaves_nonces() {
        let start = Start { built: 5000.0, ..START };
        assert_eq!(answer(start, 1001.0, None, None), "asked for a nonce");
        assert_eq!(answer(start, 1001.0, Some(1001.0), None), "accepted");
    }
}
