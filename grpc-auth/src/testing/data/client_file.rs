//! Clients, users and scopes in a file.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::registration::ClientRegistration;
use super::registry::{GrantType, User};
use crate::json;
use crate::json::error::{JsonError, Problem};
use crate::token::scope::is_scope_token;

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct ClientFile {
    pub(crate) registrations: Vec<ClientRegistration>,
    pub(crate) users: Vec<UserEntry>,
    pub(crate) scopes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    clients: Vec<ClientEntry>,
    #[serde(default)]
    users: Vec<UserEntry>,
    #[serde(default)]
    scopes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientEntry {
    id: String,
    name: Option<String>,
    secret: Option<String>,
    jwks: Option<Map<String, Value>>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    audiences: Vec<String>,
    grant_types: Option<Vec<GrantType>>,
    #[serde(default)]
    always_refresh_tokens: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserEntry {
    pub(crate) name: String,
    pub(crate) password: String,
    #[serde(default)]
    pub(crate) claims: Map<String, Value>,
}

/// Without the password.
impl fmt::Debug for UserEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserEntry").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ClientFile {
    pub(crate) fn parse(text: &str) -> Result<Self, ClientFileError> {
        let document: Document =
            json::read(text.as_bytes()).map_err(|error| ClientFileError::of_json(&error))?;
        let mut file = Self { users: document.users, scopes: document.scopes, ..Self::default() };
        for (index, entry) in document.clients.into_iter().enumerate() {
            let problem = |field: &str, text: String| ClientFileError {
                place: format!("`clients[{index}].{field}`"),
                text,
            };
            let registration = entry.registration().map_err(|text| problem("secret", text))?;
            registration.check().map_err(|(field, text)| problem(field, text))?;
            file.registrations.push(registration);
        }
        for (index, user) in file.users.iter().enumerate() {
            let problem = |field: &str, text: &str| {
                Err(ClientFileError {
                    place: format!("`users[{index}].{field}`"),
                    text: text.into(),
                })
            };
            if user.name.is_empty() {
                return problem("name", "it is empty");
            }
            if let Some(claim) = User::reserved(&user.claims) {
                return problem(&format!("claims.{claim}"), "it is the server's own to make");
            }
            if file.users.iter().take(index).any(|other| other.name == user.name) {
                return problem("name", "another user has the same: keep one of them");
            }
        }
        if let Some(scope) = file.scopes.keys().find(|scope| !is_scope_token(scope.as_bytes())) {
            let text = format!("{scope:?} is not a scope name (RFC 6749 §3.3)");
            return Err(ClientFileError { place: "`scopes`".into(), text });
        }
        Ok(file)
    }

    /// Adds another file's; of users and scopes the later counts.
    pub(crate) fn extend(&mut self, other: Self) {
        self.registrations.extend(other.registrations);
        self.users.extend(other.users);
        self.scopes.extend(other.scopes);
    }
}

impl ClientEntry {
    fn registration(self) -> Result<ClientRegistration, String> {
        let registration = match (self.secret, self.jwks) {
            (None, None) => ClientRegistration::public(self.id),
            (Some(secret), None) => ClientRegistration::confidential(self.id, secret),
            (None, Some(jwks)) => {
                ClientRegistration::with_keys(self.id, Value::Object(jwks).to_string())
            }
            (Some(_), Some(_)) => return Err("there are `jwks` too: keep one of them".into()),
        };
        Ok(ClientRegistration {
            name: self.name,
            redirect_uris: self.redirect_uris,
            scopes: self.scopes,
            audiences: self.audiences,
            grants: self.grant_types.unwrap_or(registration.grants),
            always_refreshes: self.always_refresh_tokens,
            ..registration
        })
    }
}

/// What is wrong with a file, and where.
#[derive(Debug)]
pub struct ClientFileError {
    place: String,
    text: String,
}

impl ClientFileError {
    /// The value itself, which may be a secret, is left out.
    fn of_json(error: &JsonError) -> Self {
        let (line, column) = error.line_and_column();
        let place = match error.path() {
            "." => format!("line {line} column {column}"),
            path => format!("`{path}`, line {line} column {column}"),
        };
        let text = match error.problem() {
            Problem::Syntax(what) => (*what).to_owned(),
            Problem::Type { found, expected } => format!("it is {found}, expected {expected}"),
            Problem::Unknown { expected } => format!("it is unknown, expected {expected}"),
            Problem::Missing => "it is missing".into(),
            Problem::Duplicate => "it occurs twice".into(),
            _ => error.to_string(),
        };
        Self { place, text }
    }
}

impl fmt::Display for ClientFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

impl std::error::Error for ClientFileError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        ClientFile::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_mistake_is_named_by_its_place() {
        for (text, expected) in [
            ("", "line 1 column 0: it ends early"),
            ("{}\n{}", "line 2 column 0: something follows the document"),
            (
                r#"{"client": []}"#,
                "`client`, line 1 column 10: it is unknown, expected one of `clients`, `users`, \
                 `scopes`",
            ),
            (r#"{"clients": [{"id": ""}]}"#, "`clients[0].id`: it is empty"),
            (
                r#"{"clients": [{"id": "a", "secret": "s", "jwks": {}}]}"#,
                "`clients[0].secret`: there are `jwks` too: keep one of them",
            ),
            (
                r#"{"users": [{"name": "a", "password": "b", "claims": {"sub": "c"}}]}"#,
                "`users[0].claims.sub`: it is the server's own to make",
            ),
            (
                r#"{"scopes": {"a b": "c"}}"#,
                "`scopes`: \"a b\" is not a scope name (RFC 6749 §3.3)",
            ),
        ] {
            assert_eq!(problem(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_value_is_said_without_the_value() {
        let text = problem(r#"{"clients": [{"id": "a", "redirect_uris": "hunter2"}]}"#);
        assert_eq!(
            text,
            "`clients[0].redirect_uris`, line 1 column 51: it is a string, expected an array"
        );
        let text = problem(r#"{"clients": [{"id": "a", "secret": 7007}]}"#);
        assert!(text.ends_with("expected a string") && !text.contains("7007"), "{text}");
        let text = problem(r#"{"users": [{"name": "a", "password": {"hunter2": 1}}]}"#);
        assert!(!text.contains("hunter2"), "{text}");
    }
}
