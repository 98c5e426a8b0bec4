//! Logging a person in from a program on their machine (RFC 8252): by their browser with PKCE, or
//! by a code that they type in elsewhere.
//!
//! | | when |
//! |---|---|
//! | [`OAuthClient::login`] | the program runs where the person's browser runs |
//! | [`OAuthClient::device_login`] | it does not: over SSH, in a container, on a machine without a screen |
//! | [`Login::load`] | a person has logged in before, and a [`TokenStore`] kept it |
//! | [`Login::log_out`] | to make the tokens useless, and forget them |

mod attempt;
mod browser;
mod callback;
mod device;
pub(crate) mod error;
mod exchange;
pub(crate) mod fuzz;
mod id_token;
mod launch_page;
pub(crate) mod logged_in;
pub(crate) mod logout;
mod opener;
mod pages;
mod pkce;
pub(crate) mod session;
pub(crate) mod store;
pub(crate) mod stored;
mod tokens;

use std::fmt;
use std::sync::Arc;

use crate::client::oauth_client::OAuthClient;
use crate::client::request::Parameters;
use crate::client::server::Server;
use crate::error::ConfigError;
use crate::http::discovery::Endpoints;

pub use browser::AuthorizationCodeFlow;
pub use device::{DeviceFlow, DevicePrompt, PendingDevice};
pub use error::{CallbackError, LoginError, LoginErrorKind};
pub use logged_in::LoginOutcome;
pub use logout::LogoutOutcome;
pub use store::TokenStore;
pub use store::error::StoreError;
pub use stored::StoredLogin;

/// An identity token (OpenID Connect Core §2).
const OPENID: &str = "openid";
/// A refresh token (OpenID Connect Core §11).
const OFFLINE_ACCESS: &str = "offline_access";

/// Parameters that the login itself sets.
const RESERVED: [&str; 9] = [
    "response_type",
    "response_mode",
    "state",
    "nonce",
    "prompt",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
];

/// A login that is being set up; [`OAuthClient::login`] and [`OAuthClient::device_login`] start one.
///
/// Both share what is asked for, and so a login by one way is found in the store by the other.
#[derive(Clone)]
#[must_use = "a login does nothing before it is run"]
pub struct Login<Way = AuthorizationCodeFlow> {
    wanted: Wanted,
    way: Way,
}

/// What the tokens are to be good for, and where they are kept.
#[derive(Clone, Debug)]
struct Wanted {
    client: OAuthClient,
    parameters: Parameters,
    /// Asks for `openid`, and for `offline_access` where the server has it.
    has_defaults: bool,
    store: Option<TokenStore>,
}

/// One server, and who asks it.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    wanted: Wanted,
    server: Arc<Server>,
    issuer: String,
}

impl OAuthClient {
    /// Logs a person in with their browser: the authorization code grant with PKCE (RFC 8252,
    /// RFC 7636 with S256).
    ///
    /// Most such programs can keep no secret: [`ClientAuthentication::none`]. Register what
    /// [`redirect_uri`](Login::redirect_uri) returns as their redirect URI, with any port (RFC 8252
    /// §7.3): `http://127.0.0.1/callback/tenant.eu.auth0.com` here.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_auth::ClientAuthentication;
    /// use grpc_auth::client::OAuthClient;
    /// use grpc_auth::login::TokenStore;
    ///
    /// let program = ClientAuthentication::none("orders-cli");
    /// let login = OAuthClient::auth0("tenant.eu.auth0.com", program)
    ///     .login()
    ///     .audience("https://orders.example.com")
    ///     .scopes(["read:orders"])
    ///     .store(TokenStore::open()?);
    /// let tokens = match login.load().await? {
    ///     Some(stored) => stored.tokens(),
    ///     None => login.announce(|url| eprintln!("If no browser opens, go to {url}")).run().await?.tokens(),
    /// };
    /// # Ok(()) }
    /// ```
    ///
    /// [`ClientAuthentication::none`]: crate::ClientAuthentication::none
    pub fn login(&self) -> Login<AuthorizationCodeFlow> {
        Login { wanted: Wanted::new(self), way: AuthorizationCodeFlow::new() }
    }

    /// Logs a person in with a code that they type in on another device (RFC 8628).
    ///
    /// ```no_run
    /// # async fn example(client: grpc_auth::client::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let logged_in = client
    ///     .device_login()
    ///     .scopes(["read:orders"])
    ///     .run(|prompt| {
    ///         eprintln!("Go to {} and type {}", prompt.verification_uri(), prompt.user_code());
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn device_login(&self) -> Login<DeviceFlow> {
        Login { wanted: Wanted::new(self), way: DeviceFlow::new() }
    }
}

impl<Way> Login<Way> {
    /// Asks for these scopes. `openid` comes by itself, and `offline_access` where the metadata
    /// lists it: see [`only_these_scopes`](Self::only_these_scopes).
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.wanted.parameters.add_scopes(scopes);
        self
    }

    /// Asks for no scope but those in [`scopes`](Self::scopes). Without `openid` there is no
    /// identity token, and it is unknown who logged in; without `offline_access` most servers grant
    /// no refresh token.
    pub fn only_these_scopes(mut self) -> Self {
        self.wanted.has_defaults = false;
        self
    }

    /// Asks for tokens for this API: the parameter `audience`, as Auth0 has it. Without one its
    /// tokens are opaque, and no API takes them.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.wanted.parameters.audience = Some(audience.into());
        self
    }

    /// Asks for tokens for the service at this address (RFC 8707); several may be named.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.wanted.parameters.add_resource(resource.into());
        self
    }

    /// Logs in to this organization of Auth0's.
    pub fn organization(mut self, organization: impl Into<String>) -> Self {
        self.wanted.parameters.organization = Some(organization.into());
        self
    }

    /// Sends one more parameter with the request for authorization: `login_hint`, `connection`, ..
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.wanted.parameters.more.push((name.into(), value.into()));
        self.wanted.parameters.more.sort_unstable();
        self
    }

    /// Keeps the tokens here, for the next time that the program runs. Default nowhere.
    pub fn store(mut self, store: TokenStore) -> Self {
        self.wanted.store = Some(store);
        self
    }
}

impl Wanted {
    fn new(client: &OAuthClient) -> Self {
        Self {
            client: client.clone(),
            parameters: Parameters::default(),
            has_defaults: true,
            store: None,
        }
    }

    /// Checks the settings.
    fn party(&self) -> Result<Party, ConfigError> {
        let setting = |setting, help| ConfigError::setting("client", setting, help);
        if self.parameters.more.iter().any(|(name, _)| RESERVED.contains(&&**name)) {
            let help = "it has a setting of its own, or the login makes it: leave it out";
            return Err(setting("parameter", help));
        }
        self.parameters.check()?;
        let server = self.client.server()?;
        let issuer = server.issuer().map(Into::into);
        let issuer = issuer.ok_or_else(|| {
            setting(
                "token_endpoint",
                "a login has to know who answers: write the issuer, with `OAuthClient::oidc(..)`",
            )
        })?;
        Ok(Party { wanted: self.clone(), server, issuer })
    }
}

impl Party {
    /// The scopes to ask this server for.
    fn scope(&self, endpoints: &Endpoints) -> String {
        let lists = |scope: &str| {
            let listed = endpoints.scopes.as_ref();
            listed.map(|listed| listed.iter().any(|found| found == scope))
        };
        let mut parameters = self.wanted.parameters.clone();
        if self.wanted.has_defaults {
            let is_openid = lists(OPENID).unwrap_or(true);
            let is_offline = lists(OFFLINE_ACCESS).unwrap_or(false);
            parameters.add_scopes(is_openid.then_some(OPENID));
            parameters.add_scopes(is_offline.then_some(OFFLINE_ACCESS));
        }
        parameters.scopes.join(" ")
    }

    fn client_id(&self) -> &str {
        self.server.authentication().client_id()
    }
}

/// Whether an identity token has to come.
fn asks_who(scope: &str) -> bool {
    scope.split(' ').any(|scope| scope == OPENID)
}

impl<Way> fmt::Debug for Login<Way> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}
