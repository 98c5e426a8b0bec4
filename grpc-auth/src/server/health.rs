//! Whether a resource server can judge tokens at the moment.

use std::sync::Arc;

use super::ResourceServer;
use crate::jwks::event::JwksHealth;

/// Whether tokens can be checked at the moment; made by [`ResourceServer::health`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it tells how the server is, and does nothing about it"]
pub struct VerifierHealth {
    key_sets: Vec<(String, JwksHealth)>,
    failures: Vec<(String, Arc<str>)>,
}

impl VerifierHealth {
    /// Whether JWTs of every issuer can be verified: each has usable keys, fresh or stale. It says
    /// nothing of introspection endpoints: whether they answer shows when they are asked. An issuer
    /// of opaque tokens alone is configured without keys, with `Issuer::introspected`.
    ///
    /// A server with several issuers may rather serve some callers than none when one issuer is
    /// down: it asks whether any of [`key_sets`](Self::key_sets) is
    /// [usable](JwksHealth::is_usable).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.key_sets.iter().all(|(_, health)| health.is_usable())
    }

    /// Each issuer whose last key fetch failed, and why: the URL, the whole cause, and what to set,
    /// as it is logged.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_auth::StartupPolicy;
    /// use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
    ///
    /// let issuer = TestAuthorizationServer::start().await?;
    /// let up = issuer.resource_server().build().await?;
    /// assert_eq!(up.health().key_set_failures().count(), 0);
    ///
    /// issuer.fail(Endpoint::Jwks, Fault::Status(404));
    /// let warm = issuer.resource_server().start(StartupPolicy::Warm);
    /// let down = warm.build().await?.health();
    /// let (_, cause) = down.key_set_failures().next().unwrap();
    /// assert!(cause.contains("the server answers with HTTP status 404"));
    /// # Ok(()) }
    /// ```
    pub fn key_set_failures(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.failures.iter().map(|(issuer, cause)| (&**issuer, &**cause))
    }

    /// Each issuer and how its keys are.
    pub fn key_sets(&self) -> impl ExactSizeIterator<Item = (&str, JwksHealth)> {
        self.key_sets.iter().map(|(issuer, health)| (&**issuer, *health))
    }
}

impl ResourceServer {
    /// Tells whether tokens can be checked at the moment: for a readiness probe, or with the
    /// feature `health` for gRPC's health protocol (`ResourceServer::watch_health`).
    ///
    /// Asking counts as use, and waits for nothing: keys that are due are fetched in the
    /// background, as for a call. So a server that gets no calls until it is ready becomes ready,
    /// and one that is asked now and then keeps its keys overnight.
    ///
    /// It is no liveness probe: to start the server again mends no issuer.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_auth::{JwksHealth, StartupPolicy};
    /// use grpc_auth::testing::{TestAuthorizationServer, Endpoint, Fault};
    ///
    /// let issuer = TestAuthorizationServer::start().await?;
    /// let up = issuer.resource_server().build().await?;
    /// assert!(up.health().is_ready());
    ///
    /// issuer.fail(Endpoint::Jwks, Fault::Status(404));
    /// let down = issuer.resource_server().start(StartupPolicy::Warm).build().await?;
    /// assert!(!down.health().is_ready());
    /// assert_eq!(down.health().key_sets().next(), Some((issuer.url(), JwksHealth::Unavailable)));
    /// # Ok(()) }
    /// ```
    pub fn health(&self) -> VerifierHealth {
        let issuers = self.inner.verifier.jwt.issuers();
        issuers.iter().for_each(|issuer| issuer.keys.keep_in_use());
        VerifierHealth {
            failures: issuers
                .iter()
                .filter_map(|issuer| {
                    Some((issuer.keys.issuer().to_owned(), issuer.keys.failure()?))
                })
                .collect(),
            key_sets: self.key_sets().map(|(issuer, health)| (issuer.to_owned(), health)).collect(),
        }
    }
}
