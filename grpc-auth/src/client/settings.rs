//! The settings of a client of an authorization server.

use std::fmt;
use std::time::Duration;

use crate::client_authentication::ClientAuthentication;
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::tls::client::ClientTls;

const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the authorization server is, and how this program talks to it.
#[derive(Clone)]
pub(crate) struct ClientSettings {
    pub(crate) address: Address,
    pub(crate) authentication: ClientAuthentication,
    pub(crate) connect_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) clock: Clock,
    pub(crate) tls: Option<ClientTls>,
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

impl Address {
    /// What names the server: its issuer, or the only endpoint that is known of it.
    pub(crate) fn identifier(&self) -> String {
        match self {
            Self::Issuer(issuer) => issuer.clone(),
            Self::Auth0(domain) => format!("https://{domain}/"),
            Self::TokenEndpoint(url) => url.clone(),
        }
    }
}

impl ClientSettings {
    pub(crate) fn new(address: Address, authentication: ClientAuthentication) -> Self {
        Self {
            address,
            authentication,
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            clock: Clock::system(),
            tls: None,
        }
    }

    pub(crate) fn is_auth0(&self) -> bool {
        matches!(self.address, Address::Auth0(_))
    }

    /// The server's name in logs and metrics: as it was configured, without what may be secret.
    pub(crate) fn name(&self) -> String {
        let identifier = self.address.identifier();
        match &self.address {
            Address::Issuer(_) | Address::Auth0(_) => identifier,
            Address::TokenEndpoint(_) => {
                identifier.split(['?', '#']).next().unwrap_or_default().into()
            }
        }
    }

    /// What does not work whatever the server says.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
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

    /// Whether the server sees a certificate.
    pub(crate) fn has_identity(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.own().is_some())
    }
}

/// Without addresses: a token endpoint may have a secret in its query.
impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("server", &self.name())
            .field("authentication", &self.authentication)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret_of_an_address() {
        let address = Address::TokenEndpoint("https://a.example/token?key=s3cret".into());
        let authentication = ClientAuthentication::client_secret_basic("orders", "s3cret");
        let shown = format!("{:?}", ClientSettings::new(address, authentication));
        assert!(shown.contains("https://a.example/token"), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
