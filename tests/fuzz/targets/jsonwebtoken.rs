//! Bytes as header and claims of a token that is signed: what is accepted, jsonwebtoken accepts.
#![no_main]

#[path = "../at_once.rs"]
mod at_once;
#[path = "../oracle.rs"]
mod oracle;

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

static ORACLE: LazyLock<oracle::Oracle> = LazyLock::new(oracle::Oracle::new);

// One line each. `NOW` in the claims is the time of day in seconds, so that seeds do not expire.
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let (Some(header), Some(claims)) = (lines.next(), lines.next()) else { return };
    // EdDSA where the header names no other: it signs fastest.
    let is_named = |name: &str| header.windows(name.len()).any(|part| part == name.as_bytes());
    let algorithm = oracle::ALGORITHMS.into_iter().find(|algorithm| is_named(algorithm.as_str()));
    let claims = with_time(claims);
    ORACLE.compare(algorithm.unwrap_or(oracle::ALGORITHMS[0]), header, &claims);
});

/// Writes the time of day, in seconds since 1970, for each `NOW`.
fn with_time(claims: &[u8]) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut rest = claims;
    let mut text = Vec::with_capacity(claims.len() + 64);
    while let Some(place) = rest.windows(3).position(|part| part == b"NOW") {
        text.extend_from_slice(&rest[..place]);
        text.extend_from_slice(now.to_string().as_bytes());
        rest = &rest[place + 3..];
    }
    text.extend_from_slice(rest);
    text
}
