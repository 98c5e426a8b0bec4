//! What the server publishes: its metadata and its keys.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::State as Shared;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::json::json;
use super::parameters::SIGN_IN_SCOPES;
use crate::jose::algorithm::Algorithm;
use crate::lock::locked;
use crate::testing::data::registry::GrantType;
use crate::testing::data::state::State;

/// RFC 8414 §2.
pub(crate) async fn metadata(Shared(state): Shared<Arc<State>>) -> Response {
    let url = &state.url;
    let confidential = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    let any = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
    let algorithms = Algorithm::ALL.map(Algorithm::as_str);
    json(
        StatusCode::OK,
        &json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}authorize"),
            "token_endpoint": format!("{url}oauth/token"),
            "device_authorization_endpoint": format!("{url}oauth/device_authorization"),
            "revocation_endpoint": format!("{url}oauth/revoke"),
            "introspection_endpoint": format!("{url}introspect"),
            "jwks_uri": format!("{url}.well-known/jwks.json"),
            "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
            "scopes_supported": scopes(&state),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "token_endpoint_auth_methods_supported": any,
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint_auth_methods_supported": any,
            "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
            "introspection_endpoint_auth_methods_supported": confidential,
            "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
            "dpop_signing_alg_values_supported": algorithms,
            "id_token_signing_alg_values_supported": ["RS256"],
            "subject_types_supported": ["public"],
        }),
    )
}

/// What some client may be granted, and what anyone who signs in may. Programs that log people in
/// ask for `offline_access` where it is listed.
fn scopes(state: &State) -> BTreeSet<String> {
    let clients = locked(&state.clients);
    let granted = clients.values().flat_map(|client| client.scopes.iter().cloned());
    granted.chain(SIGN_IN_SCOPES.map(String::from)).collect()
}

pub(crate) async fn jwks(Shared(state): Shared<Arc<State>>, request: HeaderMap) -> Response {
    let document = state.published_jwks();
    let mut headers = HeaderMap::new();
    let digest = URL_SAFE_NO_PAD.encode(digest(&SHA256, document.as_bytes()));
    if let Ok(etag) = HeaderValue::try_from(format!("\"{digest}\"")) {
        headers.insert(ETAG, etag);
    }
    headers.extend(locked(&state.settings).key_set_headers.clone());
    if is_known(&request, headers.get(ETAG)) {
        state.not_modified.fetch_add(1, Ordering::Relaxed);
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    ([(CONTENT_TYPE, "application/json")], headers, document).into_response()
}

/// Whether the client has what this tag stands for (RFC 9110 §13.1.2).
fn is_known(request: &HeaderMap, etag: Option<&HeaderValue>) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let Some(current) = etag.and_then(|etag| etag.to_str().ok()).map(opaque) else { return false };
    let mut known = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.any(|tags| tags.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == current))
}
