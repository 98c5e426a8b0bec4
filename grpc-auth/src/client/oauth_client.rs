//! Who this program is at an authorization server, and where that is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::error::TokenError;
use super::registry::Registry;
use super::server::Server;
use super::settings::{Address, ClientSettings};
use crate::client_authentication::ClientAuthentication;
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::issuer::presets::auth0::Auth0Config;
use crate::tls::client::ClientTls;

/// A client of an authorization server: where tokens come from, and who asks for them.
///
/// It holds settings alone; nothing is asked before a token is needed. Addresses that are wrong by
/// themselves are refused when something is built of it. Clones share connections, and the tokens
/// of equal requests; one whose settings are changed afterwards begins anew.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_auth::ClientAuthentication;
/// use grpc_auth::client::OAuthClient;
/// use grpc_auth::testing::TestAuthorizationServer;
///
/// let server = TestAuthorizationServer::start().await?;
/// server.add_client("orders", "s3cret", ["read:echo"]);
///
/// let orders = ClientAuthentication::client_secret_basic("orders", "s3cret");
/// let client = OAuthClient::oidc(server.url(), orders).clock(server.clock().clone());
/// let tokens = client.client_credentials().audience(TestAuthorizationServer::AUDIENCE).build()?;
/// assert!(tokens.token().await.is_ok());
///
/// let more = client.client_credentials().scopes(["admin:all"]).build()?;
/// assert!(more.token().await.unwrap_err().is_permanent());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct OAuthClient {
    pub(crate) settings: ClientSettings,
    /// Of all clones; a setting that is changed makes another.
    pub(super) registry: Arc<Registry>,
}

impl OAuthClient {
    /// A client of a server whose metadata names its endpoints: its issuer identifier, byte for byte
    /// as it writes it.
    pub fn oidc(issuer: impl Into<String>, authentication: ClientAuthentication) -> Self {
        Self::new(Address::Issuer(issuer.into()), authentication)
    }

    /// A client (an application) of an Auth0 tenant: `tenant.eu.auth0.com`, or its custom domain.
    pub fn auth0(domain: impl Into<String>, authentication: ClientAuthentication) -> Self {
        Self::new(Address::Auth0(domain.into()), authentication)
    }

    /// A client of a server without metadata.
    pub fn token_endpoint(url: impl Into<String>, authentication: ClientAuthentication) -> Self {
        Self::new(Address::TokenEndpoint(url.into()), authentication)
    }

    /// The application of this configuration. It sends its secret in the form, as applications at
    /// Auth0 do unless they are configured otherwise; without a secret it is a program on its user's
    /// machine.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] when there is no client id.
    pub fn from_config(config: &Auth0Config) -> Result<Self, ConfigError> {
        let id = config.client_id.clone().filter(|id| !id.is_empty());
        let id = id.ok_or(ConfigError::credentials_missing("client_id"))?;
        let authentication = match &config.client_secret {
            Some(secret) => ClientAuthentication::client_secret_post(id, secret.clone()),
            None => ClientAuthentication::none(id),
        };
        Ok(Self::auth0(config.domain.clone(), authentication))
    }

    /// The server, as all clones share it.
    pub(crate) fn server(&self) -> Result<Arc<Server>, ConfigError> {
        self.registry.server(&self.settings)
    }

    fn new(address: Address, authentication: ClientAuthentication) -> Self {
        let settings = ClientSettings::new(address, authentication);
        Self { settings, registry: Arc::default() }
    }

    /// How long a connection may take. Default 2 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self.anew()
    }

    /// How long an answer may take, connection included. Default 5 s, at most 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self.anew()
    }

    /// Tells the time by this clock. Default the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.settings.clock = clock.into();
        self.anew()
    }

    /// Connects to the authorization server with these roots, and shows it this identity: for
    /// authorities that the system does not know, and for
    /// [`tls_client_auth`](ClientAuthentication::tls_client_auth). The system's roots by default.
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.settings.tls = Some(tls);
        self.anew()
    }

    /// What was shared before was made with other settings.
    fn anew(mut self) -> Self {
        self.registry = Arc::default();
        self
    }

    /// Makes a token useless (RFC 7009): an access token, or a refresh token and all that came of
    /// it.
    ///
    /// # Errors
    /// When the server has no such endpoint, does not answer, or refuses the client.
    pub async fn revoke(&self, token: &SecretString) -> Result<(), TokenError> {
        let server = self.server().map_err(|error| TokenError::Custom(Arc::new(error)))?;
        server.revoke(token.expose_secret()).await
    }
}

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient")
            .field("server", &self.settings.name())
            .field("authentication", &self.settings.authentication)
            .finish_non_exhaustive()
    }
}
