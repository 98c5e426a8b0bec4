//! What binds an answer to its question: the code verifier (RFC 7636), `state` and `nonce`.

use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::error::LoginError;
use crate::error::ConfigError;

/// RFC 7636 §4.1: 32 random bytes make a verifier of 43 characters.
const BYTES: usize = 32;

/// 256 random bits, as text.
pub(crate) fn random() -> Result<SecretString, LoginError> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    rand::fill(&mut *bytes).map_err(|_| ConfigError::no_random_numbers())?;
    Ok(URL_SAFE_NO_PAD.encode(*bytes).into())
}

/// The method S256 of RFC 7636 §4.2.
pub(crate) fn challenge(verifier: &SecretString) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.expose_secret().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_that_of_rfc_7636() {
        let verifier = SecretString::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn no_two_are_equal_and_each_has_43_characters() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert_eq!(one.expose_secret().len(), 43);
    }
}
