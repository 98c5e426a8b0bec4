//! Tests with foreign parts: authorization servers, clients, a proxy and a Redis that others wrote.
//!
//! `interop/run` installs them and runs these tests; without them every test fails, none is skipped.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod bound;
mod browser;
mod certificates;
mod clients;
mod envoy;
mod exchanges;
mod faults;
mod grants;
mod grpcio_server;
mod introspection;
mod introspection_faults;
mod logins;
mod parts;
mod proofs;
mod raw;
mod shared_cache;
mod sloppy;
mod tokens;
