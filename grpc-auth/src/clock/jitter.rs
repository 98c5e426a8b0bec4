//! Random jitter, so that replicas do not act in lock-step.

use aws_lc_rs::rand;

/// From 0 to 1.
pub(crate) fn roll() -> f64 {
    let mut bytes = [0; 4];
    match rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}
