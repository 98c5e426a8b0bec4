//! What `grpc_auth::sync` is in the library, on loom.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

pub(crate) use loom::sync::atomic;

use atomic::{AtomicUsize, Ordering};

/// arc-swap's type with its orderings: a swap acquires and releases, a load acquires. Values that were
/// replaced are kept, for a load may still return them where nothing orders it after the swap.
#[derive(Debug)]
pub(crate) struct ArcSwapOption<T> {
    values: Mutex<Vec<Option<Arc<T>>>>,
    current: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct Guard<T>(T);

impl<T> ArcSwapOption<T> {
    pub(crate) fn empty() -> Self {
        Self { values: Mutex::new(vec![None]), current: AtomicUsize::new(0) }
    }

    pub(crate) fn load(&self) -> Guard<Option<Arc<T>>> {
        Guard(self.value(self.current.load(Ordering::Acquire)))
    }

    pub(crate) fn store(&self, value: Option<Arc<T>>) {
        self.swap(value);
    }

    pub(crate) fn swap(&self, value: Option<Arc<T>>) -> Option<Arc<T>> {
        let place = {
            let mut values = self.values.lock().unwrap();
            values.push(value);
            values.len() - 1
        };
        self.value(self.current.swap(place, Ordering::AcqRel))
    }

    fn value(&self, place: usize) -> Option<Arc<T>> {
        self.values.lock().unwrap()[place].clone()
    }
}

impl<T> Deref for Guard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The standard library's type: one caller makes the value, and the others wait for it.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    made: loom::sync::Mutex<()>,
    value: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let _alone = self.made.lock().unwrap();
        self.value.get_or_init(make)
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self { made: loom::sync::Mutex::new(()), value: std::sync::OnceLock::new() }
    }
}
