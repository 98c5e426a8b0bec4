//! A bearer token of this program's own, for an endpoint of the authorization server.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::ClientSecret;
use crate::token::bearer::BearerToken;

/// A bearer token (RFC 6750) with which this program authenticates at an introspection endpoint: see
/// [`Introspection::with_bearer_token`](crate::Introspection::with_bearer_token).
///
/// | from | the token |
/// |---|---|
/// | a string | never changes |
/// | [`ClientSecret::from_file`] | is read again when the endpoint answers 401 |
/// | `TokenSource` (feature `client`) | is obtained, cached and renewed by the source |
///
/// `Debug` does not show the token.
#[derive(Clone)]
pub struct BearerCredential(Origin);

#[derive(Clone)]
enum Origin {
    Secret(ClientSecret),
    Supply(Arc<dyn TokenSupply>),
}

/// Where tokens come from that are obtained and renewed.
pub(crate) trait TokenSupply: Send + Sync {
    fn token(&self) -> Supplied<'_>;
}

pub(crate) type Supplied<'a> =
    Pin<Box<dyn Future<Output = Result<BearerToken, NoToken>> + Send + 'a>>;

/// Why there is no token.
pub(crate) type NoToken = Box<dyn Error + Send + Sync>;

impl BearerCredential {
    #[cfg(feature = "client")]
    pub(crate) fn of(supply: impl TokenSupply + 'static) -> Self {
        Self(Origin::Supply(Arc::new(supply)))
    }

    /// The token to send now.
    pub(crate) async fn token(&self) -> Result<BearerToken, NoToken> {
        match &self.0 {
            Origin::Secret(secret) => BearerToken::parse(secret.current().expose_secret())
                .ok_or_else(|| "it is not one token68".into()),
            Origin::Supply(supply) => supply.token().await,
        }
    }

    /// Whether the given secret is a token that a header can carry; a supplied token is checked later.
    pub(crate) fn is_valid(&self) -> bool {
        let is_token = |secret: SecretString| BearerToken::parse(secret.expose_secret()).is_some();
        self.secret().is_none_or(is_token)
    }

    /// The secret that is sent, if it is given.
    pub(crate) fn secret(&self) -> Option<SecretString> {
        match &self.0 {
            Origin::Secret(secret) => Some(secret.current()),
            Origin::Supply(_) => None,
        }
    }

    /// Whether there is another secret now than the one that was sent.
    pub(crate) fn has_changed(&self, sent: &SecretString) -> bool {
        match &self.0 {
            Origin::Secret(secret) => secret.has_changed(sent),
            Origin::Supply(_) => false,
        }
    }
}

impl<T: Into<ClientSecret>> From<T> for BearerCredential {
    fn from(token: T) -> Self {
        Self(Origin::Secret(token.into()))
    }
}

impl fmt::Debug for BearerCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerCredential([redacted])")
    }
}
