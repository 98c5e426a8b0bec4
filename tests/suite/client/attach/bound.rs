//! Tokens that are bound to a key of this program (RFC 9449), against this crate's server.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::Dpop;
use grpc_auth::client::{AddToken, DpopKey, TokenError, TokenSource};
use serde_json::{Value, json};
use tests::assert_denied;
use tests::pb::kit::kinds_client::KindsClient;
use tests::sender::{Doors, ORIGIN};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request};
use tower_layer::Layer;

use super::endpoint::TokenEndpoint;
use super::word;

/// A service that checks proofs, and tokens of a source that are bound to a key.
struct Bound {
    doors: Doors,
    channel: Channel,
    key: DpopKey,
    endpoint: TokenEndpoint,
    tokens: TokenSource,
}

impl Bound {
    async fn start(dpop: Dpop) -> Self {
        let doors = Doors::start(dpop).await;
        let channel = tests::serve(doors.auth.protect(doors.handlers.clone())).await;
        let key = DpopKey::generate().unwrap();
        let endpoint = TokenEndpoint::start().await;
        let tokens = endpoint.tokens(doors.issuer.clock()).dpop(key.clone()).build().unwrap();
        Self { doors, channel, key, endpoint, tokens }
    }

    /// Lets the endpoint grant a token, after those that it was to grant before.
    fn grant(&self) -> String {
        let cnf = json!({ "jkt": self.key.thumbprint() });
        let token = self.doors.issuer.token().scopes(["read:word"]).claim("cnf", cnf).sign();
        self.endpoint.grant(&token, "DPoP");
        token
    }

    fn client(&self) -> KindsClient<AddToken<Channel>> {
        let layer = self.tokens.layer().origin(ORIGIN).unwrap();
        KindsClient::new(layer.layer(self.channel.clone()))
    }
}

/// The claims of a proof.
fn claims(proof: &str) -> Value {
    let claims = proof.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn each_call_proves_that_the_key_is_held() {
    for dpop in [Dpop::for_origins([ORIGIN]), Dpop::for_origins([ORIGIN]).require_nonce()] {
        let kit = Bound::start(dpop).await;
        kit.grant();
        let mut client = kit.client();
        for _ in 0..3 {
            client.unary(word()).await.unwrap();
        }
        // A nonce is asked for once, and then known.
        assert_eq!(kit.doors.handlers.reached("Unary"), 3);
        assert_eq!(kit.endpoint.asked().len(), 1);
        // The server accepts it for ten minutes.
        kit.doors.issuer.clock().advance(std::time::Duration::from_secs(600));
        client.unary(word()).await.unwrap();
        client.bidi(tokio_stream::iter([word(), word()])).await.unwrap();
        assert_eq!(kit.endpoint.asked().len(), 1);
    }
}

#[tokio::test]
async fn calls_that_are_all_asked_for_the_same_nonce_at_once_are_all_sent_again() {
    let kit = Bound::start(Dpop::for_origins([ORIGIN]).require_nonce()).await;
    kit.grant();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let mut client = kit.client();
        calls.spawn(async move { client.unary(word()).await });
    }
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(kit.doors.handlers.reached("Unary"), 100);
    assert_eq!(kit.endpoint.asked().len(), 1);
}

#[tokio::test]
async fn a_stream_that_is_asked_for_a_nonce_is_not_sent_again_and_the_next_one_has_it() {
    let kit = Bound::start(Dpop::for_origins([ORIGIN]).require_nonce()).await;
    kit.grant();
    let mut client = kit.client();
    let several = || tokio_stream::iter([word(), word()]);
    assert_denied(client.bidi(several()).await, Code::Unauthenticated, "DPOP_NONCE_REQUIRED");
    client.bidi(several()).await.unwrap();
    assert_eq!(kit.endpoint.asked().len(), 1);
}

/// A token that is bound to another key is refused, whatever the proof.
#[tokio::test]
async fn a_proof_is_made_with_the_key_of_the_source() {
    let kit = Bound::start(Dpop::for_origins([ORIGIN])).await;
    let cnf = json!({ "jkt": DpopKey::generate().unwrap().thumbprint() });
    let token = || kit.doors.issuer.token().scopes(["read:word"]).claim("cnf", &cnf).sign();
    kit.endpoint.grant(&token(), "DPoP");
    kit.endpoint.grant(&token(), "DPoP");
    let refused = kit.client().unary(word()).await;
    assert_denied(refused, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
}

#[tokio::test]
async fn proofs_are_for_the_endpoint_that_was_connected_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let kit = Bound::start(Dpop::for_origins([&*origin])).await;
    kit.grant();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let service = kit.doors.auth.protect(kit.doors.handlers.clone());
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    let endpoint = Endpoint::from_shared(origin).unwrap();
    let mut client = KindsClient::new(kit.tokens.connect(endpoint).await.unwrap());
    client.unary(word()).await.unwrap();
    // The same service under another origin.
    let elsewhere = kit.tokens.layer().origin("https://elsewhere.example.com").unwrap();
    let mut client = KindsClient::new(elsewhere.layer(kit.channel.clone()));
    kit.grant();
    let refused = client.unary(word()).await;
    assert_denied(refused, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
}

#[tokio::test]
async fn a_layer_that_does_not_know_where_calls_go_says_so() {
    let kit = Bound::start(Dpop::for_origins([ORIGIN])).await;
    kit.grant();
    let layer = kit.tokens.layer();
    let mut client = KindsClient::new(layer.layer(kit.channel.clone()));
    let refused = client.unary(word()).await;
    let text = refused.as_ref().unwrap_err().message().to_owned();
    assert!(text.contains("`tokens.layer().origin("), "{text}");
    assert_denied(refused, Code::Internal, "");
    // Or the requests say it.
    let origin = ORIGIN.parse().unwrap();
    let mut client = KindsClient::with_origin(layer.layer(kit.channel.clone()), origin);
    client.unary(word()).await.unwrap();
    // And a proof of the caller's own is a mistake.
    let mut request = Request::new(word());
    request.metadata_mut().insert("dpop", "proof".parse().unwrap());
    let refused = client.unary(request).await;
    assert!(refused.as_ref().unwrap_err().message().contains("already carries"));
    assert_denied(refused, Code::Internal, "");
    assert_eq!(kit.doors.handlers.reached_in_all(), 1);
    for wrong in ["http://echo.example.com", "https://echo.example.com/path", "echo.example.com"] {
        assert!(kit.tokens.layer().origin(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn the_request_for_a_token_has_a_proof_and_the_nonce_that_is_asked_for() {
    let kit = Bound::start(Dpop::for_origins([ORIGIN])).await;
    let challenge = r#"{"error":"use_dpop_nonce","error_description":"nonce"}"#;
    kit.endpoint.answer(400, "DPoP-Nonce: first\r\n", challenge);
    kit.endpoint.answer(
        200,
        "DPoP-Nonce: second\r\n",
        r#"{"access_token":"one","token_type":"DPoP","expires_in":60}"#,
    );
    kit.tokens.token().await.unwrap();
    kit.doors.issuer.clock().advance(std::time::Duration::from_secs(60));
    kit.endpoint.grant("two", "DPoP");
    kit.tokens.token().await.unwrap();

    let proofs: Vec<_> = kit.endpoint.headers("dpop").iter().map(|proof| claims(proof)).collect();
    let nonces: Vec<_> = proofs.iter().map(|proof| proof.get("nonce").cloned()).collect();
    assert_eq!(nonces, [None, Some("first".into()), Some("second".into())]);
    for proof in &proofs {
        assert_eq!(
            (&proof["htm"], &proof["htu"]),
            (&"POST".into(), &kit.endpoint.url.as_str().into())
        );
        assert_eq!(proof.get("ath"), None);
    }
    assert_ne!(proofs[0]["jti"], proofs[1]["jti"]);
}

/// A server that is never content is not asked for ever.
#[tokio::test]
async fn a_nonce_is_tried_once() {
    let kit = Bound::start(Dpop::for_origins([ORIGIN])).await;
    for n in 0..3 {
        let header = format!("DPoP-Nonce: nonce-{n}\r\n");
        kit.endpoint.answer(400, &header, r#"{"error":"use_dpop_nonce"}"#);
    }
    kit.endpoint.grant("token", "DPoP");
    let error = kit.tokens.token().await.unwrap_err();
    assert!(error.to_string().contains("`use_dpop_nonce`"), "{error}");
    assert_eq!(kit.endpoint.asked().len(), 2);
}

#[tokio::test]
async fn a_token_that_is_not_bound_as_it_was_to_be_is_not_used() {
    let kit = Bound::start(Dpop::for_origins([ORIGIN])).await;
    kit.endpoint.grant("token", "Bearer");
    let error = kit.tokens.token().await.unwrap_err();
    assert!(matches!(error, TokenError::AnswerInvalid { .. }), "{error}");
    assert!(error.to_string().contains("asks for tokens that are bound to the key"), "{error}");

    let unbound = kit.endpoint.tokens(kit.doors.issuer.clock()).build().unwrap();
    kit.endpoint.grant("token", "DPoP");
    let error = unbound.token().await.unwrap_err();
    assert!(error.to_string().contains("write `.dpop(key)`"), "{error}");
}
