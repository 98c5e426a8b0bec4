//! The signature algorithms: all asymmetric, so that a verifier holds no secret to sign with.

use std::fmt;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey};

use super::key::Material;

/// A JWS algorithm of RFC 7518 §3 or RFC 8037. There is no `none` and no HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the registry")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// The name as it stands in `alg`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads `alg`, by exact match.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// Prepares the key for this algorithm; none if the two do not belong together.
    pub(super) fn prepare(self, material: &Material) -> Option<ParsedPublicKey> {
        let rsa = |parameters| match material {
            Material::Rsa { n, e } => {
                PublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()
            }
            _ => None,
        };
        match (self, material) {
            (Self::Rs256, _) => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            (Self::Rs384, _) => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            (Self::Rs512, _) => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            (Self::Ps256, _) => rsa(&signature::RSA_PSS_2048_8192_SHA256),
            (Self::Ps384, _) => rsa(&signature::RSA_PSS_2048_8192_SHA384),
            (Self::Ps512, _) => rsa(&signature::RSA_PSS_2048_8192_SHA512),
            (Self::Es256, Material::P256(point)) => {
                ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).ok()
            }
            (Self::Es384, Material::P384(point)) => {
                ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point).ok()
            }
            (Self::Es512, Material::P521(point)) => {
                ParsedPublicKey::new(&signature::ECDSA_P521_SHA512_FIXED, point).ok()
            }
            (Self::EdDsa, Material::Ed25519(key)) => {
                ParsedPublicKey::new(&signature::ED25519, key).ok()
            }
            (Self::Es256 | Self::Es384 | Self::Es512 | Self::EdDsa, _) => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
