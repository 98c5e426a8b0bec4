//! What the server answers.

pub(crate) mod client_authentication;
mod documents;
pub(crate) mod introspection;
pub(crate) mod oauth_error;
pub(crate) mod parameters;
mod revocation;

use std::sync::Arc;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;

use super::server::State;
use super::{authorize, consent, device, pages, token_endpoint};

/// What programs ask for.
pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(documents::metadata))
        .route("/.well-known/oauth-authorization-server", get(documents::metadata))
        .route("/.well-known/jwks.json", get(documents::jwks))
        .route("/authorize", get(authorize::page))
        .route("/oauth/token", post(token_endpoint::token))
        .route("/oauth/device_authorization", post(device::authorization))
        .route("/oauth/revoke", post(revocation::revoke))
        .route("/introspect", post(introspection::introspect))
        .with_state(state)
}

/// What people see besides.
pub(super) fn people(state: Arc<State>) -> Router {
    Router::new()
        .route("/", get(pages::index))
        .route("/mint", post(pages::mint))
        .route("/device", get(device::page).post(device::enter))
        .route("/sign-in", post(consent::sign_in))
        .route("/consent", post(consent::consent))
        .with_state(state)
}

pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// What is not for caches (RFC 6749 §5.1).
pub(super) fn secret_json(status: StatusCode, body: &Value) -> Response {
    let mut response = json(status, body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
