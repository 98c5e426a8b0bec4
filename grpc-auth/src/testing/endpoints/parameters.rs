//! What a request asks for.

use std::collections::HashMap;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use url::{Url, form_urlencoded};

use super::oauth_error::OAuthError;
use crate::json;
use crate::json::error::Problem;
use crate::testing::data::grants::Access;
use crate::testing::data::registration::ClientRegistration;

/// Names and values. One without a value counts as left out (RFC 6749 §3.1).
#[derive(Default)]
pub(crate) struct Parameters(HashMap<String, String>);

impl Parameters {
    /// Reads a form, or the JSON that Auth0 takes as well. None may stand twice (RFC 6749 §3.2).
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, OAuthError> {
        let is_json = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/json"));
        if !is_json {
            return Self::of_form(body);
        }
        let parameters = json::read(body).map_err(|error| match error.problem() {
            Problem::Duplicate => OAuthError::request("a parameter stands twice"),
            _ => OAuthError::request("the body is no object of strings"),
        })?;
        Ok(Self(parameters))
    }

    pub(crate) fn of_form(form: &[u8]) -> Result<Self, OAuthError> {
        let mut parameters = HashMap::new();
        for (name, value) in form_urlencoded::parse(form) {
            if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(OAuthError::request("a parameter stands twice"));
            }
        }
        Ok(Self(parameters))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::request(format!("`{name}` is missing")))
    }

    /// The words of `scope`, each once.
    pub(crate) fn scopes(&self) -> Vec<String> {
        let mut scopes: Vec<String> = Vec::new();
        for scope in self.get("scope").unwrap_or_default().split_ascii_whitespace() {
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.into());
            }
        }
        scopes
    }

    /// Whom the token is to be for: Auth0's `audience`, or `resource` of RFC 8707.
    pub(crate) fn audience(&self) -> Result<Option<&str>, OAuthError> {
        let (audience, resource) = (self.get("audience"), self.get("resource"));
        if let Some(resource) = resource
            && !Url::parse(resource).is_ok_and(|url| url.fragment().is_none())
        {
            let why = "`resource` is no absolute address without a fragment (RFC 8707 §2)";
            return Err(OAuthError::bad("invalid_target", why));
        }
        match (audience, resource) {
            (Some(one), Some(other)) if one != other => {
                Err(OAuthError::bad("invalid_target", "`audience` and `resource` differ"))
            }
            (audience, resource) => Ok(audience.or(resource)),
        }
    }

    /// The same, as far as the client may ask for it.
    pub(crate) fn audience_for(
        &self,
        client: &ClientRegistration,
    ) -> Result<Option<String>, OAuthError> {
        match self.audience()? {
            None => Ok(client.audiences.first().cloned()),
            Some(asked)
                if client.audiences.is_empty()
                    || client.audiences.iter().any(|own| own == asked) =>
            {
                Ok(Some(asked.into()))
            }
            Some(_) => {
                Err(OAuthError::bad("invalid_target", "the client may not have tokens for it"))
            }
        }
    }

    /// The scopes that are asked for, or all that there are; no others.
    pub(crate) fn scopes_of(&self, granted: &[String]) -> Result<Vec<String>, OAuthError> {
        let asked = self.scopes();
        if asked.is_empty() {
            return Ok(granted.to_vec());
        }
        if asked.iter().all(|scope| granted.contains(scope)) {
            return Ok(asked);
        }
        Err(OAuthError::bad("invalid_scope", "this scope may not be granted"))
    }

    /// What a person is asked for, who can be asked for an ID token and for access while they are
    /// away too.
    pub(crate) fn access(&self, client: &ClientRegistration) -> Result<Access, OAuthError> {
        let scopes = if self.get("scope").is_none() {
            client.scopes.clone()
        } else {
            let own = SIGN_IN_SCOPES.map(String::from);
            self.scopes_of(&[&client.scopes[..], &own[..]].concat())?
        };
        let audience = self.audience_for(client)?;
        Ok(Access { client_id: client.id.clone(), scopes, audience })
    }

    /// Whether the audience, if one is asked for, is the one that was granted.
    pub(crate) fn check_audience(&self, granted: &Access) -> Result<(), OAuthError> {
        match self.audience()? {
            Some(asked) if granted.audience.as_deref() != Some(asked) => {
                Err(OAuthError::bad("invalid_target", "another audience was granted"))
            }
            _ => Ok(()),
        }
    }
}

/// OpenID Connect Core §3.1.2.1 and §11.
pub(super) const SIGN_IN_SCOPES: [&str; 2] = ["openid", "offline_access"];
