//! Tokens for the client itself (RFC 6749 §4.4), with Auth0's `audience`: without one the token is
//! opaque.

use serde_json::Value;

use super::TokenRequest;
use super::issue::AccessToken;
use crate::testing::endpoints::oauth_error::OAuthError;

pub(crate) fn grant(request: &TokenRequest<'_>) -> Result<Value, OAuthError> {
    let client = &request.client.client;
    let scopes = request.parameters.scopes_of(&client.scopes)?;
    let audience = request.parameters.audience_for(client)?;
    let token = AccessToken {
        subject: &request.client.id,
        scopes: &scopes,
        audience: audience.as_deref(),
        actor: None,
        not_after: None,
        family: None,
    };
    Ok(request.access_token(&token)?.answer.into())
}
