//! When not to ask: a server that fails is left alone, but for a probe now and then.

use std::time::Duration;

/// Failures in a row that open the circuit.
const FAILURES: u32 = 5;
/// How long an open one waits between probes.
const PAUSE: Duration = Duration::from_secs(5);

/// A circuit breaker. Times are seconds since 1970; a clock that is set back closes no door for
/// longer than the pause.
#[derive(Debug, Default)]
pub(crate) struct Circuit {
    failures: u32,
    /// When the last request was let through while it was open.
    opened: f64,
}

impl Circuit {
    /// Whether a request may be made now.
    pub(crate) fn admit(&mut self, now: f64) -> bool {
        if self.failures < FAILURES {
            return true;
        }
        let is_waiting = (self.opened..self.opened + PAUSE.as_secs_f64()).contains(&now);
        if !is_waiting {
            self.opened = now;
        }
        !is_waiting
    }

    /// The server answered as one.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The answer says nothing of the server: the next call may probe it.
    pub(crate) fn undecided(&mut self) {
        self.opened = f64::NEG_INFINITY;
    }

    /// It did not. Returns how many times in a row.
    pub(crate) fn failed(&mut self, now: f64) -> u32 {
        self.failures = self.failures.saturating_add(1);
        if self.failures == FAILURES {
            self.opened = now;
        }
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opened at 100.
    fn open() -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..FAILURES {
            assert!(circuit.admit(100.0));
            circuit.failed(100.0);
        }
        circuit
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        let mut circuit = Circuit::default();
        for _ in 0..4 {
            circuit.failed(100.0);
        }
        circuit.succeeded();
        for _ in 0..4 {
            circuit.failed(100.0);
            assert!(circuit.admit(100.0));
        }
        circuit.failed(100.0);
        assert!(!circuit.admit(100.0));
    }

    #[test]
    fn one_request_probes_it_every_five_seconds() {
        let mut circuit = open();
        assert!(!circuit.admit(104.9));
        assert!(circuit.admit(105.0));
        assert!(!circuit.admit(105.0));
        circuit.failed(106.0);
        assert!(!circuit.admit(109.9));
        assert!(circuit.admit(110.0));
        circuit.succeeded();
        assert!(circuit.admit(110.0));
        assert!(circuit.admit(110.0));
    }

    #[test]
    fn a_probe_that_says_nothing_of_the_server_is_given_back() {
        let mut circuit = open();
        assert!(circuit.admit(105.0));
        circuit.undecided();
        assert!(circuit.admit(105.0));
        assert!(!circuit.admit(105.0));
        // And opens nothing.
        let mut closed = Circuit::default();
        closed.undecided();
        assert!(closed.admit(0.0));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_it_open() {
        let mut circuit = open();
        assert!(circuit.admit(50.0));
        assert!(!circuit.admit(54.9));
        assert!(circuit.admit(55.0));
    }
}
