//! What is remembered of a token holds no longer than its key, and keeps its key in use.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::{Algorithm, BearerToken};
use serde_json::Value;

use super::*;

#[tokio::test]
async fn a_key_removed_from_the_set_is_refused_even_when_cached() {
    let kit = Kit::start().await;
    let old = kit.issuer.token().scopes(["read:word"]).expires_in(10 * HOUR).sign();
    for _ in 0..3 {
        with(&kit.auth, &old).await.unwrap();
    }
    // A token that was issued shortly before may have a key that is published later.
    kit.issuer.clock().advance(62 * SECOND);
    kit.issuer.replace_keys().unwrap();
    // The next fetch, whatever causes it, ends the old key.
    attempt(&kit.issuer, &kit.auth).await.unwrap();
    assert_eq!(fetches(&kit.issuer), 2);
    for _ in 0..3 {
        let answer = with(&kit.auth, &old).await;
        assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    }
}

#[tokio::test]
async fn tokens_are_remembered_across_refreshes_that_change_nothing() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let (auth, token) = remembering(&issuer).await;
    let token = BearerToken::parse(&token).unwrap();
    // They are parsed once for each time that the token is verified.
    let claims = async || auth.verify(&token).await.unwrap().claims::<Value>().unwrap();
    let before = claims().await;
    issuer.clock().advance(14 * MINUTE);
    attempt(&issuer, &auth).await.unwrap();
    until("the keys are fetched again", async || fetches(&issuer) == 2).await;
    until("they are fresh", async || health(&auth) == JwksHealth::Fresh).await;
    assert!(std::ptr::eq(&*before, &*claims().await));
    // Past its end the cache says nothing, and the token is judged anew.
    issuer.clock().advance(10 * HOUR);
    attempt(&issuer, &auth).await.unwrap();
    let answer = with(&auth, token.expose_secret()).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
}

/// Looks a token up that was verified before, and long ago, and nothing else.
async fn remembering(issuer: &TestAuthorizationServer) -> (ResourceServer, String) {
    let cache = TokenCache::default().max_age(10 * HOUR);
    let auth = issuer.resource_server().token_cache(cache).build().await.unwrap();
    let token = issuer.token().scopes(["read:word"]).expires_in(10 * HOUR).sign();
    for _ in 0..3 {
        with(&auth, &token).await.unwrap();
    }
    (auth, token)
}

#[tokio::test]
async fn tokens_that_are_remembered_keep_their_keys_in_use() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let (auth, token) = remembering(&issuer).await;
    for fetched in 2..5 {
        issuer.clock().advance(10 * MINUTE);
        with(&auth, &token).await.unwrap();
        settle().await;
        assert_eq!(fetches(&issuer), fetched - 1);
        // A little stale, so that it shows when they are there.
        issuer.clock().advance(6 * MINUTE);
        with(&auth, &token).await.unwrap();
        until("the keys are fetched again", async || fetches(&issuer) == fetched).await;
        until("they are fresh", async || health(&auth) == JwksHealth::Fresh).await;
    }
}

#[tokio::test]
async fn a_token_that_is_remembered_since_keys_were_fresh_for_longer_keeps_them_in_use_too() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    issuer.set_key_set_headers([(CACHE_CONTROL, HeaderValue::from_static("max-age=36000"))]);
    let (auth, token) = remembering(&issuer).await;
    // The same keys again, for a minute.
    issuer.set_key_set_headers([(CACHE_CONTROL, HeaderValue::from_static("max-age=60"))]);
    let unknown = issuer.token().scopes(["read:word"]).header("kid", "unknown").sign();
    assert_denied(with(&auth, &unknown).await, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    assert_eq!(fetches(&issuer), 2);
    issuer.clock().advance(MINUTE);
    with(&auth, &token).await.unwrap();
    until("the keys are fetched again", async || fetches(&issuer) == 3).await;
}

/// Not even for the five minutes that a good token is remembered.
#[tokio::test]
async fn a_remembered_token_expires_like_any_other() {
    let kit = Kit::start().await;
    let token = kit.issuer.token().scopes(["read:word"]).expires_in(MINUTE).sign();
    for _ in 0..3 {
        with(&kit.auth, &token).await.unwrap();
    }
    kit.issuer.clock().advance(MINUTE + 29 * SECOND);
    with(&kit.auth, &token).await.unwrap();
    kit.issuer.clock().advance(SECOND);
    let answer = with(&kit.auth, &token).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_EXPIRED");
}

#[tokio::test]
async fn a_token_is_believed_for_five_minutes_without_a_look() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let auth = issuer.resource_server().build().await.unwrap();
    let token = BearerToken::parse(&issuer.token().expires_in(HOUR).sign()).unwrap();
    let claims = async || auth.verify(&token).await.unwrap().claims::<Value>().unwrap();
    drop(claims().await);
    let before = claims().await;
    issuer.clock().advance(5 * MINUTE - SECOND);
    assert!(std::ptr::eq(&*before, &*claims().await));
    issuer.clock().advance(SECOND);
    assert!(!std::ptr::eq(&*before, &*claims().await));
}

/// P-256 has two points with one `x`; the second one's `y` is the negative of the first one's.
#[tokio::test]
async fn a_key_with_the_same_x_and_another_y_is_another_key() {
    let kit = Kit::start().await;
    let token = kit.issuer.token().scopes(["read:word"]).expires_in(10 * HOUR);
    let (es256, rs256) = (token.clone().sign(), token.algorithm(Algorithm::Rs256).sign());
    for token in [&es256, &rs256].repeat(3) {
        with(&kit.auth, token).await.unwrap();
    }
    let mut keys: Value = serde_json::from_str(&kit.issuer.jwks()).unwrap();
    let keys_of_set = keys["keys"].as_array_mut().unwrap();
    let ec = keys_of_set.iter_mut().find(|key| key["kty"] == "EC").unwrap();
    ec["y"] = negative(ec["y"].as_str().unwrap()).into();
    kit.issuer.set_jwks(Some(keys.to_string()));
    let unknown = kit.issuer.token().scopes(["read:word"]).header("kid", "unknown").sign();
    assert_denied(with(&kit.auth, &unknown).await, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    assert_eq!(fetches(&kit.issuer), 2);
    for _ in 0..3 {
        let answer = with(&kit.auth, &es256).await;
        assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
        with(&kit.auth, &rs256).await.unwrap();
    }
}

/// A coordinate in base64url, subtracted from the prime of P-256 (FIPS 186-4 §D.1.2.3).
fn negative(coordinate: &str) -> String {
    let mut prime = [0xff_u8; 32];
    prime[4..8].copy_from_slice(&[0, 0, 0, 1]);
    prime[8..20].fill(0);
    let bytes = URL_SAFE_NO_PAD.decode(coordinate).unwrap();
    let mut borrow = false;
    for (place, byte) in prime.iter_mut().zip(bytes).rev() {
        let (difference, first) = place.overflowing_sub(byte);
        let (difference, second) = difference.overflowing_sub(borrow.into());
        (*place, borrow) = (difference, first || second);
    }
    URL_SAFE_NO_PAD.encode(prime)
}
