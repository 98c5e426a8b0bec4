//! Where clients get tokens (RFC 6749 §3.2), one file a grant.

mod authorization_code;
mod client_credentials;
mod issue;
mod proof;
mod refresh_token;
mod token_exchange;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use self::issue::TokenResponse;
use super::client_authentication::authenticate;
use super::device;
use super::json::secret_json;
use super::oauth_error::OAuthError;
use super::parameters::Parameters;
use crate::lock::locked;
use crate::testing::data::registration::ClientRegistration;
use crate::testing::data::registry::GrantType;
use crate::testing::data::state::State;
use crate::token::confirmation::Thumbprint;

/// What a client that is known asks for.
struct TokenRequest<'r> {
    state: &'r State,
    client: &'r ClientRegistration,
    parameters: &'r Parameters,
    /// The key that it proved to have, which the tokens are bound to (RFC 9449 §5).
    key: Option<Thumbprint>,
}

pub(crate) async fn token(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let other = locked(&state.settings).token_response.clone();
    if let Some((status, document)) = other {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        return (status, headers, document).into_response();
    }
    let mut response = match granted(&state, &headers, &body).await {
        Ok(answer) => secret_json(StatusCode::OK, &answer),
        Err(error) => error.into_response(),
    };
    proof::offer_nonce(&state, response.headers_mut());
    response
}

async fn granted(
    state: &State,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<TokenResponse, OAuthError> {
    let parameters = Parameters::read(headers, body)?;
    let client = authenticate(state, headers, &parameters)?;
    let name = parameters.required("grant_type")?;
    let grant_type = GrantType::from_name(name)
        .ok_or_else(|| OAuthError::bad("unsupported_grant_type", "no such grant"))?;
    if !client.may(grant_type) {
        let why = format!("the client may not use `{}`", grant_type.as_str());
        return Err(OAuthError::bad("unauthorized_client", why));
    }
    let key = proof::proved_key(state, headers).await?;
    let request = TokenRequest { state, client: &client, parameters: &parameters, key };
    match grant_type {
        GrantType::AuthorizationCode => authorization_code::redeem(&request),
        GrantType::ClientCredentials => client_credentials::grant(&request),
        GrantType::DeviceCode => {
            let device_code = parameters.required("device_code")?;
            Ok(request.issue(&device::poll(state, &client.id, device_code)?))
        }
        GrantType::RefreshToken => refresh_token::rotate(&request),
        GrantType::TokenExchange => token_exchange::exchange(&request),
    }
}
