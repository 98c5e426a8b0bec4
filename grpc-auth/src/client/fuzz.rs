//! What fuzzers hand to the readers of this module.

use std::time::SystemTime;

use http::HeaderMap;

use super::response;
use super::response::error_response;
use crate::http::client::Answer;

/// Reads a token endpoint's answer with this status.
pub(crate) fn token_response(status: u16, body: &[u8]) -> Result<(), String> {
    let answer = Answer { status, headers: HeaderMap::new(), body: body.into() };
    let read = response::read(&answer, SystemTime::UNIX_EPOCH, |text| text.contains("canary"));
    let _ = error_response::code(&answer);
    read.map(drop).map_err(|error| error.to_string())
}
