//! Key ids that the issuer never published, and signatures that its keys did not make: anyone can
//! write them into tokens. They cause next to no fetches, and cost no good call its answer.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::testing::{Endpoint, Fault, TestAuthorizationServer};
use grpc_auth::{BearerToken, DenialReason};
use http::header::CACHE_CONTROL;
use serde_json::{Value, json};
use tests::callers::{attempt, settle, with};
use tests::{Kit, assert_denied};
use tonic::{Code, Status};
use tonic_types::StatusExt;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn fetches(kit: &Kit) -> u64 {
    kit.issuer.requests(Endpoint::Jwks)
}

/// Tokens that differ from good ones in key id and signature alone.
struct Junk(String);

impl Junk {
    fn of(issuer: &TestAuthorizationServer) -> Self {
        let good = issuer.token().scopes(["read:word"]).expires_in(60 * MINUTE).sign();
        Self(good.split_once('.').unwrap().1.to_owned())
    }

    fn with_kid(&self, kid: &str) -> BearerToken {
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": kid}).to_string();
        let token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), self.0);
        BearerToken::parse(&token).unwrap()
    }
}

/// What becomes of good calls beside a flood of unknown key ids.
#[derive(Debug, Default)]
struct Flood {
    /// Those that succeeded.
    good: u32,
    /// Those that were answered UNAVAILABLE.
    postponed: u32,
    /// The longest time that one of them was asked to wait.
    longest: Duration,
}

fn retry_delay(status: &Status) -> Duration {
    status.get_details_retry_info().unwrap().retry_delay.unwrap()
}

/// A hundred thousand junk tokens in 50 s, a good call after every hundred of them, and a rotation
/// without notice in the middle.
#[tokio::test]
async fn a_rotation_under_a_flood_of_unknown_key_ids_costs_one_fetch_and_no_call_its_token() {
    const JUNK: u32 = 100_000;
    let kit = Kit::start().await;
    let junk = Junk::of(&kit.issuer);
    let mut flood = Flood::default();
    for n in 0..JUNK {
        if n == JUNK / 2 {
            // Three fetches at once; the next is paid for after 30 s.
            assert_eq!((fetches(&kit), flood.good, flood.postponed), (1 + 3, 500, 0));
            kit.issuer.replace_keys().unwrap();
        }
        let refused = kit.auth.verify(&junk.with_kid(&n.to_string())).await.unwrap_err();
        let denied = refused.denied();
        assert!(
            matches!(denied, DenialReason::TokenInvalid | DenialReason::BackendUnavailable),
            "{refused}"
        );
        if n % 100 == 0 {
            match attempt(&kit.issuer, &kit.auth).await {
                Ok(()) => flood.good += 1,
                Err(status) => {
                    assert_eq!(status.code(), Code::Unavailable, "{n}: {status:?}");
                    flood.postponed += 1;
                    flood.longest = flood.longest.max(retry_delay(&status));
                }
            }
            kit.issuer.clock().advance(SECOND / 20);
        }
    }
    println!("{flood:?}");
    // The flood's own four, and one that the rotation gives back.
    assert!(fetches(&kit) <= 1 + 4 + 1, "{}", fetches(&kit));
    // From the rotation, after 25 s, to the next fetch, after 30 s: 20 calls a second.
    assert!(flood.postponed <= 101, "{flood:?}");
    assert!(flood.longest <= 5 * SECOND, "{flood:?}");
    assert_eq!(flood.good + flood.postponed, 1000);
    attempt(&kit.issuer, &kit.auth).await.unwrap();
}

#[tokio::test]
async fn a_call_is_told_when_the_next_fetch_for_an_unknown_key_is_possible() {
    let kit = Kit::start().await;
    let junk = Junk::of(&kit.issuer);
    for n in 0..3 {
        let refused = kit.auth.verify(&junk.with_kid(&n.to_string())).await.unwrap_err();
        assert_eq!(refused.denied(), DenialReason::TokenInvalid);
    }
    kit.issuer.clock().advance(12 * SECOND);
    let refused = kit.auth.verify(&junk.with_kid("3")).await.unwrap_err();
    assert_eq!(refused.denied(), DenialReason::BackendUnavailable);
    let text = refused.to_string();
    assert!(text.contains("unknown_key_burst") && text.contains("in 18 s"), "{text}");

    kit.issuer.replace_keys().unwrap();
    let token = kit.issuer.token().scopes(["read:word"]).sign();
    let answer = with(&kit.auth, &token).await;
    assert_eq!(retry_delay(answer.as_ref().unwrap_err()), 18 * SECOND);
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    assert_eq!(fetches(&kit), 1 + 3);
    kit.issuer.clock().advance(18 * SECOND);
    with(&kit.auth, &token).await.unwrap();
    assert_eq!(fetches(&kit), 1 + 4);
}

/// A guess at the key id that the issuer's next key will have.
#[tokio::test]
async fn a_junk_token_with_the_key_id_of_a_coming_key_does_not_keep_it_out() {
    let kit = Kit::start().await;
    let before = kit.issuer.jwks();
    kit.issuer.replace_keys().unwrap();
    kit.issuer.set_jwks(Some(before));
    let early = kit.issuer.token().scopes(["read:word"]).sign();
    kit.issuer.clock().advance(2 * SECOND);
    let junk = Junk::of(&kit.issuer).with_kid(&kid_of(&early));
    assert_eq!(kit.auth.verify(&junk).await.unwrap_err().denied(), DenialReason::TokenInvalid);
    assert_eq!(fetches(&kit), 2);

    kit.issuer.set_jwks(None);
    kit.issuer.clock().advance(2 * SECOND);
    // Issued shortly before the search, which found that there was no such key.
    with(&kit.auth, &early).await.unwrap();
    assert_eq!(fetches(&kit), 3);
    attempt(&kit.issuer, &kit.auth).await.unwrap();
    assert_eq!(fetches(&kit), 3);
}

fn kid_of(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_that_could_not_be_good_fetches_nothing() {
    let kit = Kit::start().await;
    let token = || kit.issuer.token().scopes(["read:word"]);
    let unknown = token().header("kid", "x").sign();
    for token in [
        token().header("kid", "x").audience("https://other.example").sign(),
        token().header("kid", "x").claim("iss", "https://other.example/").sign(),
        token().header("kid", "x").claim("cnf", json!({})).sign(),
        token().header("kid", "x").expired().sign(),
        token().header("kid", "x").header("typ", "JWT").sign(),
        token().header("kid", "x").header("alg", "none").sign(),
        token().header("kid", "../../evil").without_claim("exp").sign(),
        token().expired().sign_with_wrong_key(),
        // No key for this algorithm makes signatures of such a length.
        cut(&unknown),
        cut(&token().sign_with_wrong_key()),
    ] {
        let answer = with(&kit.auth, &token).await;
        assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    }
    settle().await;
    assert_eq!(fetches(&kit), 1);
    with(&kit.auth, &unknown).await.unwrap_err();
    assert_eq!(fetches(&kit), 2);
}

/// Each of the hundred thousand has an unknown key id, and a flaw that is seen without a key.
#[tokio::test]
async fn a_rotation_under_a_flood_that_could_not_be_good_costs_one_fetch_and_no_call() {
    const JUNK: usize = 100_000;
    let kit = Kit::start().await;
    let token = || kit.issuer.token().scopes(["read:word"]);
    let junk = [
        token().audience("https://other.example").sign(),
        token().claim("iss", "https://other.example/").sign(),
        token().header("alg", "PS256").sign(),
        token().header("typ", "JWT").sign(),
        token().expired().sign(),
        cut(&token().sign()),
    ];
    for n in 0..JUNK {
        if n == JUNK / 2 {
            assert_eq!(fetches(&kit), 1);
            kit.issuer.replace_keys().unwrap();
        }
        let refused = kit.auth.verify(&with_kid(&junk[n % junk.len()], n)).await.unwrap_err();
        assert_eq!(refused.denied(), DenialReason::TokenInvalid, "{refused}");
        if n % 100 == 0 {
            attempt(&kit.issuer, &kit.auth).await.unwrap();
        }
    }
    assert_eq!(fetches(&kit), 2);
}

/// The token with another key id in its header.
fn with_kid(token: &str, kid: usize) -> BearerToken {
    let (header, rest) = token.split_once('.').unwrap();
    let mut header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"] = kid.to_string().into();
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    BearerToken::parse(&format!("{header}.{rest}")).unwrap()
}

/// Without the last byte of its signature, in strict base64url: 63 bytes are 84 characters.
fn cut(token: &str) -> String {
    let signature = token.rsplit_once('.').unwrap().1;
    assert_eq!(signature.len(), 86);
    token[..token.len() - 2].to_owned()
}

/// Publishes the present keys under the key ids of the former ones.
fn replace_keys_under_their_ids(issuer: &TestAuthorizationServer) -> String {
    let keys = |jwks: &str| serde_json::from_str::<Value>(jwks).unwrap()["keys"].take();
    let former = keys(&issuer.jwks());
    issuer.replace_keys().unwrap();
    let mut present = keys(&issuer.jwks());
    let mut kid = None;
    for (new, old) in present.as_array_mut().unwrap().iter_mut().zip(former.as_array().unwrap()) {
        assert_eq!(new["kty"], old["kty"]);
        new["kid"] = old["kid"].clone();
        if new["kty"] == "EC" {
            kid = Some(old["kid"].as_str().unwrap().to_owned());
        }
    }
    issuer.set_jwks(Some(json!({"keys": present}).to_string()));
    kid.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_that_is_replaced_under_its_id_costs_one_fetch_and_no_call() {
    let kit = Kit::start().await;
    attempt(&kit.issuer, &kit.auth).await.unwrap();
    // A replacement that was noticed gives back what it cost.
    for _ in 0..2 {
        let before = fetches(&kit);
        let kid = replace_keys_under_their_ids(&kit.issuer);
        let calls: Vec<_> = (0..200)
            .map(|n| {
                let token = kit.issuer.token().subject(n.to_string()).scopes(["read:word"]);
                let (auth, token) = (kit.auth.clone(), token.header("kid", kid.as_str()).sign());
                tokio::spawn(async move { with(&auth, &token).await })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(fetches(&kit), before + 1);
        assert_eq!(kit.issuer.last_request(Endpoint::Jwks).unwrap()[CACHE_CONTROL], "no-cache");
        kit.issuer.set_jwks(None);
        attempt(&kit.issuer, &kit.auth).await.unwrap();
    }
}

#[tokio::test]
async fn bad_signatures_cause_one_fetch_in_five_minutes() {
    let kit = Kit::start().await;
    let forged =
        kit.issuer.token().scopes(["read:word"]).expires_in(60 * MINUTE).sign_with_wrong_key();
    for minute in 0..15 {
        for _ in 0..100 {
            let answer = with(&kit.auth, &forged).await;
            assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
        }
        assert_eq!(fetches(&kit), 2 + minute / 5, "{minute}");
        kit.issuer.clock().advance(MINUTE);
    }
    // A rotation is noticed all the same.
    kit.issuer.replace_keys().unwrap();
    attempt(&kit.issuer, &kit.auth).await.unwrap();
}

#[tokio::test]
async fn a_bad_signature_is_unavailable_when_its_fetch_fails_and_invalid_without_one() {
    let kit = Kit::start().await;
    let forged = kit.issuer.token().scopes(["read:word"]).sign_with_wrong_key();
    kit.issuer.fail(Endpoint::Jwks, Fault::Empty);
    let answer = with(&kit.auth, &forged).await;
    assert_denied(answer, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    let answer = with(&kit.auth, &forged).await;
    assert_denied(answer, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    assert_eq!(fetches(&kit), 2);
    attempt(&kit.issuer, &kit.auth).await.unwrap();
}
