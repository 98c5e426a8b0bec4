//! The server's signing keys and their rotation.

use std::sync::Arc;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::jose::algorithm::Algorithm;

/// A key pair under its key id.
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pair: Pair,
}

enum Pair {
    Rs256(RsaKeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl SigningKey {
    /// Generates a key; other algorithms than RS256, ES256 and EdDSA are signed with ES256.
    pub(crate) fn generate(algorithm: Algorithm, kid: String) -> Result<Self, Unspecified> {
        let pair = match algorithm {
            Algorithm::Rs256 => Pair::Rs256(RsaKeyPair::generate(KeySize::Rsa2048)?),
            Algorithm::EdDsa => Pair::EdDsa(Ed25519KeyPair::generate()?),
            _ => Pair::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?),
        };
        Ok(Self { kid, pair })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Rs256(_) => Algorithm::Rs256,
            Pair::Es256(_) => Algorithm::Es256,
            Pair::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
            Pair::Es256(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Pair::EdDsa(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    /// The public key as a JWK (RFC 7517).
    pub(crate) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Rs256(pair) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                json!({
                    "kty": "RSA",
                    "n": text(n.big_endian_without_leading_zero()),
                    "e": text(e.big_endian_without_leading_zero()),
                })
            }
            Pair::Es256(pair) => {
                // SEC 1 §2.3.3: 4, x, y.
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)})
            }
            Pair::EdDsa(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())})
            }
        };
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".into(), self.kid.as_str().into());
            members.insert("alg".into(), self.algorithm().as_str().into());
            members.insert("use".into(), "sig".into());
        }
        jwk
    }
}

/// One key for each algorithm, and what becomes of them.
pub(crate) struct KeyRing {
    generations: u32,
    signing: Vec<Arc<SigningKey>>,
    /// Published in advance, not used yet.
    next: Vec<Arc<SigningKey>>,
}

impl KeyRing {
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        let mut ring = Self { generations: 0, signing: Vec::new(), next: Vec::new() };
        ring.signing = ring.generation()?;
        Ok(ring)
    }

    /// Publishes new keys; tokens are still signed with the old ones.
    pub(crate) fn add(&mut self) -> Result<(), Unspecified> {
        self.next = self.generation()?;
        Ok(())
    }

    /// Signs with the added keys from now on and publishes them alone.
    pub(crate) fn retire(&mut self) -> Result<(), Unspecified> {
        if self.next.is_empty() {
            self.add()?;
        }
        self.signing = std::mem::take(&mut self.next);
        Ok(())
    }

    pub(crate) fn signing_key(&self, algorithm: Algorithm) -> Option<Arc<SigningKey>> {
        self.signing.iter().find(|key| key.algorithm() == algorithm).cloned()
    }

    pub(crate) fn jwks(&self) -> Value {
        let keys: Vec<_> = self.signing.iter().chain(&self.next).map(|key| key.jwk()).collect();
        json!({ "keys": keys })
    }

    fn generation(&mut self) -> Result<Vec<Arc<SigningKey>>, Unspecified> {
        self.generations += 1;
        let generation = self.generations;
        [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]
            .into_iter()
            .map(|algorithm| {
                let kid = format!("{}-{generation}", algorithm.as_str().to_lowercase());
                SigningKey::generate(algorithm, kid).map(Arc::new)
            })
            .collect()
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("generations", &self.generations).finish_non_exhaustive()
    }
}

/// The compact form of RFC 7515 §7.1.
#[expect(clippy::expect_used, reason = "only a broken machine cannot sign")]
pub(crate) fn encode_and_sign(
    header: Map<String, Value>,
    claims: Map<String, Value>,
    key: &SigningKey,
) -> String {
    let encode = |part: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(part).to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = key.sign(signed.as_bytes()).expect("a key can sign");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
