//! A code for tokens (RFC 6749 §4.1.3), by the client that has the secret half of its challenge
//! (RFC 7636 §4.6).

use constant_time_eq::constant_time_eq;

use super::TokenRequest;
use super::issue::TokenResponse;
use crate::testing::data::grants::Code;
use crate::testing::endpoints::oauth_error::OAuthError;
use crate::token::confirmation::Thumbprint;

pub(crate) fn redeem(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let (parameters, state) = (request.parameters, request.state);
    let code = parameters.required("code")?;
    let redirect_uri = parameters.required("redirect_uri")?;
    let verifier = parameters.required("code_verifier")?;
    if !is_verifier(verifier) {
        let why = "`code_verifier` is not 43 to 128 of `A-Z a-z 0-9 - . _ ~` (RFC 7636 §4.1)";
        return Err(OAuthError::request(why));
    }
    let grant = state.grants.codes.with(code, |code| {
        check(request, code, redirect_uri, verifier)?;
        code.is_used = true;
        Ok(code.grant.clone())
    });
    let grant = grant.unwrap_or_else(|| Err(OAuthError::grant("unknown code")))?;
    Ok(request.issue(&grant))
}

fn check(
    request: &TokenRequest<'_>,
    code: &Code,
    redirect_uri: &str,
    verifier: &str,
) -> Result<(), OAuthError> {
    if code.grant.access.client_id != request.client.id {
        return Err(OAuthError::grant("the code is another client's"));
    }
    if code.is_used {
        // One of the two who had it stole it, and it is unknown which (RFC 6749 §4.1.2).
        code.grant.family.revoke();
        return Err(OAuthError::grant("the code was used: what came of it is revoked"));
    }
    if code.expires_at <= request.state.clock.now() {
        return Err(OAuthError::grant("the code has expired"));
    }
    if code.redirect_uri != redirect_uri {
        return Err(OAuthError::grant("`redirect_uri` is another than the request's"));
    }
    let challenge = Thumbprint::of(verifier.as_bytes()).encode();
    if !constant_time_eq(challenge.as_bytes(), code.challenge.as_bytes()) {
        return Err(OAuthError::grant("`code_verifier` does not fit the challenge"));
    }
    if code.key.is_some() && code.key != request.key.map(|key| key.encode()) {
        return Err(OAuthError::grant("the key is another than `dpop_jkt` of the request"));
    }
    request.parameters.check_audience(&code.grant.access)
}

/// code-verifier of RFC 7636 §4.1.
fn is_verifier(text: &str) -> bool {
    let is_unreserved =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    (43..=128).contains(&text.len()) && text.bytes().all(is_unreserved)
}
