//! Who this program is at an authorization server, and where that is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::error::TokenError;
use super::exchange::SubjectToken;
use super::on_behalf_of::OnBehalfOf;
use super::registry::Registry;
use super::request::{Grant, TokenRequest};
use super::server::Server;
use crate::client_authentication::ClientAuthentication;
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::issuer::presets::auth0::Auth0Config;
use crate::tls::client::ClientTls;

const MAX_TIMEOUT: Duration = Duration::from_secs(30);

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
/// use grpc_auth::testing::AuthorizationServer;
///
/// let server = AuthorizationServer::start().await?;
/// server.add_client("orders", "s3cret", ["read:echo"]);
///
/// let orders = ClientAuthentication::client_secret_basic("orders", "s3cret");
/// let client = OAuthClient::oidc(server.url(), orders).clock(server.clock().clone());
/// let tokens = client.client_credentials().audience(AuthorizationServer::AUDIENCE).build()?;
/// assert!(tokens.token().await.is_ok());
///
/// let more = client.client_credentials().scopes(["admin:all"]).build()?;
/// assert!(more.token().await.unwrap_err().is_permanent());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct OAuthClient {
    pub(crate) address: Address,
    pub(crate) authentication: ClientAuthentication,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(crate) clock: Clock,
    pub(super) tls: Option<ClientTls>,
    /// Of all clones; a setting that is changed makes another.
    pub(super) registry: Arc<Registry>,
}

/// Where the authorization server is.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// Where its metadata says, which stand at its identifier (RFC 8414, OpenID Connect Discovery).
    Issuer(String),
    /// A tenant of Auth0, by its domain.
    Auth0(String),
    /// At this token endpoint; it has no others.
    TokenEndpoint(String),
}

impl OAuthClient {
    /// A client of a server whose metadata names its endpoints: its issuer identifier, spelt as it
    /// spells it.
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
    /// Auth0 do unless they are told otherwise; without a secret it is a program on its user's
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
        self.registry.server(self)
    }

    pub(super) fn is_auth0(&self) -> bool {
        matches!(self.address, Address::Auth0(_))
    }

    /// The server's name in logs and metrics: as it was configured, without what may be secret.
    pub(super) fn name(&self) -> String {
        match &self.address {
            Address::Issuer(issuer) => issuer.clone(),
            Address::Auth0(domain) => format!("https://{domain}/"),
            Address::TokenEndpoint(endpoint) => {
                endpoint.split(['?', '#']).next().unwrap_or_default().into()
            }
        }
    }

    /// What does not work whatever the server says.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.authentication.check()?;
        let problem = match (self.timeout, self.connect_timeout) {
            _ if self.authentication.needs_identity() && !self.has_identity() => (
                "tls",
                "`tls_client_auth` shows a certificate: write \
                 `.tls(ClientTls::system()?.identity(identity))`",
            ),
            (timeout, _) if timeout.is_zero() || timeout > MAX_TIMEOUT => {
                ("timeout", "write more than nothing and at most 30 s")
            }
            (_, connect_timeout) if connect_timeout.is_zero() => {
                ("connect_timeout", "write more than nothing")
            }
            _ => return Ok(()),
        };
        let (setting, help) = problem;
        Err(ConfigError::setting("client", setting, help))
    }

    fn new(address: Address, authentication: ClientAuthentication) -> Self {
        Self {
            address,
            authentication,
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            clock: Clock::system(),
            tls: None,
            registry: Arc::default(),
        }
    }

    /// How long a connection may take. Default 2 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self.anew()
    }

    /// How long an answer may take, connection included. Default 5 s, at most 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self.anew()
    }

    /// Tells the time by this clock. Default the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self.anew()
    }

    /// Connects to the authorization server with these roots, and shows it this identity: for
    /// authorities that the system does not know, and for
    /// [`tls_client_auth`](ClientAuthentication::tls_client_auth). The system's roots by default.
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self.anew()
    }

    /// Whether the server sees a certificate.
    pub(super) fn has_identity(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.own().is_some())
    }

    /// What was shared before was made with other settings.
    fn anew(mut self) -> Self {
        self.registry = Arc::default();
        self
    }

    /// Tokens for the program itself (RFC 6749 §4.4).
    pub fn client_credentials(&self) -> TokenRequest {
        TokenRequest::new(self.clone(), Grant::ClientCredentials)
    }

    /// Tokens on behalf of whoever granted this refresh token (RFC 6749 §6). When the server
    /// rotates it, the new one is used from then on.
    pub fn refresh_token(&self, refresh_token: impl Into<SecretString>) -> TokenRequest {
        TokenRequest::new(self.clone(), Grant::RefreshToken(refresh_token.into()))
    }

    /// A token in exchange for somebody's (RFC 8693). For the callers of a service, each with a
    /// token of their own, see [`on_behalf_of`](Self::on_behalf_of).
    pub fn token_exchange(&self, subject: SubjectToken) -> TokenRequest {
        TokenRequest::new(self.clone(), Grant::exchange(Some(subject), None))
    }

    /// Tokens in exchange for those of callers, one for each (RFC 8693). The function says what they
    /// are to be good for.
    ///
    /// # Errors
    /// [`ConfigError`] as [`TokenRequest::build`].
    pub fn on_behalf_of(
        &self,
        request: impl FnOnce(TokenRequest) -> TokenRequest,
    ) -> Result<OnBehalfOf, ConfigError> {
        OnBehalfOf::new(request(TokenRequest::new(self.clone(), Grant::exchange(None, None))))
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
            .field("server", &self.name())
            .field("authentication", &self.authentication)
            .finish_non_exhaustive()
    }
}
