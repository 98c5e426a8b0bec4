//! Tokens for the client itself (RFC 6749 §4.4), with Auth0's `audience`: without one the token is
//! opaque.

use super::TokenRequest;
use super::issue::TokenResponse;
use crate::testing::data::grants::{Access, Grant};
use crate::testing::endpoints::oauth_error::OAuthError;

pub(crate) fn grant(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let client = request.client;
    let access = Access {
        client_id: client.id.clone(),
        scopes: request.parameters.scopes_of(&client.scopes)?,
        audience: request.parameters.audience_for(client)?,
    };
    let grant = Grant::new(access, &client.id, request.state.clock.now());
    Ok(request.access_token(&grant, &grant.access.scopes))
}
