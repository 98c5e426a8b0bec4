//! What becomes of a token (RFC 7662).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::client_authentication::authenticate;
use super::json::json;
use super::oauth_error::OAuthError;
use super::parameters::Parameters;
use crate::jose::algorithm::Algorithm;
use crate::jose::compact::Compact;
use crate::json;
use crate::jwks::set::KeySet;
use crate::lock::locked;
use crate::testing::data::state::State;
use crate::testing::data::token::seconds;

/// RFC 7662 §2. A refresh token is inactive: to a resource server it must not look like a token.
pub(crate) async fn introspect(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let parameters = Parameters::read(&headers, &body)?;
    if authenticate(&state, &headers, &parameters)?.is_public() {
        return Err(OAuthError::client());
    }
    if let Some(other) = locked(&state.settings).introspection_response.clone() {
        return Ok(([(CONTENT_TYPE, "application/json")], other).into_response());
    }
    let token = parameters.get("token").unwrap_or_default();
    let answer = active(&state, token).unwrap_or_else(|| json!({ "active": false }));
    Ok(json(StatusCode::OK, &answer))
}

/// The claims of a living token of this server's.
pub(crate) fn active(state: &State, token: &str) -> Option<Value> {
    if state.issued_tokens.is_revoked(token) {
        return None;
    }
    let mut claims = match state.issued_tokens.claims(token) {
        Some(claims) => claims,
        None => own_jwt(state, token)?,
    };
    let exp = claims.get("exp").and_then(Value::as_f64);
    if exp.is_some_and(|exp| exp <= seconds(state.clock.now()) as f64) {
        return None;
    }
    let is_bound = claims.get("cnf").is_some_and(|cnf| cnf.get("jkt").is_some());
    let members: &mut Map<_, _> = claims.as_object_mut()?;
    members.insert("active".into(), true.into());
    let token_type = if is_bound { "DPoP" } else { "Bearer" };
    members.entry("token_type").or_insert_with(|| token_type.into());
    Some(claims)
}

/// The claims of a token that this server signed with a key it still publishes.
fn own_jwt(state: &State, token: &str) -> Option<Value> {
    let compact = Compact::parse(token.as_bytes()).ok()?;
    let header: Value = json::read(&compact.header).ok()?;
    let jwks = locked(&state.keys).jwks().to_string();
    let (set, _) = KeySet::parse(jwks.as_bytes()).ok()?;
    let algorithm = Algorithm::from_name(header.get("alg")?.as_str()?)?;
    set.with_kid(header.get("kid")?.as_str()?, algorithm)
        .any(|key| key.verifies(algorithm, compact.signed, &compact.signature))
        .then_some(())?;
    let claims: Value = json::read(&compact.claims).ok()?;
    // An ID token is signed with the same keys, and no one is to be let in with it.
    claims.get("at_hash").is_none().then_some(claims)
}
