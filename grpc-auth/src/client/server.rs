//! Requests of a client to its authorization server.

use std::time::Duration;

use http::header::HeaderMap;
use url::Url;

use super::dpop::{DPOP, DPOP_NONCE, DpopKey};
use super::error::TokenError;
use super::response;
use super::response::error_response;
use super::response::{TokenResponse, TokenType};
use super::settings::{Address, ClientSettings};
use crate::client_authentication::ClientAuthentication;
use crate::clock::Clock;
use crate::error::ConfigError;
use crate::http::address::secure_url;
use crate::http::cached_metadata::CachedMetadata;
use crate::http::client::{Answer, HttpClient};
use crate::http::discovery;
use crate::http::discovery::Endpoints;
use crate::http::error::HttpError;
use crate::issuer::presets::auth0::check_domain;

/// Parameters whose values are secret.
const SECRETS: [&str; 7] = [
    "token",
    "refresh_token",
    "subject_token",
    "actor_token",
    "code",
    "code_verifier",
    "device_code",
];

/// One server, and this program as its client.
#[derive(Debug)]
pub(crate) struct Server {
    client: ClientSettings,
    http: HttpClient,
    endpoints: Where,
    /// What assertions are made for, unless they say otherwise (RFC 7523 §3).
    identifier: String,
    name: Box<str>,
}

#[derive(Debug)]
enum Where {
    Known(Endpoints),
    Discovered { issuer: Url, said: CachedMetadata<Endpoints, TokenError> },
}

impl Server {
    pub(super) fn new(client: &ClientSettings) -> Result<Self, ConfigError> {
        client.check()?;
        let identifier = client.address.identifier();
        if let Address::Auth0(domain) = &client.address {
            check_domain(domain)?;
        }
        let endpoints = match &client.address {
            Address::Issuer(_) | Address::Auth0(_) => {
                let issuer = secure_url("issuer", &identifier)?;
                Where::Discovered { issuer, said: CachedMetadata::new() }
            }
            Address::TokenEndpoint(endpoint) => {
                let token = Some(secure_url("token endpoint", endpoint)?);
                Where::Known(Endpoints { token, ..Endpoints::default() })
            }
        };
        let http = match &client.tls {
            None => HttpClient::new(client.connect_timeout)?,
            Some(tls) => {
                HttpClient::with_tls(client.connect_timeout, |http| tls.apply_to_http(http))?
            }
        };
        let name = client.name().into();
        Ok(Self { client: client.clone(), http, endpoints, identifier, name })
    }

    /// How long an answer may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.client.timeout
    }

    /// The name in logs and metrics.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.client.clock
    }

    pub(crate) fn authentication(&self) -> &ClientAuthentication {
        &self.client.authentication
    }

    /// Its issuer identifier, if it has one.
    pub(crate) fn issuer(&self) -> Option<&str> {
        match self.endpoints {
            Where::Known(_) => None,
            Where::Discovered { .. } => Some(&self.identifier),
        }
    }

    /// Asks for a token (RFC 6749 §3.2). A secret that was rotated meanwhile is tried once.
    pub(crate) async fn token(
        &self,
        form: &[(&str, &str)],
        key: Option<&DpopKey>,
    ) -> Result<TokenResponse, TokenError> {
        let url = self.endpoint("token_endpoint", |endpoints| endpoints.token.clone()).await?;
        let answer = self.post(&url, form, key).await?;
        let expected = if key.is_some() { TokenType::Dpop } else { TokenType::Bearer };
        self.read_token(&answer, form)?.of_type(expected)
    }

    /// RFC 7009 §2.1.
    pub(crate) async fn revoke(&self, token: &str) -> Result<(), TokenError> {
        let missing = "revocation_endpoint";
        let url = self.endpoint(missing, |endpoints| endpoints.revocation.clone()).await?;
        let form = [("token", token)];
        let answer = self.post(&url, &form, None).await?;
        if answer.status == 200 { Ok(()) } else { Err(self.refusal(&answer, &form)) }
    }

    /// Reads the answer of the token endpoint to this form.
    pub(crate) fn read_token(
        &self,
        answer: &Answer,
        form: &[(&str, &str)],
    ) -> Result<TokenResponse, TokenError> {
        response::read(answer, self.clock().now(), |text| self.is_shown_in(form, text))
    }

    /// Why the server rejects this form.
    pub(crate) fn refusal(&self, answer: &Answer, form: &[(&str, &str)]) -> TokenError {
        let is_secret = |text: &str| self.is_shown_in(form, text);
        error_response::refusal(answer, self.clock().now(), is_secret)
    }

    /// Whether a text of the server's shows what is secret of the request that it answers.
    fn is_shown_in(&self, form: &[(&str, &str)], text: &str) -> bool {
        let mut secrets = form.iter().filter(|(name, _)| SECRETS.contains(name));
        self.authentication().is_shown_in(text)
            || secrets.any(|(_, value)| !value.is_empty() && text.contains(value))
    }

    /// The address of an endpoint, by its name in the metadata.
    pub(crate) async fn endpoint(
        &self,
        endpoint: &'static str,
        of: impl Fn(&Endpoints) -> Option<Url>,
    ) -> Result<Url, TokenError> {
        let found = of(&self.endpoints().await?);
        if found.is_none() {
            self.doubt();
        }
        found.ok_or(TokenError::EndpointMissing { endpoint })
    }

    /// The metadata is outdated: an endpoint is missing in it, or has moved.
    fn doubt(&self) {
        if let Where::Discovered { said, .. } = &self.endpoints {
            said.doubt(self.clock());
        }
    }

    pub(crate) async fn endpoints(&self) -> Result<Endpoints, TokenError> {
        match &self.endpoints {
            Where::Known(endpoints) => Ok(endpoints.clone()),
            Where::Discovered { issuer, said } => {
                let clock = self.clock();
                let ask = async {
                    let (identifier, now) = (&self.identifier, clock.now());
                    let with_certificate = self.client.has_identity();
                    let asked =
                        discovery::endpoints(&self.http, issuer, identifier, with_certificate, now);
                    Ok(self.in_time(asked).await?)
                };
                said.get(clock, ask).await
            }
        }
    }

    /// Sends a form with the client's credentials; once more if its secret was rotated. With a key,
    /// each time with a new proof; once more if the server wants its nonce in it (RFC 9449 §8).
    pub(crate) async fn post(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        key: Option<&DpopKey>,
    ) -> Result<Answer, TokenError> {
        let mut tried_nonce = false;
        let mut tried_secret = false;
        let sent = self.authentication().secret();
        loop {
            let answer = match key {
                Some(key) => self.post_proved(url, form, key).await?,
                None => self.post_once(url, form, HeaderMap::new()).await?,
            };
            let error = error_response::code(&answer);
            let has_nonce = key.is_some() && answer.headers.contains_key(DPOP_NONCE);
            match (error.as_deref(), &sent) {
                (Some("use_dpop_nonce"), _) if has_nonce && !tried_nonce => tried_nonce = true,
                (Some("invalid_client"), Some(sent))
                    if !tried_secret && self.authentication().has_changed(sent) =>
                {
                    tried_secret = true;
                }
                _ => return Ok(answer),
            }
        }
    }

    async fn post_proved(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        key: &DpopKey,
    ) -> Result<Answer, TokenError> {
        let origin = url.origin().ascii_serialization();
        let proof = key.prove("POST", (&origin, url.path()), None, self.clock().moment())?;
        let headers = HeaderMap::from_iter([(DPOP, proof.value)]);
        let answer = self.post_once(url, form, headers).await?;
        key.heed(&origin, &answer.headers, proof.nonce.as_deref());
        Ok(answer)
    }

    /// Sends a form with the client's credentials, and never again.
    pub(crate) async fn post_once(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        mut headers: HeaderMap,
    ) -> Result<Answer, TokenError> {
        let credentials =
            self.authentication().credentials(&self.identifier, self.clock().moment())?;
        headers.extend(credentials.headers());
        let form = credentials.form(form);
        let sent =
            self.http.post_form(url, headers, form, |status| matches!(status, 200 | 400..=403));
        let answer = self.in_time(sent).await?;
        if matches!(answer.status, 404 | 410) {
            self.doubt();
        }
        Ok(answer)
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, HttpError>>,
    ) -> Result<T, HttpError> {
        let timeout = self.client.timeout;
        let done = self.clock().timeout(timeout, work).await;
        done.unwrap_or(Err(HttpError::Timeout(timeout)))
    }
}
