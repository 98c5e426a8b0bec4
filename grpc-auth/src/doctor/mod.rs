//! A doctor for connections (feature `client`): why does a gRPC client not get through, in one
//! sentence, with what to do.
//!
//! A [`Doctor`] takes the steps of a client one by one, over real sockets: it looks up the name,
//! connects, agrees on TLS, begins HTTP/2, and calls a method. The first that fails is explained, by a
//! [`Diagnosis`] with a stable name and an exit code of its own.

mod answer;
mod connect;
mod diagnosis;
mod examination;
mod explanation;
mod handshake;
mod http2;
mod probe;
mod recording_verifier;
mod redaction;
mod report;
mod sanitize;
mod target;
mod tee_stream;
mod words;

use std::fmt;
use std::time::Duration;

use http::uri::PathAndQuery;

pub use diagnosis::{Diagnosis, Stage};
pub use report::{Report, Step};

use crate::clock::Clock;
use crate::error::ConfigError;
use crate::tls::client::ClientTls;
use crate::token::bearer::BearerToken;
use connect::Lookup;
use examination::Visit;
use target::Target;

/// Most servers have it, and those that have not say UNIMPLEMENTED, which is as good.
const HEALTH_CHECK: PathAndQuery = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
const STEP_TIMEOUT: Duration = Duration::from_secs(2);
const SLOW_AFTER: Duration = Duration::from_secs(1);

/// Examines the way to a gRPC server.
///
/// An examination takes at most 9 s, each of its steps at most 2 s; it makes a handful of connections,
/// calls one method once with an empty message, and reads at most 16 KiB of what comes back. The
/// server's certificate is verified as any client of this crate does it, by the clock that was
/// given. A token is sent over a connection that is verified, or that does not leave the
/// machine, and over no other; it is not in the report, not even where the server repeats it.
///
/// # Examples
/// ```
/// use grpc_auth::doctor::{Diagnosis, Doctor};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let port = listener.local_addr()?.port();
/// # let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
/// # let (_, health) = tonic_health::server::health_reporter();
/// # let server = tonic::transport::Server::builder().add_service(health);
/// # tokio::spawn(server.serve_with_incoming(incoming));
/// // A server without TLS.
/// let report = Doctor::new(&format!("http://127.0.0.1:{port}"))?.examine().await;
/// assert!(report.diagnosis().is_healthy());
///
/// let report = Doctor::new(&format!("https://127.0.0.1:{port}"))?.examine().await;
/// assert!(matches!(report.diagnosis(), Diagnosis::PlaintextOnTlsPort { .. }), "{report}");
/// assert_eq!(report.diagnosis().exit_code(), 20);
/// assert!(report.fix().unwrap().contains("Write `http://127.0.0.1:"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Doctor {
    target: Target,
    tls: Option<ClientTls>,
    token: Option<BearerToken>,
    method: PathAndQuery,
    step_timeout: Duration,
    slow_after: Duration,
    clock: Clock,
    lookup: Lookup,
}

impl Doctor {
    /// A doctor for the server at this address, like `https://echo.example.com:443`, or
    /// `http://localhost:50051` for one without TLS.
    ///
    /// # Errors
    /// [`ConfigError::Value`] when it is no such address, [`ConfigError::Setting`] when there
    /// is a user in it.
    pub fn new(endpoint: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            target: Target::parse(endpoint)?,
            tls: None,
            token: None,
            method: HEALTH_CHECK,
            step_timeout: STEP_TIMEOUT,
            slow_after: SLOW_AFTER,
            clock: Clock::system(),
            lookup: connect::lookup,
        })
    }

    /// Uses the roots, the identity and the server name that the client will use. By default the
    /// system's roots.
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Calls with this token, where it is safe to.
    #[must_use]
    pub fn token(mut self, token: BearerToken) -> Self {
        self.token = Some(token);
        self
    }

    /// Calls this method, like `echo.Echo/UnaryEcho`, with an empty message: one that does nothing
    /// when it is asked nothing. By default `grpc.health.v1.Health/Check`.
    ///
    /// # Errors
    /// [`ConfigError::Value`] when it is not written so.
    pub fn method(mut self, method: &str) -> Result<Self, ConfigError> {
        self.method = target::method(method)?;
        Ok(self)
    }

    /// Gives each step this long, in the place of 2 s. All together have 9 s, whatever is set.
    #[must_use]
    pub const fn step_timeout(mut self, timeout: Duration) -> Self {
        self.step_timeout = timeout;
        self
    }

    /// Calls a server slow of which any step takes this long, in the place of 1 s.
    #[must_use]
    pub const fn slow_after(mut self, duration: Duration) -> Self {
        self.slow_after = duration;
        self
    }

    /// Goes by this clock, in the place of the system's: timeouts, certificates, and the server's
    /// own time.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Takes the steps, and says what came of them.
    pub async fn examine(&self) -> Report {
        Visit::new(self).report().await
    }
}

impl fmt::Debug for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doctor")
            .field("endpoint", &self.target.url())
            .field("tls", &self.tls)
            .field("method", &self.method.as_str())
            .finish_non_exhaustive()
    }
}
