//! A key that the caller sends in a proof (RFC 9449 §4.2), and the thumbprint by which it is
//! known (RFC 7638).

use super::algorithm::Algorithm;
use super::jwk::{Key, Skipped, read};
use crate::json::node::Node;

impl Key {
    /// Admits a key as one of a key set is, for this algorithm alone; with its canonical form.
    pub(crate) fn of_proof(jwk: &[u8], algorithm: Algorithm) -> Result<(Self, String), Skipped> {
        let mut jwk = read(jwk)?;
        if !jwk.has("alg")
            && let Node::Object(members) = &mut jwk
        {
            members.push(("alg".into(), Node::Text(algorithm.as_str().into())));
        }
        if jwk.text("alg") != Some(algorithm.as_str()) {
            return Err(Skipped::UnsupportedAlgorithm);
        }
        let key = Self::admit(&jwk)?;
        Ok((key, canonical_form(|name| jwk.text(name))))
    }
}

/// What the thumbprint of a key is the hash of: the members that every such key has, in order
/// (RFC 7638 §3.2, RFC 8037 §2).
pub(crate) fn canonical_form<'t>(member: impl Fn(&str) -> Option<&'t str>) -> String {
    let names = match member("kty") {
        Some("RSA") => &["e", "kty", "n"][..],
        Some("EC") => &["crv", "kty", "x", "y"],
        _ => &["crv", "kty", "x"],
    };
    // An admitted key has no character in them that JSON would escape.
    let member = |name: &&str| Some(format!("\"{name}\":\"{}\"", member(name)?));
    let members: Vec<_> = names.iter().filter_map(member).collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    fn thumbprint(jwk: &Value, algorithm: Algorithm) -> Result<String, Skipped> {
        let (_, form) = Key::of_proof(jwk.to_string().as_bytes(), algorithm)?;
        Ok(URL_SAFE_NO_PAD.encode(digest(&SHA256, form.as_bytes())))
    }

    /// The thumbprints of RFC 7638 §3.1, RFC 8037 appendix A.3 and RFC 9449 §6.1.
    #[test]
    fn a_key_has_the_thumbprint_of_the_specifications() {
        let rsa = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
        let okp = json!({"kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let ec = json!({"kty": "EC", "crv": "P-256",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"});
        for (jwk, algorithm, expected) in [
            (rsa, Algorithm::Rs256, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
            (okp, Algorithm::EdDsa, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
            (ec, Algorithm::Es256, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
        ] {
            assert_eq!(thumbprint(&jwk, algorithm).unwrap(), expected);
        }
    }

    #[test]
    fn a_key_is_admitted_as_one_of_a_set_and_for_the_algorithm_of_the_proof_alone() {
        let ed = json!({"kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let with = |name: &str, value: Value| {
            let mut jwk = ed.clone();
            jwk[name] = value;
            jwk
        };
        assert!(thumbprint(&with("kid", json!("any")), Algorithm::EdDsa).is_ok());
        let n = URL_SAFE_NO_PAD.encode([0xff; 256]);
        let rsa = json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256"});
        assert!(thumbprint(&rsa, Algorithm::Rs256).is_ok());
        for (jwk, algorithm, reason) in [
            (ed.clone(), Algorithm::Es256, Skipped::UnsupportedAlgorithm),
            (with("alg", json!("ES256")), Algorithm::EdDsa, Skipped::UnsupportedAlgorithm),
            (with("alg", json!("ES256")), Algorithm::Es256, Skipped::UnsupportedAlgorithm),
            (rsa, Algorithm::Ps256, Skipped::UnsupportedAlgorithm),
            (with("alg", json!(1)), Algorithm::EdDsa, Skipped::UnsupportedAlgorithm),
            (with("d", json!("AAAA")), Algorithm::EdDsa, Skipped::Private),
            (with("use", json!("enc")), Algorithm::EdDsa, Skipped::OtherUse(r#""enc""#.into())),
            (json!({"kty": "oct", "k": "AAAA"}), Algorithm::EdDsa, Skipped::Symmetric),
            (json!("key"), Algorithm::EdDsa, Skipped::NotAnObject),
        ] {
            assert_eq!(thumbprint(&jwk, algorithm).unwrap_err(), reason, "{jwk}");
        }
        let twice = ed.to_string().replacen('{', r#"{"x":"AAAA","#, 1);
        assert_eq!(
            Key::of_proof(twice.as_bytes(), Algorithm::EdDsa).unwrap_err(),
            Skipped::Ambiguous
        );
    }
}
