//! Devices without a browser: a person allows them on another one (RFC 8628).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{RawQuery, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::client_authentication::authenticate;
use super::forms;
use super::json::secret_json;
use super::oauth_error::OAuthError;
use super::parameters::Parameters;
use crate::testing::data::device::{Decision, Device};
use crate::testing::data::grants::Grant;
use crate::testing::data::purpose::{DeviceRequest, Purpose};
use crate::testing::data::registry::GrantType;
use crate::testing::data::secret_store::random_bytes;
use crate::testing::data::state::State;
use crate::testing::pages;

const LIFETIME: Duration = Duration::from_secs(600);
/// How many may be known at a time: every client can begin one.
const MAX_DEVICES: usize = 10_000;
/// Between two polls, and what is added when they come sooner (RFC 8628 §3.5).
const INTERVAL: Duration = Duration::from_secs(5);

/// RFC 8628 §3.1.
pub(crate) async fn authorization(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let parameters = Parameters::read(&headers, &body)?;
    let client = authenticate(&state, &headers, &parameters)?;
    if !client.may(GrantType::DeviceCode) {
        let why = "the client may not use the grant of device codes";
        return Err(OAuthError::bad("unauthorized_client", why));
    }
    let request = DeviceRequest { access: parameters.access(&client)?, user_code: new_user_code() };
    let user_code = request.user_code.clone();
    let now = state.clock.now();
    // For a while longer it is said that they expired.
    state.grants.devices.retain(|device| device.expires_at + LIFETIME > now);
    if state.grants.devices.len() >= MAX_DEVICES {
        return Err(OAuthError::server("too many devices wait: try again later"));
    }
    let device_code = state.grants.devices.store(Device {
        request,
        decision: Decision::Pending,
        interval: INTERVAL,
        polled_at: None,
        expires_at: now + LIFETIME,
    });
    let answer = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": format!("{}device", state.url),
        "verification_uri_complete": format!("{}device?user_code={user_code}", state.url),
        "expires_in": LIFETIME.as_secs(),
        "interval": INTERVAL.as_secs(),
    });
    Ok(secret_json(StatusCode::OK, &answer))
}

/// Eight letters that are no word and are not mistaken for each other (RFC 8628 §6.1).
fn new_user_code() -> String {
    const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    let mut code = String::new();
    while code.len() < 9 {
        let [byte] = random_bytes();
        // Only so many that each letter is as likely.
        if let Some(letter) = LETTERS.get(usize::from(byte) % 20).filter(|_| byte < 240) {
            if code.len() == 4 {
                code.push('-');
            }
            code.push(char::from(*letter));
        }
    }
    code
}

/// However a person types it.
fn is_same_code(own: &str, typed: &str) -> bool {
    let letters = |code: &str| -> String {
        let letters = code.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|letter| letter.to_ascii_uppercase()).collect()
    };
    letters(own) == letters(typed)
}

/// What a waiting device gets (RFC 8628 §3.5).
pub(crate) fn poll(state: &State, client_id: &str, device_code: &str) -> Result<Grant, OAuthError> {
    let now = state.clock.now();
    let answer = state.grants.devices.with(device_code, |device| {
        if device.request.access.client_id != client_id {
            return Err(OAuthError::grant("the device code is another client's"));
        }
        if device.expires_at <= now {
            return Err(OAuthError::bad("expired_token", "no decision came in time: start again"));
        }
        let soon = device.polled_at.is_some_and(|last| last + device.interval > now);
        device.polled_at = Some(now);
        if soon {
            device.interval += INTERVAL;
            return Err(OAuthError::bad("slow_down", "wait five seconds longer between polls"));
        }
        match &device.decision {
            Decision::Pending => {
                Err(OAuthError::bad("authorization_pending", "there is no decision yet"))
            }
            Decision::Denied => Err(OAuthError::bad("access_denied", "the request was denied")),
            Decision::Done => Err(OAuthError::grant("the device code was used")),
            Decision::Allowed(grant) => {
                let grant = grant.clone();
                device.decision = Decision::Done;
                Ok(grant)
            }
        }
    });
    answer.unwrap_or_else(|| Err(OAuthError::grant("unknown device code")))
}

/// Looks at the device that waits under this code, if one does.
fn with_waiting<R>(state: &State, typed: &str, act: impl FnOnce(&mut Device) -> R) -> Option<R> {
    let now = state.clock.now();
    let waits = |device: &Device| {
        is_same_code(&device.request.user_code, typed)
            && matches!(device.decision, Decision::Pending)
            && device.expires_at > now
    };
    state.grants.devices.find(waits, act)
}

/// Lets a device have tokens; false if none waits any more.
pub(crate) fn allow(state: &State, user_code: &str, user: &str) -> bool {
    let now = state.clock.now();
    with_waiting(state, user_code, |device| {
        let access = device.request.access.clone();
        device.decision = Decision::Allowed(Grant::new(access, user, now));
    })
    .is_some()
}

/// Refuses a device; false if none waits any more.
pub(crate) fn deny(state: &State, user_code: &str) -> bool {
    with_waiting(state, user_code, |device| device.decision = Decision::Denied).is_some()
}

/// Where people type the code (RFC 8628 §3.3). One that came with the address is shown, to be
/// compared with the device's.
pub(crate) async fn page(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let parameters = Parameters::of_form(query.as_bytes()).unwrap_or_default();
    pages::device(parameters.get("user_code").unwrap_or_default(), None)
}

/// The code as it was typed.
pub(crate) async fn enter(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let form = Parameters::of_form(&body).unwrap_or_default();
    let typed = form.get("user_code").unwrap_or_default();
    match with_waiting(&state, typed, |device| device.request.clone()) {
        Some(request) => forms::begin(&state, Purpose::Device(request)),
        None => pages::device(typed, Some("No device waits for this code. Is it typed correctly?")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_is_the_same_however_it_is_typed() {
        for typed in ["WDJB-MJHT", "wdjbmjht", " wdjb mjht ", "WDJB–MJHT"] {
            assert!(is_same_code("WDJB-MJHT", typed), "{typed}");
        }
        for typed in ["", "WDJB-MJH", "WDJB-MJHTT", "WDJB-MJHX"] {
            assert!(!is_same_code("WDJB-MJHT", typed), "{typed}");
        }
    }

    #[test]
    fn user_codes_are_two_groups_of_four_letters() {
        let codes = [new_user_code(), new_user_code()];
        assert_ne!(codes[0], codes[1]);
        for code in codes {
            let (first, second) = code.split_once('-').unwrap();
            let letters = |part: &str| part.len() == 4 && !part.contains(['A', 'E', 'I', 'O', 'U']);
            assert!(letters(first) && letters(second), "{code}");
        }
    }
}
