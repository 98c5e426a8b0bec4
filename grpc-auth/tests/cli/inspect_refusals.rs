//! `grpc-auth inspect`: each reason in words, with what was found and what to do.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::testing::TestAuthorizationServer;
use serde_json::json;

use crate::inspect::{judged_by, running_issuer};
use crate::program::{Folder, Program};

/// A token, the name of the reason, and what is said besides: of the cause, of what was found, of the
/// fix.
type Case = (String, &'static str, [&'static str; 3]);

fn cases(issuer: &TestAuthorizationServer) -> Vec<Case> {
    let token = || issuer.token().subject("alice");
    let hour = Duration::from_secs(3600);
    let later = (issuer.clock().now() + hour).duration_since(UNIX_EPOCH).unwrap().as_secs();
    let many: Vec<_> = (0..600).map(|n| format!("scope:{n}")).collect();
    let good = token().sign();
    let (signed, _) = good.rsplit_once('.').unwrap();
    let unsigned =
        |header: &str, claims: &str| format!("{}.{}.c2ln", base64(header), base64(claims));
    vec![
        ("opaque".into(), "not-a-jwt", ["it has 1", "", "if it is opaque"]),
        (format!("{good}="), "base64", ["its signature is not base64url", "", "copy it whole"]),
        (
            unsigned(r#"{"alg":"ES256","alg":"ES256"}"#, "{}"),
            "json",
            ["its header cannot be read", "", "write JSON that can be read in one way"],
        ),
        (
            token().header("kid", 7).sign(),
            "json",
            ["`kid` is a number, expected a string", "", "let the authorization server write"],
        ),
        (
            token().claim("sub", 7).sign(),
            "json",
            ["`sub` is a number, expected a string", "", "let the authorization server write"],
        ),
        (
            unsigned(r#"{"alg":"Ed448","typ":"at+jwt"}"#, "{}"),
            "algorithm",
            ["`alg` is `Ed448`, which is not supported", "`alg` is \"Ed448\"", "or EdDSA"],
        ),
        (
            unsigned(r#"{"alg":"HS256","typ":"at+jwt"}"#, "{}"),
            "algorithm",
            ["not an asymmetric signature algorithm", "`alg` is \"HS256\"", "RS256, PS256, ES256"],
        ),
        (
            unsigned(r#"{"alg":"none","typ":"at+jwt"}"#, "{}"),
            "algorithm",
            [
                "not an asymmetric signature algorithm",
                "`alg` is \"none\"",
                "`none` is no signature",
            ],
        ),
        (
            token().header("crit", ["b64"]).sign(),
            "header-parameter",
            ["its header has `crit`", "", "RFC 7515 §4.1.11"],
        ),
        (
            token().claim("iss", "https://other.example.com/").sign(),
            "issuer",
            [
                "not a configured issuer, byte for byte: configured is \"http://127.0.0.1:",
                "`iss` is \"https://other.example.com/\"",
                "a slash at its end counts. Here: `--issuer`",
            ],
        ),
        (
            token().header("typ", "JWT").sign(),
            "token-type",
            [
                "`Issuer::accept_token_type`: configured is \"at+jwt\"",
                "`typ` is \"JWT\"",
                "Here: `--accept-type`, or `--provider`",
            ],
        ),
        (
            token().claim("aud", ["https://a.example.com", "b"]).sign(),
            "audience",
            [
                "`aud` does not contain a configured audience: configured is \"https://api.example.test\"",
                "`aud` is [\"https://a.example.com\",\"b\"]",
                "ask the authorization server for a token for this service",
            ],
        ),
        (
            token().without_claim("aud").sign(),
            "audience",
            ["`aud` does not contain", "`aud` is missing", "Here: `--audience`"],
        ),
        (
            token().without_claim("exp").sign(),
            "expiry-missing",
            ["`exp` is missing", "", "a token that never ends"],
        ),
        (
            token().expired().sign(),
            "expired",
            ["`exp` has passed", "60 minutes ago", "get a new one"],
        ),
        (
            token().claim("nbf", later).sign(),
            "not-yet-valid",
            ["`nbf` is in the future", "`nbf` is ", "set the clock of this machine"],
        ),
        (
            token().claim("iat", later).sign(),
            "issued-in-future",
            ["`iat` is in the future", "`iat` is ", "set the clock of this machine"],
        ),
        (
            token().bound_to_key(&issuer.dpop_key()).sign(),
            "sender-constrained",
            ["bound to a key of its holder", "`cnf` is {\"jkt\":", "all else about it is in order"],
        ),
        (
            token().claim("cnf", json!({ "x": 1 })).sign(),
            "confirmation",
            ["binds it in another way", "`cnf` is {\"x\":1}", "RFC 8705"],
        ),
        (
            token().scopes(many).sign(),
            "grants",
            ["its grants cannot be read: more than 512 grants", "", "Here: `--provider`"],
        ),
        (
            token().claim("scope", json!({ "a": 1 })).sign(),
            "grants",
            [
                "the claim at `/scope` is an object, expected a string of words or an array of strings",
                "",
                "Here: `--provider`",
            ],
        ),
        (
            token().without_key_id().sign(),
            "key-id-missing",
            ["`kid` is missing", "", "Here: `--allow-missing-key-id`"],
        ),
        (
            token().header("kid", "k".repeat(257)).sign(),
            "key-id-too-long",
            ["longer than 256 bytes", "", "no key is named like that"],
        ),
        (
            token().header("kid", "retired").sign(),
            "key-unknown",
            ["no key with this `kid`", "`kid` is \"retired\"", "compare its `kid`"],
        ),
        (
            token().header("alg", "RS256").sign(),
            "key-unfit",
            ["is not for this `alg`", "`kid` is \"es256-1\"", "its key is not for this `alg`"],
        ),
        (
            token().sign_with_wrong_key(),
            "signature",
            ["not the issuer's", "", "get it from the authorization server"],
        ),
        (
            format!("{signed}.{}", "A".repeat(86)),
            "signature",
            ["the signature is not the issuer's", "", "copy it whole"],
        ),
        (
            format!("two {good}"),
            "malformed",
            ["a header cannot carry this", "", "no quotes, no line breaks"],
        ),
        (
            token().claim("big", "x".repeat(13_000)).sign(),
            "too-long",
            [
                "bytes, and this server accepts 16384",
                "`ResourceServerBuilder::max_token_bytes`",
                "Here: `--max-token-bytes`",
            ],
        ),
        (
            "a".repeat(64 * 1024 + 1),
            "malformed",
            ["it is over 64 KiB", "it has 65537 bytes", "copy the token whole"],
        ),
    ]
}

#[tokio::test]
async fn each_reason_is_explained_with_what_was_found_and_what_to_do() {
    let issuer = running_issuer().await;
    for (token, code, [cause, found, fix]) in cases(&issuer) {
        let (ended, json) = tokio::join!(
            judged_by(&issuer).stdin(&token).run(),
            judged_by(&issuer).args(["--json"]).stdin(&token).run()
        );
        assert_eq!((ended.code, &*ended.stderr), (3, ""), "{code}: {ended:?}");
        assert!(ended.stdout.contains(&format!("\nVerdict  refused ({code})\n")), "{ended:?}");
        // Sentences begin with a capital letter.
        let text = ended.stdout.to_lowercase();
        for expected in [cause, found, fix] {
            assert!(text.contains(&expected.to_lowercase()), "{code}: {expected}: {text}");
        }

        let verdict = &json.json()["verdict"];
        assert_eq!(
            (json.code, &verdict["outcome"], &verdict["code"]),
            (3, &json!("refused"), &json!(code))
        );
        assert!(verdict["help"].as_str().unwrap().contains(fix), "{verdict}");
    }
}

#[tokio::test]
async fn an_id_token_of_a_provider_is_told_apart() {
    let issuer = running_issuer().await;
    let folder = Folder::new();
    let keys = folder.write("jwks.json", issuer.jwks());
    let realm = "https://sso.example.com/realms/main";
    let token = issuer.token().header("typ", "JWT").claim("iss", realm).claim("typ", "ID").sign();
    let program = Program::new(["inspect", "--jwks", &keys, "--issuer", realm, "--audience"])
        .args([TestAuthorizationServer::AUDIENCE, "--provider", "keycloak", "--client", "echo"]);
    let ended = program.stdin(token).run().await;
    assert!(ended.stdout.contains("Verdict  refused (required-claim)"), "{ended:?}");
    assert!(ended.stdout.contains("send the access token, not the ID token"), "{ended:?}");

    let pool = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC";
    let token = issuer.token().header("typ", "JWT").claim("iss", pool);
    let token = token.claim("token_use", "access").claim("client_id", "other").sign();
    let program = Program::new(["inspect", "--jwks", &keys, "--issuer", pool]).args([
        "--provider",
        "cognito",
        "--client",
        "echo",
    ]);
    let ended = program.stdin(token).run().await;
    assert!(ended.stdout.contains("Verdict  refused (client)"), "{ended:?}");
    assert!(ended.stdout.contains("`client_id` is \"other\"; configured is \"echo\""), "{ended:?}");
}

fn base64(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}
