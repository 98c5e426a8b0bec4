//! Channels that carry tokens, from the endpoint on.

use tonic::transport::{Channel, Endpoint};

use super::service::AddToken;
use crate::client::source::TokenSource;
use crate::error::ConfigError;
use crate::tls::destination::SecureEndpoint;

/// Why there is no channel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The endpoint is not one for tokens.
    #[error("the endpoint cannot be used with tokens")]
    Config(#[from] ConfigError),
    /// The server was not reached.
    #[error("the endpoint was not reached")]
    Transport(#[from] tonic::transport::Error),
}

impl TokenSource {
    /// Connects to a server whose calls are to carry these tokens, as
    /// [`AddTokenLayer`](super::AddTokenLayer) says.
    ///
    /// Plaintext goes to loopback addresses alone, or by
    /// [`danger::PlaintextAllowed`](crate::danger::PlaintextAllowed). An `https` endpoint that has
    /// no TLS yet gets the system's roots; [`ClientTls`](crate::tls::ClientTls) gives it others. Proofs of tokens that are bound to a key are made for the endpoint's own
    /// address: for another one there is [`AddTokenLayer::origin`](super::AddTokenLayer::origin).
    ///
    /// ```
    /// use grpc_auth::client::{ClientCredentials, ConnectError};
    /// use tonic::transport::Endpoint;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (id, secret) = ("id", "secret");
    /// let tokens = ClientCredentials::auth0("tenant.eu.auth0.com", id, secret)
    ///     .audience("https://echo.example.com")
    ///     .build()?;
    /// let channel = tokens.connect_lazy(Endpoint::from_static("https://echo.example.com"))?;
    ///
    /// let plaintext = Endpoint::from_static("http://echo.example.com");
    /// let refused = tokens.connect(plaintext).await.unwrap_err();
    /// assert!(matches!(refused, ConnectError::Config(_)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectError::Config`] when the endpoint would carry tokens in plaintext to another host,
    /// or TLS cannot be set up; [`ConnectError::Transport`] when no server answers there.
    pub async fn connect(
        &self,
        endpoint: impl Into<SecureEndpoint>,
    ) -> Result<AddToken<Channel>, ConnectError> {
        let endpoint = endpoint.into().into_endpoint()?;
        Ok(self.around(endpoint.connect().await?, &endpoint))
    }

    /// The same, and the connection is made by the first call.
    ///
    /// # Errors
    /// [`ConfigError`] when the endpoint would carry tokens in plaintext to another host, or TLS
    /// cannot be set up.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`Endpoint::connect_lazy`] does.
    pub fn connect_lazy(
        &self,
        endpoint: impl Into<SecureEndpoint>,
    ) -> Result<AddToken<Channel>, ConfigError> {
        let endpoint = endpoint.into().into_endpoint()?;
        Ok(self.around(endpoint.connect_lazy(), &endpoint))
    }

    fn around(&self, channel: Channel, endpoint: &Endpoint) -> AddToken<Channel> {
        let uri = endpoint.uri();
        let origin = uri.scheme_str().zip(uri.authority());
        let origin = origin.map(|(scheme, authority)| format!("{scheme}://{authority}").into());
        AddToken::new(channel, self.clone(), origin)
    }
}
