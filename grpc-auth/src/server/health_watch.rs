//! A resource server's health over gRPC's health protocol.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tracing::{info, warn};

use super::ResourceServer;

/// Clocks are set, and machines sleep: nothing is trusted for longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Whatever the times say, it does not spin.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// Keeps a health service up to date for as long as it lives; made by
/// [`ResourceServer::watch_health`].
#[derive(Debug)]
#[must_use = "the health service gets no more updates once this is dropped"]
pub struct HealthWatch(JoinHandle<()>);

impl ResourceServer {
    /// Keeps these services of a health service (`grpc.health.v1.Health`) up to date: SERVING while
    /// [`health`](Self::health) is ready, NOT_SERVING until the first keys are there and when they
    /// may no longer be used. A name is a service's full one; the empty name stands for the whole
    /// server, and is SERVING from the beginning unless it is named here.
    ///
    /// It uses the keys as calls would, so they stay fresh without calls. It ends when the
    /// [`HealthWatch`] is dropped, and leaves what it said last.
    ///
    /// ```
    /// # mod echo { pub use tonic_health::pb::health_server::{Health as Echo, HealthServer as EchoServer}; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_auth::StartupPolicy;
    /// use grpc_auth::testing::{TestAuthorizationServer, Endpoint, Fault};
    /// use tonic_health::pb::HealthCheckRequest;
    /// use tonic_health::pb::health_client::HealthClient;
    /// use tonic_health::pb::health_check_response::ServingStatus::{NotServing, Serving};
    /// use tonic_health::server::health_reporter;
    ///
    /// let issuer = TestAuthorizationServer::start().await?;
    /// let auth = issuer.resource_server().build().await?;
    /// let (reporter, health) = health_reporter();
    /// let watch = auth.watch_health(reporter, ["", "echo.Echo"]);
    /// // .add_service(health) beside .add_service(auth.protect(EchoService))
    ///
    /// let mut client = HealthClient::new(health);
    /// let request = || HealthCheckRequest { service: "echo.Echo".into() };
    /// let answer = client.check(request()).await?;
    /// assert_eq!(answer.into_inner().status(), Serving);
    ///
    /// issuer.fail(Endpoint::Jwks, Fault::Status(404));
    /// let down = issuer.resource_server().start(StartupPolicy::Warm).build().await?;
    /// let (reporter, health) = health_reporter();
    /// let watch = down.watch_health(reporter, ["echo.Echo"]);
    /// let answer = HealthClient::new(health).check(request()).await?;
    /// assert_eq!(answer.into_inner().status(), NotServing);
    /// # drop(watch);
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn watch_health<S: Into<String>>(
        &self,
        reporter: HealthReporter,
        services: impl IntoIterator<Item = S>,
    ) -> HealthWatch {
        let auth = self.clone();
        let services = services.into_iter().map(Into::into).collect();
        let mut told = Told { reporter, services, is_ready: None };
        let mut watching = Box::pin(async move {
            // Subscribed before the first look: no fetch ends unnoticed.
            let mut settled = auth.settled();
            loop {
                told.tell(&auth).await;
                let clock = auth.inner.verifier.jwt.clock();
                let _ = clock.timeout(auth.pause(), any_changed(&mut settled)).await;
            }
        });
        // The first status is set before this returns. Nothing is woken: the task polls again at once.
        let _ = watching.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        HealthWatch(tokio::spawn(watching))
    }

    fn settled(&self) -> Vec<watch::Receiver<()>> {
        let issuers = self.inner.verifier.jwt.issuers().iter();
        issuers.filter_map(|issuer| issuer.keys.settled()).collect()
    }

    /// Until when nothing changes but by a fetch.
    fn pause(&self) -> Duration {
        let verifier = &self.inner.verifier;
        let now = verifier.jwt.clock().now();
        let changes = verifier.jwt.issuers().iter().filter_map(|issuer| issuer.keys.changes_at());
        let next = changes.min().and_then(|time| time.duration_since(now).ok());
        next.unwrap_or(LONGEST_PAUSE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }
}

/// What the health service was told.
struct Told {
    reporter: HealthReporter,
    services: Vec<String>,
    /// None before the first time.
    is_ready: Option<bool>,
}

impl Told {
    /// Watchers get every update, so only changes are sent.
    async fn tell(&mut self, auth: &ResourceServer) {
        let health = auth.health();
        let is_ready = health.is_ready();
        if self.is_ready.replace(is_ready) == Some(is_ready) {
            return;
        }
        if is_ready {
            info!(target: "grpc_auth", "serving: the tokens of every issuer can be checked");
        }
        for (issuer, health) in health.key_sets().filter(|(_, health)| !health.is_usable()) {
            warn!(target: "grpc_auth", issuer, ?health, "not serving: an issuer's keys cannot be used");
        }
        let status = if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in &self.services {
            self.reporter.set_service_status(service, status).await;
        }
    }
}

impl Drop for HealthWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits until one of them changes; without any it waits for ever.
async fn any_changed(settled: &mut [watch::Receiver<()>]) {
    let mut changes: Vec<_> = settled.iter_mut().map(|one| Box::pin(one.changed())).collect();
    poll_fn(|cx| {
        let has_changed = changes.iter_mut().any(|change| change.as_mut().poll(cx).is_ready());
        if has_changed { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
