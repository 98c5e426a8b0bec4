//! Tokens that are simply there: kept, renewed early, got once for all who wait, and what happens
//! when the authorization server does not play along.

mod faults;

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use allocation_counter::measure;
use grpc_auth::client::{AccessToken, OAuthClient, TokenError, TokenSource};
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{ClientAuthentication, ClientSecret};
use tests::block_on;
use tests::callers::{settle, until};
use tests::logs::Logs;
use tests::told;
use tokio::task::JoinSet;

const SECOND: Duration = Duration::from_secs(1);

/// An authorization server, a client of it, and its tokens.
struct Kit {
    issuer: TestAuthorizationServer,
    client: OAuthClient,
    tokens: TokenSource,
}

impl Kit {
    async fn start() -> Self {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        issuer.add_client("orders", "s3cret", ["read:word", "write:word"]);
        let orders = ClientAuthentication::client_secret_basic("orders", "s3cret");
        let client = OAuthClient::oidc(issuer.url(), orders).clock(issuer.clock().clone());
        let request = client.client_credentials().audience(TestAuthorizationServer::AUDIENCE);
        let tokens = request.build().unwrap();
        Self { issuer, client, tokens }
    }

    fn asked(&self) -> u64 {
        self.issuer.requests(Endpoint::Token)
    }

    fn advance(&self, seconds: u32) {
        self.issuer.clock().advance(seconds * SECOND);
    }

    async fn token(&self) -> Result<Arc<AccessToken>, TokenError> {
        self.tokens.token().await
    }
}

#[tokio::test]
async fn a_token_is_got_once_and_a_protected_service_takes_it() {
    let kit = Kit::start().await;
    assert_eq!(kit.asked(), 0);
    let token = kit.token().await.unwrap();
    for _ in 0..3 {
        assert!(Arc::ptr_eq(&token, &kit.tokens.clone().token().await.unwrap()));
    }
    assert_eq!(kit.asked(), 1);
    assert_eq!(token.scope(), Some("read:word write:word"));
    let expires_at = kit.issuer.clock().now() + TestAuthorizationServer::TOKEN_LIFETIME;
    assert_eq!(token.expires_at(), Some(expires_at));
    assert!(token.header_value().is_sensitive());
    let auth = kit.issuer.resource_server().build().await.unwrap();
    assert_eq!(auth.verify(token.token()).await.unwrap().client_id(), Some("orders"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_tasks_that_wait_at_expiry_cause_one_request() {
    let kit = Kit::start().await;
    let old = kit.token().await.unwrap();
    kit.advance(3600);
    let mut calls = JoinSet::new();
    for _ in 0..10_000 {
        let tokens = kit.tokens.clone();
        calls.spawn(async move { tokens.token().await });
    }
    let new = kit.token().await.unwrap();
    assert!(!Arc::ptr_eq(&old, &new));
    while let Some(call) = calls.join_next().await {
        assert!(Arc::ptr_eq(&new, &call.unwrap().unwrap()));
    }
    assert_eq!(kit.asked(), 2);
}

#[tokio::test]
async fn a_stale_token_serves_while_another_is_got_in_the_background() {
    let kit = Kit::start().await;
    let old = kit.token().await.unwrap();
    kit.advance(3299);
    assert!(Arc::ptr_eq(&old, &kit.token().await.unwrap()));
    settle().await;
    assert_eq!(kit.asked(), 1);
    // Chance takes 30 s at most.
    kit.advance(31);
    assert!(Arc::ptr_eq(&old, &kit.token().await.unwrap()));
    until("there is another", async || !Arc::ptr_eq(&old, &kit.token().await.unwrap())).await;
    assert_eq!(kit.asked(), 2);
}

/// Each future is dropped after another number of polls; another call is asking the same.
#[tokio::test]
async fn a_call_that_is_dropped_takes_nobody_with_it() {
    for polls in 0.. {
        let kit = Kit::start().await;
        let mut dropped = Box::pin(kit.token());
        for _ in 0..polls {
            let polled = dropped.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if polled.is_ready() {
                assert!(polls > 2);
                return;
            }
            tokio::task::yield_now().await;
        }
        drop(dropped);
        kit.token().await.unwrap();
        assert_eq!(kit.asked(), 1, "dropped after {polls} polls");
    }
}

/// The request for a token ends with the runtime in which it was begun.
#[test]
fn a_runtime_that_ends_takes_nobody_with_it() {
    block_on(async {
        let kit = Kit::start().await;
        kit.issuer.fail(Endpoint::Token, Fault::Hang);
        let tokens = kit.tokens.clone();
        let began = std::thread::spawn(move || {
            block_on(async {
                let waits = tokio::spawn(async move { tokens.token().await });
                settle().await;
                waits.abort();
            });
        });
        tokio::task::spawn_blocking(|| began.join().unwrap()).await.unwrap();
        kit.issuer.heal();
        kit.token().await.unwrap();
    });
}

#[tokio::test]
async fn sources_of_one_client_with_equal_parameters_share_their_tokens() {
    let kit = Kit::start().await;
    let request = |client: &OAuthClient| {
        client.client_credentials().audience("https://a.example").resource("https://a.example")
    };
    let first = request(&kit.client).scopes(["write:word", "read:word"]).build().unwrap();
    let same = request(&kit.client.clone()).scopes(["read:word", "write:word", "read:word"]);
    let token = first.token().await.unwrap();
    assert!(Arc::ptr_eq(&token, &same.build().unwrap().token().await.unwrap()));
    assert_eq!(kit.asked(), 1);
    for other in [
        request(&kit.client).scopes(["read:word"]),
        request(&kit.client).scopes(["read:word", "write:word"]).resource("https://b.example"),
        request(&kit.client).scopes(["read:word", "write:word"]).organization("org_1"),
        request(&kit.client).scopes(["read:word", "write:word"]).parameter("more", "1"),
        request(&kit.client).scopes(["read:word", "write:word"]).audience("https://c.example"),
        // Made with other settings.
        request(&kit.client.clone().timeout(SECOND)).scopes(["read:word", "write:word"]),
    ] {
        let asked = kit.asked();
        let shown = format!("{other:?}");
        // Two resources are one parameter twice, which this server does not take.
        let _ = other.build().unwrap().token().await;
        assert_eq!(kit.asked(), asked + 1, "{shown}");
    }
    // No source holds it any more, so it is dropped.
    drop(first);
    let asked = kit.asked();
    let again = request(&kit.client).scopes(["read:word", "write:word"]).build().unwrap();
    again.token().await.unwrap();
    assert_eq!(kit.asked(), asked + 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_or_forward_stops_nothing() {
    let kit = Kit::start().await;
    let old = kit.token().await.unwrap();
    kit.issuer.clock().rewind(7200 * SECOND);
    // From the future: it serves, and is renewed.
    assert!(Arc::ptr_eq(&old, &kit.token().await.unwrap()));
    until("there is another", async || !Arc::ptr_eq(&old, &kit.token().await.unwrap())).await;
    assert_eq!(kit.asked(), 2);
    kit.advance(24 * 3600);
    kit.token().await.unwrap();
    assert_eq!(kit.asked(), 3);
    // A pause that was decided in the future is over.
    kit.advance(3600);
    kit.issuer.fail(Endpoint::Token, Fault::RetryAfter { status: 503, seconds: 300 });
    kit.token().await.unwrap_err();
    kit.issuer.heal();
    kit.token().await.unwrap_err();
    kit.issuer.clock().rewind(SECOND);
    kit.token().await.unwrap();
}

#[tokio::test]
async fn secrets_of_any_letters_arrive_as_they_are() {
    let id = "orders:api %41+&=";
    for secret in ["s3:cr%t", "a b+c", "ümläut ☃", "%20%2B%25", "a&b=c;d", ":", " ", "\u{7f}\"'\\"]
    {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        issuer.add_client(id, secret, ["read:word"]);
        for client in [
            ClientAuthentication::client_secret_basic(id, secret),
            ClientAuthentication::client_secret_post(id, secret),
        ] {
            let shown = format!("{client:?}");
            let client = OAuthClient::oidc(issuer.url(), client).clock(issuer.clock().clone());
            let tokens = client.client_credentials().build().unwrap();
            tokens.token().await.unwrap_or_else(|error| panic!("{shown} {secret:?}: {error}"));
        }
    }
}

#[tokio::test]
async fn a_secret_in_a_file_that_was_rotated_is_read_again() {
    let directory = Directory::new("secret");
    let path = directory.write("secret", "old\n");
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.add_client("orders", "old", ["read:word", "write:word"]);
    let secret = ClientSecret::from_file(&path).unwrap();
    let client = ClientAuthentication::client_secret_basic("orders", secret);
    let client = OAuthClient::oidc(issuer.url(), client).clock(issuer.clock().clone());
    let tokens = client.client_credentials().build().unwrap();
    tokens.token().await.unwrap();

    issuer.add_client("orders", "new", ["read:word", "write:word"]);
    directory.write("secret", "new\n");
    issuer.clock().advance(3600 * SECOND);
    // Several at a time: whichever reads it first, all are heard.
    let sources =
        ["read:word", "write:word"].map(|scope| client.client_credentials().scopes([scope]));
    let sources = sources.map(|request| request.build().unwrap());
    let [one, other] = &sources;
    let (first, second, third) = tokio::join!(one.token(), other.token(), tokens.token());
    first.and(second).and(third).unwrap();

    // One that is as wrong as before is sent once.
    issuer.add_client("orders", "newest", ["read:word", "write:word"]);
    issuer.clock().advance(3600 * SECOND);
    let asked = issuer.requests(Endpoint::Token);
    assert!(tokens.token().await.unwrap_err().is_permanent());
    assert_eq!(issuer.requests(Endpoint::Token), asked + 1);
}

/// Files of a test, removed with it.
pub(crate) struct Directory(pub(crate) std::path::PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("grpc-auth-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
