//! Health, and gRPC's health protocol over real sockets: no caller calls, and nothing moves but the
//! clock.

use std::time::Duration;

use grpc_auth::server::HealthWatch;
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{JwksHealth, ResourceServer, StartupPolicy};
use tests::callers::{settle, until};
use tests::connect;
use tests::kinds::Counting;
use tests::pb::kit::kinds_server::KindsServer;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::server::NamedService;
use tonic::transport::{Channel, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::health_reporter;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const KINDS: &str = <KindsServer<Counting> as NamedService>::NAME;

/// A server with a health service, and who asks it.
struct Watched {
    client: HealthClient<Channel>,
    watch: HealthWatch,
}

impl Watched {
    async fn serve(auth: &ResourceServer) -> Self {
        let (reporter, health) = health_reporter();
        let watch = auth.watch_health(reporter, ["", KINDS]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder()
            .add_service(auth.protect(Counting::default()))
            .add_service(health)
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        Self { client: HealthClient::new(connect(address).await), watch }
    }

    async fn says(&mut self) -> ServingStatus {
        // One watcher is notified after the other.
        loop {
            let (server, service) = (self.says_of("").await, self.says_of(KINDS).await);
            if server == service {
                return service;
            }
        }
    }

    async fn says_of(&mut self, service: &str) -> ServingStatus {
        let request = HealthCheckRequest { service: service.into() };
        self.client.check(request).await.unwrap().into_inner().status()
    }

    async fn comes_to(&mut self, status: ServingStatus) {
        let what = format!("it says {status:?}");
        until(&what, async || self.says().await == status).await;
    }
}

#[tokio::test]
async fn it_serves_from_the_first_keys_on() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.fail(Endpoint::Jwks, Fault::Status(500));
    let auth = issuer.resource_server().start(StartupPolicy::Warm).build().await.unwrap();
    let mut watched = Watched::serve(&auth).await;
    assert_eq!(watched.says().await, ServingStatus::NotServing);
    issuer.clock().advance(MINUTE);
    settle().await;
    assert_eq!(watched.says().await, ServingStatus::NotServing);
    issuer.heal();
    issuer.clock().advance(SECOND);
    watched.comes_to(ServingStatus::Serving).await;
}

#[tokio::test]
async fn a_lazy_server_fetches_keys_to_become_ready() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().start(StartupPolicy::Lazy).build().await.unwrap();
    settle().await;
    assert_eq!(issuer.requests(Endpoint::Jwks), 0);
    let mut watched = Watched::serve(&auth).await;
    watched.comes_to(ServingStatus::Serving).await;

    let lazy = issuer.resource_server().start(StartupPolicy::Lazy).build().await.unwrap();
    assert_eq!(lazy.key_sets().next().unwrap().1, JwksHealth::Idle);
    assert!(!lazy.health().is_ready());
    until("asking has made it ready", async || lazy.health().is_ready()).await;
}

/// The issuer hangs, so no fetch ends: time alone ends the keys.
#[tokio::test]
async fn keys_that_grow_too_old_end_the_service_by_the_clock_and_it_heals() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().build().await.unwrap();
    let mut watched = Watched::serve(&auth).await;
    assert_eq!(watched.says().await, ServingStatus::Serving);
    let mut changes = watched.client.clone();
    let request = HealthCheckRequest { service: KINDS.into() };
    let mut changes = changes.watch(request).await.unwrap().into_inner();
    let mut change = async || changes.message().await.unwrap().unwrap().status();
    assert_eq!(change().await, ServingStatus::Serving);

    issuer.fail(Endpoint::Jwks, Fault::Hang);
    issuer.clock().advance(3 * HOUR);
    assert_eq!(change().await, ServingStatus::NotServing);
    assert_eq!(watched.says().await, ServingStatus::NotServing);

    issuer.heal();
    // The request that hangs runs into its limit; the next one is made within a second.
    until("it is asked", async || issuer.requests(Endpoint::Jwks) > 1).await;
    issuer.clock().advance(5 * SECOND);
    until("the keys are there", async || {
        issuer.clock().advance(SECOND);
        settle().await;
        auth.key_sets().all(|(_, health)| health == JwksHealth::Fresh)
    })
    .await;
    assert_eq!(change().await, ServingStatus::Serving);
    watched.comes_to(ServingStatus::Serving).await;
}

#[tokio::test]
async fn stale_keys_serve_to_the_end_and_not_beyond() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().build().await.unwrap();
    let mut watched = Watched::serve(&auth).await;
    issuer.fail(Endpoint::Jwks, Fault::Refuse);
    // Fresh for 15 minutes, and kept for ten times as long.
    for _ in 0..149 {
        issuer.clock().advance(MINUTE);
        settle().await;
        assert!(auth.health().is_ready());
        assert_eq!(watched.says().await, ServingStatus::Serving);
    }
    assert!(matches!(auth.key_sets().next().unwrap().1, JwksHealth::Stale { .. }));
    issuer.clock().advance(MINUTE);
    watched.comes_to(ServingStatus::NotServing).await;
    assert!(!auth.health().is_ready());
}

#[tokio::test]
async fn a_watched_server_that_nobody_calls_keeps_its_keys() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().build().await.unwrap();
    let mut watched = Watched::serve(&auth).await;
    for minute in 1..=24 * 60 {
        issuer.clock().advance(MINUTE);
        let due = minute / 15;
        until("the keys are fetched again", async || issuer.requests(Endpoint::Jwks) > due).await;
        until("they are fresh", async || {
            auth.key_sets().all(|(_, health)| health == JwksHealth::Fresh)
        })
        .await;
    }
    assert_eq!(watched.says().await, ServingStatus::Serving);
}

#[tokio::test]
async fn it_ends_when_it_is_dropped() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().build().await.unwrap();
    let Watched { mut client, watch } = Watched::serve(&auth).await;
    drop(watch);
    issuer.fail(Endpoint::Jwks, Fault::Refuse);
    let asked = issuer.requests(Endpoint::Jwks);
    issuer.clock().advance(24 * HOUR);
    settle().await;
    let request = HealthCheckRequest { service: KINDS.into() };
    assert_eq!(client.check(request).await.unwrap().into_inner().status(), ServingStatus::Serving);
    assert_eq!(issuer.requests(Endpoint::Jwks), asked);
}

#[tokio::test]
async fn one_issuer_of_several_that_is_down_is_told_by_its_name() {
    let (up, down) =
        tokio::join!(TestAuthorizationServer::start(), TestAuthorizationServer::start());
    let (up, down) = (up.unwrap(), down.unwrap());
    down.fail(Endpoint::Discovery, Fault::Status(404));
    let other = grpc_auth::Issuer::discover(down.url());
    let auth = up.resource_server().issuer(other).start(StartupPolicy::Warm).build().await.unwrap();
    let health = auth.health();
    assert!(!health.is_ready());
    let found: Vec<_> = health.key_sets().collect();
    assert_eq!(found, [(up.url(), JwksHealth::Fresh), (down.url(), JwksHealth::Unavailable)]);
    assert!(health.key_sets().any(|(_, health)| health.is_usable()));
}
