//! Bytes as headers of an answer: what they ask for stays within bounds.
#![no_main]

use grpc_auth::testing::fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::cache_control(data));
