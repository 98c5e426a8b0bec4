//! Builds token sources: what a token is requested for, and by which client.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::dpop::DpopKey;
use super::exchange::SubjectToken;
use super::oauth_client::OAuthClient;
use super::request::{GrantType, TokenDemand};
use super::source::TokenSource;
use crate::client_authentication::ClientAuthentication;
use crate::client_authentication::secret::ClientSecret;
use crate::error::ConfigError;
use crate::issuer::presets::auth0::Auth0Config;

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
    /// [`audience`](TokenSourceBuilder::audience): without one Auth0's tokens are opaque, and no API
    /// takes them.
    pub fn auth0(
        domain: impl Into<String>,
        client_id: impl Into<String>,
        secret: impl Into<ClientSecret>,
    ) -> TokenSourceBuilder {
        let client = ClientAuthentication::client_secret_post(client_id, secret);
        OAuthClient::auth0(domain, client).client_credentials()
    }

    /// From any authorization server with metadata, by its issuer identifier.
    pub fn oidc(issuer: impl Into<String>, client: ClientAuthentication) -> TokenSourceBuilder {
        OAuthClient::oidc(issuer, client).client_credentials()
    }

    /// For the audience of this configuration, from its tenant.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] when it has no client id or no secret.
    pub fn from_config(config: &Auth0Config) -> Result<TokenSourceBuilder, ConfigError> {
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
pub struct TokenSourceBuilder {
    pub(crate) client: OAuthClient,
    pub(crate) demand: TokenDemand,
}

impl OAuthClient {
    /// Tokens for the program itself (RFC 6749 §4.4).
    pub fn client_credentials(&self) -> TokenSourceBuilder {
        TokenSourceBuilder::new(self.clone(), GrantType::ClientCredentials)
    }

    /// Tokens on behalf of the person who granted this refresh token (RFC 6749 §6). When the server
    /// rotates it, the new one is used from then on.
    pub fn refresh_token(&self, refresh_token: impl Into<SecretString>) -> TokenSourceBuilder {
        TokenSourceBuilder::new(self.clone(), GrantType::RefreshToken(refresh_token.into()))
    }

    /// A token in exchange for a caller's (RFC 8693). For the callers of a service, each with a
    /// token of their own, see [`on_behalf_of`](Self::on_behalf_of).
    pub fn token_exchange(&self, subject: SubjectToken) -> TokenSourceBuilder {
        let grant = GrantType::TokenExchange { subject: Some(subject), actor: None };
        TokenSourceBuilder::new(self.clone(), grant)
    }
}

impl TokenSourceBuilder {
    pub(super) fn new(client: OAuthClient, grant: GrantType) -> Self {
        Self { client, demand: TokenDemand::new(grant) }
    }

    /// Asks for these scopes. None by default: then the server grants what it likes.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.demand.parameters.add_scopes(scopes);
        self
    }

    /// Asks for a token for this API: the parameter `audience`, as Auth0 has it, and token exchange
    /// (RFC 8693 §2.1).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.demand.parameters.audience = Some(audience.into());
        self
    }

    /// Asks for a token for the service at this address (RFC 8707); several may be named.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.demand.parameters.add_resource(resource.into());
        self
    }

    /// Asks on behalf of this organization of Auth0's.
    pub fn organization(mut self, organization: impl Into<String>) -> Self {
        self.demand.parameters.organization = Some(organization.into());
        self
    }

    /// Sends one more parameter, for servers that want something of their own.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.demand.parameters.more.push((name.into(), value.into()));
        self.demand.parameters.more.sort_unstable();
        self
    }

    /// Says who acts for the subject of the exchanged token (RFC 8693 §2.1): the token of a service,
    /// usually this one's own. For token exchange alone.
    pub fn actor(mut self, actor: SubjectToken) -> Self {
        if let GrantType::TokenExchange { actor: set, .. } = &mut self.demand.grant {
            *set = Some(actor);
        }
        self
    }

    /// Tells of each new refresh token (RFC 6749 §6): the old one need not work any more. It is
    /// called once for each, before the access token that came with it is used, and holds that up.
    ///
    /// A source with a callback is shared with its clones, and with no other.
    pub fn on_rotation(mut self, tell: impl Fn(&SecretString) + Send + Sync + 'static) -> Self {
        self.demand.on_rotation = Some(Arc::new(tell));
        self
    }

    /// Asks for tokens that are bound to this key (RFC 9449), and proves with each call that this
    /// program holds it. A token that is not bound is refused then.
    pub fn dpop(mut self, key: DpopKey) -> Self {
        self.demand.dpop = Some(key);
        self
    }

    /// Checks the settings. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ConfigError`] when an address, a parameter, or the client's way to authenticate cannot be
    /// used.
    pub fn build(self) -> Result<TokenSource, ConfigError> {
        self.check()?;
        if matches!(self.demand.grant, GrantType::TokenExchange { subject: None, .. }) {
            let help = "`on_behalf_of` builds it: return the request, and ask for tokens there";
            return Err(ConfigError::setting("client", "on_behalf_of", help));
        }
        let client = self.client.clone();
        client.registry.source(&client.settings, self.demand).map(TokenSource::of)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.demand.parameters.check()?;
        let (setting, help) = if self
            .demand
            .grant
            .shown()
            .iter()
            .any(|(_, token)| token.expose_secret().is_empty())
        {
            ("token", "the token that is to be shown to the server is empty")
        } else if matches!(self.demand.grant, GrantType::ClientCredentials)
            && self.client.settings.authentication.is_public()
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
}

impl fmt::Debug for TokenSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSourceBuilder")
            .field("client", &self.client)
            .field("grant", &self.demand.grant.name())
            .field("parameters", &self.demand.parameters)
            .field("dpop", &self.demand.dpop)
            .finish_non_exhaustive()
    }
}
