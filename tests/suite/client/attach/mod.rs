//! Tokens of a source on the calls of a channel, over real sockets.

mod bound;
mod connect;
mod deadline;
mod door;
mod endpoint;
mod proved;
mod ready;
mod retry;
mod web;
mod without;

use std::sync::Arc;
use std::task::{Context, Waker};

use grpc_auth::ClientAuthentication;
use grpc_auth::client::{AddToken, OAuthClient, TokenSource, TokenSourceBuilder};
use grpc_auth::testing::{Endpoint, TestAuthorizationServer};
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::{assert_denied, with_token};
use tonic::transport::Channel;
use tonic::{Code, Request};

use door::Door;
pub(crate) use endpoint::TokenEndpoint;

/// An authorization server, a service that sees what arrives, and a client of both.
struct Attached {
    issuer: Arc<TestAuthorizationServer>,
    /// What was asked of it before.
    asked_before: u64,
    tokens: TokenSource,
    door: Door,
    client: KindsClient<AddToken<Channel>>,
}

impl Attached {
    async fn start() -> Self {
        let issuer = TestAuthorizationServer::start().await.unwrap();
        issuer.add_client("caller", "s3cret", ["read:word"]);
        issuer.add_client("other", "s3cret", ["read:word"]);
        Self::with(Arc::new(issuer)).await
    }

    /// The rest anew: an authorization server takes long to make its keys.
    async fn again(&self) -> Self {
        Self::with(Arc::clone(&self.issuer)).await
    }

    async fn with(issuer: Arc<TestAuthorizationServer>) -> Self {
        let asked_before = issuer.requests(Endpoint::Token);
        let tokens = request(&issuer, "caller").build().unwrap();
        let door = Door::default();
        let client = KindsClient::new(tokens.connect(door.open().await).await.unwrap());
        Self { issuer, asked_before, tokens, door, client }
    }

    /// How many tokens were asked for.
    fn asked(&self) -> u64 {
        self.issuer.requests(Endpoint::Token) - self.asked_before
    }

    /// The credentials of the token that is held.
    async fn held(&self) -> String {
        credentials(&self.tokens).await
    }
}

async fn credentials(tokens: &TokenSource) -> String {
    tokens.token().await.unwrap().header_value().to_str().unwrap().to_owned()
}

/// Opaque tokens, no two of which are the same.
fn request(issuer: &TestAuthorizationServer, id: &str) -> TokenSourceBuilder {
    let client = ClientAuthentication::client_secret_basic(id, "s3cret");
    OAuthClient::oidc(issuer.url(), client).clock(issuer.clock().clone()).client_credentials()
}

fn word() -> Word {
    Word { text: "word".into() }
}

#[tokio::test]
async fn calls_carry_the_token_that_is_held_and_the_first_waits_for_it() {
    let Attached { issuer, tokens, door, mut client, .. } = Attached::start().await;
    for _ in 0..3 {
        assert_eq!(client.unary(word()).await.unwrap().into_inner(), word());
    }
    let token = credentials(&tokens).await;
    assert!(token.starts_with("Bearer "));
    assert_eq!(door.credentials(), [&*token; 3]);
    assert_eq!(issuer.requests(Endpoint::Token), 1);
    // When it has expired, the next one.
    issuer.clock().advance(TestAuthorizationServer::TOKEN_LIFETIME);
    client.unary(word()).await.unwrap();
    assert_ne!(door.credentials().last(), Some(&token));
    assert_eq!(issuer.requests(Endpoint::Token), 2);
}

#[tokio::test]
async fn a_call_with_credentials_of_its_own_is_not_sent() {
    let mut kit = Attached::start().await;
    for is_warm in [false, true] {
        for own in ["own", ""] {
            let refused = kit.client.unary(with_token(word(), own)).await;
            let text = refused.as_ref().unwrap_err().message().to_owned();
            assert!(text.contains("already carries `authorization`"), "{text}");
            assert_denied(refused, Code::Internal, "");
        }
        assert_eq!(kit.door.seen().len(), usize::from(is_warm));
        kit.client.unary(word()).await.unwrap();
    }
}

#[tokio::test]
async fn a_call_with_a_source_of_its_own_carries_that_ones_token() {
    let Attached { issuer, tokens, door, mut client, .. } = Attached::start().await;
    let other = request(&issuer, "other").build().unwrap();
    for _ in 0..2 {
        let mut request = Request::new(word());
        request.extensions_mut().insert(other.clone());
        client.unary(request).await.unwrap();
        client.unary(word()).await.unwrap();
    }
    let (own, other) = (credentials(&tokens).await, credentials(&other).await);
    assert_ne!(own, other);
    assert_eq!(door.credentials(), [&*other, &own, &other, &own]);
}

/// Each call is dropped after another number of polls; the next call works all the same.
#[tokio::test]
async fn a_call_that_is_dropped_disturbs_nobody() {
    let first = Attached::start().await;
    for polls in 0.. {
        let kit = first.again().await;
        let mut client = kit.client.clone();
        let mut dropped = Box::pin(client.unary(word()));
        for _ in 0..polls {
            let polled = dropped.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if polled.is_ready() {
                return;
            }
            tokio::task::yield_now().await;
        }
        drop(dropped);
        let mut client = kit.client.clone();
        assert_eq!(client.unary(word()).await.unwrap().into_inner(), word());
    }
}
