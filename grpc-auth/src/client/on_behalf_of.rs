//! Tokens on behalf of callers: the one that came with a call is exchanged for one that is good at
//! the next service.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard};

use tonic::transport::Channel;

use super::access_token::AccessToken;
use super::attach::AddTokenLayer;
use super::attach::connect::ConnectError;
use super::attach::service::AddToken;
use super::builder::TokenSourceBuilder;
use super::digest::{Digest, Digester};
use super::error::TokenError;
use super::grants::oauth::OAuthGrant;
use super::grants::static_token::StaticGrant;
use super::oauth_client::OAuthClient;
use super::request::GrantType;
use super::server::Server;
use super::source::TokenSource;
use super::source::shared::Shared;
use crate::error::ConfigError;
use crate::lock::locked;
use crate::metrics;
use crate::tls::destination::SecureEndpoint;
use crate::token::bearer::BearerToken;

/// The tokens of so many callers are kept.
const MAX_CALLERS: usize = 4096;

/// Exchanges callers' tokens for tokens of their own at the next service (RFC 8693), one for each
/// caller.
///
/// The next service sees who the caller is, and that this one calls for them; a token that is
/// forwarded instead ([`TokenRelayLayer`](super::TokenRelayLayer)) says the former alone, and must be
/// good at both. What is got is kept and renewed as in a [`TokenSource`], for 4,096 callers unless
/// it is set otherwise; whose was not used for the longest time goes first. All calls with one token
/// cause one exchange. Callers' tokens are known by a keyed hash.
///
/// Exchange only what was verified: the [`BearerToken`] that is injected into a handler.
///
/// ```no_run
/// use grpc_auth::client::OAuthClient;
/// use grpc_auth::{BearerToken, ClientAuthentication};
/// use tonic::Request;
/// use tonic::transport::Endpoint;
/// use tonic_health::pb::HealthCheckRequest;
/// use tonic_health::pb::health_client::HealthClient;
///
/// # async fn example(caller: BearerToken, endpoint: Endpoint) -> Result<(), Box<dyn std::error::Error>> {
/// let orders = ClientAuthentication::client_secret_basic("orders", "s3cret");
/// let client = OAuthClient::oidc("https://issuer.example.com", orders);
/// let stock = client.on_behalf_of(|request| request.audience("https://stock.example.com"))?;
///
/// // A call on behalf of the caller.
/// let mut client = HealthClient::new(stock.connect(endpoint).await?);
/// let mut request = Request::new(HealthCheckRequest::default());
/// request.extensions_mut().insert(stock.source(&caller));
/// client.check(request).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TokenExchange(Arc<Inner>);

struct Inner {
    server: Arc<Server>,
    /// Without a caller.
    request: TokenSourceBuilder,
    digester: Digester,
    max_callers: usize,
    callers: Mutex<Callers>,
    /// In a row, of all callers together.
    failures: Arc<AtomicU32>,
}

#[derive(Default)]
struct Callers {
    sources: HashMap<Digest, Kept>,
    /// Counts uses.
    now: u64,
}

struct Kept {
    source: TokenSource,
    used: u64,
}

impl OAuthClient {
    /// Tokens in exchange for those of callers, one for each (RFC 8693). The function says what they
    /// are to be good for.
    ///
    /// # Errors
    /// [`ConfigError`] as [`TokenSourceBuilder::build`].
    pub fn on_behalf_of(
        &self,
        request: impl FnOnce(TokenSourceBuilder) -> TokenSourceBuilder,
    ) -> Result<TokenExchange, ConfigError> {
        let grant = GrantType::TokenExchange { subject: None, actor: None };
        TokenExchange::new(request(TokenSourceBuilder::new(self.clone(), grant)))
    }
}

impl TokenExchange {
    pub(super) fn new(request: TokenSourceBuilder) -> Result<Self, ConfigError> {
        metrics::describe();
        request.check()?;
        let server = request.client.server()?;
        Self::with(server, request, MAX_CALLERS)
    }

    fn with(
        server: Arc<Server>,
        request: TokenSourceBuilder,
        max_callers: usize,
    ) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(Inner {
            server,
            request,
            digester: Digester::new()?,
            max_callers,
            callers: Mutex::default(),
            failures: Arc::default(),
        })))
    }

    /// Keeps the tokens of so many callers. Default 4,096.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] for none.
    pub fn max_callers(self, callers: usize) -> Result<Self, ConfigError> {
        if callers == 0 {
            return Err(ConfigError::setting(
                "client",
                "max_callers",
                "each call would exchange its token anew: write at least 1",
            ));
        }
        Self::with(Arc::clone(&self.0.server), self.0.request.clone(), callers)
    }

    /// A token on behalf of the caller whose token this is.
    ///
    /// # Errors
    /// When the server does not exchange it, or is not reached.
    pub async fn token(&self, caller: &BearerToken) -> Result<Arc<AccessToken>, TokenError> {
        self.source(caller).token().await
    }

    /// Connects to a server whose calls are on behalf of callers: each has its
    /// [`source`](Self::source) in its extensions. One that has none is not sent, and answered
    /// UNAUTHENTICATED: this program is never mistaken for a caller.
    ///
    /// # Errors
    /// As [`TokenSource::connect`].
    pub async fn connect(
        &self,
        endpoint: impl Into<SecureEndpoint>,
    ) -> Result<AddToken<Channel>, ConnectError> {
        self.of_nobody().connect(endpoint).await
    }

    /// Attaches the tokens of callers to the calls of any channel, as
    /// [`connect`](Self::connect) does.
    #[must_use]
    pub fn layer(&self) -> AddTokenLayer {
        self.of_nobody().layer()
    }

    fn of_nobody(&self) -> TokenSource {
        let grant = StaticGrant { name: "caller", token: None, error: TokenError::NoCaller };
        TokenSource::new(grant, self.0.request.client.settings.clock.clone())
    }

    /// The source of tokens on behalf of the caller whose token this is.
    #[must_use]
    pub fn source(&self, caller: &BearerToken) -> TokenSource {
        let digest = self.0.digester.of([caller.expose_secret()]);
        let mut callers = self.0.callers();
        callers.now += 1;
        let used = callers.now;
        if let Some(kept) = callers.sources.get_mut(&digest) {
            kept.used = used;
            return kept.source.clone();
        }
        if callers.sources.len() >= self.0.max_callers {
            callers.make_room();
        }
        let source = self.0.source_for(caller);
        callers.sources.insert(digest, Kept { source: source.clone(), used });
        source
    }
}

impl Inner {
    fn source_for(&self, caller: &BearerToken) -> TokenSource {
        let mut demand = self.request.demand.clone();
        if let GrantType::TokenExchange { subject, .. } = &mut demand.grant {
            *subject = Some(caller.into());
        }
        let clock = self.request.client.settings.clock.clone();
        let grant = Arc::new(OAuthGrant::new(Arc::clone(&self.server), demand));
        TokenSource::of(Arc::new(Shared::told_with(grant, clock, Arc::clone(&self.failures))))
    }

    /// Never across an await.
    fn callers(&self) -> MutexGuard<'_, Callers> {
        locked(&self.callers)
    }
}

impl Callers {
    /// Forgets the eighth that was not used for the longest time: looking for it costs more than
    /// one call should pay.
    fn make_room(&mut self) {
        let mut uses: Vec<u64> = self.sources.values().map(|kept| kept.used).collect();
        let place = uses.len() / 8;
        if place < uses.len() {
            let (_, limit, _) = uses.select_nth_unstable(place);
            let limit = *limit;
            self.sources.retain(|_, kept| kept.used > limit);
        }
    }
}

impl fmt::Debug for TokenExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenExchange")
            .field("request", &self.0.request)
            .field("callers", &self.0.callers().sources.len())
            .finish_non_exhaustive()
    }
}
