//! Configuring a resource server. What cannot work is said when it is built.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tracing::warn;

use super::authorizer::{Authorizer, AuthorizerSettings};
use super::call::{CallSettings, TypedClaims};
use super::{Inner, ResourceServer};
use crate::clock::Clock;
use crate::error::{Challenge, ConfigError, DpopChallenge};
use crate::http_client::{HttpClient, secure_url};
use crate::issuer::{GrantSource, IntendedFor, Issuer, Keys, Provider, TENANT_PLACE};
use crate::jwks::{
    FetchError, KeyFetcher, KeySet, KeySetEvent, KeySetSettings, KeySource, Listener, Location,
    RefreshMode,
};
use crate::metrics;
use crate::sender::{Dpop, SenderChecks};
#[cfg(feature = "introspection")]
use crate::verify::Introspector;
use crate::verify::{JwtVerifier, TokenCache, TokenVerifier, TrustedIssuer, VerifiedTokens};

const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// The configuration of a [`ResourceServer`].
#[derive(Debug)]
#[must_use = "a configuration does nothing until it is built"]
pub struct ResourceServerBuilder {
    issuers: Vec<Issuer>,
    audiences: Vec<String>,
    realm: Option<String>,
    leeway: Duration,
    key_sets: KeySetSettings,
    token_cache: TokenCache,
    listener: Listener,
    start: Start,
    disclose_scopes: bool,
    typed_claims: Vec<TypedClaims>,
    #[cfg(feature = "mtls")]
    mutual_tls: bool,
    dpop: Option<Dpop>,
    authorizer: AuthorizerSettings,
    clock: Clock,
}

/// Whether a server starts without its issuers' keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// Fetches the keys when the first call needs them; that call waits.
    Lazy,
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
            key_sets: KeySetSettings::default(),
            token_cache: TokenCache::default(),
            listener: Listener::default(),
            start: Start::default(),
            disclose_scopes: true,
            typed_claims: Vec::new(),
            #[cfg(feature = "mtls")]
            mutual_tls: false,
            dpop: None,
            authorizer: AuthorizerSettings::default(),
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

    /// Changes how key sets are kept. Default: fetched again when calls use them late in their
    /// freshness, which is what the issuer says or 15 minutes; kept through an outage of at least
    /// an hour. See [`KeySetSettings`].
    pub fn key_sets(mut self, change: impl FnOnce(&mut KeySetSettings)) -> Self {
        change(&mut self.key_sets);
        self
    }

    /// Fetches keys this often, with calls or without, whatever the issuer says of their
    /// freshness: a plain loop, from a minute to a day.
    pub fn refresh_every(self, interval: Duration) -> Self {
        self.key_sets(|settings| settings.refresh = RefreshMode::Every(interval))
    }

    /// Tells of everything that happens to key sets: the issuer, and what it is. It is called where
    /// it happens, so it must not block.
    pub fn on_key_set_event(
        mut self,
        callback: impl Fn(&str, &KeySetEvent<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.listener = Listener(Some(Arc::new(callback)));
        self
    }

    /// Changes how many verified tokens are remembered, and for how long. Default: 8,192 for 5
    /// minutes at most. [`TokenCache::off()`] verifies every token of every call.
    pub fn token_cache(mut self, token_cache: TokenCache) -> Self {
        self.token_cache = token_cache;
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

    /// Accepts tokens that are bound to a client certificate (RFC 8705, `cnf` with `x5t#S256`), from
    /// a client that shows that certificate on its connection; otherwise they are refused.
    ///
    /// tonic's TLS has to ask for it, with `ServerTlsConfig::client_ca_root`, and
    /// `client_auth_optional` if not every client has one. Behind a proxy that ends TLS there is no
    /// such connection, and headers that speak of one are not read: see
    /// [`ClientCertificate`](crate::ClientCertificate).
    #[cfg(feature = "mtls")]
    pub fn mutual_tls(mut self) -> Self {
        self.mutual_tls = true;
        self
    }

    /// Accepts tokens that are bound to a key of their holder (RFC 9449, `cnf` with `jkt`), with a
    /// proof for each call; otherwise they are refused. See [`Dpop`].
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = Some(dpop);
        self
    }

    /// Asks this decision point about every call that the rules let in; see [`Authorizer`].
    /// Default: nobody is asked.
    ///
    /// ```
    /// use grpc_auth::server::{AccessDecision, AccessRequest};
    /// use grpc_auth::testing::AuthorizationServer;
    /// # use grpc_auth::policy::{AccessRule, MethodPolicy, ServicePolicy};
    /// # use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    /// # const HEALTH: ServicePolicy = ServicePolicy::new("grpc.health.v1.Health", &[
    /// #     MethodPolicy::new("Check", AccessRule::Authenticated),
    /// # ]);
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = AuthorizationServer::start().await?;
    /// let auth = issuer
    ///     .resource_server()
    ///     .authorizer(|request: AccessRequest| async move {
    ///         Ok(match request.principal().subject() {
    ///             Some("alice") if request.rpc() == "Check" => AccessDecision::Allow,
    ///             _ => AccessDecision::Deny,
    ///         })
    ///     })
    ///     .build()
    ///     .await?;
    /// # let (reporter, service) = tonic_health::server::health_reporter();
    /// # drop(reporter);
    /// # let mut client = HealthClient::new(auth.protect_with(service, HEALTH)?);
    /// # let call_of = |subject: &str| {
    /// #     let mut request = tonic::Request::new(HealthCheckRequest::default());
    /// #     let token = issuer.token().subject(subject).sign();
    /// #     request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    /// #     request
    /// # };
    ///
    /// assert!(client.check(call_of("alice")).await.is_ok());
    /// let denied = client.check(call_of("bob")).await.unwrap_err();
    /// assert_eq!(denied.code(), tonic::Code::PermissionDenied);
    /// # Ok(()) }
    /// ```
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer.add(authorizer);
        self
    }

    /// How long the authorizer is waited for; then the call is answered UNAVAILABLE. Default 5 s,
    /// at most 30 s.
    pub fn authorizer_timeout(mut self, timeout: Duration) -> Self {
        self.authorizer.timeout = Some(timeout);
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
    pub async fn build(mut self) -> Result<ResourceServer, ConfigError> {
        self.check()?;
        let dpop = self.dpop.take().map(|dpop| dpop.build(self.clock.clone())).transpose()?;
        metrics::describe();
        let mut fetches = Vec::new();
        for issuer in &self.issuers {
            fetches.push(self.keys_of(issuer)?);
        }
        // All at once: a slow issuer does not slow another.
        let fetches: Vec<_> = fetches
            .into_iter()
            .map(|keys| match keys {
                KeysOf::None => KeysOf::None,
                KeysOf::Given(source) => KeysOf::Given(source),
                KeysOf::Fetched(fetch) => KeysOf::Fetched(tokio::spawn(fetch)),
            })
            .collect();
        #[cfg(feature = "introspection")]
        let introspector = self.introspector()?;
        let first_issuer = self.issuers.first().map(|issuer| issuer.identifier.clone());
        let (mut wanted, mut trusted) = (Vec::new(), Vec::new());
        for (issuer, keys) in self.issuers.into_iter().zip(fetches) {
            let source = match keys {
                KeysOf::None => continue,
                KeysOf::Given(source) => source,
                KeysOf::Fetched(fetch) => {
                    let (source, outcome) =
                        fetch.await.map_err(|error| ConfigError::Runtime(error.into()))?;
                    started(self.start, &issuer.identifier, outcome)?;
                    source
                }
            };
            trusted.push(TrustedIssuer::new(issuer, source, &mut wanted));
        }

        let dpop_challenge =
            dpop.as_ref().map(|dpop| DpopChallenge { nonces: dpop.nonces.clone() });
        let realm = self.realm.or_else(|| self.audiences.first().cloned()).or(first_issuer);
        let clock = self.clock.clone();
        let verified = VerifiedTokens::new(self.token_cache);
        let authorizer = self.authorizer.decision_point(&self.clock);
        Ok(ResourceServer {
            inner: Arc::new(Inner {
                verifier: TokenVerifier {
                    jwt: JwtVerifier::new(
                        trusted,
                        self.audiences,
                        wanted,
                        self.leeway.as_secs_f64(),
                        self.clock,
                        verified,
                    ),
                    #[cfg(feature = "introspection")]
                    introspector,
                },
                sender: SenderChecks {
                    #[cfg(feature = "mtls")]
                    mutual_tls: self.mutual_tls,
                    dpop,
                },
                settings: Arc::new(CallSettings {
                    challenge: Challenge::new(realm.unwrap_or_default(), self.disclose_scopes)
                        .with_dpop(dpop_challenge),
                    typed_claims: self.typed_claims,
                    authorizer,
                    clock,
                    leeway: self.leeway,
                }),
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
        self.issuers.iter().try_for_each(check_template)?;
        let has_audience = |issuer: &Issuer| issuer.intended_for == IntendedFor::Audience;
        if self.audiences.is_empty() && self.issuers.iter().any(has_audience) {
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
        self.authorizer.check()?;
        self.key_sets.check()?;
        self.token_cache.check()
    }

    /// Prepares asking the one issuer that is asked.
    #[cfg(feature = "introspection")]
    fn introspector(&self) -> Result<Option<Arc<Introspector>>, ConfigError> {
        let mut asked =
            self.issuers.iter().filter_map(|issuer| Some((issuer, issuer.introspection.clone()?)));
        let Some((issuer, settings)) = asked.next() else { return Ok(None) };
        if let Some((other, _)) = asked.next() {
            return Err(ConfigError::IntrospectionAmbiguous {
                first: issuer.identifier.clone(),
                second: other.identifier.clone(),
            });
        }
        settings.check()?;
        let audiences = self.audiences.clone();
        let leeway = self.leeway.as_secs_f64();
        Introspector::new(issuer, settings, audiences, leeway, self.clock.clone())
            .map(|introspector| Some(Arc::new(introspector)))
    }

    /// Checks an issuer's settings and prepares getting its keys.
    fn keys_of(
        &self,
        issuer: &Issuer,
    ) -> Result<KeysOf<impl Future<Output = FirstFetch> + use<>>, ConfigError> {
        if let Some(value) = issuer.grants.iter().find_map(GrantSource::invalid_pointer) {
            return Err(ConfigError::GrantPointerInvalid { value: value.into() });
        }
        issuer.provider.check(&self.audiences)?;
        if matches!(&issuer.intended_for, IntendedFor::Clients(clients) if clients.is_empty() || clients.iter().any(String::is_empty))
        {
            return Err(ConfigError::ClientsMissing { issuer: issuer.identifier.clone() });
        }
        let url = secure_url("issuer", &issuer.identifier)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ConfigError::IssuerNotPlain { value: issuer.identifier.clone() });
        }
        let location = match &issuer.keys {
            #[cfg(feature = "introspection")]
            Keys::None => return Ok(KeysOf::None),
            Keys::Given(jwks) => {
                let identifier = &issuer.identifier;
                let (set, skipped) = KeySet::parse(jwks.as_bytes())
                    .map_err(|source| ConfigError::KeySet { issuer: identifier.clone(), source })?;
                for (position, reason) in skipped {
                    self.listener.tell_skipped(identifier, position, reason);
                }
                return Ok(KeysOf::Given(KeySource::given(identifier, set)));
            }
            Keys::Discovered => Location::Discovered(url),
            Keys::At(address) => Location::At(secure_url("jwks_uri", address)?),
        };
        let settings = Arc::new(self.key_sets.clone());
        let http = HttpClient::for_url(location.url(), settings.connect_timeout)?;
        let fetcher = KeyFetcher::new(
            http,
            &issuer.identifier,
            location,
            self.clock.clone(),
            settings.rediscover,
        );
        let at_once = self.start != Start::Lazy;
        Ok(KeysOf::Fetched(KeySource::fetched(fetcher, settings, self.listener.clone(), at_once)))
    }
}

type FirstFetch = (KeySource, Result<(), FetchError>);

enum KeysOf<F> {
    /// Its tokens are introspected.
    #[cfg_attr(not(feature = "introspection"), expect(dead_code, reason = "needs the feature"))]
    None,
    Given(KeySource),
    Fetched(F),
}

/// A setting that is compared with an issuer's identifier does nothing where that has a place for
/// many.
fn check_template(issuer: &Issuer) -> Result<(), ConfigError> {
    let stands_for_many = issuer.provider == Provider::EntraAnyTenant;
    #[cfg(feature = "introspection")]
    if stands_for_many && issuer.introspection.is_some() {
        return Err(ConfigError::IntrospectionOfMany { issuer: issuer.identifier.clone() });
    }
    if !stands_for_many && issuer.identifier.contains(TENANT_PLACE) {
        return Err(ConfigError::IssuerTemplate { value: issuer.identifier.clone() });
    }
    Ok(())
}

/// Whether to start with what the first fetch brought.
fn started(start: Start, issuer: &str, outcome: Result<(), FetchError>) -> Result<(), ConfigError> {
    match (start, outcome) {
        (_, Ok(())) => Ok(()),
        (Start::Required, Err(source)) => {
            Err(ConfigError::KeysUnavailable { issuer: issuer.into(), source })
        }
        (Start::Lazy | Start::Warm, Err(_)) => {
            warn!(
                target: "grpc_auth",
                issuer,
                "starting without keys: calls that need a token are answered UNAVAILABLE"
            );
            Ok(())
        }
    }
}

/// Fit for a quoted-string (RFC 7230 §3.2.6) without escapes.
fn is_quotable(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && !b"\"\\".contains(&byte))
}
