//! Tokens that this program gets for itself, and what carries them.

use grpc_auth::client::{DpopKey, OAuthClient, TokenSource};
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{ClientAuthentication, Dpop};
use http::{Request, Response};
use serde_json::json;
use tests::pb::kit::Word;
use tests::pb::kit::kinds_client::KindsClient;
use tests::sender::{Doors, ORIGIN};
use tests::{Kit, kinds::Counting};
use tower_layer::Layer;
use tower_service::Service;

use super::Seen;
use crate::client::attach::TokenEndpoint;

fn source(seen: &Seen, issuer: &TestAuthorizationServer) -> TokenSource {
    let secret = seen.secret("client secret", "canary-client-s3cret");
    issuer.add_client("caller", &*secret, ["read:word"]);
    let client = ClientAuthentication::client_secret_post("caller", secret);
    let client = OAuthClient::oidc(issuer.url(), client).clock(issuer.clock().clone());
    let request = client.client_credentials().audience(TestAuthorizationServer::AUDIENCE);
    seen.debug("a request for tokens", &request);
    request.build().unwrap()
}

async fn held(seen: &Seen, tokens: &TokenSource) -> String {
    let token = tokens.token().await.unwrap();
    seen.debug("a token of a source", &token);
    seen.token("a token of a source", token.token().expose_secret().into())
}

pub(super) async fn channel(seen: &Seen) {
    let kit = Kit::start().await;
    let tokens = source(seen, &kit.issuer);
    let channel = tests::serve(kit.auth.protect(Counting::default())).await;
    let layer = tokens.layer();
    seen.debug("a layer", &layer);
    let channel = layer.layer(channel);
    seen.debug("a channel", &channel);
    let mut client = KindsClient::new(channel);
    held(seen, &tokens).await;
    client.unary(Word::default()).await.unwrap();
    let own = tests::with_token(Word::default(), "own");
    seen.refusal("two credentials", &client.unary(own).await.unwrap_err());
    // A token that the service refuses, and the one after it.
    kit.issuer.replace_keys().unwrap();
    client.unary(Word::default()).await.unwrap();
    held(seen, &tokens).await;
    for fault in [Fault::Status(500), Fault::Html, Fault::Truncated] {
        kit.issuer.fail(Endpoint::Token, fault);
        kit.issuer.clock().advance(TestAuthorizationServer::TOKEN_LIFETIME);
        let status = client.unary(Word::default()).await.unwrap_err();
        seen.refusal("no token", &status);
        kit.issuer.heal();
        kit.issuer.clock().advance(TestAuthorizationServer::TOKEN_LIFETIME);
        client.unary(Word::default()).await.unwrap();
        held(seen, &tokens).await;
    }
    let endpoint = tonic::transport::Endpoint::from_static("http://echo.example.com");
    seen.error("plaintext", &tokens.connect(endpoint.clone()).await.unwrap_err());
    seen.error("plaintext", &tokens.connect_lazy(endpoint).unwrap_err());
}

pub(super) async fn bound(seen: &Seen) {
    let doors = Doors::start(Dpop::for_origins([ORIGIN]).require_nonce()).await;
    let key = DpopKey::generate().unwrap();
    seen.debug("a key", &key);
    let endpoint = TokenEndpoint::start().await;
    let tokens = endpoint.tokens(doors.issuer.clock()).dpop(key.clone()).build().unwrap();
    let cnf = json!({ "jkt": key.thumbprint() });
    let token = doors.issuer.token().scopes(["read:word"]).claim("cnf", cnf).sign();
    endpoint.grant(&token, "DPoP");
    held(seen, &tokens).await;
    for proof in endpoint.headers("dpop") {
        seen.token("a proof for a token", proof);
    }
    let channel = tests::serve(doors.auth.protect(Counting::default())).await;
    let unknown = tokens.layer().layer(channel.clone());
    let status = KindsClient::new(unknown).unary(Word::default()).await.unwrap_err();
    seen.refusal("a proof for nowhere", &status);
    let layer = tokens.layer().origin(ORIGIN).unwrap();
    KindsClient::new(layer.layer(channel)).unary(Word::default()).await.unwrap();
    seen.debug("a source of bound tokens", &tokens);
}

pub(super) async fn http(seen: &Seen) {
    let kit = Kit::start().await;
    let tokens = source(seen, &kit.issuer);
    held(seen, &tokens).await;
    let client = reqwest::Client::new();
    let request = tokens.authorize(client.get("https://api.example.com/")).await.unwrap();
    seen.debug("a request of reqwest's", &request);
    seen.debug("the same, built", &request.build().unwrap());
    for url in ["http://api.example.com/", "https://user:canary-in-url@api.example.com/"] {
        if let Err(error) = tokens.authorize(client.get(url)).await {
            seen.error("a request that is not sent", &error);
        }
    }
    seen.secret("password", "canary-in-url");
    let layer = tokens.http_layer();
    seen.debug("a layer for HTTP", &layer);
    let answer = |request: Request<()>| async move {
        let answer = format!("{request:?}");
        Ok::<_, std::io::Error>(Response::builder().status(401).body(answer).unwrap())
    };
    let mut service = layer.layer(tower::service_fn(answer));
    for uri in ["https://api.example.com/", "http://api.example.com/", "/"] {
        match service.call(Request::get(uri).body(()).unwrap()).await {
            Ok(answer) => {
                seen.shows("a request as services behind the layer see it", answer.body())
            }
            Err(error) => seen.error("a request that is not sent", &*error),
        }
    }
}
