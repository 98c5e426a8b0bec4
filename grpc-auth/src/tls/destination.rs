//! Where tokens may go.

use std::fmt;

use tonic::transport::Endpoint;

use super::client::ClientTls;
use super::plaintext::refuse_plaintext;
use crate::danger::PlaintextAllowed;
use crate::error::ConfigError;

/// An endpoint that tokens are to be sent to: what everything takes that attaches them to a
/// channel. Plaintext to another host is refused, when the channel is built.
///
/// | endpoint | |
/// |---|---|
/// | `https://..` with TLS applied, by [`ClientTls::apply`] or otherwise | as it is |
/// | `https://..` without | the system's roots are applied, as of [`ClientTls::system`] |
/// | `http://localhost`, `http://127.0.0.1`, `http://[::1]`, `unix:..` | as it is: it does not leave the machine |
/// | any other | refused |
/// | [`PlaintextAllowed`] | as it is |
pub struct SecureEndpoint {
    endpoint: Endpoint,
    plaintext_allowed: bool,
}

impl SecureEndpoint {
    /// The endpoint, fit to carry tokens.
    ///
    /// # Errors
    /// [`ConfigError::EndpointPlaintext`] when it would carry them in plaintext to another host,
    /// [`ConfigError::TlsMaterial`] when it needs roots and the system has none.
    pub fn into_endpoint(self) -> Result<Endpoint, ConfigError> {
        if !self.plaintext_allowed {
            refuse_plaintext(&self.endpoint)?;
        }
        with_roots(self.endpoint)
    }
}

impl From<Endpoint> for SecureEndpoint {
    fn from(endpoint: Endpoint) -> Self {
        Self { endpoint, plaintext_allowed: false }
    }
}

impl From<PlaintextAllowed> for SecureEndpoint {
    fn from(PlaintextAllowed(endpoint): PlaintextAllowed) -> Self {
        Self { endpoint, plaintext_allowed: true }
    }
}

impl fmt::Debug for SecureEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureEndpoint")
            .field("endpoint", self.endpoint.uri())
            .field("plaintext_allowed", &self.plaintext_allowed)
            .finish()
    }
}

/// Gives roots to an https endpoint that has no TLS yet. tonic does not show whether it has, but
/// the constructor behind `EchoClient::connect` knows: it adds the roots its features enable, which
/// are the system's, to those that have none.
fn with_roots(endpoint: Endpoint) -> Result<Endpoint, ConfigError> {
    Endpoint::new(endpoint).map_err(|error| match ClientTls::system() {
        Ok(_) => ConfigError::tls(error),
        Err(none) => none,
    })
}
