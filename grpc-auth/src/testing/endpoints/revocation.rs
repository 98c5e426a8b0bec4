//! Taking tokens back (RFC 7009).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::client_authentication::authenticate;
use super::introspection::active;
use super::oauth_error::OAuthError;
use super::parameters::Parameters;
use crate::testing::data::state::State;

/// RFC 7009 §2. The hint is not needed: every kind is looked for.
pub(crate) async fn revoke(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, OAuthError> {
    let parameters = Parameters::read(&headers, &body)?;
    let client = authenticate(&state, &headers, &parameters)?;
    let token = parameters.required("token")?;
    let refresh = state.grants.refresh_tokens.with(token, |token| token.grant.clone());
    if let Some(grant) = refresh {
        if grant.access.client_id != client.id {
            return Err(OAuthError::request("the token is another client's"));
        }
        // All that came of the grant (RFC 7009 §2.1).
        grant.family.revoke();
        return Ok(StatusCode::OK);
    }
    // What is unknown or expired counts as revoked (§2.2).
    let Some(claims) = active(&state, token) else { return Ok(StatusCode::OK) };
    if claims.get("client_id").and_then(Value::as_str).is_some_and(|owner| owner != client.id) {
        return Err(OAuthError::request("the token is another client's"));
    }
    state.issued_tokens.revoke(token);
    Ok(StatusCode::OK)
}
