//! Private keys that this program signs with.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;

use super::algorithm::Algorithm;
use crate::error::ConfigError;

/// Smaller ones are refused in others' key sets as well.
const MIN_RSA_BYTES: usize = 2048 / 8;

/// A private key and the algorithm it signs with.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pair: Arc<Pair>,
    algorithm: Algorithm,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A new key for ES256.
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        Ok(Self { pair: Arc::new(Pair::Ecdsa(pair)), algorithm: Algorithm::Es256 })
    }

    /// From the first PKCS#8 key of a PEM file.
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, ConfigError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| {
            ConfigError::private_key(
                "it is no PEM of PKCS#8, which begins with `-----BEGIN PRIVATE KEY-----`",
            )
        })?;
        Self::from_pkcs8(der.secret_pkcs8_der())
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, ConfigError> {
        let (pair, algorithm) = if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            if pair.public_modulus_len() < MIN_RSA_BYTES {
                return Err(ConfigError::private_key("it is RSA of less than 2048 bits"));
            }
            (Pair::Rsa(pair), Algorithm::Rs256)
        } else if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            (Pair::Ecdsa(pair), Algorithm::Es256)
        } else if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der) {
            (Pair::Ecdsa(pair), Algorithm::Es384)
        } else if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            (Pair::Ed25519(pair), Algorithm::EdDsa)
        } else {
            return Err(ConfigError::private_key("it is no key of RSA, P-256, P-384 or Ed25519"));
        };
        Ok(Self { pair: Arc::new(pair), algorithm })
    }

    /// The same key, signing so.
    pub(crate) fn for_algorithm(&self, algorithm: Algorithm) -> Result<Self, ConfigError> {
        let is_fit = match &*self.pair {
            Pair::Rsa(_) => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Pair::Ecdsa(_) | Pair::Ed25519(_) => algorithm == self.algorithm,
        };
        if !is_fit {
            return Err(ConfigError::private_key("it does not sign with this algorithm"));
        }
        Ok(Self { pair: Arc::clone(&self.pair), algorithm })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key as a JWK with the members of its thumbprint alone (RFC 7638 §3.2, RFC 8037
    /// §2); none of RSA keys.
    pub(crate) fn jwk(&self) -> Option<serde_json::Value> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &*self.pair {
            Pair::Rsa(_) => None,
            Pair::Ecdsa(pair) => {
                let crv = if self.algorithm == Algorithm::Es384 { "P-384" } else { "P-256" };
                // SEC 1 §2.3.3: 4, x, y.
                let (_, point) = pair.public_key().as_ref().split_first()?;
                let (x, y) = point.split_at_checked(point.len() / 2)?;
                Some(json!({ "crv": crv, "kty": "EC", "x": text(x), "y": text(y) }))
            }
            Pair::Ed25519(pair) => {
                let x = text(pair.public_key().as_ref());
                Some(json!({ "crv": "Ed25519", "kty": "OKP", "x": x }))
            }
        }
    }

    /// The public key's bytes: which key it is.
    pub(crate) fn public_key(&self) -> &[u8] {
        match &*self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Ecdsa(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                if self.algorithm == Algorithm::Ps256 {
                    pair.sign(&RSA_PSS_SHA256, &random, message, &mut signature)?;
                } else {
                    pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                }
                Ok(signature)
            }
            Pair::Ecdsa(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
