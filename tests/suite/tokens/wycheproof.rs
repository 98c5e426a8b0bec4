//! Wycheproof's vectors of the primitives, through the admission of keys and the check of
//! signatures that tokens go through.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grpc_auth::Algorithm;
use grpc_auth::testing::verify_raw;
use serde_json::{Value, json};
use wycheproof::{HashFunction, Mgf, TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

/// What was said of the vectors.
#[derive(Default)]
struct Tally {
    judged: usize,
    accepted: usize,
    /// Valid ones that are refused, by reason.
    refused: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Tally {
    /// `excuse` is why a valid one has to be refused. Where it is that the parameters are others,
    /// an invalid one may be a good signature with ours.
    fn judge(
        &mut self,
        name: &str,
        (jwk, algorithm): (&Value, Algorithm),
        (message, signature): (&[u8], &[u8]),
        expected: TestResult,
        excuse: Option<&str>,
    ) {
        let verdict = verify_raw(&jwk.to_string(), algorithm, message, signature);
        self.judged += 1;
        self.accepted += usize::from(verdict == Ok(true));
        match (expected, verdict, excuse) {
            (TestResult::Invalid, Ok(true), None) => self.wrong.push(format!("{name}: accepted")),
            (TestResult::Valid, Ok(true), Some(excuse)) => {
                self.wrong.push(format!("{name}: accepted in spite of {excuse}"));
            }
            (TestResult::Valid, Ok(false) | Err(_), Some(excuse)) => {
                *self.refused.entry(excuse.to_owned()).or_default() += 1;
            }
            (TestResult::Valid, refused, None) if refused != Ok(true) => {
                self.wrong.push(format!("{name}: {refused:?}"));
            }
            _ => {}
        }
    }

    fn end(self, name: &str, judged: usize) {
        let Self { accepted, refused, wrong, .. } = &self;
        println!(
            "wycheproof {name}: {} vectors, {accepted} accepted, {} wrong; valid and refused: \
             {refused:?}",
            self.judged,
            wrong.len()
        );
        assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
        assert!(*accepted > 0, "{name}: nothing is accepted");
        assert_eq!(self.judged, judged, "{name}: other vectors than before");
    }
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A number without its leading zeros, as RFC 7518 §6.3.1 wants it.
fn number(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    text(&bytes[zeros..])
}

#[test]
fn ecdsa_is_checked_as_wycheproof_expects() {
    use ecdsa::TestName::{
        EcdsaSecp256r1Sha256P1363, EcdsaSecp384r1Sha384P1363, EcdsaSecp521r1Sha512P1363,
    };
    let mut tally = Tally::default();
    for (set, algorithm, curve) in [
        (EcdsaSecp256r1Sha256P1363, Algorithm::Es256, "P-256"),
        (EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384"),
        (EcdsaSecp521r1Sha512P1363, Algorithm::Es512, "P-521"),
    ] {
        for group in ecdsa::TestSet::load(set).unwrap().test_groups {
            let (x, y) = group.key.key[1..].split_at(group.key.key.len() / 2);
            let jwk = json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)});
            for test in group.tests {
                let name = format!("{set:?} {} {:?}", test.tc_id, test.flags);
                tally.judge(&name, (&jwk, algorithm), (&test.msg, &test.sig), test.result, None);
            }
        }
    }
    tally.end("ECDSA", 860);
}

#[test]
fn ed25519_is_checked_as_wycheproof_expects() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": text(&group.key.pk)});
        for test in group.tests {
            let name = format!("{} {:?}", test.tc_id, test.flags);
            tally.judge(&name, (&jwk, Algorithm::EdDsa), (&test.msg, &test.sig), test.result, None);
        }
    }
    tally.end("Ed25519", 151);
}

/// Why no key like this is admitted.
fn weakness(n: &[u8], e: &[u8]) -> Option<&'static str> {
    let significant = |number: &[u8]| number.iter().skip_while(|byte| **byte == 0).count();
    match () {
        () if significant(n) < 256 => Some("a modulus below 2048 bits"),
        () if significant(e) < 3 => Some("an exponent below 65537"),
        () => None,
    }
}

#[test]
fn rsa_pkcs1_is_checked_as_wycheproof_expects() {
    let mut tally = Tally::default();
    for set in rsa_pkcs1_verify::TestName::all() {
        for group in rsa_pkcs1_verify::TestSet::load(set).unwrap().test_groups {
            let algorithm = match group.hash {
                HashFunction::Sha2_256 => Algorithm::Rs256,
                HashFunction::Sha2_384 => Algorithm::Rs384,
                HashFunction::Sha2_512 => Algorithm::Rs512,
                // JWS has no other hash.
                _ => continue,
            };
            let jwk = json!({"kty": "RSA", "n": number(&group.key.n), "e": number(&group.key.e)});
            let excuse = weakness(&group.key.n, &group.key.e);
            for test in group.tests {
                let name = format!("{set:?} {} {:?}", test.tc_id, test.flags);
                tally.judge(&name, (&jwk, algorithm), (&test.msg, &test.sig), test.result, excuse);
            }
        }
    }
    tally.end("RSA PKCS #1 v1.5", 3106);
}

#[test]
fn rsa_pss_is_checked_as_wycheproof_expects() {
    let mut tally = Tally::default();
    for set in rsa_pss_verify::TestName::all() {
        for group in rsa_pss_verify::TestSet::load(set).unwrap().test_groups {
            let (algorithm, salt) = match group.hash {
                HashFunction::Sha2_256 => (Algorithm::Ps256, 32),
                HashFunction::Sha2_384 => (Algorithm::Ps384, 48),
                HashFunction::Sha2_512 => (Algorithm::Ps512, 64),
                // JWS has no other hash.
                _ => continue,
            };
            let excuse = match () {
                () if group.mgf != Mgf::Mgf1 => Some("another mask generation than MGF1"),
                () if group.mgf_hash.as_ref() != Some(&group.hash) => Some("another hash in MGF1"),
                () if group.salt_size != salt => Some("a salt of another length than the hash's"),
                () => weakness(&group.key.n, &group.key.e),
            };
            let jwk = json!({"kty": "RSA", "n": number(&group.key.n), "e": number(&group.key.e)});
            for test in group.tests {
                let name = format!("{set:?} {} {:?}", test.tc_id, test.flags);
                tally.judge(&name, (&jwk, algorithm), (&test.msg, &test.sig), test.result, excuse);
            }
        }
    }
    tally.end("RSA PSS", 2206);
}
