//! Bytes as a key set: no key takes a signature that nobody made.
#![no_main]

use grpc_auth::testing::fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::key_set(data));
