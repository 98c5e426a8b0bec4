//! Which tokens go with proofs, and the answers and log lines for the others.

use std::time::Duration;

use grpc_auth::testing::{Endpoint, TestAuthorizationServer};
use grpc_auth::{BearerToken, ConfigError, DenialReason, Dpop};
use serde_json::json;
use tests::logs::Logs;
use tests::sender::{Doors, Expected, UNARY, challenges};

use super::dpop;

#[tokio::test]
async fn a_bound_token_is_good_with_a_proof_alone_and_a_proof_with_a_bound_token_alone() {
    let doors = Doors::start(dpop()).await;
    let token = doors.token();
    let plain = doors.issuer.token().scopes(["read:word"]).sign();
    let bearer = format!("Bearer {token}");
    for _ in 0..3 {
        let cause = "came as `Bearer`: the client has to send it as `DPoP`";
        doors.refuses(&bearer, &[], Expected::Token, cause).await;
        doors.refuses(&bearer, &[&doors.proof(&token)], Expected::Token, cause).await;
        let cause = "not bound to a key (`cnf`, `jkt`)";
        let dpop = format!("DPoP {plain}");
        doors.refuses(&dpop, &[&doors.proof(&plain)], Expected::Token, cause).await;
        assert!(doors.call(&format!("Bearer {plain}"), &[]).await.is_ok());
    }
    // The token comes first: a good proof makes none of these better.
    let token = || doors.issuer.token().scopes(["read:word"]).bound_to_key(&doors.key);
    for (token, expected, cause) in [
        (token().sign_with_wrong_key(), Expected::Token, "the signature is not the issuer's"),
        (token().expired().sign(), Expected::Expired, "`exp` has passed"),
        (token().audience("other").sign(), Expected::Token, "`aud` does not contain"),
        (token().claim("cnf", json!({"jkt": "x"})).sign(), Expected::Token, "`cnf` binds it in"),
    ] {
        doors.refuses(&format!("DPoP {token}"), &[&doors.proof(&token)], expected, cause).await;
    }
}

#[tokio::test]
async fn without_the_setting_a_bound_token_is_refused_with_its_name() {
    let doors = Doors::with(|builder| builder).await;
    let token = doors.token();
    for _ in 0..3 {
        let setting = "configure `.dpop(Dpop::for_origins(..))`";
        doors.refuses(&format!("Bearer {token}"), &[], Expected::Token, setting).await;
        let proof = doors.proof(&token);
        let dpop = format!("DPoP {token}");
        doors.refuses(&dpop, &[&proof], Expected::Scheme, setting).await;
    }
    let status = doors.call(&format!("DPoP {token}"), &[]).await.unwrap_err();
    assert_eq!(challenges(status.metadata()), ["Bearer realm=\"https://api.example.test\""]);
}

/// RFC 9449 §7.1.
#[tokio::test]
async fn the_challenge_offers_both_schemes() {
    let doors = Doors::start(dpop()).await;
    let algorithms = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA";
    let realm = "realm=\"https://api.example.test\"";
    let status = doors.call("Basic YTpi", &[]).await.unwrap_err();
    let dpop = format!("DPoP {realm}, algs=\"{algorithms}\"");
    assert_eq!(challenges(status.metadata()), [format!("Bearer {realm}"), dpop]);

    let status = doors.prove(&doors.token(), "proof").await.unwrap_err();
    assert_eq!(status.message(), "the dpop metadata is not one DPoP proof");
    assert_eq!(
        challenges(status.metadata()),
        [format!(
            "DPoP {realm}, error=\"invalid_dpop_proof\", \
         error_description=\"the dpop metadata is not one DPoP proof\", algs=\"{algorithms}\""
        )]
    );
}

/// Keys are fetched while the call waits, and its proof is checked after that.
#[tokio::test]
async fn a_call_that_waited_for_keys_is_asked_for_its_proof_as_well() {
    let doors = Doors::start(dpop()).await;
    doors.issuer.replace_keys().unwrap();
    let token = doors.token();
    let bearer = format!("Bearer {token}");
    doors.refuses(&bearer, &[], Expected::Token, "came as `Bearer`").await;
    doors.issuer.replace_keys().unwrap();
    let token = doors.token();
    let proof = doors.proof(&token);
    assert!(doors.prove(&token, &proof).await.is_ok());
    let dpop = format!("DPoP {token}");
    doors.refuses(&dpop, &[&proof], Expected::Proof, "was used before").await;
    assert_eq!(doors.issuer.requests(Endpoint::Jwks), 3);
}

#[tokio::test]
async fn outside_of_a_call_a_bound_token_is_refused() {
    let doors = Doors::start(dpop()).await;
    for _ in 0..3 {
        let token = BearerToken::parse(&doors.token()).unwrap();
        let refused = doors.auth.verify(&token).await.unwrap_err();
        assert_eq!(refused.denied(), DenialReason::TokenInvalid);
        assert!(refused.to_string().contains("which only a call can prove"), "{refused}");
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_said_when_the_server_is_built() {
    let issuer = TestAuthorizationServer::start().await.unwrap();
    let second = Duration::from_secs(1);
    for (dpop, texts) in [
        (Dpop::for_origins([""; 0]), &["`for_origins`", "write at least one"][..]),
        (
            Dpop::for_origins(["http://echo.example.com"]),
            &["\"http://echo.example.com\"", "like `https://echo.example.com`"],
        ),
        (Dpop::for_origins([UNARY]), &["the DPoP origin", "and nothing else"]),
        (dpop().proof_lifetime(Duration::ZERO), &["`proof_lifetime`", "from 1 s to 10 min"]),
        (dpop().proof_lifetime(601 * second), &["`proof_lifetime`", "from 1 s to 10 min"]),
        (dpop().clock_skew(61 * second), &["`clock_skew`", "synchronize the clocks"]),
        (dpop().replay_entries(0), &["`replay_entries`", "from 1 to 16,777,216"]),
        (
            dpop().replay_entries(10).replay_entries_per_key(10),
            &["`replay_entries_per_key`", "fewer than `replay_entries`"],
        ),
        (dpop().shared_nonce_key(vec![7; 31]), &["`shared_nonce_key`", "32 random bytes"]),
    ] {
        let error = issuer.resource_server().dpop(dpop).build().await.unwrap_err();
        let is_of_dpop =
            matches!(error, ConfigError::Setting { of: "DPoP", .. } | ConfigError::Value { .. });
        assert!(is_of_dpop, "{error}");
        for text in texts {
            assert!(error.to_string().contains(text), "{text:?} in {error}");
        }
    }
}

#[tokio::test]
async fn no_proof_and_no_claim_of_one_stands_in_any_output() {
    let logs = Logs::capture();
    let doors =
        Doors::start(dpop().shared_nonce_key(b"canary-key-canary-key-canary-key".to_vec())).await;
    let token = doors.token();
    let nonce = {
        let status = doors.prove(&token, &doors.proof(&token)).await.unwrap_err();
        status.metadata().get("dpop-nonce").unwrap().to_str().unwrap().to_owned()
    };
    let proof = || doors.key.proof(UNARY, &token).nonce(&nonce).claim("x", "canary-claim");
    let mut output = format!("{:?} {:?} {:?}", doors.auth, doors.key, proof());
    let mut proofs = Vec::new();
    let replayed = proof().claim("jti", "canary-jti").sign();
    for proof in [
        replayed.clone(),
        replayed,
        proof().claim("jti", ["canary"]).sign(),
        proof().claim("htu", "https://canary.example").sign(),
        proof().claim("htm", "canary").sign(),
        proof().claim("ath", "canary").sign(),
        proof().claim("nonce", "canary").sign(),
        proof().header("typ", "canary").sign(),
        proof().header("alg", "canary").sign(),
        proof().header("jwk", json!({"kty": "canary"})).sign(),
        proof().sign_with_wrong_key(),
        "canary".to_owned(),
    ] {
        output.push_str(&format!("{:?}\n", doors.prove(&token, &proof).await));
        proofs.push(proof);
    }
    // The client's own frames are not ours to hide.
    let text = logs.text();
    output.extend(text.lines().filter(|line| line.contains("grpc_auth")));
    for part in proofs.iter().flat_map(|proof| proof.split('.')) {
        assert!(!output.contains(part), "{part}");
    }
    let thumbprint = doors.key.thumbprint();
    let hits: Vec<_> = output
        .lines()
        .filter(|line| line.contains("canary") || line.contains(&thumbprint))
        .collect();
    assert!(hits.is_empty(), "{hits:#?}");
    assert!(output.contains("`Dpop::for_origins`"), "the output was looked at");
}
