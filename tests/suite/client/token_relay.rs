//! Forwarding the caller's token to another service, over real sockets.

use std::convert::Infallible;
use std::task::{Context, Poll};

use grpc_auth::BearerToken;
use grpc_auth::client::{TokenRelay, TokenRelayLayer};
use http::header::AUTHORIZATION;
use tests::kinds::Counting;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::pb::kit::right_client::RightClient;
use tests::pb::kit::right_server::{Right, RightServer};
use tests::{Kit, assert_denied, assert_scope_denied, serve, with_token};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tower_layer::Layer;
use tower_service::Service;

/// Asks another service on behalf of its caller.
struct Frontend {
    backend: KindsClient<TokenRelay<Channel>>,
}

#[grpc_auth::protect]
#[tonic::async_trait]
impl Right for Frontend {
    #[authenticated]
    async fn get(
        &self,
        request: Request<Word>,
        token: BearerToken,
    ) -> Result<Response<Word>, Status> {
        let mut onward = Request::new(request.into_inner());
        onward.extensions_mut().insert(token);
        self.backend.clone().unary(onward).await
    }
}

#[tokio::test]
async fn the_other_service_sees_the_caller_of_this_one() {
    let kit = Kit::start().await;
    let behind = Counting::default();
    let channel = serve(kit.auth.protect(behind.clone())).await;
    let backend = KindsClient::new(TokenRelayLayer::new().layer(channel));
    let mut client = RightClient::new(serve(kit.auth.protect(Frontend { backend })).await);
    let word = Word { text: "through both".into() };

    let answer = client.get(kit.request(word.clone(), &["read:word"])).await.unwrap();
    assert_eq!(answer.into_inner().text, "through both");
    // The rule of the one behind decides on the caller's own scopes.
    assert_scope_denied(client.get(kit.request(word, &["read:other"])).await);
    assert_eq!(behind.reached("Unary"), 1);
}

#[tokio::test]
async fn nothing_is_sent_without_a_token_or_with_other_credentials() {
    let kit = Kit::start().await;
    let behind = Counting::default();
    let channel = serve(kit.auth.protect(behind.clone())).await;
    let mut client = KindsClient::new(TokenRelayLayer::new().layer(channel));
    let token = kit.issuer.token().scopes(["read:word"]).sign();

    let none = client.open(Word::default()).await;
    assert!(none.as_ref().unwrap_err().message().contains("carries no token of a caller"));
    assert_denied(none, Code::Unauthenticated, "");
    let forwarded = |mut request: Request<Word>| {
        request.extensions_mut().insert(BearerToken::parse(&token).unwrap());
        request
    };
    for own in [
        with_token(Word::default(), &token),
        forwarded(with_token(Word::default(), &token)),
        forwarded(with_token(Word::default(), "")),
    ] {
        let refused = client.open(own).await;
        assert!(refused.as_ref().unwrap_err().message().contains("already carries"));
        assert_denied(refused, Code::Internal, "");
    }
    assert_eq!(behind.reached_in_all(), 0);
    // Such a refusal leaves the channel in order.
    client.unary(forwarded(Request::new(Word::default()))).await.unwrap();
}

/// It may be called when it was polled ready, and its clones may not.
struct Once {
    is_ready: bool,
}

impl Clone for Once {
    fn clone(&self) -> Self {
        Self { is_ready: false }
    }
}

impl Service<http::Request<()>> for Once {
    type Response = http::Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<http::Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "it was not polled ready");
        assert!(request.extensions().get::<BearerToken>().is_none());
        let value = &request.headers()[AUTHORIZATION];
        assert!(value.is_sensitive());
        std::future::ready(Ok(http::Response::new(value.to_str().unwrap().to_owned())))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_called_with_sensitive_credentials() {
    let mut relay = TokenRelayLayer::new().layer(Once { is_ready: false });
    for token in ["one", "two"] {
        let ready: Result<(), Infallible> = std::future::poll_fn(|cx| relay.poll_ready(cx)).await;
        ready.unwrap();
        let mut request = http::Request::new(());
        request.extensions_mut().insert(BearerToken::parse(token).unwrap());
        let answer = relay.call(request).await.unwrap();
        assert_eq!(answer.body(), &format!("Bearer {token}"));
    }
}
