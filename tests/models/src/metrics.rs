//! Counts entries instead of recording them. It is not part of a model.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

pub(crate) struct TokenCacheUse(AtomicUsize);

impl TokenCacheUse {
    pub(crate) fn new(_: &'static str) -> Self {
        Self(AtomicUsize::new(0))
    }

    pub(crate) fn remembered(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    pub(crate) fn forgot(&self) {
        self.0.fetch_sub(1, SeqCst);
    }

    pub(crate) fn entries(&self) -> usize {
        self.0.load(SeqCst)
    }
}
