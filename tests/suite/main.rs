//! Tests across the crates, one module a topic, in one binary: linking costs more than running.

mod claims;
mod configuration;
mod doors;
mod issuer;
mod keys;
mod logging;
mod matrix;
mod own_crate;
mod policy;
mod weight;
