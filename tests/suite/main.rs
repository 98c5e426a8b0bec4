//! Tests across the crates, one folder a topic, in one binary: linking costs more than running.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod client;
mod decisions;
mod doctor;
mod dpop_mtls;
mod introspection;
mod issuer;
mod keys;
mod login;
mod observability;
mod packaging;
mod policy;
mod streams;
mod tls;
mod tokens;
