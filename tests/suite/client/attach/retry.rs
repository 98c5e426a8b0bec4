//! What follows when the server refuses a token.

use std::time::Duration;

use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{ClientAuthentication, Introspection, IntrospectionCache, Issuer, ResourceServer};
use tests::assert_denied;
use tests::kinds::Counting;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use tower_layer::Layer;

use super::door::Door;
use super::{Attached, request, word};

const SECOND: Duration = Duration::from_secs(1);

fn refused() -> Status {
    Status::unauthenticated("refused")
}

/// With a token that the service does not take any more.
async fn revoked() -> (Attached, String) {
    revoked_at(Attached::start().await).await
}

async fn revoked_at(kit: Attached) -> (Attached, String) {
    let token = kit.held().await;
    kit.door.refuse([token.clone()], refused());
    (kit, token)
}

#[tokio::test]
async fn a_call_whose_token_is_refused_is_sent_once_more_with_another() {
    let (mut kit, first) = revoked().await;
    assert_eq!(kit.client.unary(word()).await.unwrap().into_inner(), word());
    let second = kit.held().await;
    assert_ne!(first, second);
    assert_eq!(kit.door.credentials(), [first, second]);
    assert_eq!(kit.asked(), 2);
}

#[tokio::test]
async fn a_server_stream_that_has_not_begun_is_sent_once_more() {
    let (mut kit, first) = revoked().await;
    let words = kit.client.server_stream(word()).await.unwrap().into_inner();
    assert_eq!(words.collect::<Result<Vec<_>, _>>().await.unwrap().len(), 2);
    assert_eq!(kit.door.credentials(), [first, kit.held().await]);
}

#[tokio::test]
async fn a_server_stream_that_has_begun_is_not() {
    let mut kit = Attached::start().await;
    let token = kit.held().await;
    let begin = Word { text: "then refuse".into() };
    let mut words = kit.client.server_stream(begin).await.unwrap().into_inner();
    assert!(words.message().await.unwrap().is_some());
    assert_eq!(words.message().await.unwrap_err().message(), "in the middle");
    assert_eq!(kit.door.credentials(), [token]);
    assert_eq!(kit.asked(), 1);
}

#[tokio::test]
async fn a_thousand_calls_whose_token_is_refused_ask_for_one_token() {
    let (kit, first) = revoked().await;
    let mut calls = JoinSet::new();
    for _ in 0..1000 {
        let mut client = kit.client.clone();
        calls.spawn(async move { client.unary(word()).await });
    }
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(kit.asked(), 2);
    let sent = kit.door.credentials();
    let refused = sent.iter().filter(|sent| **sent == first).count();
    assert_eq!(sent.len() - refused, 1000);
}

/// Whatever the service thinks of its callers, the authorization server is asked every ten seconds.
#[tokio::test]
async fn a_second_refusal_is_the_callers_and_a_third_token_is_not_asked_for_at_once() {
    let mut kit = Attached::start().await;
    kit.door.judge(|headers| {
        let token = headers["authorization"].to_str().unwrap();
        Some(Status::unauthenticated(format!("not {token}")).into_http())
    });
    let first = kit.held().await;
    let status = kit.client.unary(word()).await.unwrap_err();
    let second = kit.held().await;
    assert_eq!(status.message(), format!("not {second}"));
    assert_eq!(kit.door.credentials(), [&*first, &second]);
    for _ in 0..3 {
        kit.issuer.clock().advance(3 * SECOND);
        let status = kit.client.unary(word()).await.unwrap_err();
        assert_eq!(status.message(), format!("not {second}"));
    }
    assert_eq!(kit.door.credentials(), [&*first, &second, &second, &second, &second]);
    assert_eq!(kit.asked(), 2);
    kit.issuer.clock().advance(SECOND);
    kit.client.unary(word()).await.unwrap_err();
    assert_eq!(kit.asked(), 3);
    assert_eq!(kit.door.seen().len(), 7);
}

/// What one service refuses another may take: it is not to fail because the authorization server is
/// away as well.
#[tokio::test]
async fn a_token_that_one_service_refuses_in_an_outage_is_kept_for_the_others() {
    let (mut kit, first) = revoked().await;
    let other = Door::default();
    let mut elsewhere = KindsClient::new(kit.tokens.connect(other.open().await).await.unwrap());
    kit.issuer.fail(Endpoint::Token, Fault::Status(500));
    let answer = kit.client.unary(word()).await;
    let text = answer.as_ref().unwrap_err().message();
    assert!(text.starts_with("the call was refused with its token, and not sent again:"), "{text}");
    assert_denied(answer, Code::Unavailable, "");
    assert_eq!(kit.door.credentials(), [&*first], "the same token helps no more");
    assert_eq!(kit.asked(), 2);
    elsewhere.unary(word()).await.unwrap();
    assert_eq!(other.credentials(), [&*first]);

    kit.issuer.heal();
    kit.issuer.clock().advance(10 * SECOND);
    kit.client.unary(word()).await.unwrap();
    elsewhere.unary(word()).await.unwrap();
    assert_ne!(other.credentials()[1], first);
    assert_eq!(kit.asked(), 3);
}

/// Open, waiting, with several messages: none of them can be sent again.
#[tokio::test]
async fn a_stream_of_requests_is_never_sent_again() {
    let several = || tokio_stream::iter(vec![word(), word()]);
    let open = || tokio_stream::once(word()).chain(tokio_stream::pending());
    let silent = tokio_stream::pending::<Word>;
    let large = || tokio_stream::iter((0..10).map(|_| Word { text: "x".repeat(20_000) }));
    let fresh = Attached::start().await;
    for case in 0..8 {
        let (mut kit, first) = revoked_at(fresh.again().await).await;
        let client = &mut kit.client;
        let status = match case {
            0 => client.bidi(several()).await.err(),
            1 => client.bidi(open()).await.err(),
            2 => client.bidi(silent()).await.err(),
            3 => client.bidi(large()).await.err(),
            4 => client.client_stream(several()).await.err(),
            5 => client.client_stream(open()).await.err(),
            6 => client.client_stream(silent()).await.err(),
            _ => client.client_stream(large()).await.err(),
        };
        assert_eq!(status.unwrap().message(), "refused", "{case}");
        assert_eq!(kit.door.credentials(), [first], "{case}");
        // The next call has another token all the same.
        kit.client.bidi(several()).await.unwrap();
        assert_eq!(kit.asked(), 2, "{case}");
    }
}

/// What was looked at for a second try arrives as it was meant.
#[tokio::test]
async fn streams_arrive_whole() {
    let mut kit = Attached::start().await;
    kit.held().await;
    let (say, said) = tokio::sync::mpsc::channel(1);
    let said = tokio_stream::wrappers::ReceiverStream::new(said);
    let mut heard = kit.client.bidi(said).await.unwrap().into_inner();
    for n in 0..100 {
        let word = Word { text: "x".repeat(n * 1000) };
        say.send(word.clone()).await.unwrap();
        assert_eq!(heard.message().await.unwrap(), Some(word));
    }
    drop(say);
    assert_eq!(heard.message().await.unwrap(), None);
    for length in [0, 1, 300_000] {
        let word = Word { text: "x".repeat(length) };
        assert_eq!(kit.client.unary(word.clone()).await.unwrap().into_inner(), word);
    }
}

#[tokio::test]
async fn a_message_of_more_than_a_quarter_megabyte_is_not_kept_for_a_second_try() {
    let fresh = Attached::start().await;
    for (length, is_kept) in [(200_000, true), (300_000, false)] {
        let (mut kit, _) = revoked_at(fresh.again().await).await;
        let answer = kit.client.unary(Word { text: "x".repeat(length) }).await;
        assert_eq!(answer.is_ok(), is_kept, "{length}");
        assert_eq!(kit.door.seen().len(), 1 + usize::from(is_kept));
    }
}

/// None of these is mended by another token.
#[tokio::test]
async fn another_refusal_is_the_callers_and_costs_no_token() {
    let nothing: [(String, String); 0] = [];
    let unsupported =
        ErrorDetails::with_error_info("ACCESS_TOKEN_TYPE_UNSUPPORTED", "grpc-auth", nothing);
    let fresh = Attached::start().await;
    for status in [
        Status::permission_denied("no"),
        Status::unavailable("no"),
        Status::internal("no"),
        Status::with_error_details(Code::Unauthenticated, "no", unsupported),
    ] {
        let mut kit = fresh.again().await;
        let token = kit.held().await;
        kit.door.refuse([token.clone()], status.clone());
        for _ in 0..2 {
            assert_eq!(kit.client.unary(word()).await.unwrap_err().code(), status.code());
        }
        assert_eq!(kit.door.credentials(), [&*token; 2]);
        assert_eq!(kit.asked(), 1, "{status:?}");
    }
}

/// A proxy before the service says it in its own words.
#[tokio::test]
async fn a_proxy_that_answers_401_refuses_the_token() {
    let mut kit = Attached::start().await;
    let token = kit.held().await;
    kit.door.judge(move |headers| {
        let refused = http::Response::builder().status(401).body(tonic::body::Body::empty());
        (headers["authorization"] == *token).then(|| refused.unwrap())
    });
    kit.client.unary(word()).await.unwrap();
    assert_eq!(kit.asked(), 2);
}

/// The whole of it: this crate's server, which asks the authorization server about each token.
#[tokio::test]
async fn a_revoked_token_is_replaced_within_the_call_that_notices() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.add_client("caller", "s3cret", ["read:word"]);
    issuer.add_client("api", "s3cret", [""; 0]);
    let api = ClientAuthentication::client_secret_basic("api", "s3cret");
    let asked = Introspection::new(api).cache(IntrospectionCache::off()).max_in_flight(2000);
    let auth = ResourceServer::builder()
        .issuer(Issuer::introspected(issuer.url(), asked))
        .audience(TestAuthorizationServer::AUDIENCE)
        .clock(issuer.clock().clone());
    let auth = auth.build().await.unwrap();
    let tokens = request(&issuer, "caller").audience(TestAuthorizationServer::AUDIENCE);
    let tokens = tokens.build().unwrap();
    let handlers = Counting::default();
    let channel = tests::serve(auth.protect(handlers.clone())).await;
    let mut client = KindsClient::new(tokens.layer().layer(channel));
    client.unary(word()).await.unwrap();

    issuer.revoke(tokens.token().await.unwrap().token().expose_secret());
    // Tokens that are signed in the same second may be the same.
    issuer.clock().advance(SECOND);
    client.unary(word()).await.unwrap();
    assert_eq!((handlers.reached("Unary"), issuer.requests(Endpoint::Token)), (2, 2));
    // A missing scope stays missing.
    assert_denied(
        client.client_stream(tokio_stream::once(word())).await,
        Code::PermissionDenied,
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    );
    assert_eq!(issuer.requests(Endpoint::Token), 2);
}
