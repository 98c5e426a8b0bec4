//! Our side calls a server of grpcio's, which asks oidc-provider about the tokens: what is sent, and
//! what becomes of calls whose token was revoked meanwhile.

use std::time::Duration;

use grpc_auth::ClientAuthentication;
use grpc_auth::client::{AddToken, TokenSource};
use grpc_auth::testing::ManualClock;
use tests::kinds::call;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::introspection::OPAQUE;
use crate::parts::{OidcProvider, WordsServer};

type Client = KindsClient<AddToken<Channel>>;

/// The parts, and a client whose tokens come from the one for the other.
struct Scene {
    issuer: OidcProvider,
    server: WordsServer,
    clock: ManualClock,
    tokens: TokenSource,
    client: Client,
}

impl Scene {
    async fn start() -> Self {
        let issuer = OidcProvider::start().await;
        let server = WordsServer::start(&issuer).await;
        let clock = ManualClock::new();
        let tokens = Self::tokens_of(&issuer, &clock, "read:word");
        let client = KindsClient::new(tokens.connect(server.endpoint()).await.unwrap());
        Self { issuer, server, clock, tokens, client }
    }

    fn tokens_of(issuer: &OidcProvider, clock: &ManualClock, scope: &str) -> TokenSource {
        let client = ClientAuthentication::client_secret_basic("svc", "svc-secret");
        let client = issuer.client(client).clock(clock.clone());
        client.client_credentials().scopes([scope]).resource(OPAQUE).build().unwrap()
    }

    /// Makes the token that is held useless, without a word to who holds it.
    async fn revoke(&self) {
        // Another retry is allowed from now on.
        self.clock.advance(Duration::from_secs(10));
        self.issuer.revoke(self.tokens.token().await.unwrap().token().expose_secret()).await;
    }

    async fn call(&mut self, method: &str) -> Result<Vec<String>, Status> {
        let words = call(&mut self.client, method, None).await?;
        Ok(words.into_iter().map(|word| word.text).collect())
    }
}

#[tokio::test]
async fn calls_of_each_kind_carry_a_token_that_grpcio_reads() {
    let mut scene = Scene::start().await;
    for (number, method) in ["Unary", "ServerStream", "ClientStream", "Bidi"].iter().enumerate() {
        let words = scene.call(method).await.unwrap();
        assert_eq!(words[0], format!("word {}", number + 1), "{method}");
    }
    assert_eq!(scene.issuer.requests("token").await, 1);
    assert_eq!(scene.issuer.requests("introspection").await, 4);
}

#[tokio::test]
async fn a_call_whose_token_was_revoked_is_made_again_once_with_another() {
    let mut scene = Scene::start().await;
    assert_eq!(scene.call("Unary").await.unwrap(), ["word 1"]);
    scene.revoke().await;
    assert_eq!(scene.call("Unary").await.unwrap(), ["word 3"]);
    scene.revoke().await;
    assert_eq!(scene.call("ServerStream").await.unwrap(), ["word 5", "word 5"]);
    assert_eq!(scene.issuer.requests("token").await, 3);

    // What was sent in a stream cannot be sent again: the call after it has another token.
    for (method, number) in [("Bidi", 7), ("ClientStream", 9)] {
        scene.revoke().await;
        let refused = scene.call(method).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{method}: {refused:?}");
        assert_eq!(scene.call("Unary").await.unwrap(), [format!("word {number}")]);
    }
    assert_eq!(scene.issuer.requests("token").await, 5);
}

#[tokio::test]
async fn what_was_received_is_never_asked_for_again() {
    let mut scene = Scene::start().await;
    let late = Word { text: "late".into() };
    let mut words = scene.client.server_stream(late).await.unwrap().into_inner();
    assert_eq!(words.message().await.unwrap().unwrap().text, "late 1");
    let refused = words.message().await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
    assert_eq!(scene.call("Unary").await.unwrap(), ["word 2"]);
}

#[tokio::test]
async fn a_call_that_is_not_permitted_is_made_once() {
    let mut scene = Scene::start().await;
    let poor = Scene::tokens_of(&scene.issuer, &scene.clock, "write:word");
    let channel = poor.connect(scene.server.endpoint()).await.unwrap();
    let refused = call(&mut KindsClient::new(channel), "Unary", None).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    assert_eq!(scene.call("Unary").await.unwrap(), ["word 2"]);
    // One for each source.
    assert_eq!(scene.issuer.requests("token").await, 2);
}

#[tokio::test]
async fn a_hundred_calls_whose_token_was_revoked_get_one_new_token() {
    let mut scene = Scene::start().await;
    scene.call("Unary").await.unwrap();
    scene.revoke().await;
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let mut client = scene.client.clone();
        calls.spawn(async move { call(&mut client, "Unary", None).await });
    }
    for answer in calls.join_all().await {
        answer.unwrap();
    }
    assert_eq!(scene.issuer.requests("token").await, 2);
}
