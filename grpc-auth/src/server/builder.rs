//! Configuring a resource server. What cannot work is said when it is built.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tracing::warn;

use super::call::TypedClaims;
use super::{Inner, ResourceServer};
use crate::clock::Clock;
use crate::error::{Challenge, ConfigError};
use crate::http_client::{HttpClient, secure_url};
use crate::issuer::{GrantSource, Issuer, Keys, check_domain};
use crate::jwks::{KeyFetcher, KeySet, KeyStore, Location, Refresher, refresh};
use crate::verify::{JwtVerifier, TrustedIssuer};

const MAX_LEEWAY: Duration = Duration::from_secs(300);
const MIN_REFRESH: Duration = Duration::from_secs(60);
const MAX_REFRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// The configuration of a [`ResourceServer`].
#[derive(Debug)]
#[must_use = "a configuration does nothing until it is built"]
pub struct ResourceServerBuilder {
    issuers: Vec<Issuer>,
    audiences: Vec<String>,
    realm: Option<String>,
    leeway: Duration,
    refresh_every: Duration,
    start: Start,
    disclose_scopes: bool,
    typed_claims: Vec<TypedClaims>,
    clock: Clock,
}

/// Whether a server starts without its issuers' keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// Tries to fetch the keys, logs a failure and goes on: calls are answered UNAVAILABLE until
    /// the keys are there.
    #[default]
    Warm,
    /// Fails to build when the keys are not available.
    Required,
}

impl ResourceServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            realm: None,
            leeway: Duration::from_secs(30),
            refresh_every: Duration::from_secs(60 * 60),
            start: Start::default(),
            disclose_scopes: true,
            typed_claims: Vec::new(),
            clock: Clock::system(),
        }
    }

    /// Accepts tokens of this issuer too. It is chosen by the exact `iss`; keys are never looked
    /// up across issuers.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Accepts tokens made for this audience: the identifier of this service at the authorization
    /// server, compared with `aud` byte for byte. At least one is required.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Names the protection space in challenges (RFC 7235 §2.2). Default: the first audience.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// How far clocks may differ when times in tokens are judged. Default 30 s, at most 300 s.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// How often keys are fetched again in the background. Default one hour, from a minute to a
    /// day. A fetch that fails is repeated after 1 s, 2 s, up to a minute; meanwhile the keys are
    /// kept.
    pub fn refresh_every(mut self, interval: Duration) -> Self {
        self.refresh_every = interval;
        self
    }

    /// Whether the server starts without keys. Default [`Start::Warm`].
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Whether a refusal tells the caller which scopes are required (RFC 6750 §3). Default true.
    pub fn disclose_scopes(mut self, disclose: bool) -> Self {
        self.disclose_scopes = disclose;
        self
    }

    /// Puts the claims of every identified caller into the request's extensions, as
    /// [`Claims<T>`](crate::Claims): for interceptors and services that are not annotated.
    /// Tokens whose claims do not fit `T` are refused.
    pub fn with_claims<T>(mut self) -> Self
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.typed_claims.push(TypedClaims::new::<T>());
        self
    }

    /// Judges tokens by this clock instead of the system's.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Checks the configuration, fetches the issuers' keys and starts keeping them fresh.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting that cannot work and what to write instead.
    ///
    /// # Panics
    /// Outside a tokio runtime: keys are fetched in the background.
    pub async fn build(self) -> Result<ResourceServer, ConfigError> {
        self.check()?;
        let mut issuers = Vec::new();
        let mut refreshers = Vec::new();
        for issuer in &self.issuers {
            let (trusted, refresher) = self.trust(issuer).await?;
            issuers.push(trusted);
            refreshers.extend(refresher);
        }
        let realm = self.realm.or_else(|| self.audiences.first().cloned()).unwrap_or_default();
        Ok(ResourceServer {
            inner: Arc::new(Inner {
                verifier: JwtVerifier {
                    issuers,
                    audiences: self.audiences,
                    leeway: self.leeway.as_secs_f64(),
                    clock: self.clock,
                },
                challenge: Arc::new(Challenge::new(realm, self.disclose_scopes)),
                typed_claims: self.typed_claims.into(),
                _refreshers: refreshers,
            }),
        })
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.issuers.is_empty() {
            return Err(ConfigError::IssuerMissing);
        }
        let mut seen = HashSet::new();
        if let Some(twice) = self.issuers.iter().find(|issuer| !seen.insert(&issuer.identifier)) {
            return Err(ConfigError::IssuerDuplicate { issuer: twice.identifier.clone() });
        }
        if self.audiences.is_empty() {
            return Err(ConfigError::AudienceMissing);
        }
        if let Some(value) = self.audiences.iter().find(|audience| !is_quotable(audience)) {
            return Err(ConfigError::AudienceInvalid { value: value.clone() });
        }
        if let Some(value) = self.realm.iter().find(|realm| !is_quotable(realm)) {
            return Err(ConfigError::RealmInvalid { value: value.clone() });
        }
        if self.leeway > MAX_LEEWAY {
            return Err(ConfigError::LeewayTooLong { seconds: self.leeway.as_secs() });
        }
        if !(MIN_REFRESH..=MAX_REFRESH).contains(&self.refresh_every) {
            return Err(ConfigError::RefreshInterval { seconds: self.refresh_every.as_secs() });
        }
        Ok(())
    }

    async fn trust(
        &self,
        issuer: &Issuer,
    ) -> Result<(TrustedIssuer, Option<Refresher>), ConfigError> {
        if let Some(value) = issuer.grants.iter().find_map(GrantSource::invalid_pointer) {
            return Err(ConfigError::GrantPointerInvalid { value: value.into() });
        }
        if let Some(domain) = &issuer.auth0_domain {
            check_domain(domain)?;
        }
        let url = secure_url("issuer", &issuer.identifier)?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        if url.query().is_some() || url.fragment().is_some() || has_user {
            return Err(ConfigError::IssuerNotPlain { value: issuer.identifier.clone() });
        }
        let (keys, refresher) = match &issuer.keys {
            Keys::Given(jwks) => {
                let set = KeySet::parse(jwks.as_bytes()).map_err(|source| ConfigError::KeySet {
                    issuer: issuer.identifier.clone(),
                    source,
                })?;
                (Arc::new(KeyStore::holding(set)), None)
            }
            Keys::Discovered => self.fetch_keys(issuer, Location::Discovered(url)).await?,
            Keys::At(address) => {
                self.fetch_keys(issuer, Location::At(secure_url("jwks_uri", address)?)).await?
            }
        };
        let trusted = TrustedIssuer {
            identifier: issuer.identifier.as_str().into(),
            keys,
            token_types: issuer.token_types.clone(),
            grants: issuer.grants.clone(),
            allow_missing_key_id: issuer.allow_missing_key_id,
            is_auth0: issuer.auth0_domain.is_some(),
        };
        Ok((trusted, refresher))
    }

    async fn fetch_keys(
        &self,
        issuer: &Issuer,
        location: Location,
    ) -> Result<(Arc<KeyStore>, Option<Refresher>), ConfigError> {
        let http = HttpClient::for_url(location.url())?;
        let fetcher = KeyFetcher { http, issuer: issuer.identifier.as_str().into(), location };
        let store = Arc::new(KeyStore::default());
        let mut failures = 0;
        if let Err(source) = refresh(&store, &fetcher).await {
            if self.start == Start::Required {
                let issuer = issuer.identifier.clone();
                return Err(ConfigError::KeysUnavailable { issuer, source });
            }
            warn!(
                issuer = issuer.identifier,
                "starting without keys: calls that need a token are answered UNAVAILABLE"
            );
            failures = 1;
        }
        let refresher = Refresher::spawn(
            Arc::clone(&store),
            fetcher,
            self.clock.clone(),
            self.refresh_every,
            failures,
        );
        Ok((store, Some(refresher)))
    }
}

/// Fit for a quoted-string (RFC 7230 §3.2.6) without escapes.
fn is_quotable(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && !b"\"\\".contains(&byte))
}
