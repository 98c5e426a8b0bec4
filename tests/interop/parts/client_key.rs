//! Keys by which clients show who they are.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};

/// A private key, and how the authorization server knows it.
#[derive(Debug)]
pub(crate) struct ClientKey {
    /// PKCS#8.
    pub(crate) pem: String,
    /// RFC 7517.
    jwk: Value,
}

impl ClientKey {
    /// For ES256.
    pub(crate) fn p256() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        // SEC 1 §2.3.3: 4, x, y.
        let (x, y) = pair.public_key_raw()[1..].split_at(32);
        Self::new(&pair, json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)}))
    }

    /// For EdDSA.
    pub(crate) fn ed25519() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let x = text(pair.public_key_raw());
        Self::new(&pair, json!({"kty": "OKP", "crv": "Ed25519", "x": x}))
    }

    /// For RS256 and PS256, of 2048 bits.
    pub(crate) fn rsa() -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        // RFC 8017 §A.1.1: the modulus, a zero before it, between two heads of DER; then 65537.
        let modulus = text(&pair.public_key_raw()[9..265]);
        Self::new(&pair, json!({"kty": "RSA", "n": modulus, "e": "AQAB"}))
    }

    /// Under this id.
    pub(crate) fn named(&self, kid: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["kid"] = kid.into();
        jwk
    }

    fn new(pair: &KeyPair, jwk: Value) -> Self {
        Self { pem: pair.serialize_pem(), jwk }
    }
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
