//! A signing key of the server. jsonwebtoken signs and makes the JWK, so that the verifier of this
//! crate is not tested with an encoder of this crate.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm as Name, EncodingKey};
// By name: the default of the process depends on what other crates enable or install.
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters,
    EllipticCurveKeyType, Jwk, OctetKeyPairParameters, OctetKeyPairType, PublicKeyUse,
    RSAKeyParameters, RSAKeyType,
};
use serde_json::{Map, Value};

use crate::jose::algorithm::Algorithm;

/// The bytes before the `RSAPrivateKey` in PKCS#8 of an RSA key of 2048 bits (RFC 5208 §5): two
/// lengths of four bytes, the version and the algorithm.
const PKCS8_RSA_PREFIX: usize = 4 + 3 + 15 + 4;

/// A private key with its key id and its public half.
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    algorithm: Algorithm,
    name: Name,
    key: EncodingKey,
    public: AlgorithmParameters,
}

impl SigningKey {
    /// Generates a key for RS256, ES256 or EdDSA; for any other algorithm one for ES256.
    pub(crate) fn generate(algorithm: Algorithm, kid: String) -> Result<Self, Unspecified> {
        let utils = &DEFAULT_PROVIDER.key_utils;
        let text = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
        let (algorithm, name, key, public) = match algorithm {
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
                let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)?;
                let der = pkcs8.as_ref().get(PKCS8_RSA_PREFIX..).ok_or(Unspecified)?;
                let (n, e) =
                    (utils.rsa_pub_components_from_private_key)(der).map_err(|_| Unspecified)?;
                let public = AlgorithmParameters::RSA(RSAKeyParameters {
                    key_type: RSAKeyType::RSA,
                    n: text(n),
                    e: text(e),
                });
                (Algorithm::Rs256, Name::RS256, EncodingKey::from_rsa_der(der), public)
            }
            Algorithm::EdDsa => {
                let der = Ed25519KeyPair::generate()?.to_pkcs8v1()?;
                let der = der.as_ref();
                let curve = EllipticCurve::Ed25519;
                let x = (utils.ed_pub_components_from_private_key)(der, &curve)
                    .map_err(|_| Unspecified)?;
                let public = AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
                    key_type: OctetKeyPairType::OctetKeyPair,
                    curve,
                    x: text(x),
                });
                (Algorithm::EdDsa, Name::EdDSA, EncodingKey::from_ed_der(der), public)
            }
            Algorithm::Es256
            | Algorithm::Es384
            | Algorithm::Es512
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
                let der = pair.to_pkcs8v1()?;
                let der = der.as_ref();
                let components = utils.ec_pub_components_from_private_key;
                let (curve, x, y) = components(der, Name::ES256).map_err(|_| Unspecified)?;
                let public = AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters {
                    key_type: EllipticCurveKeyType::EC,
                    curve,
                    x: text(x),
                    y: text(y),
                });
                (Algorithm::Es256, Name::ES256, EncodingKey::from_ec_der(der), public)
            }
        };
        Ok(Self { kid, algorithm, name, key, public })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Signs any bytes: jsonwebtoken's `encode` takes no header of any shape.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let signer = (DEFAULT_PROVIDER.signer_factory)(&self.name, &self.key);
        signer.map_err(|_| Unspecified)?.try_sign(message).map_err(|_| Unspecified)
    }

    /// The public key as a JWK (RFC 7517).
    pub(crate) fn jwk(&self) -> Value {
        let common = CommonParameters {
            public_key_use: Some(PublicKeyUse::Signature),
            key_algorithm: Some(self.name.into()),
            key_id: Some(self.kid.clone()),
            ..CommonParameters::default()
        };
        let jwk = Jwk { common, algorithm: self.public.clone() };
        serde_json::to_value(jwk).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::jwk::Key;

    #[test]
    fn a_signature_verifies_under_the_jwk_of_its_key() {
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            let key = SigningKey::generate(algorithm, "1".into()).unwrap();
            let jwk = Key::parse(key.jwk().to_string().as_bytes()).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert!(jwk.verifies(algorithm, b"message", &key.sign(b"message").unwrap()));
        }
    }
}
