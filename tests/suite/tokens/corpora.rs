//! Corpora of tokens, key sets and signatures: nothing forged gets in, nothing good stays out.

use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::read::GzDecoder;
use grpc_auth::testing::verify_raw;
use grpc_auth::{Algorithm, BearerToken, ResourceServer};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tests::judge::Judge;

/// Verdicts of ours that differ from the label, and why they are right.
const DIFFER: [(&str, &str); 4] = [
    ("jwt_verify_lib/jwks/JwksECMissingBothAlgCrvES256", "RFC 7518 §6.2.1: `crv` MUST be there"),
    ("jwt_verify_lib/jwks/JwkECMissingCrv", "RFC 7518 §6.2.1: `crv` MUST be there"),
    ("jwt_verify_lib/jwks/JwksECUnspecifiedCrv", "RFC 7518 §6.2.1: `crv` MUST be there"),
    ("jwt_verify_lib/jwt/TestParsePayloadJtiNotString", "`jti` decides nothing here"),
];

fn differs(id: &str) -> bool {
    DIFFER.iter().any(|(listed, _)| *listed == id)
}

#[derive(Deserialize)]
struct Case {
    id: String,
    expect: String,
    layer: String,
    why: String,
}

/// Reads a corpus that is not the project's, from beside it or from `GRPC_AUTH_CORPORA`.
fn beside(name: &str) -> Vec<u8> {
    let dir = std::env::var_os("GRPC_AUTH_CORPORA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora"),
        PathBuf::from,
    );
    let path = dir.join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut lines).unwrap();
    lines
}

fn lines(corpus: &[u8]) -> impl Iterator<Item = &[u8]> {
    corpus.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn cases<T: DeserializeOwned>(corpus: &[u8]) -> Vec<T> {
    lines(corpus).map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// Judges each three times in a row, by the same server: what is accepted twice is remembered, and
/// the third time nothing else is asked.
async fn run(name: &str, corpus: &[u8], expected: usize) {
    let mut judge = Judge::default();
    let (mut accepted, mut wrong) = (0, Vec::new());
    for line in lines(corpus) {
        for _ in 0..3 {
            let case: Case = serde_json::from_slice(line).unwrap();
            let verdict = judge.judge(line).await.unwrap().verdict;
            accepted += usize::from(verdict.is_ok());
            // No HMAC by design.
            let label = if case.layer == "hs" { "reject" } else { &*case.expect };
            let found = if verdict.is_ok() { "accept" } else { "reject" };
            let differs = differs(&case.id);
            assert!(!differs || found == "reject", "{} is in the table, and accepted", case.id);
            if label != "either" && label != found && !differs {
                wrong.push(format!(
                    "{}: {found} {verdict:?}, expected {label}: {}",
                    case.id, case.why
                ));
            }
        }
    }
    let count = lines(corpus).count();
    println!(
        "corpus {name}: {count} cases three times, {accepted} accepted, {} wrong",
        wrong.len()
    );
    assert_eq!(count, expected, "{name} is another corpus");
    assert!(accepted > 0 || name.starts_with("json"), "nothing is accepted");
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn no_attack_gets_in_and_good_tokens_do() {
    let corpus = unpack(include_bytes!("../../corpora/attacks.jsonl.gz"));
    run("attacks", &corpus, 321).await;
}

#[tokio::test]
#[ignore = "reads published vectors beside the project: run with `-- --ignored corpora`"]
async fn published_vectors_are_judged_as_they_are_labelled() {
    let corpus = beside("published.jsonl");
    run("published", &corpus, 458).await;
}

#[tokio::test]
#[ignore = "reads published vectors beside the project: run with `-- --ignored corpora`"]
async fn json_that_is_none_is_refused_wherever_it_stands() {
    let corpus = beside("json_invalid.jsonl.gz");
    run("json_invalid", &unpack(&corpus), 564).await;
}

#[derive(Deserialize)]
struct Parsed {
    id: String,
    expect_status: String,
    #[serde(default)]
    jwks_text: String,
    #[serde(default)]
    token: String,
}

async fn server(jwks: &str) -> Result<ResourceServer, grpc_auth::ConfigError> {
    ResourceServer::static_keys("https://example.com", jwks).audience("aud1").build().await
}

#[tokio::test]
#[ignore = "reads published vectors beside the project: run with `-- --ignored corpora`"]
async fn key_sets_that_others_cannot_use_are_refused() {
    let corpus = beside("jwt_verify_lib/jwks_parse.jsonl");
    let cases: Vec<Parsed> = cases(&corpus);
    assert_eq!(cases.len(), 56);
    for Parsed { id, expect_status, jwks_text, .. } in &cases {
        let is_expected = expect_status == "Ok" && !differs(id);
        let found = server(jwks_text).await.map(|_| ());
        assert_eq!(found.is_ok(), is_expected, "{id}: {found:?}, expected {expect_status}");
    }
    println!("corpus jwks_parse: {} cases", cases.len());
}

#[tokio::test]
#[ignore = "reads published vectors beside the project: run with `-- --ignored corpora`"]
async fn tokens_that_others_cannot_read_are_refused() {
    let corpus = beside("jwt_verify_lib/jwt_parse.jsonl");
    let server = server(
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    )
    .await
    .unwrap();
    let cases: Vec<Parsed> = cases(&corpus);
    assert_eq!(cases.len(), 29);
    // No signature of theirs is good: what counts is how far a token gets.
    for Parsed { id, expect_status, token, .. } in &cases {
        let (parses, reason) = match BearerToken::parse(token) {
            None => (false, "no token68 of at most 64 KiB".to_owned()),
            Some(token) => {
                let reason = server.verify(&token).await.unwrap_err().to_string();
                let is_unreadable = reason.starts_with("its ") || reason.starts_with("it is no ");
                // Theirs know HMAC, so that they come to the claims of tokens with it.
                (!is_unreadable && (!reason.starts_with("`alg`") || expect_status == "Ok"), reason)
            }
        };
        let is_expected = (expect_status == "Ok") != differs(id);
        assert_eq!(parses, is_expected, "{id}: {reason}, expected {expect_status}");
    }
    println!("corpus jwt_parse: {} cases", cases.len());
}

#[derive(Deserialize)]
struct SpecCheck {
    message: String,
    pub_key: String,
    signature: String,
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |place: usize| u8::from_str_radix(&text[place..place + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[test]
#[ignore = "reads published vectors beside the project: run with `-- --ignored corpora`"]
fn ed25519_keys_of_small_order_and_encodings_that_are_not_canonical_are_refused() {
    let corpus = beside("ed25519-speccheck/cases.json");
    let cases: Vec<SpecCheck> = serde_json::from_slice(&corpus).unwrap();
    let verdicts = cases.iter().map(|case| {
        let key = URL_SAFE_NO_PAD.encode(hex(&case.pub_key));
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": key}).to_string();
        verify_raw(&jwk, Algorithm::EdDsa, &hex(&case.message), &hex(&case.signature))
    });
    let accepted: Vec<_> =
        (0..).zip(verdicts).filter(|(_, verdict)| *verdict == Ok(true)).collect();
    println!("corpus ed25519-speccheck: {} cases, accepted {accepted:?}", cases.len());
    assert_eq!(cases.len(), 12);
    // Case 3 is a good signature by RFC 8032: key and R are merely of mixed order.
    assert_eq!(accepted, [(3, Ok(true))]);
}
