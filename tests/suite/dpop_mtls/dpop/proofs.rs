//! What a proof has to say, and what is wrong with others.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::testing::ProofBuilder;
use grpc_auth::{Algorithm, TokenCache};
use serde_json::{Value, json};
use tests::sender::{Doors, Expected, UNARY};

use super::dpop;

/// A call that gets past everything, so that what refuses a variant of it is the variant.
async fn assert_accepts(doors: &Doors, token: &str, proof: ProofBuilder, case: &str) {
    let answer = doors.prove(token, &proof.sign()).await;
    assert!(answer.is_ok(), "{case}: {answer:?}");
}

fn seconds(doors: &Doors) -> u64 {
    let now = doors.issuer.clock().now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// The same proof with other bytes in one of its parts; its signature is the former one's.
fn rewrite(proof: &str, part: usize, change: impl FnOnce(String) -> String) -> String {
    let mut parts: Vec<_> = proof.split('.').map(str::to_owned).collect();
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(&parts[part]).unwrap()).unwrap();
    parts[part] = URL_SAFE_NO_PAD.encode(change(text));
    parts.join(".")
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

/// One line for each thing that can be wrong: the proof, the caller's answer, and the log's cause.
fn wrong_proofs(doors: &Doors, token: &str) -> Vec<(String, Expected, &'static str)> {
    let (key, now) = (&doors.key, seconds(doors));
    let proof = || key.proof(UNARY, token);
    let other = doors.issuer.dpop_key();
    let weak = json!({"kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode([0xff; 128])});
    let at = |address: &str| key.proof(address, token).sign();
    let twice = |part, member: &str| {
        rewrite(&proof().sign(), part, |json| json.replacen('{', &format!("{{{member},"), 1))
    };
    let (wrong, malformed) = (Expected::Proof, Expected::Malformed);
    let target = "`htu` is not this method at a configured origin; if clients know";
    let admitted = "`jwk` is not admitted for its `alg`";
    vec![
        // Header.
        (proof().without_header("typ").sign(), wrong, "`typ` is not `dpop+jwt`"),
        (proof().header("typ", "JWT").sign(), wrong, "`typ` is not `dpop+jwt`"),
        (proof().header("typ", "DPOP+JWT").sign(), wrong, "`typ` is not `dpop+jwt`"),
        (proof().header("typ", "at+jwt").sign(), wrong, "`typ` is not `dpop+jwt`"),
        (proof().without_header("alg").sign(), wrong, "`alg` is not an asymmetric"),
        (proof().header("alg", "none").sign(), wrong, "`alg` is not an asymmetric"),
        (proof().header("alg", "HS256").sign(), wrong, "`alg` is not an asymmetric"),
        (proof().header("alg", "RS256").sign(), wrong, "or not for this type of key"),
        (proof().header("alg", "ES384").sign(), wrong, "or not for this type of key"),
        (proof().header("crit", ["exp"]).sign(), wrong, "has `crit`"),
        (proof().header("b64", false).sign(), wrong, "has `b64`"),
        (proof().header("zip", "DEF").sign(), wrong, "has `zip`"),
        (proof().without_header("jwk").sign(), wrong, "has no `jwk`"),
        (proof().header("jwk", "key").sign(), wrong, admitted),
        (proof().header("jwk", json!({"kty": "oct", "k": "AAAA"})).sign(), wrong, "symmetric"),
        (proof().header("jwk", with(key.jwk(), "d", json!("AAAA"))).sign(), wrong, "private"),
        (proof().header("jwk", with(key.jwk(), "use", json!("enc"))).sign(), wrong, "signatures"),
        (proof().header("jwk", weak).header("alg", "RS256").sign(), wrong, "too weak"),
        (proof().header("jwk", other.jwk()).sign(), wrong, "another than the token is bound to"),
        (other.proof(UNARY, token).sign(), wrong, "another than the token is bound to"),
        (proof().sign_with_wrong_key(), wrong, "the signature of the DPoP proof is not its key's"),
        // Claims.
        (proof().without_claim("htm").sign(), wrong, "`htm` is not `POST`"),
        (proof().claim("htm", "GET").sign(), wrong, "`htm` is not `POST`"),
        (proof().claim("htm", "post").sign(), wrong, "`htm` is not `POST`"),
        (proof().without_claim("htu").sign(), wrong, target),
        (at("https://echo.example.com/kit.v1.Kinds/Open"), wrong, target),
        (at("https://echo.example.com/kit.v1.Kinds/unary"), wrong, target),
        (at("https://echo.example.com"), wrong, target),
        (at("https://other.example.com/kit.v1.Kinds/Unary"), wrong, target),
        (at("https://echo.example.com:8443/kit.v1.Kinds/Unary"), wrong, target),
        (at("http://echo.example.com/kit.v1.Kinds/Unary"), wrong, target),
        (at("/kit.v1.Kinds/Unary"), wrong, target),
        (proof().without_claim("ath").sign(), wrong, "`ath` is not the hash of this token"),
        (key.proof(UNARY, "another").sign(), wrong, "`ath` is not the hash of this token"),
        (proof().without_claim("iat").sign(), wrong, "has no `iat`"),
        (proof().claim("iat", now - 61).sign(), wrong, "too old; how long it may be on its way is"),
        (proof().claim("iat", now + 6).sign(), wrong, "future; by how much clocks may differ is"),
        (proof().without_claim("jti").sign(), wrong, "`jti` is not a string of 1 to 256 bytes"),
        (proof().claim("jti", "").sign(), wrong, "`jti` is not a string of 1 to 256 bytes"),
        (proof().claim("jti", "j".repeat(257)).sign(), wrong, "`jti` is not a string of 1 to 256"),
        // Form.
        (proof().claim("jti", 1).sign(), malformed, "`jti` is a number, expected a string"),
        (proof().claim("iat", "now").sign(), malformed, "`iat` is a string, expected a number"),
        (proof().claim("ath", [1]).sign(), malformed, "`ath` is an array, expected a string"),
        (proof().claim("nonce", 1).sign(), malformed, "`nonce` is a number, expected a string"),
        (proof().header("typ", 1).sign(), malformed, "`typ` is a number, expected a string"),
        (twice(0, r#""typ":"dpop+jwt""#), malformed, "the member `typ` occurs twice"),
        (twice(1, r#""htm":"POST""#), malformed, "the member `htm` occurs twice"),
        (twice(1, r#""\u006ati":"a""#), malformed, "the member `jti` occurs twice"),
        (
            rewrite(&proof().sign(), 1, |json| json + "{}"),
            malformed,
            "something follows the document",
        ),
        (rewrite(&proof().sign(), 1, |_| "[]".into()), malformed, "an array, expected an object"),
        (format!("{}=", proof().sign()), malformed, "not base64url without padding"),
        (format!("{}.AA.AA", proof().sign()), malformed, "which has three parts: it has 5"),
        ("proof".into(), malformed, "which has three parts: it has 1"),
        (proof().claim("x", "x".repeat(7000)).sign(), malformed, "longer than 8 KiB"),
    ]
}

/// Also of a token that is remembered: it is the verdict on the token that is.
#[tokio::test]
async fn a_proof_is_refused_for_whatever_is_wrong_with_it() {
    for cache in [TokenCache::default(), TokenCache::off()] {
        let doors = Doors::with(|builder| builder.token_cache(cache).dpop(dpop())).await;
        let token = doors.token();
        for _ in 0..4 {
            let proof = doors.key.proof(UNARY, &token);
            assert_accepts(&doors, &token, proof, "a good one").await;
        }
        let rows = wrong_proofs(&doors, &token);
        assert!(rows.len() > 50);
        for (proof, expected, cause) in rows {
            doors.refuses(&format!("DPoP {token}"), &[&proof], expected, cause).await;
        }
        let (one, two) = (doors.proof(&token), doors.proof(&token));
        let malformed = Expected::Malformed;
        let dpop = format!("DPoP {token}");
        doors.refuses(&dpop, &[], malformed, "without a proof in `dpop`").await;
        doors.refuses(&dpop, &[&one, &two], malformed, "several `dpop` values").await;
        doors.refuses(&dpop, &[&one, &one], malformed, "several `dpop` values").await;
        // What was refused was not used.
        assert!(doors.prove(&token, &one).await.is_ok());
    }
}

#[tokio::test]
async fn a_proof_is_right_within_its_bounds() {
    let doors = Doors::start(dpop()).await;
    // Proofs from before the start, and shortly after it, are for `restart.rs`.
    doors.issuer.clock().advance(std::time::Duration::from_secs(60));
    let (token, now) = (doors.token(), seconds(&doors));
    let proof = || doors.key.proof(UNARY, &token);
    for (case, proof) in [
        ("the oldest", proof().claim("iat", now - 60)),
        ("the newest", proof().claim("iat", now + 5)),
        ("a fraction", proof().claim("iat", 0.5 + f64::from(u32::try_from(now).unwrap()))),
        ("the longest id", proof().claim("jti", "j".repeat(256))),
        ("a query", proof().claim("htu", format!("{UNARY}?a#b"))),
        ("the default port", proof().claim("htu", UNARY.replace(".com", ".com:443"))),
        ("upper case", proof().claim("htu", UNARY.replace("https://echo", "HTTPS://ECHO"))),
        ("others", proof().claim("exp", 1).header("x5c", ["a"]).header("kid", 1)),
        ("a nonce that nobody asked for", proof().nonce("nonce")),
    ] {
        assert_accepts(&doors, &token, proof, case).await;
    }
    for scheme in ["dpop", "DPOP"] {
        let answer = doors.call(&format!("{scheme} {token}"), &[&doors.proof(&token)]).await;
        assert!(answer.is_ok(), "{scheme}: {answer:?}");
    }
    for algorithm in [Algorithm::Rs256, Algorithm::EdDsa] {
        let key = doors.issuer.dpop_key_with(algorithm);
        let token = doors.issuer.token().scopes(["read:word"]).bound_to_key(&key).sign();
        assert_accepts(&doors, &token, key.proof(UNARY, &token), algorithm.as_str()).await;
        // RFC 9864: the fully specified name, for a key on Ed25519 alone.
        let proof = key.proof(UNARY, &token).header("alg", "Ed25519");
        if algorithm == Algorithm::EdDsa {
            assert_accepts(&doors, &token, proof, "Ed25519").await;
        } else {
            assert!(doors.prove(&token, &proof.sign()).await.is_err());
        }
    }
}
