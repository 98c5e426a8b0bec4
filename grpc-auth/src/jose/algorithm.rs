//! The signature algorithms: all asymmetric, so that a verifier holds no secret to sign with.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey};

/// The one list of the algorithms: a new one is a line here, and its arms below.
macro_rules! algorithms {
    ($($variant:ident = $name:literal,)*) => {
        /// A JWS algorithm of RFC 7518 §3 or RFC 8037. There is no `none` and no HMAC.
        ///
        /// `Ed25519`, the fully specified name of RFC 9864 §2.2, is read as `EdDSA`, which is what
        /// this crate writes: keys are on Ed25519 alone, so that both are one algorithm. `Ed448` is
        /// not supported.
        ///
        /// ```
        /// use grpc_auth::Algorithm;
        ///
        /// assert_eq!("ES256".parse(), Ok(Algorithm::Es256));
        /// assert_eq!("Ed25519".parse(), Ok(Algorithm::EdDsa));
        /// assert!("HS256".parse::<Algorithm>().is_err());
        /// assert!(Algorithm::all().contains(&Algorithm::EdDsa));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names are those of the registry")]
        pub enum Algorithm {
            $($variant,)*
        }

        impl Algorithm {
            pub(crate) const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The name in `alg`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

algorithms! {
    Rs256 = "RS256",
    Rs384 = "RS384",
    Rs512 = "RS512",
    Ps256 = "PS256",
    Ps384 = "PS384",
    Ps512 = "PS512",
    Es256 = "ES256",
    Es384 = "ES384",
    Es512 = "ES512",
    EdDsa = "EdDSA",
}

/// The fully specified name of `EdDSA` on Ed25519 (RFC 9864 §2.2).
const ED25519: &str = "Ed25519";

/// A name that is not that of an [`Algorithm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name is not one of `Algorithm::all()`: write it as in the registry, like `ES256`")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads the name in `alg`, byte for byte.
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::from_name(name).ok_or(UnknownAlgorithm)
    }
}

impl Algorithm {
    /// Every algorithm.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        &Self::ALL
    }

    /// Reads `alg`, by exact match.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        if name == ED25519 {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// Whether some admitted key for this algorithm makes signatures of this many bytes (RFC 7518
    /// §3.3, §3.4; RFC 8032 §5.1.6).
    pub(crate) fn makes_signatures_of(self, bytes: usize) -> bool {
        match self {
            Self::Es256 | Self::EdDsa => bytes == 64,
            Self::Es384 => bytes == 96,
            Self::Es512 => bytes == 132,
            // Moduli of 2048 to 8192 bits.
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => {
                (256..=1024).contains(&bytes)
            }
        }
    }

    /// Prepares the key for this algorithm; none if the two do not belong together.
    pub(crate) fn prepare(self, material: &Material) -> Option<ParsedPublicKey> {
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

/// The public part of a key.
pub(crate) enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    P521(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
        RsaKeyPair,
    };

    use super::*;

    const MESSAGE: &[u8] = b"header.claims";

    /// Every algorithm with a key that fits and a signature made by it.
    fn signatures() -> Vec<(Algorithm, Material, Vec<u8>)> {
        let random = SystemRandom::new();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let ed = Ed25519KeyPair::generate().unwrap();
        let mut all = vec![(
            Algorithm::EdDsa,
            Material::Ed25519(ed.public_key().as_ref().to_vec()),
            ed.sign(MESSAGE).as_ref().to_vec(),
        )];
        for (algorithm, encoding) in [
            (Algorithm::Rs256, &RSA_PKCS1_SHA256 as &dyn signature::RsaEncoding),
            (Algorithm::Rs384, &RSA_PKCS1_SHA384),
            (Algorithm::Rs512, &RSA_PKCS1_SHA512),
            (Algorithm::Ps256, &RSA_PSS_SHA256),
            (Algorithm::Ps384, &RSA_PSS_SHA384),
            (Algorithm::Ps512, &RSA_PSS_SHA512),
        ] {
            let mut signature = vec![0; rsa.public_modulus_len()];
            rsa.sign(encoding, &random, MESSAGE, &mut signature).unwrap();
            let key = rsa.public_key();
            let n = key.modulus().big_endian_without_leading_zero().to_vec();
            let e = key.exponent().big_endian_without_leading_zero().to_vec();
            all.push((algorithm, Material::Rsa { n, e }, signature));
        }
        for (algorithm, signing, material) in [
            (
                Algorithm::Es256,
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                Material::P256 as fn(Vec<u8>) -> Material,
            ),
            (Algorithm::Es384, &ECDSA_P384_SHA384_FIXED_SIGNING, Material::P384),
            (Algorithm::Es512, &ECDSA_P521_SHA512_FIXED_SIGNING, Material::P521),
        ] {
            let pair = EcdsaKeyPair::generate(signing).unwrap();
            let signature = pair.sign(&random, MESSAGE).unwrap().as_ref().to_vec();
            all.push((algorithm, material(pair.public_key().as_ref().to_vec()), signature));
        }
        all
    }

    #[test]
    fn a_signature_is_good_for_its_own_algorithm_key_and_message_alone() {
        let signatures = signatures();
        assert_eq!(signatures.len(), Algorithm::ALL.len());
        for (algorithm, material, _) in &signatures {
            let key = algorithm.prepare(material).unwrap();
            for (other, _, signature) in &signatures {
                let good = key.verify_sig(MESSAGE, signature).is_ok();
                assert_eq!(good, other == algorithm, "{other} signature checked by {algorithm}");
            }
            let (.., signature) = signatures.iter().find(|(own, ..)| own == algorithm).unwrap();
            assert!(key.verify_sig(b"header.claimz", signature).is_err());
            assert!(key.verify_sig(MESSAGE, &signature[1..]).is_err());
            assert!(algorithm.makes_signatures_of(signature.len()));
            assert!(!algorithm.makes_signatures_of(signature.len() - 1));
            for other in Algorithm::ALL {
                let is_rsa = |a: &Algorithm| matches!(a.as_str().as_bytes(), [b'R' | b'P', ..]);
                let fits = other == *algorithm || (is_rsa(algorithm) && is_rsa(&other));
                assert_eq!(other.prepare(material).is_some(), fits, "{other} with {algorithm}");
            }
        }
    }

    #[test]
    fn names_are_exact_and_none_is_none() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.as_str()), Some(algorithm));
        }
        for name in ["none", "None", "", "HS256", "HS512", "rs256", "RS256 ", "EDDSA", "ES256K"] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
        // RFC 9864 §2.2 (joserfc#76, pyjwt#1199).
        assert_eq!("Ed25519".parse(), Ok(Algorithm::EdDsa));
        assert_eq!(Algorithm::EdDsa.as_str(), "EdDSA");
        for name in ["ed25519", "ED25519", "Ed25519 ", "Ed448", "ESP256", "ESB256"] {
            assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm), "{name}");
        }
    }
}
