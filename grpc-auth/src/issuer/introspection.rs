//! Introspection settings.

use std::time::Duration;

use secrecy::SecretString;

#[cfg(feature = "redis")]
use super::shared_cache::SharedCacheSettings;
use crate::client_authentication::ClientAuthentication;
use crate::client_authentication::bearer_credential::BearerCredential;
use crate::error::ConfigError;

/// Asking an issuer about tokens (RFC 7662): for tokens that are no JWT, and for knowing at once
/// that one was revoked; set by [`Issuer::introspection`](crate::Issuer::introspection).
///
/// A token that looks like a JWT of a configured issuer with keys is verified here, as always;
/// every other token is sent to the introspection endpoint. What the endpoint says is checked like
/// a token's claims: `active` is the boolean `true`, `exp`, `nbf`, `iat` and `iss` if they are
/// there, `aud`, and the type of the token. `null`, `""` and `[]` mean that a member is absent.
/// A token is rejected if its `token_type` names a refresh token, an ID token or `N_A` (RFC 8693
/// §2.2.1); other words count as an access token's. Answers are remembered for a while, under a keyed hash
/// of the token: so long may a revoked token be accepted, and streams that it opened live until
/// [`StreamExpiry`](crate::server::StreamExpiry) ends them. When the endpoint fails, calls are
/// answered UNAVAILABLE, never let in.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_auth::testing::TestAuthorizationServer;
/// use grpc_auth::{BearerToken, ClientAuthentication, DenialReason, Introspection, Issuer, ResourceServer};
///
/// let server = TestAuthorizationServer::start().await?;
/// server.add_client("orders", "s3cret", [""; 0]);
///
/// let client = ClientAuthentication::client_secret_basic("orders", "s3cret");
/// let auth = ResourceServer::builder()
///     .issuer(Issuer::discover(server.url()).introspection(Introspection::new(client)))
///     .audience(TestAuthorizationServer::AUDIENCE)
///     .clock(server.clock().clone())
///     .build()
///     .await?;
///
/// let opaque = BearerToken::parse(&server.token().subject("alice").opaque()).unwrap();
/// assert_eq!(auth.verify(&opaque).await?.subject(), Some("alice"));
///
/// let unknown = BearerToken::parse("bm9ib2R5J3MgdG9rZW4").unwrap();
/// let refused = auth.verify(&unknown).await.unwrap_err();
/// assert_eq!(refused.denied(), DenialReason::TokenInvalid);
/// assert_eq!(refused.to_string(), "the authorization server says that the token is not active");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Introspection {
    pub(crate) credentials: Credentials,
    /// If it is not the one in the issuer's metadata.
    pub(crate) endpoint: Option<String>,
    pub(crate) hybrid: bool,
    pub(crate) allow_missing_audience: bool,
    pub(crate) cache: IntrospectionCache,
    pub(crate) connect_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_in_flight: usize,
    #[cfg(feature = "redis")]
    pub(crate) shared_cache: Option<SharedCacheSettings>,
}

/// How this program authenticates at the introspection endpoint (RFC 7662 §2.1).
#[derive(Clone, Debug)]
pub(crate) enum Credentials {
    Client(ClientAuthentication),
    /// A bearer token (RFC 6750).
    Token(BearerCredential),
}

impl Credentials {
    /// The secret that is sent, if there is one.
    pub(crate) fn secret(&self) -> Option<SecretString> {
        match self {
            Self::Client(client) => client.secret(),
            Self::Token(token) => token.secret(),
        }
    }

    /// Whether there is another secret now than the one that was sent.
    pub(crate) fn has_changed(&self, sent: &SecretString) -> bool {
        match self {
            Self::Client(client) => client.has_changed(sent),
            Self::Token(token) => token.has_changed(sent),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Client(client) => client.check(),
            Self::Token(token) => ConfigError::require(
                token.is_valid(),
                "introspection",
                "bearer token",
                "write the token alone, without `Bearer`: letters, digits and `-._~+/`, at most 64 KiB",
            ),
        }
    }
}

/// How long answers of an introspection endpoint stay cached, and how many.
///
/// What is remembered is the answer, never what its caller may do. An answer is never used
/// beyond the token's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IntrospectionCache {
    /// How long an active token stays cached as active: so long a revoked one may still be
    /// accepted. Default 60 s.
    pub active: Duration,
    /// The same, for tokens without `exp`. Default 30 s.
    pub active_without_expiry: Duration,
    /// How many active tokens at most. Default 10,000; rounded up to a power of two. 0 keeps none in
    /// memory.
    pub active_entries: usize,
    /// How long an inactive token stays cached as inactive. Default 10 s.
    pub inactive: Duration,
    /// How many inactive tokens at most; they displace no active one. Default 2,048.
    pub inactive_entries: usize,
}

impl IntrospectionCache {
    /// Asks about every token of every call. Calls with the same token at the same time still share
    /// one request.
    #[must_use]
    pub fn off() -> Self {
        Self {
            active: Duration::ZERO,
            active_without_expiry: Duration::ZERO,
            active_entries: 0,
            inactive: Duration::ZERO,
            inactive_entries: 0,
        }
    }

    /// The longest that an active token may stay remembered.
    #[cfg(feature = "redis")]
    pub(crate) fn longest_active(&self) -> Duration {
        self.active.max(self.active_without_expiry)
    }

    /// How long active tokens stay cached.
    #[must_use]
    pub fn active(mut self, active: Duration) -> Self {
        self.active = active;
        self
    }

    /// How long inactive tokens stay cached.
    #[must_use]
    pub fn inactive(mut self, inactive: Duration) -> Self {
        self.inactive = inactive;
        self
    }
}

impl Default for IntrospectionCache {
    fn default() -> Self {
        Self {
            active: Duration::from_secs(60),
            active_without_expiry: Duration::from_secs(30),
            active_entries: 10_000,
            inactive: Duration::from_secs(10),
            inactive_entries: 2048,
        }
    }
}

impl Introspection {
    /// Asks as this client, at the endpoint that the issuer's metadata names (RFC 8414 §2).
    #[must_use]
    pub fn new(client: ClientAuthentication) -> Self {
        Self::with(Credentials::Client(client))
    }

    /// Authenticates with a bearer token (RFC 7662 §2.1) instead of a client's credentials, where the
    /// issuer requires one: its own kind of token for resource servers, or a Kubernetes service
    /// account's. A token in a file or from a `TokenSource` may be rotated; see [`BearerCredential`].
    /// It is sent to no other endpoint: clients do not authenticate at token endpoints with bearer
    /// tokens (RFC 6749 §3.2.1).
    ///
    /// ```
    /// use grpc_auth::{ClientSecret, Introspection};
    ///
    /// let introspection = Introspection::with_bearer_token("dGhlIHRva2Vu");
    /// assert!(!format!("{introspection:?}").contains("dGhl"));
    /// # let path = std::env::temp_dir().join(format!("grpc-auth-token-{}", std::process::id()));
    /// # std::fs::write(&path, "dGhlIHRva2Vu\n")?;
    ///
    /// let rotated = Introspection::with_bearer_token(ClientSecret::from_file(&path)?);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_bearer_token(token: impl Into<BearerCredential>) -> Self {
        Self::with(Credentials::Token(token.into()))
    }

    fn with(credentials: Credentials) -> Self {
        Self {
            credentials,
            endpoint: None,
            hybrid: false,
            allow_missing_audience: false,
            cache: IntrospectionCache::default(),
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            max_in_flight: 64,
            #[cfg(feature = "redis")]
            shared_cache: None,
        }
    }

    /// Asks at this address: https, or http on a loopback address.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Asks about JWTs of this issuer as well, once they are verified here: for revocation, and for
    /// lightweight tokens, whose claims are in the answer alone. What the answer says is what
    /// counts; a JWT that is rejected here is not introspected.
    #[must_use]
    pub fn also_for_jwts(mut self) -> Self {
        self.hybrid = true;
        self
    }

    /// Accepts answers without `aud`, from servers that never say it (RFC 7662 makes it optional).
    /// Then every active token of this issuer is good here, whatever service it was made for: let
    /// scopes tell them apart. An `aud` that is there is still checked.
    #[must_use]
    pub fn allow_missing_audience(mut self) -> Self {
        self.allow_missing_audience = true;
        self
    }

    /// Changes how long answers stay cached. [`IntrospectionCache::off()`] introspects every time.
    #[must_use]
    pub fn cache(mut self, cache: IntrospectionCache) -> Self {
        self.cache = cache;
        self
    }

    /// How long a connection may take. Default 2 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an answer may take, connecting included; at most 30 s. Default 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many requests may be under way; calls beyond are answered UNAVAILABLE at once. Default
    /// 64. Any token that is not cached takes one, invalid ones as well: where the endpoint is
    /// slow, limit how often an address may call before that.
    #[must_use]
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.max_in_flight = requests;
        self
    }

    /// Shares answers about active tokens with other replicas through Redis, for as long as they are
    /// cached here. An answer that such a token is no longer active removes its entry, and is kept
    /// for as long as an active entry could live, so that no older one counts again. Tokens that were
    /// never active take no room there. `key`
    /// is at least 32 random bytes that all replicas are configured with: by it tokens are known in
    /// Redis, and entries are sealed. While Redis does not answer, tokens are introspected as without
    /// it, and the log says so. An attempt takes at most half a second; after one that failed, one
    /// call probes Redis every five seconds.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn shared_cache(mut self, redis: &crate::redis::Redis, key: impl Into<Vec<u8>>) -> Self {
        self.shared_cache = Some(SharedCacheSettings::new(redis.clone(), key.into()));
        self
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        const MAX_TIMEOUT: Duration = Duration::from_secs(30);
        const MAX_AGE: Duration = Duration::from_secs(3600);
        self.credentials.check()?;
        #[cfg(feature = "redis")]
        self.shared_cache.as_ref().map_or(Ok(()), SharedCacheSettings::check)?;
        let (cache, wrong) = (&self.cache, |setting, help| {
            Err(ConfigError::setting("introspection", setting, help))
        });
        let ages = [cache.active, cache.active_without_expiry, cache.inactive];
        if self.timeout.is_zero() || self.timeout > MAX_TIMEOUT {
            return wrong("timeout", "write more than zero and at most 30 s");
        }
        if self.connect_timeout.is_zero() || self.connect_timeout > self.timeout {
            return wrong("connect_timeout", "write more than zero and at most `timeout`");
        }
        if self.max_in_flight == 0 {
            return wrong("max_in_flight", "write at least 1");
        }
        #[cfg(feature = "redis")]
        if self.shared_cache.is_some() && cache.active.is_zero() {
            let help = "the cache is off, and shared answers would be used all the same: leave \
                        one of them out";
            return wrong("shared_cache", help);
        }
        if cache.active_entries.max(cache.inactive_entries) > 1 << 20 {
            return wrong("cache", "write at most 1,048,576 entries");
        }
        if ages.iter().any(|age| *age > MAX_AGE) {
            return wrong(
                "cache",
                "write at most an hour: so long may a revoked token be accepted",
            );
        }
        if cache.active_entries > 0 && ages.iter().any(Duration::is_zero) {
            let help = "write more than zero, or switch it off: `IntrospectionCache::off()`";
            return wrong("cache", help);
        }
        Ok(())
    }
}
