//! A key set (RFC 7517 §5): one immutable snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tracing::warn;

use super::algorithm::Algorithm;
use super::key::Key;

/// More keys than any issuer publishes; each costs time to admit.
const MAX_KEYS: usize = 100;
/// How many keys are tried for a token without `kid`.
const MAX_TRIED: usize = 4;

/// The admitted keys of one issuer.
#[derive(Debug)]
pub(crate) struct KeySet {
    /// In the order of the document.
    keys: Vec<Arc<Key>>,
    by_kid: HashMap<Box<str>, Vec<Arc<Key>>>,
}

/// Why a document is no key set to work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// The document is not a JSON object with an array `keys`.
    #[error(
        "it is not a JSON Web Key Set, an object with an array `keys`: reading stops at line {line}, \
         column {column}"
    )]
    NotAKeySet {
        /// Where reading stopped. serde's own words would quote the document.
        line: usize,
        /// Where reading stopped.
        column: usize,
    },
    /// The set holds more than 100 keys.
    #[error("it holds more than 100 keys")]
    TooManyKeys,
    /// No key of the set may check signatures.
    #[error("it holds no key that may check signatures: {skipped} skipped")]
    NoUsableKey {
        /// How many keys were looked at.
        skipped: usize,
    },
}

impl KeySet {
    /// Admits key by key: a bad one never spoils the set.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(json).map_err(|error| {
            KeySetError::NotAKeySet { line: error.line(), column: error.column() }
        })?;
        if document.keys.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut set = Self { keys: Vec::new(), by_kid: HashMap::new() };
        let mut skipped = 0;
        for (position, jwk) in document.keys.iter().enumerate() {
            match Key::admit(jwk) {
                Ok(key) => set.insert(Arc::new(key)),
                Err(reason) => {
                    skipped += 1;
                    warn!(position, %reason, "a key of the key set is skipped");
                }
            }
        }
        if set.keys.is_empty() {
            return Err(KeySetError::NoUsableKey { skipped });
        }
        Ok(set)
    }

    fn insert(&mut self, key: Arc<Key>) {
        if let Some(kid) = &key.kid {
            self.by_kid.entry(kid.clone()).or_default().push(Arc::clone(&key));
        }
        self.keys.push(key);
    }

    /// The keys with this kid, byte for byte, that fit the algorithm.
    pub(crate) fn with_kid(&self, kid: &str, algorithm: Algorithm) -> Vec<&Key> {
        fitting(self.by_kid.get(kid).map_or(&[][..], Vec::as_slice), algorithm)
    }

    /// The keys to try for a token that names none: the first four that fit.
    pub(crate) fn without_kid(&self, algorithm: Algorithm) -> Vec<&Key> {
        fitting(&self.keys, algorithm)
    }

    /// The number of keys.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

fn fitting(keys: &[Arc<Key>], algorithm: Algorithm) -> Vec<&Key> {
    let fits = |key: &&Arc<Key>| key.algorithms().any(|own| own == algorithm);
    keys.iter().filter(fits).take(MAX_TRIED).map(Arc::as_ref).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"ed"}"#;

    fn parse(keys: &str) -> Result<KeySet, KeySetError> {
        KeySet::parse(format!("{{\"keys\":[{keys}]}}").as_bytes())
    }

    #[test]
    fn a_bad_key_never_spoils_the_set() {
        let set = parse(&format!(r#"{{"kty":"RSA","kid":7}},null,{ED},{{"kty":"oct"}}"#)).unwrap();
        assert_eq!(set.len(), 1);
        assert_eq!(set.with_kid("ed", Algorithm::EdDsa).len(), 1);
        assert_eq!(set.with_kid("ed", Algorithm::Rs256).len(), 0);
        assert_eq!(set.with_kid("ED", Algorithm::EdDsa).len(), 0);
        assert_eq!(set.without_kid(Algorithm::EdDsa).len(), 1);
    }

    #[test]
    fn no_more_than_four_keys_are_tried_for_one_token() {
        let set = parse(&[ED; 9].join(",")).unwrap();
        assert_eq!(set.len(), 9);
        assert_eq!(set.with_kid("ed", Algorithm::EdDsa).len(), 4);
        assert_eq!(set.without_kid(Algorithm::EdDsa).len(), 4);
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for (json, expected) in [
            ("<html>", "not a JSON Web Key Set"),
            ("", "not a JSON Web Key Set"),
            ("{}", "not a JSON Web Key Set"),
            (r#"{"keys":{}}"#, "not a JSON Web Key Set"),
            (r#"{"keys":[]}"#, "no key that may check signatures: 0"),
            (r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, "no key that may check signatures: 1"),
        ] {
            let error = KeySet::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
        let many = [ED; 101].join(",");
        assert!(matches!(parse(&many), Err(KeySetError::TooManyKeys)));
    }
}
