//! A token request (RFC 6749 §4.4, §6; RFC 8693 §2.1): the grant type and its parameters.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::dpop::DpopKey;
use super::error::TokenError;
use super::exchange;
use super::exchange::SubjectToken;
use super::response::TokenResponse;
use super::server::Server;
use crate::error::ConfigError;
use crate::token::scope::is_scope_token;

/// What is asked for: a grant and its parameters.
#[derive(Clone)]
pub(crate) struct TokenDemand {
    pub(crate) grant: GrantType,
    pub(crate) parameters: Parameters,
    pub(crate) dpop: Option<DpopKey>,
    pub(super) on_rotation: Option<Arc<OnRotation>>,
}

pub(super) type OnRotation = dyn Fn(&SecretString) + Send + Sync;

/// What is shown in exchange for a token.
#[derive(Clone)]
pub(crate) enum GrantType {
    ClientCredentials,
    RefreshToken(SecretString),
    TokenExchange {
        /// None before there is a caller.
        subject: Option<SubjectToken>,
        actor: Option<SubjectToken>,
    },
}

/// What the token is to be good for.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Parameters {
    /// Sorted, each once.
    pub(crate) scopes: Vec<String>,
    pub(crate) audience: Option<String>,
    /// Sorted, each once.
    pub(crate) resources: Vec<String>,
    pub(crate) organization: Option<String>,
    /// By name.
    #[serde(rename = "parameters")]
    pub(crate) more: Vec<(String, String)>,
}

/// Parameters that have a setting of their own, or none.
const RESERVED: [&str; 18] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "scope",
    "audience",
    "resource",
    "organization",
    "refresh_token",
    "code",
    "code_verifier",
    "redirect_uri",
    "device_code",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
];

impl TokenDemand {
    pub(super) fn new(grant: GrantType) -> Self {
        Self { grant, parameters: Parameters::default(), dpop: None, on_rotation: None }
    }

    /// Asks once. A refresh token that was rotated is shown in place of the first.
    pub(super) async fn send(
        &self,
        server: &Server,
        refresh_token: Option<&SecretString>,
    ) -> Result<TokenResponse, TokenError> {
        let scope = self.parameters.scopes.join(" ");
        let mut form = vec![("grant_type", self.grant.name())];
        match &self.grant {
            GrantType::ClientCredentials => {}
            GrantType::RefreshToken(first) => {
                let token = refresh_token.unwrap_or(first);
                form.push(("refresh_token", token.expose_secret()));
            }
            GrantType::TokenExchange { subject, actor } => {
                if let Some(subject) = subject {
                    form.push(("subject_token", subject.token.expose_secret()));
                    form.push(("subject_token_type", subject.token_type));
                }
                if let Some(actor) = actor {
                    form.push(("actor_token", actor.token.expose_secret()));
                    form.push(("actor_token_type", actor.token_type));
                }
            }
        }
        form.extend(self.parameters.pairs(&scope));
        server.token(&form, self.dpop.as_ref()).await
    }
}

/// RFC 8707 §2: an absolute URI without a fragment.
fn is_resource(resource: &str) -> bool {
    url::Url::parse(resource).is_ok_and(|url| url.fragment().is_none())
}

impl GrantType {
    /// Its name on the wire, and in logs.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken(_) => "refresh_token",
            Self::TokenExchange { .. } => exchange::GRANT_TYPE,
        }
    }

    pub(super) fn refresh_token(&self) -> Option<&SecretString> {
        match self {
            Self::RefreshToken(token) => Some(token),
            Self::ClientCredentials | Self::TokenExchange { .. } => None,
        }
    }

    /// The secrets that are shown, and what they are.
    pub(super) fn shown(&self) -> Vec<(&'static str, &SecretString)> {
        match self {
            Self::ClientCredentials => Vec::new(),
            Self::RefreshToken(token) => vec![("refresh_token", token)],
            Self::TokenExchange { subject, actor } => {
                let shown = [subject, actor].into_iter().flatten();
                shown.map(|shown| (shown.token_type, &shown.token)).collect()
            }
        }
    }
}

impl Parameters {
    pub(crate) fn add_scopes<S: Into<String>>(&mut self, scopes: impl IntoIterator<Item = S>) {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self.scopes.sort_unstable();
        self.scopes.dedup();
    }

    pub(crate) fn add_resource(&mut self, resource: String) {
        self.resources.push(resource);
        self.resources.sort_unstable();
        self.resources.dedup();
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let Self { scopes, audience, resources, organization, more } = self;
        let is_empty = |value: &Option<String>| value.as_ref().is_some_and(String::is_empty);
        let (setting, help) = if !scopes.iter().all(|scope| is_scope_token(scope.as_bytes())) {
            (
                "scopes",
                "a scope consists of printable ASCII characters without space, `\"` and `\\`; write \
                 several as a list",
            )
        } else if is_empty(audience) {
            ("audience", "it is empty: write the identifier of the API, or leave it out")
        } else if is_empty(organization) {
            ("organization", "it is empty: write the id of the organization, or leave it out")
        } else if !resources.iter().all(|resource| is_resource(resource)) {
            (
                "resource",
                "write the address of the service without a fragment, like \
                 `https://echo.example.com` (RFC 8707 §2)",
            )
        } else if more.iter().any(|(name, _)| name.is_empty() || RESERVED.contains(&&**name)) {
            (
                "parameter",
                "its name is empty, or one of those that have a setting of their own: use that",
            )
        } else {
            return Ok(());
        };
        Err(ConfigError::setting("client", setting, help))
    }

    /// As they are sent.
    pub(crate) fn pairs<'a>(&'a self, scope: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let optional =
            |name, value: &'a Option<String>| value.as_deref().map(|value| (name, value));
        let scope = Some(("scope", scope)).filter(|(_, scope)| !scope.is_empty());
        scope
            .into_iter()
            .chain(optional("audience", &self.audience))
            .chain(self.resources.iter().map(|resource| ("resource", &**resource)))
            .chain(optional("organization", &self.organization))
            .chain(self.more.iter().map(|(name, value)| (&**name, &**value)))
    }
}

/// Of further parameters the names alone: the values may be anything.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scopes, audience, resources, organization, more } = self;
        let more: Vec<_> = more.iter().map(|(name, _)| name).collect();
        f.debug_struct("Parameters")
            .field("scopes", scopes)
            .field("audience", audience)
            .field("resources", resources)
            .field("organization", organization)
            .field("more", &more)
            .finish()
    }
}
