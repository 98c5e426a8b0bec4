//! Tokens that a foreign authorization server binds to a key of its client (DPoP, RFC 9449).

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::testing::ManualClock;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use tests::callers::with;
use tests::logs::Logs;

use crate::introspection::{OPAQUE, asking, assert_invalid, client};
use crate::parts::OidcProvider;

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
