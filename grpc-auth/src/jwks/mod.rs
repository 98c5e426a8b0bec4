//! Key sets: parsed, admitted key by key, kept as one immutable snapshot, refreshed in the
//! background.

mod algorithm;
mod fetch;
mod key;
mod refresh;
mod set;

use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};

pub use algorithm::Algorithm;
pub use fetch::FetchError;
pub use set::KeySetError;

pub(crate) use fetch::{KeyFetcher, Location};
pub(crate) use key::MAX_KID_BYTES;
pub(crate) use refresh::{Refresher, refresh};
pub(crate) use set::KeySet;

/// The keys of one issuer as they are known now. Reading takes no lock.
#[derive(Debug, Default)]
pub(crate) struct KeyStore(ArcSwapOption<KeySet>);

impl KeyStore {
    pub(crate) fn holding(set: KeySet) -> Self {
        Self(ArcSwapOption::from_pointee(set))
    }

    /// The present snapshot; none before the first successful fetch.
    pub(crate) fn load(&self) -> Guard<Option<Arc<KeySet>>> {
        self.0.load()
    }

    fn replace(&self, set: KeySet) {
        self.0.store(Some(set.into()));
    }
}
