//! Bytes as values of `authorization`: no call gets through the layer.
#![no_main]

use grpc_auth::testing::fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::authorization(data));
