//! Which path leads to which endpoint.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use super::data::state::State;
use super::endpoints::forms::require_own_form;
use super::endpoints::{authorize, consent, device, documents, introspection, revocation, token};
use super::pages;

/// What programs ask for.
pub(super) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(documents::metadata))
        .route("/.well-known/oauth-authorization-server", get(documents::metadata))
        .route("/.well-known/jwks.json", get(documents::jwks))
        .route("/authorize", get(authorize::page))
        .route("/oauth/token", post(token::token))
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
        .route_layer(from_fn(require_own_form))
        .with_state(state)
}
