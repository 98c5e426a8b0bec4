//! One question to an introspection endpoint, over HTTP.

use std::error::Error;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::client_authentication::CannotSign;
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::http::address::fetched_url;
use crate::http::cached_metadata::CachedMetadata;
use crate::http::client::{Answer, HttpClient, is_success};
use crate::http::discovery;
use crate::http::document::without_query;
use crate::http::error::HttpError;
use crate::http::network::Network;
use crate::issuer::Issuer;
use crate::issuer::introspection::{Credentials, Introspection};
use crate::json::error::JsonError;
use crate::token::bearer::BearerToken;

/// How an issuer is asked.
#[derive(Debug)]
pub(crate) struct Question {
    /// Its identifier.
    issuer: Box<str>,
    http: HttpClient,
    endpoint: Endpoint,
    credentials: Credentials,
    clock: Clock,
}

#[derive(Debug)]
enum Endpoint {
    At(Url),
    /// Named by the metadata of the issuer at this address.
    Discovered {
        issuer: Url,
        said: CachedMetadata<Url, Failure>,
    },
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("url={0} {1}")]
    Fetch(Box<str>, Arc<HttpError>),
    /// The endpoint or the metadata took longer than the whole introspection may take.
    #[error(transparent)]
    Timeout(Arc<HttpError>),
    #[error(
        "the issuer's metadata, which names the introspection endpoint, cannot be fetched: {0}"
    )]
    Discovery(Arc<HttpError>),
    #[error(
        "the introspection endpoint does not accept this client (HTTP status {0}): check its id, its \
         secret and the method in `ClientAuthentication`, or its bearer token"
    )]
    ClientRefused(u16),
    #[error("the answer is not the JSON object of RFC 7662 §2.2: {0}")]
    NoAnswer(JsonError),
    #[error(
        "the issuer's metadata names no `introspection_endpoint`: write it, \
         `Introspection::endpoint(\"https://..\")`"
    )]
    NoEndpoint,
    #[error("there is no bearer token for the introspection endpoint")]
    Token(#[source] Arc<dyn Error + Send + Sync>),
    #[error(transparent)]
    Credentials(#[from] CannotSign),
}

impl Question {
    pub(crate) fn new(
        issuer: &Issuer,
        settings: &Introspection,
        network: &Network,
        clock: Clock,
    ) -> Result<Self, ConfigError> {
        let http = network.client(settings.connect_timeout)?;
        let at = settings.endpoint.as_deref();
        let at = at
            .map(|url| fetched_url("introspection endpoint", url, http.plaintext()))
            .transpose()?;
        let endpoint = match at {
            Some(url) => Endpoint::At(url),
            None => {
                let issuer = fetched_url("issuer", &issuer.identifier, http.plaintext());
                let issuer = issuer.map_err(|error| match error {
                    ConfigError::UrlInvalid { value, .. } => ConfigError::value(
                        "issuer",
                        value,
                        "its metadata cannot be discovered, for it is not an https URL: write where \
                         it introspects, `Introspection::endpoint(\"https://..\")`",
                    ),
                    error => error,
                })?;
                Endpoint::Discovered { issuer, said: CachedMetadata::new() }
            }
        };
        let (issuer, credentials) =
            (issuer.identifier.as_str().into(), settings.credentials.clone());
        Ok(Self { issuer, http, endpoint, credentials, clock })
    }

    /// RFC 7662 §2.1.
    pub(crate) async fn ask(&self, token: &BearerToken) -> Result<Vec<u8>, Failure> {
        let url = self.endpoint().await?;
        let sent = self.credentials.secret();
        let mut answer = self.post(&url, token).await?;
        // A secret in a file may have been replaced.
        if answer.status == 401 && sent.is_some_and(|sent| self.credentials.has_changed(&sent)) {
            answer = self.post(&url, token).await?;
        }
        match answer.status {
            200..300 => Ok(answer.body),
            status @ (401 | 403) => Err(Failure::ClientRefused(status)),
            _ => Err(failed(&url, answer.to_error(self.clock.now()))),
        }
    }

    async fn post(&self, url: &Url, token: &BearerToken) -> Result<Answer, Failure> {
        let form = [("token", token.expose_secret()), ("token_type_hint", "access_token")];
        let (headers, form) = match &self.credentials {
            Credentials::Client(client) => {
                let credentials = client.credentials(&self.issuer, self.clock.moment())?;
                (credentials.headers(), credentials.form(&form))
            }
            Credentials::Token(own) => {
                let own = own.token().await.map_err(|error| Failure::Token(error.into()))?;
                let headers = [(AUTHORIZATION, own.header_value())].into_iter().collect();
                (headers, Serializer::new(String::new()).extend_pairs(form).finish())
            }
        };
        let answer = self.http.post_form(url, headers, form, is_success).await;
        answer.map_err(|error| failed(url, error))
    }

    async fn endpoint(&self) -> Result<Url, Failure> {
        match &self.endpoint {
            Endpoint::At(url) => Ok(url.clone()),
            Endpoint::Discovered { issuer, said } => {
                let now = self.clock.now();
                let asked = async {
                    let asked =
                        discovery::introspection_endpoint(&self.http, issuer, &self.issuer, now);
                    let found = asked.await.map_err(|error| Failure::Discovery(Arc::new(error)))?;
                    found.ok_or(Failure::NoEndpoint)
                };
                said.get(&self.clock, asked).await
            }
        }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Self::Timeout(Arc::new(error))
    }
}

fn failed(url: &Url, error: HttpError) -> Failure {
    Failure::Fetch(without_query(url).into(), Arc::new(error))
}

impl Failure {
    /// Whether it says something of the server, and not of one token: five in a row are enough to
    /// leave the server alone, and a caller must not be able to cause them with a token.
    pub(crate) fn is_the_servers(&self) -> bool {
        match self {
            Self::Fetch(_, error) | Self::Timeout(error) => match &**error {
                HttpError::TooLarge(_) => false,
                HttpError::Status { status, .. } => !(400..500).contains(status) || *status == 429,
                _ => true,
            },
            // What a firewall on the way says of one token, too.
            Self::ClientRefused(status) => *status == 401,
            // No token was sent.
            Self::Discovery(_)
            | Self::NoAnswer(_)
            | Self::NoEndpoint
            | Self::Token(_)
            | Self::Credentials(_) => true,
        }
    }

    /// A long outage is said ever more rarely; at debug, every time.
    pub(crate) fn log(&self, issuer: &str, consecutive: u32) {
        const TEXT: &str = "a token could not be introspected";
        let cause = self.source().map(ToString::to_string);
        if consecutive.is_power_of_two() {
            tracing::warn!(target: "grpc_auth", issuer, consecutive, error = %self, cause, "{TEXT}");
        } else {
            tracing::debug!(target: "grpc_auth", issuer, consecutive, error = %self, cause, "{TEXT}");
        }
    }
}
