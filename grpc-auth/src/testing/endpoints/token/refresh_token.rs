//! New tokens for a refresh token (RFC 6749 §6), which is good once: a new one takes its place
//! (RFC 9700 §4.14.2).

use super::TokenRequest;
use super::issue::TokenResponse;
use crate::testing::data::grants::RefreshToken;
use crate::testing::endpoints::oauth_error::OAuthError;

pub(crate) fn rotate(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let token = request.parameters.required("refresh_token")?;
    let granted = request.state.grants.refresh_tokens.with(token, |token| {
        let scopes = check(request, token)?;
        token.is_used = true;
        Ok((token.grant.clone(), scopes))
    });
    let (grant, scopes) =
        granted.unwrap_or_else(|| Err(OAuthError::grant("unknown refresh token")))?;
    let mut response = request.access_token(&grant, &scopes);
    // It grants what the one before granted, however little was asked for this time.
    response.refresh_token = Some(request.refresh_token(&grant));
    Ok(response)
}

/// The scopes that the new access token has.
fn check(request: &TokenRequest<'_>, token: &RefreshToken) -> Result<Vec<String>, OAuthError> {
    let grant = &token.grant;
    if grant.access.client_id != request.client.id {
        return Err(OAuthError::grant("the refresh token is another client's"));
    }
    if token.is_used {
        // One of the two who had it stole it, and it is unknown which.
        grant.family.revoke();
        return Err(OAuthError::grant(
            "the refresh token was used: all that came of it is revoked",
        ));
    }
    if grant.family.is_revoked() {
        return Err(OAuthError::grant("the refresh token is revoked"));
    }
    if token.expires_at <= request.state.clock.now() {
        return Err(OAuthError::grant("the refresh token has expired"));
    }
    if token.key.is_some_and(|key| !request.key.is_some_and(|own| own.is(&key))) {
        return Err(OAuthError::grant("the refresh token is bound to another key"));
    }
    request.parameters.check_audience(&grant.access)?;
    request.parameters.scopes_of(&grant.access.scopes)
}
