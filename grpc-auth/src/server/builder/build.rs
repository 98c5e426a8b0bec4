//! From settings that were checked to a server whose keys are being fetched.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;
use url::{Origin, Url};

use super::{ResourceServerBuilder, StartupPolicy};
use crate::error::ConfigError;
use crate::http::address::fetched_url;
use crate::introspection::introspector::Introspector;
use crate::issuer::presets::entra::TENANT_PLACE;
use crate::issuer::scope_sources::ScopeSource;
use crate::issuer::{IntendedFor, Issuer, Keys};
use crate::jwks::fetch::{KeyFetchError, KeyFetcher, Location};
use crate::jwks::set::KeySet;
use crate::jwks::source::KeySource;
use crate::metrics;
use crate::proof_of_possession::SenderChecks;
use crate::server::auth_context::AuthSettings;
use crate::server::challenge::Challenge;
use crate::server::router::TokenVerifier;
use crate::server::{Inner, ResourceServer};
use crate::token::bearer::MAX_TOKEN_BYTES;
use crate::verify::jwt::JwtVerifier;
use crate::verify::token_cache::VerifiedTokens;
use crate::verify::trusted_issuer::TrustedIssuer;

const MAX_LEEWAY: Duration = Duration::from_secs(300);
const MIN_TOKEN_BYTES: usize = 1024;

impl ResourceServerBuilder {
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
        let introspector = self.introspector()?;
        let first_issuer = self.issuers.first().map(|issuer| issuer.identifier.clone());
        let (mut wanted, mut trusted) = (Vec::new(), Vec::new());
        for (issuer, keys) in self.issuers.into_iter().zip(fetches) {
            let source = match keys {
                KeysOf::None => continue,
                KeysOf::Given(source) => source,
                KeysOf::Fetched(fetch) => {
                    let (source, outcome) =
                        fetch.await.map_err(|error| ConfigError::Environment {
                            what: "the server is built while its tokio runtime shuts down",
                            source: Some(error.into()),
                        })?;
                    started(self.start, &issuer.identifier, outcome)?;
                    source
                }
            };
            trusted.push(TrustedIssuer::new(issuer, source, &mut wanted));
        }

        let nonces = dpop.as_ref().map(|dpop| Arc::clone(&dpop.nonces));
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
                    introspector,
                },
                sender: SenderChecks { certificate: self.certificate, dpop },
                max_token_bytes: self.max_token_bytes,
                settings: Arc::new(AuthSettings {
                    challenge: Challenge::new(realm.unwrap_or_default(), self.disclose_scopes)
                        .with_dpop(nonces),
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
            return Err(ConfigError::value(
                "audience",
                value,
                "write the identifier of this service exactly as in `aud`, printable ASCII without \
                 quotes",
            ));
        }
        if let Some(value) = self.realm.iter().find(|realm| !is_quotable(realm)) {
            return Err(ConfigError::value("realm", value, "write printable ASCII without quotes"));
        }
        if self.leeway > MAX_LEEWAY {
            return Err(ConfigError::setting(
                "resource-server",
                "leeway",
                format!(
                    "the leeway of {} s is more than 300 s: synchronize the clocks instead",
                    self.leeway.as_secs()
                ),
            ));
        }
        ConfigError::require(
            (MIN_TOKEN_BYTES..=MAX_TOKEN_BYTES).contains(&self.max_token_bytes),
            "resource-server",
            "max_token_bytes",
            "write at least 1,024 and at most 65,536",
        )?;
        self.authorizer.check()?;
        self.key_sets.check()?;
        self.token_cache.check()
    }

    /// Prepares asking the one issuer that is asked.
    fn introspector(&self) -> Result<Option<Arc<Introspector>>, ConfigError> {
        let mut asked =
            self.issuers.iter().filter_map(|issuer| Some((issuer, issuer.introspection.clone()?)));
        let Some((issuer, settings)) = asked.next() else { return Ok(None) };
        if let Some((other, _)) = asked.next() {
            return Err(ConfigError::setting(
                "issuer",
                "introspection",
                format!(
                    "the issuers `{}` and `{}` both have `.introspection(..)`, and an opaque token \
                     does not say which issuer it is of: keep one of them",
                    issuer.identifier, other.identifier
                ),
            ));
        }
        settings.check()?;
        let audiences = self.audiences.clone();
        let leeway = self.leeway.as_secs_f64();
        let network = issuer.network.or(&self.network);
        Introspector::new(issuer, settings, &network, audiences, leeway, self.clock.clone())
            .map(|introspector| Some(Arc::new(introspector)))
    }

    /// Checks an issuer's settings and prepares getting its keys.
    fn keys_of(
        &self,
        issuer: &Issuer,
    ) -> Result<KeysOf<impl Future<Output = FirstFetch> + use<>>, ConfigError> {
        issuer.grants.iter().try_for_each(ScopeSource::check)?;
        issuer.check(&self.audiences)?;
        if matches!(&issuer.intended_for, IntendedFor::Clients(clients) if clients.is_empty() || clients.iter().any(String::is_empty))
        {
            return Err(ConfigError::setting(
                "issuer",
                "clients",
                format!(
                    "no client of the issuer `{}` is listed: its tokens have no audience, so write \
                     the ids of the clients whose tokens are for this service",
                    issuer.identifier
                ),
            ));
        }
        if issuer.identifier.is_empty() {
            return Err(ConfigError::value(
                "issuer",
                "",
                "it is empty: write the `iss` of its tokens",
            ));
        }
        let network = issuer.network.or(&self.network);
        let plaintext = network.origin()?;
        if plaintext.is_some() {
            warn!(
                target: "grpc_auth",
                issuer = issuer.identifier,
                "issuer is fetched in plaintext: an attacker on the way can replace its keys and forge \
                 every token (`danger::PlaintextIssuer`)"
            );
        }
        let location = match &issuer.keys {
            Keys::None => return Ok(KeysOf::None),
            Keys::Given(jwks) => {
                let identifier = &issuer.identifier;
                let (set, skipped) = KeySet::parse_at_most(jwks.as_bytes(), self.key_sets.max_keys)
                    .map_err(|source| ConfigError::KeySet {
                        issuer: identifier.clone(),
                        source: source.into(),
                    })?;
                for key in &skipped {
                    self.listener.tell_skipped(identifier, key);
                }
                return Ok(KeysOf::Given(KeySource::given(identifier, set)));
            }
            Keys::Discovered => {
                Location::Discovered(discoverable(&issuer.identifier, plaintext.as_ref())?)
            }
            Keys::At(address) => {
                Location::At(fetched_url("jwks_uri", address, plaintext.as_ref())?)
            }
        };
        let settings = Arc::new(self.key_sets.clone());
        let http = network.client(settings.connect_timeout)?;
        let fetcher = KeyFetcher::new(
            http,
            &issuer.identifier,
            location,
            self.clock.clone(),
            &settings,
            issuer.jwks_token.clone(),
        );
        let at_once = self.start != StartupPolicy::Lazy;
        Ok(KeysOf::Fetched(KeySource::fetched(fetcher, settings, self.listener.clone(), at_once)))
    }
}

type FirstFetch = (KeySource, Result<(), KeyFetchError>);

enum KeysOf<F> {
    /// Its tokens are introspected.
    None,
    Given(KeySource),
    Fetched(F),
}

/// A setting that is compared with an issuer's identifier does nothing where that has a place for
/// many.
fn check_template(issuer: &Issuer) -> Result<(), ConfigError> {
    if issuer.for_any_tenant && issuer.introspection.is_some() {
        return Err(ConfigError::setting(
            "issuer",
            "introspection",
            format!(
                "the issuer `{}` stands for any tenant, so introspection would never be used for \
                 their tokens: leave it out, or write `Issuer::entra(..)` with the id of the tenant \
                 that is asked",
                issuer.identifier
            ),
        ));
    }
    if !issuer.for_any_tenant && issuer.identifier.contains(TENANT_PLACE) {
        return Err(ConfigError::value(
            "issuer",
            &issuer.identifier,
            "it is a template, and no token names it: for any tenant of Entra write \
             `Issuer::entra_any_tenant()`, for one of them `Issuer::entra(..)` with its id",
        ));
    }
    Ok(())
}

/// The address of an issuer whose metadata is fetched.
fn discoverable(identifier: &str, plaintext: Option<&Origin>) -> Result<Url, ConfigError> {
    const HELP: &str = "its metadata cannot be discovered, for it is not an https URL without query: \
                        write where its keys are, `Issuer::jwks_uri(\"https://..\")`, or give them, \
                        `Issuer::static_keys(..)`";
    let url = match fetched_url("issuer", identifier, plaintext) {
        // `http://host/..` may be a typing error, so that its own error fits.
        Err(ConfigError::UrlInsecure { setting, value }) if value.starts_with("http:") => {
            return Err(ConfigError::UrlInsecure { setting, value });
        }
        Err(ConfigError::UrlInvalid { .. } | ConfigError::UrlInsecure { .. }) => {
            return Err(ConfigError::value("issuer", identifier, HELP));
        }
        outcome => outcome?,
    };
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ConfigError::value(
            "issuer",
            identifier,
            "it has a query or a fragment, and cannot be discovered: write it without, or write where \
             its keys are, `Issuer::jwks_uri(\"https://..\")`",
        ));
    }
    Ok(url)
}

/// Whether to start with what the first fetch brought.
fn started(
    start: StartupPolicy,
    issuer: &str,
    outcome: Result<(), KeyFetchError>,
) -> Result<(), ConfigError> {
    match (start, outcome) {
        (_, Ok(())) => Ok(()),
        (StartupPolicy::Required, Err(source)) => {
            Err(ConfigError::KeysUnavailable { issuer: issuer.into(), source: source.into() })
        }
        (StartupPolicy::Lazy | StartupPolicy::Warm, Err(_)) => {
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
