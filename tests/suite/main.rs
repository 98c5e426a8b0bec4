//! Tests across the crates, one module a topic, in one binary: linking costs more than running.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod arbitrary;
mod claims;
mod configuration;
mod corpora;
mod doors;
mod faults;
mod issuer;
mod issuer_faults;
mod keys;
mod logging;
mod matrix;
mod metrics;
mod mutations;
mod own_crate;
mod policy;
mod presets;
mod raw;
mod scripted;
mod streams;
mod streams_load;
mod streams_rows;
mod traps;
mod unknown_keys;
mod verification;
mod weight;
mod wycheproof;
