//! Key sets: parsed, admitted key by key, kept as one immutable snapshot, refreshed in the
//! background by a lifecycle that decides and a task that acts.

mod algorithm;
mod event;
mod fetch;
mod freshness;
mod key;
mod lifecycle;
mod proof_key;
mod set;
mod settings;
mod source;
mod unknown;
mod weak;

pub use algorithm::Algorithm;
pub use event::{KeySetEvent, KeySetHealth, SkippedKey, UnknownKey};
pub use fetch::FetchError;
pub use set::KeySetError;
pub use settings::{KeySetSettings, RefreshMode};

pub(crate) use event::Listener;
pub(crate) use fetch::{KeyFetcher, Location};
#[cfg(feature = "testing")]
pub(crate) use freshness::heeded;
pub(crate) use key::{Key, MAX_KID_BYTES, Skipped};
pub(crate) use lifecycle::Arrival;
#[cfg(feature = "testing")]
pub(crate) use proof_key::canonical_form;
pub(crate) use set::KeySet;
pub(crate) use source::{KeySource, Missing, Standing, Waiting};
