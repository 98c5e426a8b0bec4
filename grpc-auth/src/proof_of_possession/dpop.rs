//! DPoP (RFC 9449): its configuration, and what it asks of a call.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "testing")]
use http::HeaderMap;
use http::{Method, Request};
use secrecy::{ExposeSecret, SecretSlice};

use super::nonce::Nonces;
use super::origin::Origin;
use super::proof;
use super::proof::{Expected, Proof};
use super::replay::{Bounds, DpopProofId, Memory, ReplayStore, ReplayStoreError};
use super::start::{Made, Start};
use super::{Pending, Unproved};
use crate::clock::{Clock, Moment};
use crate::error::ConfigError;
use crate::panics::{Panicked, caught};
use crate::token::bearer::BearerToken;
use crate::token::confirmation::Thumbprint;

/// For how long a call waits for the replay store.
const REPLAY_TIMEOUT: Duration = Duration::from_secs(1);
const MIN_NONCE_KEY_BYTES: usize = 32;

/// How DPoP proofs are checked (RFC 9449); set by
/// [`ResourceServerBuilder::dpop`](crate::ResourceServerBuilder::dpop).
///
/// With it, tokens that are bound to a key (`cnf` with `jkt`) are accepted under the scheme `DPoP`,
/// each call with a fresh proof in the metadata `dpop`: signed with that key, for this method
/// (`htm` is `POST`, `htu` the origin and the path, like
/// `https://echo.example.com/echo.Echo/UnaryEcho`) and this token (`ath`), and never used before.
/// Tokens that are bound to nothing are accepted as `Bearer`, as ever.
///
/// A proof that is wrong is answered ACCESS_TOKEN_INVALID with the challenge
/// `DPoP error="invalid_dpop_proof"`, whatever is wrong with it; the log says what.
///
/// # Restarts
/// Used proofs are remembered from a moment on: in memory, from when the resource server is built;
/// in a [`replay_store`](Self::replay_store), [from when it says](ReplayStore::remembers_since). A
/// proof that may have been used before that moment is not accepted:
/// - If its `iat` is before the moment, it is rejected like a proof that was used.
/// - If its `iat` is in the same second, or less than [`clock_skew`](Self::clock_skew) later, its
///   client is asked for a nonce: a client whose clock is ahead may have used it before. The call is
///   answered DPOP_NONCE_REQUIRED, with the nonce in the metadata `dpop-nonce`. A client that
///   supports nonces (RFC 9449 §9), like the one of this crate, makes a new proof with it, which is
///   accepted. A client without this support is accepted when the clock skew has passed.
/// - Where [nonces are required](Self::require_nonce), the client is asked for a new nonce in both
///   cases. A proof with a nonce that was issued after the moment is always accepted.
///
/// With a store that outlives the server, a restart of the server changes nothing for its clients.
/// Without one, two processes that serve at the same time, as in a rolling restart, know nothing of
/// each other's proofs: let the old one end before the new one is built, [require
/// nonces](Self::require_nonce), or share a store. A clock that is set back by more than the clock skew
/// before a restart opens the same window for as long.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # const ECHO: grpc_auth::policy::ServicePolicy = grpc_auth::policy::ServicePolicy::new("echo.Echo", &[
/// #     grpc_auth::policy::MethodPolicy::new("UnaryEcho", grpc_auth::policy::AccessRule::Authenticated),
/// # ]);
/// # #[derive(Clone)] struct Inner;
/// # impl tower_service::Service<http::Request<()>> for Inner {
/// #     type Response = http::Response<String>;
/// #     type Error = std::convert::Infallible;
/// #     type Future = std::future::Ready<Result<http::Response<String>, Self::Error>>;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> { std::task::Poll::Ready(Ok(())) }
/// #     fn call(&mut self, _: http::Request<()>) -> Self::Future { std::future::ready(Ok(http::Response::new("reached".into()))) }
/// # }
/// # use {tower_layer::Layer, tower_service::Service};
/// use grpc_auth::{Dpop, testing::TestAuthorizationServer};
///
/// let issuer = TestAuthorizationServer::start().await?;
/// let auth = issuer
///     .resource_server()
///     .dpop(Dpop::for_origins(["https://echo.example.com"]))
///     .build()
///     .await?;
/// # let mut service = auth.layer([ECHO])?.layer(Inner);
///
/// let key = issuer.dpop_key();
/// let token = issuer.token().bound_to_key(&key).sign();
/// let proof = key.proof("https://echo.example.com/echo.Echo/UnaryEcho", &token).sign();
/// let call = |scheme: &str| {
///     http::Request::post("/echo.Echo/UnaryEcho")
///         .header("authorization", format!("{scheme} {token}"))
///         .header("dpop", &proof)
///         .body(())
/// };
///
/// let allowed = service.call(call("DPoP")?).await?;
/// assert_eq!(allowed.body(), "reached");
/// let plain = service.call(call("Bearer")?).await?;
/// assert_eq!(plain.headers()["grpc-status"], "16");
/// let replayed = service.call(call("DPoP")?).await?;
/// assert_eq!(replayed.headers()["grpc-status"], "16");
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a configuration does nothing until it is given to a resource server"]
pub struct Dpop {
    origins: Vec<String>,
    proof_lifetime: Duration,
    clock_skew: Duration,
    requires_nonce: bool,
    /// The key that nonces are made with; `None` for one of this process.
    shared_nonce_key: Option<SecretSlice<u8>>,
    bounds: Bounds,
    store: Option<Arc<dyn ReplayStore>>,
}

impl Dpop {
    /// Accepts proofs made for these addresses: scheme and authority as clients see them, like
    /// `https://echo.example.com`. They are not taken from the call: behind a proxy its scheme and
    /// authority are whatever the proxy, or the client, wrote.
    pub fn for_origins<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        Self {
            origins: origins.into_iter().map(Into::into).collect(),
            proof_lifetime: Duration::from_secs(60),
            clock_skew: Duration::from_secs(5),
            requires_nonce: false,
            shared_nonce_key: None,
            bounds: Bounds { entries: 1 << 18, entries_per_key: 1 << 15 },
            store: None,
        }
    }

    /// How old a proof may be when it arrives (`iat`). Default 60 s; from 1 s to 10 min. Each proof
    /// is remembered for as long.
    pub fn proof_lifetime(mut self, lifetime: Duration) -> Self {
        self.proof_lifetime = lifetime;
        self
    }

    /// How far a client's clock may be ahead of this server's. Default 5 s, at most 60 s.
    ///
    /// After a [restart](#restarts), proofs without a nonce are not accepted for as long.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.clock_skew = skew;
        self
    }

    /// Asks for a nonce in each proof, so that none can be made in advance (RFC 9449 §9). A client
    /// without one is answered DPOP_NONCE_REQUIRED, with the nonce in the metadata `dpop-nonce`;
    /// it is accepted for 10 minutes.
    ///
    /// The key that nonces are made with is this process's: for several replicas see
    /// [`shared_nonce_key`](Self::shared_nonce_key). Default: a nonce is asked for after a
    /// [restart](#restarts) alone.
    pub fn require_nonce(mut self) -> Self {
        self.requires_nonce = true;
        self
    }

    /// Asks for nonces as [`require_nonce`](Self::require_nonce) does, and makes them with this
    /// key of at least 32 bytes, so that replicas accept each other's. The clocks of the replicas
    /// have to agree: a nonce of one whose clock is ahead looks younger than it is.
    pub fn shared_nonce_key(mut self, key: impl Into<SecretSlice<u8>>) -> Self {
        self.shared_nonce_key = Some(key.into());
        self.require_nonce()
    }

    /// How many used proofs are remembered in memory, 100 to 150 bytes each. Default 262,144, which
    /// is 4,300 calls a second for a minute. No proof that could be used again is ever forgotten:
    /// when there is no room, calls are answered UNAVAILABLE.
    pub fn replay_entries(mut self, entries: usize) -> Self {
        self.bounds.entries = entries;
        self
    }

    /// How many of them one key may use, so that none can fill the memory alone. Default 32,768,
    /// which is 540 calls a second for a minute.
    pub fn replay_entries_per_key(mut self, entries: usize) -> Self {
        self.bounds.entries_per_key = entries;
        self
    }

    /// Remembers used proofs in this store instead of memory: one that all replicas share.
    pub fn replay_store(mut self, store: impl ReplayStore) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    pub(crate) fn build(self, clock: Clock) -> Result<DpopVerifier, ConfigError> {
        let require = |works, setting, help| ConfigError::require(works, "DPoP", setting, help);
        let help = "write at least one, like `https://echo.example.com`";
        require(!self.origins.is_empty(), "for_origins", help)?;
        let origins = self.origins.iter().map(|origin| Origin::configured(origin));
        let origins = origins.collect::<Result<_, _>>()?;
        let lifetimes = Duration::from_secs(1)..=Duration::from_secs(600);
        let is_in_range = lifetimes.contains(&self.proof_lifetime);
        require(is_in_range, "proof_lifetime", "write from 1 s to 10 min")?;
        let help = "write at most 60 s: synchronize the clocks instead";
        require(self.clock_skew <= Duration::from_secs(60), "clock_skew", help)?;
        let Bounds { entries, entries_per_key } = self.bounds;
        let is_in_range = (1..=1 << 24).contains(&entries);
        require(is_in_range, "replay_entries", "write from 1 to 16,777,216")?;
        let help = "write at least 1, and fewer than `replay_entries`: no key may fill it";
        require((1..entries).contains(&entries_per_key), "replay_entries_per_key", help)?;
        let start = Start {
            built: clock.moment().to_microsecond(),
            clock_skew: self.clock_skew,
            requires_nonce: self.requires_nonce,
            nonces_begin_here: self.shared_nonce_key.is_none(),
        };
        let nonces = match &self.shared_nonce_key {
            Some(key) => {
                let key = key.expose_secret();
                let is_long = key.len() >= MIN_NONCE_KEY_BYTES;
                require(is_long, "shared_nonce_key", "write at least 32 random bytes")?;
                Nonces::new(key, clock.clone())
            }
            None => {
                let mut key = [0; MIN_NONCE_KEY_BYTES];
                aws_lc_rs::rand::fill(&mut key).map_err(|_| ConfigError::no_random_numbers())?;
                Nonces::new(&key, clock.clone())
            }
        };
        Ok(DpopVerifier {
            origins,
            proof_lifetime: self.proof_lifetime,
            start,
            nonces: Arc::new(nonces),
            store: self.store.unwrap_or_else(|| Arc::new(Memory::new(self.bounds))),
            clock,
        })
    }
}

/// Checks proofs as it is configured.
#[derive(Debug)]
pub(crate) struct DpopVerifier {
    origins: Vec<Origin>,
    proof_lifetime: Duration,
    start: Start,
    pub(crate) nonces: Arc<Nonces>,
    store: Arc<dyn ReplayStore>,
    clock: Clock,
}

impl DpopVerifier {
    /// Of a server that begins with this process: no proof for it was used before.
    #[cfg(feature = "testing")]
    pub(crate) fn without_past(mut self) -> Self {
        self.start.built = f64::NEG_INFINITY;
        self
    }

    /// Checks a call's proof for this token, which is bound to this key. That it was not used
    /// before comes last, in this server's memory and before that began: until then nothing is
    /// remembered of it.
    pub(crate) fn check<B>(
        &self,
        request: &Request<B>,
        token: &BearerToken,
        key: &Thumbprint,
    ) -> Result<Pending, Unproved> {
        let proof = proof::only_proof(request.headers())?;
        // tonic serves other methods too.
        if request.method() != Method::POST {
            return Err(Unproved::ProofMethod);
        }
        let bound = Some((token.as_bytes(), key));
        let now = self.clock.moment();
        let proof = self.check_proof(proof, request.uri().path(), bound, now)?;
        let made = self.check_nonce(&proof, self.start.requires_nonce)?;
        Ok(self.first_use(&proof, made, now))
    }

    /// Checks the proof of a request for a token, which is to be bound to the proof's key
    /// (RFC 9449 §5): which one.
    #[cfg(feature = "testing")]
    pub(crate) fn check_token_request(
        &self,
        headers: &HeaderMap,
        path: &str,
        demands_nonce: bool,
    ) -> Result<(Thumbprint, Pending), Unproved> {
        let now = self.clock.moment();
        let proof = self.check_proof(proof::only_proof(headers)?, path, None, now)?;
        let made = self.check_nonce(&proof, demands_nonce)?;
        Ok((proof.key, self.first_use(&proof, made, now)))
    }

    fn check_proof(
        &self,
        proof: &[u8],
        path: &str,
        token: Option<(&[u8], &Thumbprint)>,
        now: Moment,
    ) -> Result<Proof, Unproved> {
        let expected = Expected {
            method: "POST",
            origins: &self.origins,
            path,
            token,
            earliest: now.seconds - self.proof_lifetime.as_secs_f64(),
            latest: now.seconds + self.start.clock_skew.as_secs_f64(),
        };
        proof::check(proof, &expected)
    }

    /// Whether it has a nonce, if it needs one: when it was made.
    fn check_nonce(&self, proof: &Proof, is_required: bool) -> Result<Made, Unproved> {
        let nonce = proof.nonce.as_deref();
        let nonce_issued_at = nonce.and_then(|nonce| self.nonces.issued_at(nonce));
        if is_required && nonce_issued_at.is_none() {
            return Err(Unproved::ProofNonce);
        }
        Ok(Made { issued_at: proof.issued_at, nonce_issued_at })
    }

    fn first_use(&self, proof: &Proof, made: Made, now: Moment) -> Pending {
        // It lies between now and a little more than a lifetime from now.
        let expires_at = proof.issued_at + self.proof_lifetime.as_secs_f64();
        let expires_in = Duration::try_from_secs_f64(expires_at - now.seconds).unwrap_or_default();
        let expires_at = Moment { time: now.time + expires_in, seconds: expires_at };
        let (store, clock, start) = (Arc::clone(&self.store), self.clock.clone(), self.start);
        let proof = DpopProofId::new(proof.key, &proof.id, clock.clone(), now, expires_at);
        Box::pin(async move {
            // The store may learn by the first that it lost its data.
            let looked_up = caught(async {
                let is_first_use = store.is_first_use(proof).await?;
                Ok((is_first_use, store.remembers_since()))
            });
            match clock.timeout(REPLAY_TIMEOUT, looked_up).await {
                Some(Ok(Ok((true, store_began)))) => start.check(made, store_began, now),
                Some(Ok(Ok((false, _)))) => Err(Unproved::ProofReplayed),
                Some(Ok(Err(ReplayStoreError::Full))) => Err(Unproved::ReplayFull),
                Some(Ok(Err(ReplayStoreError::KeyFull))) => Err(Unproved::ReplayKeyFull),
                Some(Ok(Err(ReplayStoreError::Unavailable(cause)))) => {
                    Err(Unproved::ReplayUnavailable(cause))
                }
                Some(Err(Panicked)) => Err(Unproved::ReplayPanicked),
                None => Err(Unproved::ReplayUnavailable("it took longer than 1 s")),
            }
        })
    }
}
