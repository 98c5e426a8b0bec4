//! Any bytes at any door: no panic, no verdict but refusal. What has to hold is written in
//! `tests/fuzz/properties.rs`; the fuzzer there asks the same.

#[path = "../../fuzz/doors.rs"]
mod doors;
#[path = "../../fuzz/properties.rs"]
mod properties;

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::testing::fuzz as reader;
use grpc_auth::{Algorithm, BearerToken};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::at_once::at_once;
use doors::{DOORS, bomb, hostile_values};
use properties::{AUDIENCE, ISSUER, SERVER};

fn seeds(door: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(door);
    let mut paths: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A seed with a piece of it replaced by other bytes.
fn near(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![vec(any::<u8>(), 0..8), vec(0x20..0x7f_u8, 0..8)];
    let place = (any::<prop::sample::Index>(), 0..8_usize);
    (prop::sample::select(seeds), place, pieces).prop_map(|(mut bytes, (start, length), piece)| {
        let start = start.index(bytes.len() + 1);
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, piece);
        bytes
    })
}

#[test]
fn whatever_comes_in_is_refused_without_a_panic() {
    for door in DOORS {
        let name = door.name;
        let seeds = seeds(name);
        assert!(seeds.len() >= 3, "{name} has no seeds");
        seeds.iter().for_each(|seed| (door.check)(seed));
        let bytes = prop_oneof![
            vec(any::<u8>(), 0..300),
            "\\PC{0,200}".prop_map(String::into_bytes),
            "[A-Za-z0-9_.=, \n-]{0,300}".prop_map(String::into_bytes),
            near(seeds),
        ];
        let config = Config { cases: 2000, failure_persistence: None, ..Config::default() };
        let outcome = TestRunner::new(config).run(&bytes, |bytes| {
            (door.check)(&bytes);
            Ok::<_, TestCaseError>(())
        });
        if let Err(error) = outcome {
            panic!("{name}: {error}");
        }
    }
}

/// A property that no input gets far enough to meet would hold as well.
#[test]
fn the_properties_are_reached() {
    let set = reader::key_set(
        br#"{"keys":[{"kty":"OKP","crv":"Ed25519",
            "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    );
    assert_eq!(set.unwrap().count(Algorithm::EdDsa), 1);

    let header = r#"{"alg":"EdDSA","kid":"eddsa-1","typ":"at+jwt"}"#;
    let claims = format!(r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","exp":99999999999}}"#);
    let parts = [header.as_bytes(), claims.as_bytes(), &[0; 64]];
    let token = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let refused = at_once(SERVER.verify(&BearerToken::parse(&token).unwrap())).unwrap_err();
    assert_eq!(refused.to_string(), "the signature is not the issuer's");

    let document = br#"{"issuer":"https://issuer.example","jwks_uri":"https://a.example/"}"#;
    assert!(reader::metadata(document, ISSUER).is_ok());
}

/// Reads each document on a stack of its own, of the size that tokio's workers have.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(run).unwrap();
    thread.join().unwrap();
}

/// Each of these ended the process before one reader stood in front of all JSON.
#[test]
fn a_document_that_nests_itself_is_rejected_at_each_door_at_its_own_limit() {
    on_a_small_stack(|| {
        let mut tried = 0;
        for door in DOORS {
            for document in door.documents {
                let bomb = bomb(door.limit - document.len());
                let json = document.replace('@', &bomb);
                assert!(json.len() <= door.limit, "{}", door.name);
                (door.check)(json.as_bytes());
                let cause = (door.verdict)(json.as_bytes()).expect_err(door.name);
                assert!(cause.contains("which is reserved"), "{}: {cause}", door.name);
                tried += 1;
            }
        }
        assert!(tried >= 18, "{tried}");
    });
}

/// Two readers could see two documents, or a reader could go too deep.
#[test]
fn what_hides_in_a_member_that_no_reader_knows_is_rejected_at_each_door_by_its_cause() {
    on_a_small_stack(|| {
        for door in DOORS {
            for harmless in door.with_member(r#"{"a":[1,"b",null]}"#) {
                (door.check)(&harmless);
                let cause = (door.verdict)(&harmless).err().unwrap_or_default();
                let is_json = !["reserved", "twice", "deeper", "not valid JSON"]
                    .iter()
                    .any(|word| cause.contains(word));
                assert!(is_json, "{}: {cause}", door.name);
            }
            for (value, expected) in hostile_values(door.limit / 2) {
                for document in door.with_member(&value) {
                    (door.check)(&document);
                    let cause = (door.verdict)(&document).expect_err(door.name);
                    assert!(cause.contains(expected), "{} {value:.80}: {cause}", door.name);
                }
            }
        }
    });
}
