//! Where calls get their tokens from.

pub(crate) mod grant;
pub(crate) mod shared;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use super::access_token::AccessToken;
use super::error::TokenError;
use super::grants::file::FileGrant;
use super::grants::function::FunctionGrant;
use super::grants::static_token::StaticGrant;
use super::response::TokenType;
use crate::client_authentication::bearer_credential::{BearerCredential, Supplied, TokenSupply};
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::token::bearer::BearerToken;
use grant::Grant;
use shared::Shared;

/// A source of tokens: got when the first is needed, kept, renewed before they expire.
///
/// Clones share what they have, and so do sources that are built of clones of one
/// [`OAuthClient`](super::OAuthClient) with equal parameters. All who need a token at the same time
/// cause one request, which goes on when some of them go away.
///
/// | a token is | when | calls |
/// |---|---|---|
/// | fresh | at first | get it |
/// | stale | a fifth of its life is left: 30 s to 300 s, half its life at most, less up to 10 % by chance | get it, and another one is asked for in the background |
/// | about to expire | the last 10 s; of a short life, half of the above | wait for another one, and get this if none comes |
/// | expired | | wait for another one |
///
/// One whose lifetime the server does not tell is used for 300 s. When it cannot be renewed, it is
/// tried again after 1 s, 2 s, 4 s .. 30 s, less by chance, or when the server says (`Retry-After`).
/// A permanent error, like `invalid_client`, stays cached for 30 s.
/// Meanwhile calls get it at once, unless there is a token that is still valid. Time comes from
/// the clock of the [`OAuthClient`](super::OAuthClient), and nothing is requested while no call needs a
/// token. To find out at the start whether there are any, ask for [`token`](Self::token) there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use grpc_auth::ClientAuthentication;
/// use grpc_auth::client::OAuthClient;
/// use grpc_auth::testing::{TestAuthorizationServer, Endpoint, Fault};
///
/// let server = TestAuthorizationServer::start().await?;
/// server.add_client("orders", "s3cret", ["read:echo"]);
/// let orders = ClientAuthentication::client_secret_basic("orders", "s3cret");
/// let client = OAuthClient::oidc(server.url(), orders).clock(server.clock().clone());
/// let tokens = client.client_credentials().build()?;
///
/// tokens.token().await?;
/// tokens.clone().token().await?;
/// assert_eq!(server.requests(Endpoint::Token), 1);
///
/// // Nothing is sent when there is nothing that could be.
/// server.fail(Endpoint::Token, Fault::Status(500));
/// server.clock().advance(Duration::from_secs(3600));
/// assert!(!tokens.token().await.unwrap_err().is_permanent());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TokenSource(Arc<Shared>);

impl TokenSource {
    pub(super) fn of(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// The token in a file that another program rewrites: a projected service-account token of
    /// Kubernetes, or one that an agent gets.
    ///
    /// It is read again within 60 s, and before the `exp` of a JWT; a file that is gone, or holds
    /// none, changes nothing while the last token is valid.
    ///
    /// ```
    /// use grpc_auth::client::TokenSource;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = std::env::temp_dir().join(format!("grpc-auth-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("token");
    /// std::fs::write(&path, "opaque-token\n")?;
    /// let tokens = TokenSource::file(&path)?;
    /// assert_eq!(tokens.token().await?.token().expose_secret(), "opaque-token");
    ///
    /// assert!(TokenSource::file("/nowhere").is_err());
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::File`] when the file cannot be read, or holds no token.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let path = path.into();
        let grant = FileGrant::open(&path).map_err(|source| ConfigError::File {
            path,
            expected: "a file with the token",
            source,
        })?;
        Ok(Self::new(grant, Clock::system()))
    }

    /// This token, and no other: for tools, and for tests. It is not sent after the `exp` of a JWT.
    ///
    /// ```
    /// use grpc_auth::client::TokenSource;
    /// use grpc_auth::testing::TestAuthorizationServer;
    /// use grpc_auth::BearerToken;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = TestAuthorizationServer::start().await?;
    /// let token = |jwt: String| TokenSource::static_token(BearerToken::parse(&jwt).unwrap());
    /// assert!(token(server.token().sign()).token().await.is_ok());
    /// assert!(token(server.token().expired().sign()).token().await.is_err());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn static_token(token: BearerToken) -> Self {
        let error = TokenError::Expired { help: "write a new one" };
        Self::new(StaticGrant { name: "given", token: Some(token), error }, Clock::system())
    }

    /// Tokens that a function of the program's own gets, whenever one is needed: from a vault, a
    /// metadata server, another library. It is kept and renewed as all are, by its
    /// [`expires_at`](AccessToken::expiring_at), by the `exp` of a JWT, or after 300 s. The function
    /// is given 30 s.
    ///
    /// ```
    /// use grpc_auth::BearerToken;
    /// use grpc_auth::client::{AccessToken, TokenSource};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let vault = TokenSource::from_fn(|| async {
    ///     let token = BearerToken::parse("from-the-vault").ok_or("no token")?;
    ///     Ok::<_, &str>(AccessToken::bearer(token))
    /// });
    /// assert_eq!(vault.token().await?.header_value(), "Bearer from-the-vault");
    ///
    /// let broken = TokenSource::from_fn(|| async { Err::<AccessToken, _>("the vault is sealed") });
    /// assert!(broken.token().await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn from_fn<F, R, E>(function: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<AccessToken, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self::new(FunctionGrant::new(function), Clock::system())
    }

    /// Another source of the same tokens, which tells the time by this clock: for tests of what
    /// has no [`OAuthClient`](super::OAuthClient) to tell.
    #[must_use]
    pub fn with_clock(&self, clock: impl Into<Clock>) -> Self {
        Self(Arc::new(Shared::new(Arc::clone(&self.0.grant), clock.into())))
    }

    pub(crate) fn new(grant: impl Grant + 'static, clock: Clock) -> Self {
        Self(Arc::new(Shared::new(Arc::new(grant), clock)))
    }
}

impl TokenSupply for TokenSource {
    fn token(&self) -> Supplied<'_> {
        Box::pin(async {
            let token = Self::token(self).await?;
            match token.token_type {
                TokenType::Bearer => Ok(token.token.clone()),
                TokenType::Dpop => {
                    Err("it is bound to a key (DPoP), and is no bearer token".into())
                }
            }
        })
    }
}

impl From<TokenSource> for BearerCredential {
    fn from(source: TokenSource) -> Self {
        Self::of(source)
    }
}

#[cfg(test)]
#[path = "source/tests.rs"]
mod tests;
