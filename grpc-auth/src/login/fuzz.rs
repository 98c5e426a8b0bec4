//! What fuzzers hand to the readers of this module.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use url::Url;

use super::id_token;
use super::id_token::Expected;
use super::{callback, device, store};
use crate::http::client::Answer;

/// Checks an ID token of this issuer for the client `fuzz`.
pub(crate) fn id_token(token: &str, issuer: &str) -> Result<(), String> {
    let now = UNIX_EPOCH + Duration::from_secs(1000);
    let expected = Expected { issuer, client_id: "fuzz", nonce: None, now };
    id_token::check(&token.into(), &expected).map(drop).map_err(|error| error.to_string())
}

/// Reads a device authorization endpoint's answer.
pub(crate) fn device_response(body: &[u8]) -> Result<(), String> {
    let answer = Answer { status: 200, headers: HeaderMap::new(), body: body.into() };
    let asked = Url::parse("https://issuer.example/device").map_err(|error| error.to_string())?;
    device::read(&answer, &asked).map(drop).map_err(|error| error.to_string())
}

/// Reads a stored login of the client `fuzz` at this issuer.
pub(crate) fn stored_login(json: &[u8], issuer: &str) -> Result<(), String> {
    store::read_any(json, issuer, "fuzz").map_err(|error| error.to_string())
}

/// Reads the head of a request to a login's port 4000, whose `state` is `the-state`, and whose
/// cookie is `login=the-cookie`.
pub(crate) fn callback(head: &[u8]) -> Result<(), String> {
    callback::judge_any(head).map_err(|problem| problem.to_string())
}
