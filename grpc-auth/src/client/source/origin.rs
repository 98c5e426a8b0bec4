//! Where the tokens of a source come from.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};

use crate::client::access_token::AccessToken;
use crate::client::dpop::DpopKey;
use crate::client::error::TokenError;
use crate::client::renewal::Life;
use crate::client::request::TokenRequest;
use crate::client::response::TokenResponse;
use crate::client::server::Server;
use crate::clock::Clock;
use crate::clock::jitter::roll;
use crate::login::session::Session;
use crate::panics::caught;
use crate::token::bearer::BearerToken;

/// For how long a token is used whose lifetime nobody tells (X1).
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(300);
/// How long a function or a file may take.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A file that has more in it than twice what a token may have, holds none.
const MAX_FILE_BYTES: u64 = 16 * 1024;

pub(crate) enum Origin {
    Server(Box<Granter>),
    Login(Arc<Session>),
    File(PathBuf),
    Given(BearerToken),
    Function(Box<Function>),
    /// Each call names its own.
    Caller,
}

type Function = dyn Fn() -> Answer + Send + Sync;
type Answer = Pin<Box<dyn Future<Output = Result<AccessToken, BoxError>> + Send>>;
type BoxError = Box<dyn Error + Send + Sync>;

/// A token that came, and its times. It has no number yet.
pub(super) struct Granted {
    token: AccessToken,
    pub(super) life: Life,
    /// Whether it may be the one that is held already.
    is_reread: bool,
}

impl Origin {
    pub(super) fn function<F, R, E>(function: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<AccessToken, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self::Function(Box::new(move || {
            let answer = function();
            Box::pin(async move { answer.await.map_err(Into::into) })
        }))
    }

    /// Gets a token.
    pub(super) async fn grant(&self, clock: &Clock) -> Result<Granted, TokenError> {
        let asked_at = clock.now();
        match self {
            Self::Server(granter) => granter.grant(asked_at).await,
            Self::Login(session) => Ok(Granted::from_response(session.next().await?, asked_at)),
            Self::File(path) => {
                let read = tokio::task::spawn_blocking({
                    let path = path.clone();
                    move || read_file(&path)
                });
                let problem = |problem: String| TokenError::File {
                    path: path.clone(),
                    problem: problem.into(),
                };
                let read = clock.timeout(LONGEST_WAIT, read).await;
                let token = match read {
                    Some(Ok(read)) => read.map_err(|error| problem(error.to_string()))?,
                    Some(Err(_)) => return Err(TokenError::GivenUp),
                    None => return Err(problem("it cannot be read within 30 s".into())),
                };
                let token = AccessToken::bearer(token);
                let end = token.expires_at;
                if end.is_some_and(|end| end <= asked_at) {
                    return Err(problem("the token in it has expired".into()));
                }
                Ok(Granted { life: Life::read(asked_at, end, roll()), token, is_reread: true })
            }
            Self::Given(_) => Err(TokenError::Expired { help: "write a new one" }),
            Self::Caller => Err(TokenError::NoCaller),
            Self::Function(function) => {
                let answer = clock.timeout(LONGEST_WAIT, function()).await;
                let timeout = || Err("it does not answer within 30 s".into());
                let token = answer.unwrap_or_else(timeout).map_err(custom)?;
                let left = token.expires_at.map(|end| end.duration_since(asked_at));
                let left = left.map(Result::unwrap_or_default);
                if left.is_some_and(|left| left.is_zero()) {
                    return Err(custom("the token that it gave has expired".into()));
                }
                Ok(Granted::new(token, asked_at, left.unwrap_or(UNKNOWN_LIFETIME)))
            }
        }
    }

    /// The token that is there without asking.
    pub(super) fn given(&self) -> Option<Granted> {
        let Self::Given(token) = self else { return None };
        let token = AccessToken::bearer(token.clone());
        Some(Granted { life: Life::given(token.expires_at), token, is_reread: false })
    }

    /// The name in metrics and logs: it comes from the configuration.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Server(granter) => granter.server.name(),
            Self::Login(session) => session.name(),
            Self::File(_) => "file",
            Self::Given(_) => "given",
            Self::Function(_) => "function",
            Self::Caller => "caller",
        }
    }

    pub(super) fn grant_type(&self) -> Option<&'static str> {
        match self {
            Self::Server(granter) => Some(granter.request.grant.name()),
            Self::Login(_) => Some("refresh_token"),
            Self::File(_) | Self::Given(_) | Self::Function(_) | Self::Caller => None,
        }
    }

    /// The key that tokens are bound to.
    pub(crate) fn dpop(&self) -> Option<&DpopKey> {
        match self {
            Self::Server(granter) => granter.request.dpop.as_ref(),
            Self::Login(_) | Self::File(_) | Self::Given(_) | Self::Function(_) | Self::Caller => {
                None
            }
        }
    }

    /// Whether asking again can bring another token.
    pub(super) fn is_renewable(&self) -> bool {
        !matches!(self, Self::Given(_) | Self::Caller)
    }

    /// How long a call waits for it.
    pub(super) fn timeout(&self) -> Duration {
        match self {
            Self::Server(granter) => granter.request.client.timeout,
            Self::File(_) | Self::Given(_) | Self::Function(_) | Self::Login(_) | Self::Caller => {
                LONGEST_WAIT
            }
        }
    }
}

/// A source may be made of other sources: their errors stay what they are.
fn custom(error: BoxError) -> TokenError {
    match error.downcast::<TokenError>() {
        Ok(error) => *error,
        Err(error) => TokenError::Custom(error.into()),
    }
}

/// Asks an authorization server.
pub(crate) struct Granter {
    server: Arc<Server>,
    request: TokenRequest,
    /// The last one it gave (RFC 6749 §6).
    refresh_token: Mutex<Option<SecretString>>,
}

impl Granter {
    pub(crate) fn new(server: Arc<Server>, request: TokenRequest) -> Self {
        let refresh_token = Mutex::new(request.grant.refresh_token().cloned());
        Self { server, request, refresh_token }
    }

    async fn grant(&self, asked_at: SystemTime) -> Result<Granted, TokenError> {
        let refresh_token = self.refresh_token().clone();
        let response = self.request.send(&self.server, refresh_token.as_ref()).await?;
        if let Some(next) = &response.refresh_token {
            self.rotate(refresh_token.as_ref(), next).await;
        }
        Ok(Granted::from_response(response, asked_at))
    }

    /// The server gave another one, and need not take the old one any more.
    async fn rotate(&self, before: Option<&SecretString>, next: &SecretString) {
        if before.is_none_or(|before| before.expose_secret() == next.expose_secret()) {
            return;
        }
        *self.refresh_token() = Some(next.clone());
        if let Some(hook) = &self.request.on_rotation
            && caught(async { hook(next) }).await.is_err()
        {
            tracing::error!(
                target: "grpc_auth",
                source = self.server.name(),
                "the callback for refresh tokens panicked"
            );
        }
    }

    fn refresh_token(&self) -> MutexGuard<'_, Option<SecretString>> {
        self.refresh_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Granted {
    fn from_response(response: TokenResponse, asked_at: SystemTime) -> Self {
        let lifetime = response.expires_in.unwrap_or(UNKNOWN_LIFETIME);
        Self::new(AccessToken::granted(response, asked_at + lifetime), asked_at, lifetime)
    }

    fn new(token: AccessToken, asked_at: SystemTime, lifetime: Duration) -> Self {
        Self { token, life: Life::granted(asked_at, lifetime, roll()), is_reread: false }
    }

    /// Whether it is this token, read again.
    pub(super) fn is(&self, held: &AccessToken) -> bool {
        self.is_reread && held.token.as_bytes() == self.token.token.as_bytes()
    }

    pub(super) fn numbered(self, generation: u64) -> AccessToken {
        AccessToken { generation, ..self.token }
    }
}

/// The token in a file, without the white space around it.
pub(super) fn read_file(path: &Path) -> io::Result<BearerToken> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    let text = SecretString::from(text);
    BearerToken::parse(text.expose_secret().trim()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "it holds no token, or one of more than 8 KiB")
    })
}
