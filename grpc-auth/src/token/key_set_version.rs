//! What a verdict rests on, as far as keys go: asked of every call whose token is remembered.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The keys as they stood when a token was verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Of the snapshot with the key.
    pub(crate) generation: u64,
    pub(crate) quiet: Quiet,
}

/// A span of time in which calls need not report themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quiet {
    /// Counts what was published.
    pub(crate) edition: u64,
    pub(crate) from: SystemTime,
    pub(crate) until: SystemTime,
}

impl Standing {
    /// Of keys that were given, if the generation is 1.
    #[cfg(test)]
    pub(crate) fn of(generation: u64) -> Self {
        Self { generation, quiet: Quiet::always() }
    }
}

impl Quiet {
    /// Static keys need no usage reports.
    pub(crate) fn always() -> Self {
        const AGES: Duration = Duration::from_secs(200_000_000_000);
        Self { edition: 0, from: UNIX_EPOCH, until: UNIX_EPOCH + AGES }
    }

    #[inline]
    pub(crate) fn is_at(&self, now: SystemTime) -> bool {
        self.from <= now && now < self.until
    }
}
