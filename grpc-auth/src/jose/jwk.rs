//! One JWK (RFC 7517), and whether it may check signatures here.

mod material;
#[cfg(test)]
mod tests;

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::ParsedPublicKey;

use super::algorithm::{Algorithm, Material};
use super::weak_keys::has_small_order;
use crate::json;
use crate::json::error::{JsonError, Problem};
use crate::json::node::Node;
use crate::sanitize_untrusted::escape;

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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
    #[error("it is not for signatures: its `use` is {0}")]
    OtherUse(Box<str>),
    #[error("it is not for signatures: its `key_ops` {0}")]
    OtherOperations(&'static str),
    #[error("its `{name}` {problem}")]
    Member { name: &'static str, problem: &'static str },
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
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]
            .iter()
            .any(|name| jwk.present(name).is_some())
        {
            return Err(Skipped::Private);
        }
        match jwk.present("use") {
            Some(Node::Text(word)) if word != "sig" => {
                return Err(Skipped::OtherUse(format!("\"{}\"", escape(word)).into()));
            }
            None | Some(Node::Text(_)) => {}
            Some(_) => return Err(Skipped::OtherUse("not a string".into())),
        }
        match jwk.present("key_ops") {
            Some(Node::List(ops)) if ops.iter().any(|op| op.as_text() == Some("verify")) => {}
            None => {}
            Some(Node::List(_)) => {
                return Err(Skipped::OtherOperations("does not hold \"verify\""));
            }
            Some(_) => return Err(Skipped::OtherOperations("is not an array of strings")),
        }
        let kid = match jwk.present("kid") {
            None => None,
            Some(Node::Text(kid)) if kid.len() <= MAX_KID_BYTES => Some((**kid).into()),
            Some(_) => return Err(Skipped::KeyId),
        };

        // It limits whose tokens the key verifies: an empty one limits nothing by mistake.
        let issuer = match jwk.get("issuer") {
            None => None,
            Some(Node::Text(issuer)) => Some((**issuer).into()),
            Some(_) => return Err(Skipped::Malformed),
        };

        let material = Material::read(jwk)?;
        let mut algorithms = Algorithm::ALL.to_vec();
        algorithms.retain(|algorithm| material.fits(*algorithm));
        if let Some(alg) = jwk.present("alg") {
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
