//! Key sets: parsed, admitted key by key, kept as one immutable snapshot, refreshed in the
//! background by a lifecycle that decides and a task that acts.

pub(crate) mod event;
pub(crate) mod fetch;
pub(crate) mod lifecycle;
pub(crate) mod set;
pub(crate) mod settings;
pub(crate) mod skipped;
pub(crate) mod source;
pub(crate) mod token;
mod unknown_keys;
