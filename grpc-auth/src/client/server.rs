//! Requests of a client to its authorization server.

use std::time::Duration;

use http::header::HeaderMap;
use url::Url;

use super::dpop::{DPOP, DPOP_NONCE, DpopKey, Target};
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
        let discovered = |issuer: &str| {
            let issuer = secure_url("issuer", issuer)?;
            Ok(Where::Discovered { issuer, said: CachedMetadata::new() })
        };
        let (identifier, endpoints) = match &client.address {
            Address::Issuer(issuer) => (issuer.clone(), discovered(issuer)?),
            Address::Auth0(domain) => {
                check_domain(domain)?;
                let issuer = format!("https://{domain}/");
                let known = discovered(&issuer)?;
                (issuer, known)
            }
            Address::TokenEndpoint(endpoint) => {
                let url = secure_url("token endpoint", endpoint)?;
                let known = Endpoints { token: Some(url), ..Endpoints::default() };
                (endpoint.clone(), Where::Known(known))
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
        let (answer, expected) = match key {
            None => (self.post(&url, HeaderMap::new(), form).await?, TokenType::Bearer),
            Some(key) => (self.post_proved(&url, key, form).await?, TokenType::Dpop),
        };
        response::read(&answer, self.clock().now(), |text| self.is_shown_in(form, text))?
            .of_type(expected)
    }

    /// Sends a form with a proof, a new one each time; once more if the server wants its nonce in it
    /// (RFC 9449 §8).
    async fn post_proved(
        &self,
        url: &Url,
        key: &DpopKey,
        form: &[(&str, &str)],
    ) -> Result<Answer, TokenError> {
        let mut tried_nonce = false;
        let mut tried_secret = false;
        let sent = self.authentication().secret();
        loop {
            let target = Target::of_url("POST", url);
            let proof = key.prove(&target, None, self.clock().moment())?;
            let headers = HeaderMap::from_iter([(DPOP, proof.value)]);
            let answer = self.post_once(url, headers, form).await?;
            key.heed(target.origin(), &answer.headers, proof.nonce.as_deref());
            let asks_for_nonce = error_response::asks_for_nonce(&answer);
            if asks_for_nonce && !tried_nonce && answer.headers.contains_key(DPOP_NONCE) {
                tried_nonce = true;
            } else if !tried_secret
                && let Some(sent) = &sent
                && error_response::is_invalid_client(&answer)
                && self.authentication().has_changed(sent)
            {
                tried_secret = true;
            } else {
                return Ok(answer);
            }
        }
    }

    /// RFC 7009 §2.1.
    pub(crate) async fn revoke(&self, token: &str) -> Result<(), TokenError> {
        let missing = "revocation_endpoint";
        let url = self.endpoint(missing, |endpoints| endpoints.revocation.clone()).await?;
        let form = [("token", token)];
        let answer = self.post(&url, HeaderMap::new(), &form).await?;
        if answer.status == 200 {
            return Ok(());
        }
        Err(error_response::refusal(&answer, self.clock().now(), |text| {
            self.is_shown_in(&form, text)
        }))
    }

    /// Whether a text of the server's shows what is secret of the request that it answers.
    pub(crate) fn is_shown_in(&self, form: &[(&str, &str)], text: &str) -> bool {
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
                    let (http, identifier) = (&self.http, &self.identifier);
                    let with_certificate = self.client.has_identity();
                    let asked = discovery::endpoints(
                        http,
                        issuer,
                        identifier,
                        with_certificate,
                        clock.now(),
                    );
                    Ok(self.in_time(asked).await?)
                };
                said.get(clock, ask).await
            }
        }
    }

    /// Sends a form with the client's credentials; once more, if its secret was rotated.
    pub(crate) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        form: &[(&str, &str)],
    ) -> Result<Answer, TokenError> {
        let sent = self.authentication().secret();
        let answer = self.post_once(url, headers.clone(), form).await?;
        if let Some(sent) = sent
            && error_response::is_invalid_client(&answer)
            && self.authentication().has_changed(&sent)
        {
            return self.post_once(url, headers, form).await;
        }
        Ok(answer)
    }

    /// Sends a form with the client's credentials, and never again.
    pub(crate) async fn post_once(
        &self,
        url: &Url,
        mut headers: HeaderMap,
        form: &[(&str, &str)],
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
