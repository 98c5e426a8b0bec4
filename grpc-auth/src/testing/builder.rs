//! A server with settings of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::data::client_file::{ClientFile, ClientFileError};
use super::data::keys::KeyRing;
use super::data::registration::ClientRegistration;
use super::data::registry::User;
use crate::clock::manual::ManualClock;
use crate::error::ConfigError;
use crate::lock::locked;
use crate::proof_of_possession::dpop::Dpop;
use crate::testing::data::state::State;
use crate::testing::server::TestAuthorizationServer;

/// The settings of a [`TestAuthorizationServer`]; made by
/// [`TestAuthorizationServer::builder`](super::TestAuthorizationServer::builder).
///
/// ```
/// use grpc_auth::testing::{TestAuthorizationServer, ManualClock, StartError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StartError> {
/// # let file = std::env::temp_dir().join(format!("clients-{}.json", std::process::id()));
/// # let json = r#"{"clients": [{"id": "cli", "redirect_uris": ["http://127.0.0.1/callback"]}]}"#;
/// # std::fs::write(&file, json).unwrap();
/// let issuer = TestAuthorizationServer::builder()
///     .listen("127.0.0.1:0")
///     .clock(ManualClock::running())
///     .load(&file)?
///     .start()
///     .await?;
/// # std::fs::remove_file(&file).unwrap();
///
/// let open = TestAuthorizationServer::builder().listen("0.0.0.0:0").start().await;
/// assert!(matches!(open, Err(StartError::NotLoopback { .. })));
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a configuration does nothing until it is started"]
pub struct AuthorizationServerBuilder {
    listen: String,
    clock: ManualClock,
    token_lifetime: Duration,
    /// All that is registered, by files or by calls.
    registered: ClientFile,
}

impl TestAuthorizationServer {
    /// Starts a server whose clock stands still.
    ///
    /// # Errors
    /// When no port of 127.0.0.1 can be listened on, or no keys can be generated.
    pub async fn start() -> io::Result<Self> {
        Self::start_with_clock(ManualClock::new()).await
    }

    /// Starts a server with this clock.
    ///
    /// # Errors
    /// When no port of 127.0.0.1 can be listened on, or no keys can be generated.
    pub async fn start_with_clock(clock: ManualClock) -> io::Result<Self> {
        Self::builder().clock(clock).start().await.map_err(Into::into)
    }

    /// Starts a server with settings of its own.
    pub fn builder() -> AuthorizationServerBuilder {
        AuthorizationServerBuilder::new()
    }
}

impl AuthorizationServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            listen: "127.0.0.1:0".into(),
            clock: ManualClock::new(),
            token_lifetime: TestAuthorizationServer::TOKEN_LIFETIME,
            registered: ClientFile::default(),
        }
    }

    /// Where it listens, like `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080`: on loopback
    /// addresses alone. Default: on a free port of 127.0.0.1.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// The clock that everything expires by. Default: one that stands still. A server that people
    /// use wants [`ManualClock::running`].
    pub fn clock(mut self, clock: ManualClock) -> Self {
        self.clock = clock;
        self
    }

    /// How long access tokens and ID tokens are valid. Default
    /// [`TOKEN_LIFETIME`](TestAuthorizationServer::TOKEN_LIFETIME); at least a second.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// Registers a client.
    pub fn register(mut self, registration: ClientRegistration) -> Self {
        self.registered.registrations.push(registration);
        self
    }

    /// Reads clients, users and what scopes mean from a JSON file, on top of what there is.
    ///
    /// ```json
    /// {
    ///   "clients": [
    ///     {
    ///       "id": "cli",
    ///       "name": "The echo program",
    ///       "redirect_uris": ["http://127.0.0.1/callback"],
    ///       "scopes": ["read:echo", "write:echo"],
    ///       "audiences": ["https://echo.example.com"]
    ///     },
    ///     { "id": "orders", "secret": "s3cret", "scopes": ["read:echo"], "grant_types": ["client_credentials"] },
    ///     { "id": "billing", "jwks": { "keys": [] } }
    ///   ],
    ///   "users": [{ "name": "alice", "password": "wonderland", "claims": { "tenant": "blue" } }],
    ///   "scopes": { "read:echo": "Read what you have sent" }
    /// }
    /// ```
    ///
    /// Only `id` and `name` are needed. A client without `secret` and `jwks` is public; its other
    /// fields are those of [`ClientRegistration`], with `always_refresh_tokens`.
    ///
    /// # Errors
    /// [`StartError::FileUnreadable`], or [`StartError::FileInvalid`] with the place in the file.
    pub fn load(mut self, path: impl AsRef<Path>) -> Result<Self, StartError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| StartError::FileUnreadable { path: path.into(), source })?;
        let file = ClientFile::parse(&text)
            .map_err(|problem| StartError::FileInvalid { path: path.into(), problem })?;
        self.registered.extend(file);
        Ok(self)
    }

    /// Starts the server.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(self) -> Result<TestAuthorizationServer, StartError> {
        let address = loopback_address(&self.listen)?;
        if self.token_lifetime < Duration::from_secs(1) {
            return Err(StartError::TokenLifetime);
        }
        let mut clients = BTreeMap::new();
        for registration in self.registered.registrations {
            let id = registration.id.clone();
            if let Err((field, problem)) = registration.check() {
                return Err(StartError::Client { id, field, problem });
            }
            if clients.insert(id.clone(), registration).is_some() {
                let problem = "another client has the same: keep one of them".into();
                return Err(StartError::Client { id, field: "id", problem });
            }
        }
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| StartError::Listen { address, source })?;
        let address =
            listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
        let url = format!("http://{address}/");
        let keys = KeyRing::generate().map_err(|_| StartError::Keys)?;
        let dpop = Dpop::for_origins([&*url]).build(self.clock.clone().into());
        // The server begins with this process, and so do the addresses that proofs are made for.
        let dpop = dpop.map_err(StartError::Proofs)?.without_past();
        let state = State::new(url, self.clock, keys, dpop);
        locked(&state.settings).token_lifetime = self.token_lifetime;
        *locked(&state.clients) = clients;
        let users = self.registered.users.into_iter();
        locked(&state.users).0 =
            users.map(|user| (user.name, User::new(&user.password, user.claims))).collect();
        *locked(&state.scope_texts) = self.registered.scopes;
        Ok(TestAuthorizationServer::serve(listener, Arc::new(state)))
    }
}

fn loopback_address(listen: &str) -> Result<SocketAddr, StartError> {
    let named = listen.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let address = named.as_deref().unwrap_or(listen).parse::<SocketAddr>();
    let address = address.map_err(|_| StartError::ListenAddress { value: listen.into() })?;
    if address.ip().is_loopback() { Ok(address) } else { Err(StartError::NotLoopback { address }) }
}

/// Why a [`TestAuthorizationServer`] cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address to listen on is invalid.
    #[error("cannot listen on {value:?}: write address and port, like `127.0.0.1:8080`")]
    ListenAddress {
        /// What was configured.
        value: String,
    },
    /// Other machines could reach it.
    #[error(
        "cannot listen on `{address}`: this server is for development, and gives tokens to every \
         visitor of its page; write a loopback address, like `127.0.0.1:{}`",
        address.port()
    )]
    NotLoopback {
        /// What was configured.
        address: SocketAddr,
    },
    /// The operating system does not let it listen there.
    #[error("cannot listen on `{address}`: is another program listening there?")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The lifetime of tokens is too short.
    #[error("the token lifetime is shorter than a second: write at least 1 s")]
    TokenLifetime,
    /// The file cannot be read.
    #[error("the client file `{}` cannot be read", path.display())]
    FileUnreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file says something that is not understood.
    #[error("in the client file `{}`, {problem}", path.display())]
    FileInvalid {
        /// Which.
        path: PathBuf,
        /// What, and where.
        problem: ClientFileError,
    },
    /// A client cannot work as it is configured.
    #[error("the client `{id}` cannot be registered: `{field}`: {problem}")]
    Client {
        /// Which.
        id: String,
        /// The field, as it is called in the file.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// No keys can be made.
    #[error("no keys can be generated")]
    Keys,
    /// DPoP proofs cannot be checked.
    #[error("DPoP proofs cannot be checked")]
    Proofs(#[source] ConfigError),
}

impl From<StartError> for io::Error {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Listen { source, .. } | StartError::FileUnreadable { source, .. } => source,
            other => Self::other(other),
        }
    }
}
