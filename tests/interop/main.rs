//! Tests with foreign parts: authorization servers, clients and a Redis that nobody here wrote.
//!
//! `interop/run` installs them and runs these tests; without them every test fails, none is skipped.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod bound;
mod clients;
mod faults;
mod introspection;
mod introspection_faults;
mod parts;
mod proofs;
mod raw;
mod shared_cache;
mod sloppy;
mod tokens;
