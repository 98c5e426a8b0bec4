//! Key ids that nobody knows: strangers can write them, and make us fetch next to nothing.

use std::time::Duration;

use grpc_auth::testing::Endpoint;
use tests::callers::{settle, with};
use tests::{Kit, assert_denied};
use tonic::Code;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn strangers_key_ids_cause_four_fetches_in_half_a_minute_and_no_more() {
    let kit = Kit::start().await;
    let good = kit.issuer.token().scopes(["read:word"]).sign();
    let forged = kit.issuer.token().scopes(["read:word"]).header("kid", "KID").sign();
    let (_, rest) = forged.split_once('.').unwrap();
    for n in 0..100_000_u32 {
        // The signature is wrong as well, and never looked at.
        let header = serde_json::json!({"alg": "ES256", "typ": "at+jwt", "kid": n.to_string()});
        let token = format!("{}.{rest}", base64url(header.to_string()));
        let token = grpc_auth::BearerToken::parse(&token).unwrap();
        let refused = kit.auth.verify(&token).await.unwrap_err();
        assert_eq!(refused.denied(), grpc_auth::Denied::TokenInvalid, "{n}: {refused}");
        if n % 10_000 == 0 {
            with(&kit.auth, &good).await.unwrap();
            kit.issuer.clock().advance(3 * SECOND);
        }
    }
    assert_eq!(kit.issuer.requests(Endpoint::Jwks), 1 + 4);
}

fn base64url(text: String) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

#[tokio::test]
async fn a_known_key_with_a_bad_signature_and_an_implausible_token_never_fetch() {
    let kit = Kit::start().await;
    let token = || kit.issuer.token().scopes(["read:word"]);
    for token in [
        token().forge(),
        token().header("kid", "x").audience("https://other.example").sign(),
        token().header("kid", "x").claim("iss", "https://other.example/").sign(),
        token().header("kid", "x").expired().sign(),
        token().header("kid", "x").header("typ", "JWT").sign(),
        token().header("kid", "x").header("alg", "none").sign(),
        token().header("kid", "../../evil").without_claim("exp").sign(),
    ] {
        let answer = with(&kit.auth, &token).await;
        assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    }
    settle().await;
    assert_eq!(kit.issuer.requests(Endpoint::Jwks), 1);
}
