//! One JWK (RFC 7517), and whether it may check signatures here.

mod material;

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::ParsedPublicKey;

use super::algorithm::{Algorithm, Material};
use super::weak_keys::has_small_order;
use crate::json;
use crate::json::error::{JsonError, Problem};
use crate::json::node::Node;

/// An admitted key, parsed once for each algorithm it may be used with.
pub(crate) struct Key {
    pub(crate) kid: Option<Box<str>>,
    /// Whose key it is, where one key set serves several issuers (Microsoft Entra).
    pub(crate) issuer: Option<Box<str>>,
    /// A digest of everything that matters.
    pub(crate) identity: [u8; 32],
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
    signature_bytes: usize,
}

/// Why a key of a set is skipped. The others of the set are used all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Skipped {
    #[error("it is not a JSON object")]
    NotAnObject,
    #[error("a member occurs in it twice")]
    Ambiguous,
    #[error("a member name in it begins with `$serde_json::private::`, which is reserved")]
    Reserved,
    #[error("it is nested deeper than 127 levels")]
    TooDeep,
    #[error("a string or a number in it cannot be read: half of a surrogate pair, or out of range")]
    Unreadable,
    #[error("it is not for signatures (`use`, `key_ops`)")]
    OtherUse,
    #[error("it is symmetric: every verifier could make tokens with it")]
    Symmetric,
    #[error("it holds private members: every reader of the set could make tokens")]
    Private,
    #[error("its `kty` or `crv` is not supported")]
    UnsupportedType,
    #[error("its `alg` is not supported, or not for this type of key")]
    UnsupportedAlgorithm,
    #[error("its `kid` is not a string of at most 256 bytes")]
    KeyId,
    #[error(
        "it is too weak: RSA needs 2048 to 8192 bits, an exponent of at least 65537, and a \
         generator without the fault CVE-2017-15361"
    )]
    Weak,
    #[error("its numbers are not a valid public key")]
    Malformed,
}

pub(crate) const MAX_KID_BYTES: usize = 256;

impl Key {
    pub(crate) fn parse(jwk: &[u8]) -> Result<Self, Skipped> {
        Self::admit(&read(jwk)?)
    }

    pub(crate) fn admit(jwk: &Node<'_>) -> Result<Self, Skipped> {
        let is = |name: &str, value: &str| jwk.text(name) == Some(value);
        if is("kty", "oct") {
            return Err(Skipped::Symmetric);
        }
        // RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2.
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.has(name)) {
            return Err(Skipped::Private);
        }
        let may_verify = |ops: &Node<'_>| match ops {
            Node::List(ops) => ops.iter().any(|op| op.as_text() == Some("verify")),
            _ => false,
        };
        let is_for_others = jwk.get("key_ops").is_some_and(|ops| !may_verify(ops));
        if (jwk.has("use") && !is("use", "sig")) || is_for_others {
            return Err(Skipped::OtherUse);
        }
        let kid = match jwk.get("kid") {
            None => None,
            Some(Node::Text(kid)) if kid.len() <= MAX_KID_BYTES => Some((**kid).into()),
            Some(_) => return Err(Skipped::KeyId),
        };

        let issuer = match jwk.get("issuer") {
            None => None,
            Some(Node::Text(issuer)) => Some((**issuer).into()),
            Some(_) => return Err(Skipped::Malformed),
        };

        let material = Material::read(jwk)?;
        let mut algorithms = Algorithm::ALL.to_vec();
        algorithms.retain(|algorithm| material.fits(*algorithm));
        if let Some(alg) = jwk.get("alg") {
            let named = alg.as_text().and_then(Algorithm::from_name);
            algorithms.retain(|algorithm| named == Some(*algorithm));
        }
        if algorithms.is_empty() {
            return Err(Skipped::UnsupportedAlgorithm);
        }
        let prepare = |algorithm: Algorithm| Some((algorithm, algorithm.prepare(&material)?));
        let verifiers: Vec<_> = algorithms.into_iter().filter_map(prepare).collect();
        if verifiers.is_empty() {
            return Err(Skipped::Malformed);
        }
        Ok(Self {
            identity: identity(kid.as_deref(), &verifiers, jwk),
            kid,
            issuer,
            verifiers,
            signature_bytes: material.signature_bytes(),
        })
    }

    /// Whether it may be used with this algorithm.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.verifiers.iter().any(|(own, _)| *own == algorithm)
    }

    /// Checks a signature made with exactly this algorithm.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        // Its R, the first half, is no point that an honest signer would ever meet.
        let is_degenerate = algorithm == Algorithm::EdDsa
            && signature.split_at_checked(32).is_none_or(|(r, _)| has_small_order(r));
        signature.len() == self.signature_bytes
            && !is_degenerate
            && self
                .verifiers
                .iter()
                .any(|(own, key)| *own == algorithm && key.verify_sig(message, signature).is_ok())
    }
}

/// Reads one JWK.
pub(crate) fn read(jwk: &[u8]) -> Result<Node<'_>, Skipped> {
    let jwk = json::read(jwk).map_err(|error: JsonError| match error.problem() {
        Problem::Duplicate => Skipped::Ambiguous,
        Problem::Reserved => Skipped::Reserved,
        Problem::TooDeep => Skipped::TooDeep,
        Problem::Type { .. } => Skipped::NotAnObject,
        _ => Skipped::Unreadable,
    })?;
    if let Node::Object(_) = jwk { Ok(jwk) } else { Err(Skipped::NotAnObject) }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Two keys are one if they are used under the same name, with the same algorithms, for the same
/// issuer, and are the same numbers.
fn identity(
    kid: Option<&str>,
    verifiers: &[(Algorithm, ParsedPublicKey)],
    jwk: &Node<'_>,
) -> [u8; 32] {
    let mut digest = digest::Context::new(&digest::SHA256);
    let numbers = ["n", "e", "crv", "x", "y", "issuer"].map(|name| jwk.text(name));
    for part in [kid].iter().chain(&numbers) {
        // Lengths keep parts apart; none is no empty text.
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        digest.update(&length.to_be_bytes());
        digest.update(part.unwrap_or_default().as_bytes());
    }
    for (algorithm, _) in verifiers {
        digest.update(algorithm.as_str().as_bytes());
    }
    let mut identity = [0; 32];
    identity.copy_from_slice(digest.finish().as_ref());
    identity
}

#[cfg(test)]
mod tests {
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
        assert_eq!(parse(&long).unwrap_err(), Skipped::Malformed);
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
        let unchecked =
            key.verifiers.iter().any(|(_, k)| k.verify_sig(&message, &signature).is_ok());
        assert!(unchecked, "the library accepts it");
        assert!(!key.verifies(Algorithm::EdDsa, &message, &signature));
    }

    #[test]
    fn a_key_that_may_not_check_signatures_is_skipped_for_its_reason() {
        let small = |y: &[u8; 32]| with(ed(), "x", json!(URL_SAFE_NO_PAD.encode(y)));
        let mut one = [0; 32];
        one[0] = 1;
        for (jwk, reason) in [
            (json!("key"), Skipped::NotAnObject),
            (json!({"kty": "oct", "k": "AAAA"}), Skipped::Symmetric),
            (with(ec(), "use", json!("enc")), Skipped::OtherUse),
            (with(ec(), "use", json!(1)), Skipped::OtherUse),
            (with(ec(), "key_ops", json!(["sign"])), Skipped::OtherUse),
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
                Skipped::Malformed,
            ),
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
}
