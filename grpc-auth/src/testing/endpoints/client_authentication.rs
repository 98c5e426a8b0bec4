//! Which client asks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::form_urlencoded;

use super::oauth_error::OAuthError;
use super::parameters::Parameters;
use crate::jose::algorithm::Algorithm;
use crate::jose::compact::Compact;
use crate::json;
use crate::jwks::set::KeySet;
use crate::lock::locked;
use crate::testing::data::bounded_cache::{LONGEST_ASSERTION, NotOnce};
use crate::testing::data::registration::ClientRegistration;
use crate::testing::data::registry::Credentials;
use crate::testing::data::state::State;
use crate::testing::data::token::seconds;
use crate::token::confirmation::Thumbprint;

/// `client_secret_basic` or `client_secret_post` (RFC 6749 §2.3.1), `private_key_jwt`, or the id
/// alone; one of them (§2.3). A public client has nothing to show but its id.
pub(crate) fn authenticate(
    state: &State,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<ClientRegistration, OAuthError> {
    let authorization = headers.get(AUTHORIZATION);
    let methods = [
        authorization.is_some(),
        parameters.get("client_secret").is_some(),
        parameters.get("client_assertion").is_some(),
    ];
    if methods.into_iter().filter(|used| *used).count() > 1 {
        return Err(OAuthError::request("the client authenticates in two ways"));
    }
    if parameters.get("client_assertion").is_some() {
        return by_assertion(state, parameters);
    }
    let (id, secret) = match authorization {
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|value| STANDARD.decode(value).ok())
            .and_then(|pair| String::from_utf8(pair).ok())
            .and_then(|pair| {
                let (id, secret) = pair.split_once(':')?;
                Some((form_decoded(id), form_decoded(secret)))
            })
            .filter(|(id, _)| parameters.get("client_id").is_none_or(|named| named == id))
            .ok_or_else(OAuthError::client)?,
        None => {
            let parameter = |name: &str| parameters.get(name).unwrap_or_default().to_owned();
            (parameter("client_id"), parameter("client_secret"))
        }
    };
    let client = locked(&state.clients).get(&id).cloned().ok_or_else(OAuthError::client)?;
    let is_right = match &client.credentials {
        Credentials::None => secret.is_empty() && authorization.is_none(),
        // Hashes have one length, so that the time does not tell how long the secret is.
        Credentials::Secret(own) => {
            let [own, given] = [own, &secret].map(|text| Thumbprint::of(text.as_bytes()));
            verify_slices_are_equal(own.as_bytes(), given.as_bytes()).is_ok()
        }
        Credentials::Keys(_) => false,
    };
    if is_right { Ok(client) } else { Err(OAuthError::client()) }
}

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// RFC 7523 §3: signed by the client about itself, for this server, and not for long.
fn by_assertion(state: &State, parameters: &Parameters) -> Result<ClientRegistration, OAuthError> {
    let (client, id, expires_at) = genuine(state, parameters).ok_or_else(OAuthError::client)?;
    let now = state.clock.now();
    match state.grants.assertions.use_once(&client.id, &id, expires_at, now) {
        Ok(()) => Ok(client),
        Err(NotOnce::UsedBefore) => Err(OAuthError::assertion_used()),
        Err(NotOnce::NoRoom) => {
            Err(OAuthError::server("there is no room to remember another client assertion"))
        }
    }
}

/// Whose assertion it is, its `jti`, and its end.
fn genuine(
    state: &State,
    parameters: &Parameters,
) -> Option<(ClientRegistration, String, SystemTime)> {
    if parameters.get("client_assertion_type")? != ASSERTION_TYPE {
        return None;
    }
    let compact = Compact::parse(parameters.get("client_assertion")?.as_bytes()).ok()?;
    let header: Value = json::read(&compact.header).ok()?;
    let claims: Value = json::read(&compact.claims).ok()?;
    let id = claims.get("sub")?.as_str()?;
    let client = locked(&state.clients).get(id).cloned()?;
    let Credentials::Keys(jwks) = &client.credentials else { return None };
    let (keys, _) = KeySet::parse(jwks.as_bytes()).ok()?;
    let algorithm = Algorithm::from_name(header.get("alg")?.as_str()?)?;
    let is_genuine = keys
        .without_kid(algorithm)
        .any(|key| key.verifies(algorithm, compact.signed, &compact.signature));
    let audience = claims.get("aud")?.as_str()?;
    let is_for_us = audience == state.url || audience.strip_prefix(&state.url)? == "oauth/token";
    let (now, expires) = (state.clock.now(), claims.get("exp")?.as_f64()?);
    let is_fresh =
        expires > seconds(now) as f64 && expires <= seconds(now + LONGEST_ASSERTION) as f64 + 1.0;
    let is_own = claims.get("iss")?.as_str()? == id
        && parameters.get("client_id").is_none_or(|named| named == id);
    let jti = claims.get("jti")?.as_str()?.to_owned();
    if !(is_genuine && is_for_us && is_fresh && is_own) {
        return None;
    }
    let expires_at = UNIX_EPOCH + Duration::try_from_secs_f64(expires).ok()?;
    Some((client, jti, expires_at))
}

/// Both halves of basic credentials are form-encoded first (RFC 6749 §2.3.1).
fn form_decoded(text: &str) -> String {
    // As the name of a pair; `=` and `&` are encoded in what a client sends.
    let encoded = text.replace('=', "%3D").replace('&', "%26");
    form_urlencoded::parse(encoded.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}
