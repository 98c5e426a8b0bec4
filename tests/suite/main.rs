//! Tests across the crates, one module a topic, in one binary: linking costs more than running.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod arbitrary;
mod authorizer;
mod authorizer_waits;
mod canary;
mod claims;
mod configuration;
mod corpora;
mod doors;
mod dpop;
mod faults;
mod health;
mod introspection;
mod issuer;
mod issuer_faults;
mod keys;
mod logging;
mod login;
mod matrix;
mod metrics;
mod mtls;
mod mutations;
mod observability;
mod own_crate;
mod policy;
mod presets;
mod raw;
mod require;
mod scripted;
mod seams;
mod seen;
mod streams;
mod streams_load;
mod streams_rows;
mod token_endpoint;
mod token_grants;
mod token_mtls;
mod token_providers;
mod token_relay;
mod token_source;
mod traps;
mod unknown_keys;
mod verification;
mod weight;
mod wycheproof;
