//! Where people are sent to sign in: the authorization endpoint (RFC 6749 §4.1) with PKCE
//! (RFC 7636).

pub(crate) mod answer;
pub(crate) mod request;

pub(crate) use request::read;

use std::sync::Arc;

use axum::extract::{RawQuery, State as Shared};
use axum::response::Response;

use super::forms;
use super::oauth_error::OAuthError;
use crate::testing::data::grants::{Code, Grant};
use crate::testing::data::purpose::{AuthorizationRequest, Purpose};
use crate::testing::data::state::State;

/// RFC 6749 §4.1.1.
pub(crate) async fn page(Shared(state): Shared<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    match read(&state, &query.unwrap_or_default()) {
        Ok(request) => forms::begin(&state, Purpose::Authorization(request)),
        Err(refusal) => refusal.into_response(&state),
    }
}

/// Makes the code of a request that this user allowed; returns the address to send them back to.
pub(crate) fn allow(state: &State, request: &AuthorizationRequest, user: &str) -> String {
    let now = state.clock.now();
    // Those that were used are kept for as long as what came of them lives.
    let forgotten = now.checked_sub(state.token_lifetime()).unwrap_or(now);
    state.grants.codes.retain(|code| code.expires_at > forgotten);
    let mut grant = Grant::new(request.access.clone(), user, now);
    grant.nonce.clone_from(&request.nonce);
    let code = state.grants.codes.store(Code {
        grant,
        redirect_uri: request.recipient.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        key: request.key.clone(),
        expires_at: now + Code::LIFETIME,
        is_used: false,
    });
    request.recipient.address(&state.url, &[("code", &code)])
}

/// Returns the address to send a user back to who did not allow a request.
pub(crate) fn deny(state: &State, request: &AuthorizationRequest) -> String {
    let error = OAuthError::bad("access_denied", "the request was not allowed");
    request.recipient.error(&state.url, &error)
}
