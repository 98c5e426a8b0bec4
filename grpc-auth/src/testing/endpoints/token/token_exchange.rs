//! A token for another service in place of a caller's (RFC 8693): the called service calls on.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::TokenRequest;
use super::issue::{Delegation, TokenResponse};
use crate::testing::data::grants::{Access, Grant};
use crate::testing::endpoints::introspection::active;
use crate::testing::endpoints::oauth_error::OAuthError;

/// RFC 8693 §3.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// The new token grants what both the client and the subject's token may, and ends with the latter.
pub(crate) fn exchange(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let (parameters, state, client) = (request.parameters, request.state, request.client);
    let token = parameters.required("subject_token")?;
    if !matches!(parameters.required("subject_token_type")?, ACCESS_TOKEN | JWT) {
        let why = "`subject_token_type` has to be that of an access token or a JWT";
        return Err(OAuthError::request(why));
    }
    for name in ["actor_token", "actor_token_type"] {
        if parameters.get(name).is_some() {
            let why = format!("`{name}` is not supported: the client itself is the actor");
            return Err(OAuthError::request(why));
        }
    }
    let wanted = parameters.get("requested_token_type").unwrap_or(ACCESS_TOKEN);
    if !matches!(wanted, ACCESS_TOKEN | JWT) {
        let why = "`requested_token_type` has to be that of an access token or a JWT";
        return Err(OAuthError::request(why));
    }
    let subject = active(state, token).ok_or_else(|| {
        OAuthError::request("`subject_token` is no living token of this server's")
    })?;
    let text = |name: &str| subject.get(name).and_then(Value::as_str);
    let subject_name =
        text("sub").ok_or_else(|| OAuthError::request("`subject_token` has no subject"))?;
    if subject.get("may_act").is_some_and(|may| may.get("sub") != Some(&client.id.as_str().into()))
    {
        // RFC 8693 §4.4.
        let why = "`subject_token` names another one who may act for its subject (`may_act`)";
        return Err(OAuthError::request(why));
    }
    let of_subject = text("scope").unwrap_or_default().split_ascii_whitespace();
    let both: Vec<String> =
        of_subject.map(String::from).filter(|scope| client.scopes.contains(scope)).collect();
    let scopes = parameters.scopes_of(&both)?;
    let audience = parameters.audience_for(client)?;
    if wanted == JWT && audience.is_none() {
        let why = "without an `audience` or a `resource` the token would be no JWT";
        return Err(OAuthError::bad("invalid_target", why));
    }
    let end = subject.get("exp").and_then(Value::as_f64);
    let not_after =
        end.and_then(|exp| Duration::try_from_secs_f64(exp).ok()).map(|exp| UNIX_EPOCH + exp);
    let access = Access { client_id: client.id.clone(), scopes, audience };
    let mut grant = Grant::new(access, subject_name, state.clock.now());
    if let Some(family) = state.issued_tokens.family(token) {
        grant.family = family;
    }
    let delegation = Delegation { actor: actor(&client.id, subject.get("act")), not_after };
    let mut response = request.delegated_token(&grant, &grant.access.scopes, Some(delegation));
    response.issued_token_type = Some(wanted.into());
    Ok(response)
}

/// The client, and in it the actors before (RFC 8693 §4.1).
fn actor(client_id: &str, before: Option<&Value>) -> Value {
    let mut actor = Map::from_iter([("sub".to_owned(), client_id.into())]);
    if let Some(before) = before {
        actor.insert("act".into(), before.clone());
    }
    actor.into()
}
