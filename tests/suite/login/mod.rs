//! Logging a person in from a program, over real sockets, against an authorization server that says
//! what the test wants.

mod browser;
mod callback;
mod device;
mod faults;
mod logout;
mod mix_up;
mod server;
mod start;
mod store;
mod together;
mod visit;

use std::time::Duration;

use grpc_auth::ClientAuthentication;
use grpc_auth::client::OAuthClient;
use grpc_auth::login::AuthorizationCodeFlow;
use grpc_auth::login::{Login, LoginError, LoginOutcome};
use grpc_auth::testing::ManualClock;
use tests::told;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use url::Url;

use self::server::Server;
use self::visit::{Start, Visit};

const CLIENT: &str = "orders-cli";

/// A server, and a client of it by a clock that is moved by hand.
struct Kit {
    server: Server,
    clock: ManualClock,
}

/// A login that waits for its answer.
struct Running {
    task: JoinHandle<Result<LoginOutcome, LoginError>>,
    /// What the browser is opened with.
    opened: UnboundedReceiver<Url>,
}

impl Kit {
    async fn start() -> Self {
        let clock = ManualClock::new();
        Self { server: Server::start(clock.clone()).await, clock }
    }

    fn client(&self) -> OAuthClient {
        let program = ClientAuthentication::none(CLIENT);
        OAuthClient::oidc(self.server.url(), program).clock(self.clock.clone())
    }

    fn login(&self) -> Login<AuthorizationCodeFlow> {
        self.client().login()
    }

    /// Runs a login up to where its browser is open.
    async fn open(&self, login: Login<AuthorizationCodeFlow>) -> (Running, Visit) {
        let mut running = Running::start(login);
        let visit = running.visit().await;
        self.server.expect_nonce(visit.nonce());
        (running, visit)
    }
}

impl Running {
    fn start(login: Login<AuthorizationCodeFlow>) -> Self {
        let (sender, opened) = unbounded_channel();
        let login = login.browser(move |url| {
            let _ = sender.send(url.clone());
            Ok(())
        });
        Self { task: tokio::spawn(async move { login.run().await }), opened }
    }

    /// The browser goes where the file leads.
    async fn visit(&mut self) -> Visit {
        Start::in_file(&self.opened().await).begin().await
    }

    async fn opened(&mut self) -> Url {
        match in_time(self.opened.recv()).await {
            Some(url) => url,
            None => panic!("no browser was opened"),
        }
    }

    /// How it ends.
    async fn end(self) -> Result<LoginOutcome, LoginError> {
        in_time(self.task).await.unwrap()
    }

    async fn error(self) -> String {
        told(&self.end().await.unwrap_err())
    }
}

/// The time limit is there for tests that fail.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.unwrap()
}
