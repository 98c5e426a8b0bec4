//! Where people are sent to sign in: the authorization endpoint (RFC 6749 §4.1) with PKCE
//! (RFC 7636).

pub(crate) mod answer;
pub(crate) mod request;

pub(crate) use request::read;

use super::forms;
use std::sync::Arc;

use aws_lc_rs::error::Unspecified;
use axum::extract::State as Shared;
use axum::http::Uri;
use axum::response::Response;

use crate::testing::data::grants::{Code, Grant};
use crate::testing::data::purpose::AuthorizationRequest;
use crate::testing::data::purpose::Purpose;
use crate::testing::data::state::State;

/// RFC 6749 §4.1.1.
pub(crate) async fn page(Shared(state): Shared<Arc<State>>, address: Uri) -> Response {
    match read(&state, address.query().unwrap_or_default()) {
        Ok(request) => forms::begin(&state, Purpose::Authorization(request)),
        Err(refusal) => refusal.into_response(&state),
    }
}

/// Makes the code of a request that this user allowed, and the address to send them back to.
pub(crate) fn allow(
    state: &State,
    request: &AuthorizationRequest,
    user: &str,
) -> Result<String, Unspecified> {
    let now = state.clock.now();
    // Those that were used are kept for as long as what came of them lives.
    let forgotten = now.checked_sub(state.tokens.lifetime()).unwrap_or(now);
    state.grants.codes.retain(|code| code.expires_at > forgotten);
    let code = state.grants.codes.store(Code {
        grant: Grant {
            client_id: request.client_id.clone(),
            subject: user.into(),
            scopes: request.scopes.clone(),
            audience: request.audience.clone(),
            nonce: request.nonce.clone(),
            authenticated_at: now,
            family: Arc::default(),
        },
        redirect_uri: request.recipient.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        key: request.key.clone(),
        expires_at: now + Code::LIFETIME,
        is_used: false,
    })?;
    Ok(request.recipient.address(&state.url, &[("code", &code)]))
}
