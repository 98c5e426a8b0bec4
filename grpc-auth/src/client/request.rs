//! What a token is asked for: a grant and its parameters.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::dpop::DpopKey;
use super::error::TokenError;
use super::exchange;
use super::exchange::SubjectToken;
use super::oauth_client::OAuthClient;
use super::response::TokenResponse;
use super::server::Server;
use super::source::TokenSource;
use crate::client_authentication::ClientAuthentication;
use crate::client_authentication::secret::ClientSecret;
use crate::error::ConfigError;
use crate::issuer::presets::auth0::Auth0Config;
use crate::token::scope::is_scope_token;

/// Tokens of a program for itself: the grant `client_credentials` (RFC 6749 §4.4).
///
/// ```no_run
/// use grpc_auth::client::ClientCredentials;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (id, secret) = ("id", "secret");
/// let tokens = ClientCredentials::auth0("tenant.eu.auth0.com", id, secret)
///     .audience("https://echo.example.com")
///     .scopes(["read:echo"])
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ClientCredentials(());

impl ClientCredentials {
    /// From an Auth0 tenant: `tenant.eu.auth0.com`. Name the API with
    /// [`audience`](TokenRequest::audience): without one Auth0's tokens are opaque, and no API
    /// takes them.
    pub fn auth0(
        domain: impl Into<String>,
        client_id: impl Into<String>,
        secret: impl Into<ClientSecret>,
    ) -> TokenRequest {
        let client = ClientAuthentication::client_secret_post(client_id, secret);
        OAuthClient::auth0(domain, client).client_credentials()
    }

    /// From any authorization server with metadata, by its issuer identifier.
    pub fn oidc(issuer: impl Into<String>, client: ClientAuthentication) -> TokenRequest {
        OAuthClient::oidc(issuer, client).client_credentials()
    }

    /// For the audience of this configuration, from its tenant.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] when it has no client id or no secret.
    pub fn from_config(config: &Auth0Config) -> Result<TokenRequest, ConfigError> {
        if config.client_secret.is_none() {
            return Err(ConfigError::credentials_missing("client_secret"));
        }
        let client = OAuthClient::from_config(config)?;
        Ok(client.client_credentials().audience(config.audience.clone()))
    }
}

/// A request for tokens, to be sent whenever one is needed.
#[derive(Clone)]
#[must_use = "nothing is asked for until it is built"]
pub struct TokenRequest {
    pub(crate) client: OAuthClient,
    pub(crate) grant: Grant,
    pub(crate) parameters: Parameters,
    pub(crate) dpop: Option<DpopKey>,
    pub(super) on_rotation: Option<Arc<OnRotation>>,
}

type OnRotation = dyn Fn(&SecretString) + Send + Sync;

/// What is shown in exchange for a token.
#[derive(Clone)]
pub(crate) enum Grant {
    ClientCredentials,
    RefreshToken(SecretString),
    TokenExchange(Arc<Exchange>),
}

pub(crate) struct Exchange {
    /// None before there is a caller.
    subject: Option<SubjectToken>,
    actor: Option<SubjectToken>,
}

/// What the token is to be good for.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Parameters {
    /// Sorted, each once.
    pub(crate) scopes: Vec<String>,
    pub(crate) audience: Option<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) organization: Option<String>,
    /// By name.
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

impl TokenRequest {
    pub(super) fn new(client: OAuthClient, grant: Grant) -> Self {
        Self { client, grant, parameters: Parameters::default(), dpop: None, on_rotation: None }
    }

    /// Asks for these scopes. None by default: then the server grants what it likes.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.parameters.add_scopes(scopes);
        self
    }

    /// Asks for a token for this API: the parameter `audience`, as Auth0 has it, and token exchange
    /// (RFC 8693 §2.1).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.parameters.audience = Some(audience.into());
        self
    }

    /// Asks for a token for the service at this address (RFC 8707); several may be named.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.parameters.resources.push(resource.into());
        self.parameters.resources.sort_unstable();
        self.parameters.resources.dedup();
        self
    }

    /// Asks on behalf of this organization of Auth0's.
    pub fn organization(mut self, organization: impl Into<String>) -> Self {
        self.parameters.organization = Some(organization.into());
        self
    }

    /// Sends one more parameter, for servers that want something of their own.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.more.push((name.into(), value.into()));
        self.parameters.more.sort_unstable();
        self
    }

    /// Says who acts for whoever the exchanged token is of (RFC 8693 §2.1): the token of a service,
    /// usually this one's own. For token exchange alone.
    pub fn actor(mut self, actor: SubjectToken) -> Self {
        if let Grant::TokenExchange(exchange) = &self.grant {
            self.grant = Grant::exchange(exchange.subject.clone(), Some(actor));
        }
        self
    }

    /// Tells of each new refresh token (RFC 6749 §6): the old one need not work any more. It is
    /// called once for each, before the access token that came with it is used, and holds that up.
    ///
    /// A source with a callback is shared with its clones, and with no other.
    pub fn on_rotation(mut self, tell: impl Fn(&SecretString) + Send + Sync + 'static) -> Self {
        self.on_rotation = Some(Arc::new(tell));
        self
    }

    /// Asks for tokens that are bound to this key (RFC 9449), and proves with each call that this
    /// program holds it. A token that is not bound is refused then.
    pub fn dpop(mut self, key: DpopKey) -> Self {
        self.dpop = Some(key);
        self
    }

    /// Checks the settings. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ConfigError`] when an address, a parameter, or the client's way to authenticate cannot be
    /// used.
    pub fn build(self) -> Result<TokenSource, ConfigError> {
        self.check()?;
        if let Grant::TokenExchange(exchange) = &self.grant
            && exchange.subject.is_none()
        {
            let help = "`on_behalf_of` builds it: return the request, and ask for tokens there";
            return Err(ConfigError::setting("client", "on_behalf_of", help));
        }
        let client = self.client.clone();
        client.registry.source(self).map(TokenSource::of)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.parameters.check()?;
        let (setting, help) = if self
            .grant
            .shown()
            .iter()
            .any(|(_, token)| token.expose_secret().is_empty())
        {
            ("token", "the token that is to be shown to the server is empty")
        } else if matches!(self.grant, Grant::ClientCredentials)
            && self.client.authentication.is_public()
        {
            (
                "authentication",
                "a public client gets no tokens of its own (RFC 6749 §4.4): give it a secret or \
                     a key, or log its user in",
            )
        } else {
            return Ok(());
        };
        Err(ConfigError::setting("client", setting, help))
    }

    /// Whether Auth0 would not know for which API the token is to be.
    pub(super) fn is_opaque_at_auth0(&self) -> bool {
        matches!(self.grant, Grant::ClientCredentials)
            && self.client.is_auth0()
            && self.parameters.audience.is_none()
            && self.parameters.resources.is_empty()
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
            Grant::ClientCredentials => {}
            Grant::RefreshToken(first) => {
                let token = refresh_token.unwrap_or(first);
                form.push(("refresh_token", token.expose_secret()));
            }
            Grant::TokenExchange(exchange) => {
                if let Some(subject) = &exchange.subject {
                    form.push(("subject_token", subject.token.expose_secret()));
                    form.push(("subject_token_type", subject.token_type()));
                }
                if let Some(actor) = &exchange.actor {
                    form.push(("actor_token", actor.token.expose_secret()));
                    form.push(("actor_token_type", actor.token_type()));
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

impl Grant {
    pub(super) fn exchange(subject: Option<SubjectToken>, actor: Option<SubjectToken>) -> Self {
        Self::TokenExchange(Arc::new(Exchange { subject, actor }))
    }

    /// Its name on the wire, and in logs.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken(_) => "refresh_token",
            Self::TokenExchange(_) => exchange::GRANT_TYPE,
        }
    }

    pub(super) fn refresh_token(&self) -> Option<&SecretString> {
        match self {
            Self::RefreshToken(token) => Some(token),
            Self::ClientCredentials | Self::TokenExchange(_) => None,
        }
    }

    pub(super) fn actor(&self) -> Option<&SubjectToken> {
        match self {
            Self::TokenExchange(exchange) => exchange.actor.as_ref(),
            Self::ClientCredentials | Self::RefreshToken(_) => None,
        }
    }

    /// The secrets that are shown, and what they are.
    pub(super) fn shown(&self) -> Vec<(&'static str, &SecretString)> {
        match self {
            Self::ClientCredentials => Vec::new(),
            Self::RefreshToken(token) => vec![("refresh_token", token)],
            Self::TokenExchange(exchange) => {
                let shown = [&exchange.subject, &exchange.actor];
                let shown = shown.into_iter().flatten();
                shown.map(|shown| (shown.token_type(), &shown.token)).collect()
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

/// Without what is shown.
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

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest")
            .field("client", &self.client)
            .field("grant", &self.grant.name())
            .field("parameters", &self.parameters)
            .field("dpop", &self.dpop)
            .finish_non_exhaustive()
    }
}
