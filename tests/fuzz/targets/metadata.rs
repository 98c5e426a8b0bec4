//! Bytes as an issuer's metadata: another issuer's is not believed.
#![no_main]

use grpc_auth::testing::fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::metadata(data));
