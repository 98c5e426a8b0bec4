//! What a token is asked for: a grant and its parameters.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::dpop::DpopKey;
use super::error::TokenError;
use super::oauth_client::OAuthClient;
use super::response::TokenResponse;
use super::server::Server;
use super::source::TokenSource;
use crate::client_auth::{ClientAuthentication, ClientSecret};
use crate::error::ConfigError;
use crate::issuer::Auth0Config;

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
    /// [`ConfigError::ClientCredentialsMissing`] when it has no client id or no secret.
    pub fn from_config(config: &Auth0Config) -> Result<TokenRequest, ConfigError> {
        if config.client_secret.is_none() {
            return Err(ConfigError::ClientCredentialsMissing { setting: "client_secret" });
        }
        let client = OAuthClient::from_config(config)?;
        Ok(client.client_credentials().audience(config.audience.clone()))
    }
}

/// A request for tokens, to be sent whenever one is needed.
#[derive(Clone)]
#[must_use = "nothing is asked for until it is built"]
pub struct TokenRequest {
    pub(super) client: OAuthClient,
    pub(super) grant: Grant,
    pub(super) parameters: Parameters,
    pub(super) dpop: Option<DpopKey>,
}

/// What is shown in exchange for a token.
#[derive(Clone)]
pub(super) enum Grant {
    ClientCredentials,
    RefreshToken(SecretString),
}

/// What the token is to be good for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Parameters {
    /// Sorted, each once.
    pub(super) scopes: Vec<String>,
    pub(super) audience: Option<String>,
    pub(super) resources: Vec<String>,
    pub(super) organization: Option<String>,
    /// By name.
    pub(super) more: Vec<(String, String)>,
}

impl TokenRequest {
    pub(super) fn new(client: OAuthClient, grant: Grant) -> Self {
        Self { client, grant, parameters: Parameters::default(), dpop: None }
    }

    /// Asks for these scopes. None by default: then the server grants what it likes.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.parameters.scopes.extend(scopes.into_iter().map(Into::into));
        self.parameters.scopes.sort_unstable();
        self.parameters.scopes.dedup();
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

    /// Asks for tokens that are bound to this key (RFC 9449), and proves with each call that this
    /// program holds it. A token that is not bound is refused then.
    pub fn dpop(mut self, key: DpopKey) -> Self {
        self.dpop = Some(key);
        self
    }

    /// Checks the settings. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ConfigError`] when an address or a parameter cannot be used.
    pub fn build(self) -> Result<TokenSource, ConfigError> {
        let server = Server::new(&self.client)?;
        Ok(TokenSource::of(server, self))
    }

    pub(super) async fn send(&self, server: &Server) -> Result<TokenResponse, TokenError> {
        let scope = self.parameters.scopes.join(" ");
        let mut form = match &self.grant {
            Grant::ClientCredentials => vec![("grant_type", "client_credentials")],
            Grant::RefreshToken(token) => {
                vec![("grant_type", "refresh_token"), ("refresh_token", token.expose_secret())]
            }
        };
        form.extend(self.parameters.pairs(&scope));
        server.token(&form, self.dpop.as_ref()).await
    }
}

impl Parameters {
    /// As they are sent.
    pub(super) fn pairs<'a>(&'a self, scope: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
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

/// Without what is exchanged.
impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grant = match self.grant {
            Grant::ClientCredentials => "client_credentials",
            Grant::RefreshToken(_) => "refresh_token",
        };
        f.debug_struct("TokenRequest")
            .field("client", &self.client)
            .field("grant", &grant)
            .field("parameters", &self.parameters)
            .field("dpop", &self.dpop)
            .finish()
    }
}
