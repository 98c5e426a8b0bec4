//! Which keys are admitted, and why others are skipped.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

/// RFC 7517 appendix A.1 and RFC 8037 appendix A.2.
fn ec() -> Value {
    json!({"kty": "EC", "crv": "P-256", "kid": "1",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"})
}

fn ed() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn rsa(bytes: usize, e: &str) -> Value {
    let mut n = vec![0xff; bytes];
    n.push(0xff);
    json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(n), "e": e})
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

fn parse(jwk: &Value) -> Result<Key, Skipped> {
    Key::parse(jwk.to_string().as_bytes())
}

#[test]
fn a_key_is_used_with_the_algorithms_that_fit_it() {
    let algorithms = |jwk: &Value| {
        let key = parse(jwk).unwrap();
        Algorithm::ALL.into_iter().filter(|name| key.fits(*name)).collect::<Vec<_>>()
    };
    assert_eq!(algorithms(&ec()), [Algorithm::Es256]);
    for alg in ["EdDSA", "Ed25519"] {
        assert_eq!(algorithms(&with(ed(), "alg", json!(alg))), [Algorithm::EdDsa]);
    }
    assert_eq!(algorithms(&ed()), [Algorithm::EdDsa]);
    assert_eq!(algorithms(&rsa(255, "AQAB")).len(), 6);
    assert_eq!(algorithms(&with(rsa(255, "AQAB"), "alg", json!("PS256"))), [Algorithm::Ps256]);
    assert_eq!(algorithms(&with(ec(), "key_ops", json!(["verify"]))), [Algorithm::Es256]);
}

#[test]
fn leading_zeros_may_be_missing_or_too_many_where_that_is_the_same_number() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

    let point = || {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        pair.public_key().as_ref().to_vec()
    };
    let point = std::iter::repeat_with(point).find(|point| point[1] == 0).unwrap();
    let (x, y) = (&point[2..33], &point[33..]);
    let short = with(ec(), "x", json!(URL_SAFE_NO_PAD.encode(x)));
    let short = with(short, "y", json!(URL_SAFE_NO_PAD.encode(y)));
    assert!(parse(&short).is_ok());

    let decode = |value: &Value| URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap();
    let jwk = rsa(255, "AQAB");
    let padded = [vec![0, 0], decode(&jwk["n"])].concat();
    let padded = with(jwk, "n", json!(URL_SAFE_NO_PAD.encode(padded)));
    assert_eq!(parse(&padded).unwrap().signature_bytes, 256);
    let long = [vec![0], decode(&ec()["x"])].concat();
    let long = with(ec(), "x", json!(URL_SAFE_NO_PAD.encode(long)));
    let error = parse(&long).unwrap_err().to_string();
    assert_eq!(error, "its `x` is longer than a coordinate of its curve, leading zeros included");
}

/// A set is as before only if all of this is.
#[test]
fn a_key_is_another_one_under_another_name_or_for_another_use() {
    let identity = |jwk: &Value| parse(jwk).unwrap().identity;
    assert_eq!(identity(&ec()), identity(&with(ec(), "use", json!("sig"))));
    for (jwk, name, value) in [
        (ec(), "kid", json!("2")),
        (ec(), "issuer", json!("https://a.example")),
        (rsa(255, "AQAB"), "alg", json!("PS256")),
        (rsa(255, "AQAB"), "e", json!("AQAD")),
    ] {
        assert_ne!(identity(&jwk), identity(&with(jwk.clone(), name, value)), "{name}");
    }
}

#[test]
fn a_key_in_which_a_member_occurs_twice_or_has_a_reserved_name_is_skipped() {
    let twice = ec().to_string().replacen('{', r#"{"kid":"other","#, 1);
    assert_eq!(Key::parse(twice.as_bytes()).unwrap_err(), Skipped::Ambiguous);
    for name in ["$serde_json::private::RawValue", "\\u0024serde_json::private::Number"] {
        let hidden = format!(r#"{{"{name}":"{{\"kid\":1,\"kid\":2}}","x5t":["#);
        let hidden = ec().to_string().replacen('{', &format!("{hidden}1],"), 1);
        assert_eq!(Key::parse(hidden.as_bytes()).unwrap_err(), Skipped::Reserved, "{name}");
    }
}

/// Reported at IdentityModel#2254, SimpleIdServer#863, jose-jwt#214 and pyjwt#857.
#[test]
fn optional_members_that_are_empty_are_absent() {
    let plain = parse(&rsa(255, "AQAB")).unwrap().identity;
    for member in
        ["use", "key_ops", "alg", "kid", "x5c", "x5t", "d", "p", "q", "dp", "qi", "oth", "k"]
    {
        for empty in [json!(null), json!(""), json!([])] {
            let jwk = with(rsa(255, "AQAB"), member, empty.clone());
            assert_eq!(parse(&jwk).unwrap().identity, plain, "{member} {empty}");
        }
        if !member.starts_with("x5") {
            let jwk = with(rsa(255, "AQAB"), member, json!({}));
            assert!(parse(&jwk).is_err(), "{member}");
        }
    }
    for member in ["kty", "n", "e"] {
        for empty in [json!(null), json!(""), json!([])] {
            assert!(parse(&with(rsa(255, "AQAB"), member, empty)).is_err(), "{member}");
        }
    }
}

#[test]
fn a_key_with_any_private_member_is_skipped() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let skipped = parse(&with(ec(), member, json!("AAAA"))).unwrap_err();
        assert_eq!(skipped, Skipped::Private, "{member}");
    }
}

/// Of C2SP's ed25519-speccheck, case 2: a signature that fits the equation for any R of small
/// order.
#[test]
fn a_signature_whose_r_is_of_small_order_is_refused() {
    let decode = |hex: &str| -> Vec<u8> {
        let byte = |n: usize| u8::from_str_radix(&hex[n..n + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(byte).collect()
    };
    let x = "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43";
    let jwk = with(ed(), "x", json!(URL_SAFE_NO_PAD.encode(decode(x))));
    let key = parse(&jwk).unwrap();
    let message = decode("aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab");
    let signature = decode(concat!(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
    ));
    let unchecked = key.verifiers.iter().any(|(_, k)| k.verify_sig(&message, &signature).is_ok());
    assert!(unchecked, "the library accepts it");
    assert!(!key.verifies(Algorithm::EdDsa, &message, &signature));
}

#[test]
fn a_key_that_may_not_check_signatures_is_skipped_for_its_reason() {
    let member = |name, problem| Skipped::Member { name, problem };
    let small = |y: &[u8; 32]| with(ed(), "x", json!(URL_SAFE_NO_PAD.encode(y)));
    let mut one = [0; 32];
    one[0] = 1;
    for (jwk, reason) in [
        (json!("key"), Skipped::NotAnObject),
        (json!({"kty": "oct", "k": "AAAA"}), Skipped::Symmetric),
        (with(ec(), "use", json!("enc")), Skipped::OtherUse(r#""enc""#.into())),
        (with(ec(), "use", json!("jwt-svid")), Skipped::OtherUse(r#""jwt-svid""#.into())),
        (with(ec(), "use", json!("SIG")), Skipped::OtherUse(r#""SIG""#.into())),
        (with(ec(), "use", json!(1)), Skipped::OtherUse("not a string".into())),
        (with(ec(), "use", json!(["sig"])), Skipped::OtherUse("not a string".into())),
        (
            with(ec(), "key_ops", json!(["sign"])),
            Skipped::OtherOperations("does not hold \"verify\""),
        ),
        // Reported at jans#3777.
        (
            with(ec(), "key_ops", json!("verify")),
            Skipped::OtherOperations("is not an array of strings"),
        ),
        (with(ec(), "kid", json!(1)), Skipped::KeyId),
        (with(ec(), "issuer", json!(1)), Skipped::Malformed),
        (with(ec(), "kid", json!("k".repeat(257))), Skipped::KeyId),
        (with(ec(), "crv", json!("secp256k1")), Skipped::UnsupportedType),
        (with(ec(), "alg", json!("HS256")), Skipped::UnsupportedAlgorithm),
        (with(ec(), "alg", json!("none")), Skipped::UnsupportedAlgorithm),
        (with(ec(), "alg", json!("RS256")), Skipped::UnsupportedAlgorithm),
        (with(ec(), "alg", json!("Ed25519")), Skipped::UnsupportedAlgorithm),
        (with(ed(), "alg", json!("Ed448")), Skipped::UnsupportedAlgorithm),
        (with(ed(), "crv", json!("Ed448")), Skipped::UnsupportedType),
        (with(ec(), "alg", json!("ES384")), Skipped::UnsupportedAlgorithm),
        (with(ec(), "x", json!("AAAA")), Skipped::Malformed),
        // On no curve: the y of another point.
        (with(ec(), "y", ec()["x"].clone()), Skipped::Malformed),
        (
            with(ec(), "x", json!("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4=")),
            member("x", "ends with padding (`=`), which base64url does not have (RFC 7515 §2)"),
        ),
        (
            with(ec(), "y", json!("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFy+")),
            member("y", "is not base64url: it has `+` or `/`, which are of the standard alphabet"),
        ),
        (with(ec(), "y", json!("A*")), member("y", "is not base64url")),
        (with(ec(), "y", json!(null)), member("y", "is missing or not a string")),
        (rsa(127, "AQAB"), Skipped::Weak),
        (rsa(255, "Aw"), Skipped::Weak),
        (rsa(255, "AQAA"), Skipped::Weak),
        (rsa(1024, "AQAB"), Skipped::Weak),
        (small(&[0; 32]), Skipped::Malformed),
        (small(&one), Skipped::Malformed),
        (small(&[0xff; 32]), Skipped::Malformed),
    ] {
        assert_eq!(parse(&jwk).unwrap_err(), reason, "{jwk}");
    }
}
