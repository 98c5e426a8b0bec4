//! Where an issuer's keys are, and one attempt at getting them.

use url::Url;

use super::set::{KeySet, KeySetError};
use crate::http_client::HttpClient;
use crate::issuer::discovery;

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The server was not reached, hung up, or took more than 5 s.
    #[error("the server does not answer")]
    Transport(#[source] reqwest::Error),
    /// The server answered with another HTTP status than 200.
    #[error("the server answers with HTTP status {0}")]
    Status(u16),
    /// The answer is longer than 256 KiB.
    #[error("the answer is longer than 256 KiB")]
    TooLarge,
    /// The discovery document is not the JSON of RFC 8414.
    #[error("the discovery document is not JSON with `issuer` and `jwks_uri`")]
    NotMetadata,
    /// The discovery document is another issuer's: nothing it says can be trusted.
    #[error(
        "the discovery document is of the issuer {found:?}, configured is {configured:?}: write \
         the issuer exactly as the document spells it, slash included, if that one is meant"
    )]
    IssuerMismatch {
        /// The issuer that was asked.
        configured: String,
        /// The issuer in its answer.
        found: String,
    },
    /// The discovery document names keys that cannot be fetched safely.
    #[error("the discovery document's `jwks_uri` cannot be used")]
    KeysUrl(#[source] Box<crate::error::ConfigError>),
    /// The answer is no usable key set.
    #[error("the key set cannot be used")]
    KeySet(#[from] KeySetError),
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(error.without_url())
    }
}

/// Where the keys are.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    /// Where the metadata of the issuer at this address says (RFC 8414).
    Discovered(Url),
    /// At this address.
    At(Url),
}

impl Location {
    pub(crate) fn url(&self) -> &Url {
        match self {
            Self::Discovered(url) | Self::At(url) => url,
        }
    }
}

/// Fetches the keys of one issuer.
#[derive(Debug)]
pub(crate) struct KeyFetcher {
    pub(crate) http: HttpClient,
    /// As configured: a `Url` is normalized, identifiers are compared byte for byte.
    pub(crate) issuer: Box<str>,
    pub(crate) location: Location,
}

impl KeyFetcher {
    pub(crate) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let json = match &self.location {
            Location::At(url) => self.http.get(url).await?,
            Location::Discovered(issuer) => {
                let url = discovery::jwks_uri(&self.http, issuer, &self.issuer).await?;
                self.http.get(&url).await?
            }
        };
        Ok(KeySet::parse(&json)?)
    }
}
