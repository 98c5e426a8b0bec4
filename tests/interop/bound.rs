//! Tokens that a foreign authorization server binds to a key of its client (DPoP, RFC 9449).

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::client::DpopKey;
use grpc_auth::testing::ManualClock;
use grpc_auth::{ClientAuthentication, Dpop, Introspection, Issuer, ResourceServer};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use tests::callers::with;
use tests::kinds::{Counting, call};
use tests::logs::Logs;
use tests::pb::kit::kinds_client::KindsClient;
use tokio::net::TcpListener;
use tonic::transport::{Endpoint, Server};

use crate::clients::serve_on;
use crate::introspection::{OPAQUE, asking, assert_invalid, client};
use crate::parts::{AUDIENCE, OidcProvider};

/// Proof of possession for a request to the token endpoint (RFC 9449 §4.2).
fn proof(pair: &rcgen::KeyPair, jti: &str, endpoint: &str) -> String {
    // SEC 1 §2.3.3: 4, x, y.
    let (x, y) = pair.public_key_raw()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some("dpop+jwt".into());
    header.jwk = Some(serde_json::from_value(jwk).unwrap());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({"jti": jti, "htm": "POST", "htu": endpoint, "iat": now});
    encode(&header, &claims, &EncodingKey::from_ec_der(&pair.serialize_der())).unwrap()
}

#[tokio::test]
async fn a_token_bound_to_a_key_is_no_bearer_token() {
    let issuer = OidcProvider::start().await;
    let auth = asking(&issuer, client(), &ManualClock::new()).await;
    let pair = rcgen::KeyPair::generate().unwrap();
    for resource in ["urn:kit:words:es256", OPAQUE] {
        let logs = Logs::capture();
        let proof = proof(&pair, resource, &issuer.token_endpoint());
        let token = issuer.bound_token(&proof, "read:word", resource).await;
        assert_invalid(with(&auth, &token).await);
        let line = logs.line_with("call denied");
        assert!(line.contains("bound to a key of its holder (`cnf`, `jkt`)"), "{line}");
    }
}

#[tokio::test]
async fn our_side_proves_its_key_to_oidc_provider_and_to_the_service() {
    let issuer = OidcProvider::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let introspection = Introspection::new(client());
    let auth = ResourceServer::builder()
        .issuer(Issuer::discover(issuer.issuer()).introspection(introspection))
        .audience(AUDIENCE)
        .dpop(Dpop::for_origins([&*origin]).require_nonce())
        .build()
        .await
        .unwrap();
    let service = Counting::default();
    serve_on(listener, Server::builder(), &auth, service.clone());

    let mut asked = 0;
    for (id, requests) in [("svc-dpop", 1), ("svc-nonce", 2)] {
        for resource in ["urn:kit:words:es256", OPAQUE] {
            let secret = ClientAuthentication::client_secret_basic(id, format!("{id}-secret"));
            let request = issuer.client(secret).client_credentials().resource(resource);
            let key = DpopKey::generate().unwrap();
            let tokens = request.scopes(["read:word"]).dpop(key).build().unwrap();
            let endpoint = Endpoint::from_shared(origin.clone()).unwrap();
            let mut client = KindsClient::new(tokens.connect(endpoint).await.unwrap());
            for _ in 0..3 {
                call(&mut client, "Unary", None).await.unwrap();
            }
            // A server that wants a nonce names it in a refusal (RFC 9449 §8).
            asked += requests;
            assert_eq!(issuer.requests("token").await, asked, "{id} {resource}");

            let logs = Logs::capture();
            let token = tokens.token().await.unwrap();
            assert_invalid(with(&auth, token.token().expose_secret()).await);
            let line = logs.line_with("call denied");
            assert!(line.contains("bound to a key of its holder"), "{line}");
        }
    }
    assert_eq!(service.reached("Unary"), 12);
}
