//! A key set (RFC 7517 §5): one immutable snapshot.

use serde::Deserialize;

use super::skipped::SkippedKey;
use crate::http::document::describe;
use crate::jose::algorithm::Algorithm;
use crate::jose::jwk::Key;
use crate::json;
use crate::json::raw::Raw;

/// The default of `JwksSettings::max_keys`; each key costs time to admit.
pub(super) const MAX_KEYS: usize = 1000;
/// How many skipped keys an error explains.
const MAX_REASONS: usize = 4;
/// How many keys are tried for a token with `kid`: all that share it, in any real key set.
const MAX_TRIED_WITH_KID: usize = 16;
/// How many are tried for one without.
const MAX_TRIED_WITHOUT_KID: usize = 4;

/// The admitted keys of one issuer.
#[derive(Debug)]
pub(crate) struct KeySet {
    /// In the order of the document.
    keys: Vec<Key>,
}

/// Why a document is no key set to work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// The document is not a JSON object with an array `keys`.
    #[error("it is not a JSON Web Key Set, an object with an array `keys`: {cause}")]
    NotAKeySet {
        /// What is wrong, and where. It quotes no value of the document.
        cause: String,
    },
    /// The set holds more keys than [`JwksSettings::max_keys`](crate::JwksSettings::max_keys).
    #[error("it holds more than {0} keys: if that is right, set `JwksSettings::max_keys`")]
    TooManyKeys(usize),
    /// No key of the set may check signatures.
    #[error("it has no usable signing key: {skipped} keys skipped{reasons}")]
    NoUsableKey {
        /// How many keys were skipped.
        skipped: usize,
        /// Why, for the first of them: ` (key 1, kid "a": it is symmetric: ..)`.
        reasons: String,
    },
}

impl KeySet {
    /// Of an issuer whose tokens are not verified here.
    pub(crate) fn none() -> Self {
        Self { keys: Vec::new() }
    }

    /// Admits key by key: a bad one never spoils the set. Tells which were skipped, by position.
    pub(crate) fn parse(json: &[u8]) -> Result<(Self, Vec<SkippedKey>), JwksError> {
        Self::parse_at_most(json, MAX_KEYS)
    }

    pub(crate) fn parse_at_most(
        json: &[u8],
        max_keys: usize,
    ) -> Result<(Self, Vec<SkippedKey>), JwksError> {
        #[derive(Deserialize)]
        struct Document<'a> {
            #[serde(borrow)]
            keys: Vec<Raw<'a>>,
        }
        let document: Document<'_> = json::read(json).map_err(|error| JwksError::NotAKeySet {
            cause: describe(json).unwrap_or_else(|| error.to_string()),
        })?;
        if document.keys.len() > max_keys {
            return Err(JwksError::TooManyKeys(max_keys));
        }
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (position, jwk) in document.keys.iter().enumerate() {
            match Key::parse(jwk.as_bytes()) {
                Ok(key) => keys.push(key),
                Err(reason) => skipped.push(SkippedKey::new(position, jwk.as_bytes(), reason)),
            }
        }
        if keys.is_empty() {
            let (skipped, reasons) = (skipped.len(), reasons(&skipped));
            return Err(JwksError::NoUsableKey { skipped, reasons });
        }
        Ok((Self { keys }, skipped))
    }

    /// The keys with this kid, byte for byte, that fit the algorithm: the first 16.
    pub(crate) fn with_kid(&self, kid: &str, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        let named = self.keys.iter().filter(move |key| key.kid.as_deref() == Some(kid));
        named.filter(move |key| key.fits(algorithm)).take(MAX_TRIED_WITH_KID)
    }

    /// Whether some key has this kid, for whatever algorithm.
    pub(crate) fn has_kid(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// The keys that have no kid and fit the algorithm: the first 16.
    pub(crate) fn unnamed(&self, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        let unnamed = self.keys.iter().filter(|key| key.kid.is_none());
        unnamed.filter(move |key| key.fits(algorithm)).take(MAX_TRIED_WITH_KID)
    }

    /// The keys to try for a token that names none: the first four that fit.
    pub(crate) fn without_kid(&self, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.fits(algorithm)).take(MAX_TRIED_WITHOUT_KID)
    }

    /// What the keys are, sorted: two sets with the same identities are the same keys.
    pub(crate) fn identities(&self) -> Vec<[u8; 32]> {
        let mut identities: Vec<_> = self.keys.iter().map(|key| key.identity).collect();
        identities.sort_unstable();
        identities.dedup();
        identities
    }
}

/// Why keys were skipped, for the first of them.
fn reasons(skipped: &[SkippedKey]) -> String {
    let mut shown: Vec<_> = skipped.iter().take(MAX_REASONS).map(ToString::to_string).collect();
    if let more @ 1.. = skipped.len().saturating_sub(MAX_REASONS) {
        shown.push(format!("and {more} more"));
    }
    if shown.is_empty() { String::new() } else { format!(" ({})", shown.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"ed"}"#;

    fn parse(keys: &str) -> Result<KeySet, JwksError> {
        KeySet::parse(format!("{{\"keys\":[{keys}]}}").as_bytes()).map(|(set, _)| set)
    }

    #[test]
    fn a_bad_key_never_spoils_the_set() {
        let set = parse(&format!(r#"{{"kty":"RSA","kid":7}},null,{ED},{{"kty":"oct"}}"#)).unwrap();
        assert_eq!(set.keys.len(), 1);
        assert_eq!(set.with_kid("ed", Algorithm::EdDsa).count(), 1);
        assert_eq!(set.with_kid("ed", Algorithm::Rs256).count(), 0);
        assert_eq!(set.with_kid("ED", Algorithm::EdDsa).count(), 0);
        assert_eq!(set.without_kid(Algorithm::EdDsa).count(), 1);
    }

    #[test]
    fn sixteen_keys_of_one_kid_are_tried_and_four_for_a_token_without_kid() {
        let set = parse(&[ED; 16].join(",")).unwrap();
        assert_eq!(set.with_kid("ed", Algorithm::EdDsa).count(), 16);
        assert_eq!(set.without_kid(Algorithm::EdDsa).count(), 4);
        let set = parse(&[ED; 17].join(",")).unwrap();
        assert_eq!(set.keys.len(), 17);
        assert_eq!(set.with_kid("ed", Algorithm::EdDsa).count(), 16);
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for (json, expected) in [
            ("<html>", "not a JSON Web Key Set"),
            ("", "not a JSON Web Key Set"),
            ("{}", "not a JSON Web Key Set"),
            (r#"{"keys":{}}"#, "not a JSON Web Key Set"),
            (&format!("[[{ED}]]"), "not a JSON Web Key Set"),
            (r#"{"keys":[]}"#, "no usable signing key: 0 keys skipped"),
            (
                r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#,
                "no usable signing key: 1 keys skipped (key 1, no `kid`: it is symmetric",
            ),
        ] {
            let error = KeySet::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
        let many = [ED; 1001].join(",");
        assert!(matches!(parse(&many), Err(JwksError::TooManyKeys(1000))));
        assert_eq!(parse(&[ED; 1000].join(",")).unwrap().keys.len(), 1000);
    }

    /// Reported at adcp#5445 (120 keys).
    #[test]
    fn skipped_keys_are_explained_with_kid_and_reason_then_counted() {
        let symmetric = |n: usize| format!(r#"{{"kty":"oct","k":"AAAA","kid":"k{n}"}}"#);
        let keys: Vec<_> = (0..7).map(symmetric).collect();
        let error = parse(&keys.join(",")).unwrap_err().to_string();
        assert!(error.contains(r#"7 keys skipped (key 1, kid "k0": it is symmetric"#), "{error}");
        assert!(
            error.contains(r#"key 4, kid "k3""#) && error.ends_with("; and 3 more)"),
            "{error}"
        );
        assert!(!error.contains("k4"), "{error}");
    }
}
