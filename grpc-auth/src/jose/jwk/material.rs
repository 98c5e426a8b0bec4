//! The numbers of a public key (RFC 7518 §6, RFC 8037 §2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Skipped;
use crate::jose::algorithm::{Algorithm, Material};
use crate::jose::weak_keys::{has_small_order, is_weak_rsa};
use crate::json::node::Node;

impl Material {
    pub(super) fn read(jwk: &Node<'_>) -> Result<Self, Skipped> {
        let number = |name: &'static str| {
            let wrong = |problem| Skipped::Member { name, problem };
            let value = jwk.text(name).ok_or(wrong("is missing or not a string"))?;
            URL_SAFE_NO_PAD.decode(value).map_err(|_| wrong(not_base64url(value)))
        };
        // RFC 7518 §6.2.1.2 wants coordinates in full length; servers that leave out leading zeros
        // mean the same number. RSA's numbers (§6.3.1) have none.
        let coordinate = |name: &'static str, length: usize| {
            let bytes = number(name)?;
            let problem = "is longer than a coordinate of its curve, leading zeros included";
            let missing = length.checked_sub(bytes.len());
            let missing = missing.ok_or(Skipped::Member { name, problem })?;
            Ok::<_, Skipped>([vec![0; missing], bytes].concat())
        };
        let point = |length: usize| {
            let (x, y) = (coordinate("x", length)?, coordinate("y", length)?);
            // SEC 1 §2.3.3, uncompressed; the crypto library refuses points off the curve.
            Ok([&[4][..], &x, &y].concat())
        };
        match (jwk.text("kty"), jwk.text("crv")) {
            (Some("RSA"), _) => {
                let n = number("n")?;
                let zeros = n.iter().take_while(|byte| **byte == 0).count();
                let (n, e) = (n.get(zeros..).unwrap_or_default().to_vec(), number("e")?);
                if is_weak_rsa(&n, &e) {
                    return Err(Skipped::Weak);
                }
                Ok(Self::Rsa { n, e })
            }
            (Some("EC"), Some("P-256")) => point(32).map(Self::P256),
            (Some("EC"), Some("P-384")) => point(48).map(Self::P384),
            (Some("EC"), Some("P-521")) => point(66).map(Self::P521),
            (Some("OKP"), Some("Ed25519")) => {
                let key = number("x")?;
                if key.len() != 32 || has_small_order(&key) {
                    return Err(Skipped::Malformed);
                }
                Ok(Self::Ed25519(key))
            }
            _ => Err(Skipped::UnsupportedType),
        }
    }

    /// Whether a key of this type may be used with the algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match algorithm {
            Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512 => matches!(self, Self::Rsa { .. }),
            Es256 => matches!(self, Self::P256(_)),
            Es384 => matches!(self, Self::P384(_)),
            Es512 => matches!(self, Self::P521(_)),
            EdDsa => matches!(self, Self::Ed25519(_)),
        }
    }

    /// RFC 7518 §3.3, §3.4; RFC 8032 §5.1.6.
    pub(super) fn signature_bytes(&self) -> usize {
        match self {
            Self::Rsa { n, .. } => n.len(),
            Self::P256(_) | Self::Ed25519(_) => 64,
            Self::P384(_) => 96,
            Self::P521(_) => 132,
        }
    }
}

/// Why a text is not base64url without padding (RFC 7515 §2). It is not accepted in another form: two
/// readers could see two keys.
fn not_base64url(value: &str) -> &'static str {
    if value.ends_with('=') {
        "ends with padding (`=`), which base64url does not have (RFC 7515 §2)"
    } else if value.contains(['+', '/']) {
        "is not base64url: it has `+` or `/`, which are of the standard alphabet"
    } else {
        "is not base64url"
    }
}
