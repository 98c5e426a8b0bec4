//! What calls read without a lock: a snapshot and its generation.

use std::sync::Arc;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{ArcSwapOption, Guard};

/// A snapshot, and the number that cached verdicts are compared with.
#[derive(Debug)]
pub(crate) struct Published<S> {
    snapshot: ArcSwapOption<S>,
    generation: AtomicU64,
}

impl<S> Published<S> {
    /// No snapshot, in generation 0.
    pub(crate) fn empty() -> Self {
        Self { snapshot: ArcSwapOption::empty(), generation: AtomicU64::new(0) }
    }

    pub(crate) fn new(snapshot: S, generation: u64) -> Self {
        let published = Self::empty();
        published.replace(snapshot, generation);
        published
    }

    /// The snapshot comes first: a caller that reads the new generation finds the new snapshot.
    pub(crate) fn replace(&self, snapshot: S, generation: u64) {
        self.snapshot.store(Some(Arc::new(snapshot)));
        self.generation.store(generation, Ordering::Release);
    }

    #[inline]
    pub(crate) fn snapshot(&self) -> Guard<Option<Arc<S>>> {
        self.snapshot.load()
    }

    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}
