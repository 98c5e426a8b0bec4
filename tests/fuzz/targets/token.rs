//! Bytes as a token: none is accepted.
#![no_main]

use grpc_auth::testing::fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::token(data));
