//! Proofs that this program holds the key its tokens are bound to (RFC 9449).

mod nonces;

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use crate::client_authentication::{CannotSign, random_id, sign_jwt};
use crate::clock::Moment;
use crate::error::ConfigError;
use crate::jose::signing_key::SigningKey;
use crate::token::bearer::BearerToken;
use crate::token::confirmation::Thumbprint;
use nonces::Nonces;

/// Carries a proof.
pub(super) const DPOP: HeaderName = HeaderName::from_static("dpop");
/// Carries the nonce that the next proof needs (RFC 9449 §8).
pub(super) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// A key that tokens are bound to, given by [`TokenSourceBuilder::dpop`](super::TokenSourceBuilder::dpop):
/// another program that finds such a token cannot use it (RFC 9449).
///
/// Each request for a token, and each call, carries a proof that is signed with it. Its clones are
/// the same key, and know the same nonces of servers.
///
/// ```
/// use grpc_auth::client::DpopKey;
///
/// let key = DpopKey::generate()?;
/// assert_ne!(key.thumbprint(), DpopKey::generate()?.thumbprint());
/// assert!(DpopKey::from_pem("no key at all").is_err());
/// # Ok::<(), grpc_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct DpopKey(Arc<Shared>);

struct Shared {
    key: SigningKey,
    /// The header of every proof, encoded.
    header: String,
    thumbprint: Thumbprint,
    nonces: Nonces,
}

/// A proof for one request.
pub(super) struct Proof {
    /// The header's.
    pub(super) value: HeaderValue,
    /// That it was made with.
    pub(super) nonce: Option<Box<str>>,
}

impl DpopKey {
    /// Makes a key for ES256, which lives as long as the program.
    ///
    /// # Errors
    /// [`ConfigError::Environment`] when the operating system has no random numbers.
    pub fn generate() -> Result<Self, ConfigError> {
        let key = SigningKey::generate().map_err(|_| ConfigError::no_random_numbers())?;
        Self::new(key)
    }

    /// Reads a key of PKCS#8 in PEM: P-256, P-384 or Ed25519, for ES256, ES384 or EdDSA. RSA keys
    /// are refused: their proofs would add more than half a kilobyte to each call.
    ///
    /// # Errors
    /// [`ConfigError::TlsMaterial`] when it is another key.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::new(SigningKey::from_pem(pem.as_ref())?)
    }

    fn new(key: SigningKey) -> Result<Self, ConfigError> {
        let jwk = key.jwk().ok_or(ConfigError::private_key(
            "proofs are signed with P-256, P-384 or Ed25519, and it is RSA",
        ))?;
        let thumbprint = Thumbprint::of(jwk.to_string().as_bytes());
        let header = json!({ "typ": "dpop+jwt", "alg": key.algorithm().as_str(), "jwk": jwk });
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        Ok(Self(Arc::new(Shared { key, header, thumbprint, nonces: Nonces::default() })))
    }

    /// The thumbprint of the public key (RFC 7638), as in the claim `cnf` of its tokens.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.0.thumbprint.encode()
    }

    /// The value of `dpop` for a request to a path at an origin, which ends before the path, with the
    /// token that it carries (RFC 9449 §4.2).
    pub(super) fn prove(
        &self,
        method: &str,
        (origin, path): (&str, &str),
        token: Option<&BearerToken>,
        now: Moment,
    ) -> Result<Proof, CannotSign> {
        let nonce = self.0.nonces.of(origin);
        let mut claims = json!({
            "jti": random_id()?,
            "htm": method,
            "htu": format!("{origin}{path}"),
            "iat": now.seconds.floor() as u64,
        });
        if let Some(members) = claims.as_object_mut() {
            if let Some(token) = token {
                members.insert("ath".into(), Thumbprint::of(token.as_bytes()).encode().into());
            }
            if let Some(nonce) = &nonce {
                members.insert("nonce".into(), (**nonce).into());
            }
        }
        let proof = sign_jwt(&self.0.key, &self.0.header, &claims)?;
        let mut value = HeaderValue::try_from(proof).map_err(|_| CannotSign)?;
        value.set_sensitive(true);
        Ok(Proof { value, nonce })
    }

    /// Remembers the nonce that a server gives with any answer. Tells whether it is another than was
    /// sent: many calls may get the same one at once.
    pub(super) fn heed(&self, origin: &str, headers: &HeaderMap, sent: Option<&str>) -> bool {
        let nonce = headers.get(DPOP_NONCE).and_then(|value| value.to_str().ok());
        nonce.is_some_and(|nonce| self.0.nonces.remember(origin, nonce) && sent != Some(nonce))
    }
}

/// Without the key.
impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopKey")
            .field("algorithm", &self.0.key.algorithm())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::Value;

    use super::*;
    use crate::jose::algorithm::Algorithm;
    use crate::jose::jwk::Key;

    /// The key of RFC 9449 §4.1.
    const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";

    fn parts(proof: &HeaderValue) -> Vec<Vec<u8>> {
        let parts = proof.to_str().unwrap().split('.');
        parts.map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect()
    }

    #[test]
    fn a_proof_says_what_the_specification_asks_for_and_is_signed_by_its_key() {
        let token = BearerToken::parse("token").unwrap();
        let now = Moment::of(UNIX_EPOCH + Duration::from_millis(1_500_900));
        for key in [DpopKey::generate().unwrap(), DpopKey::from_pem(PEM).unwrap()] {
            let address = ("https://echo.example.com", "/echo.Echo/Unary");
            let proof = key.prove("POST", address, Some(&token), now).unwrap().value;
            assert!(proof.is_sensitive());
            let [header, claims, signature] = &*parts(&proof) else { panic!("no JWT") };
            let header: Value = serde_json::from_slice(header).unwrap();
            assert_eq!(header["typ"], "dpop+jwt");
            let algorithm = Algorithm::from_name(header["alg"].as_str().unwrap()).unwrap();
            let (public, form) =
                Key::of_proof(header["jwk"].to_string().as_bytes(), algorithm).unwrap();
            assert_eq!(key.thumbprint(), Thumbprint::of(form.as_bytes()).encode());
            let (signed, _) = proof.to_str().unwrap().rsplit_once('.').unwrap();
            assert!(public.verifies(algorithm, signed.as_bytes(), signature));

            let claims: Value = serde_json::from_slice(claims).unwrap();
            assert_eq!(claims["htm"], "POST");
            assert_eq!(claims["htu"], "https://echo.example.com/echo.Echo/Unary");
            assert_eq!(claims["iat"], 1500);
            assert_eq!(claims["ath"], Thumbprint::of(b"token").encode());
            assert_eq!(claims.get("nonce"), None);
            assert_ne!(key.prove("POST", address, None, now).unwrap().value, proof);
        }
    }

    #[test]
    fn a_nonce_goes_into_the_proofs_for_its_origin_alone() {
        let key = DpopKey::generate().unwrap();
        let mut answer = HeaderMap::new();
        assert!(!key.heed("https://a.example", &answer, None));
        answer.insert(DPOP_NONCE, "one".parse().unwrap());
        // Calls that were sent without the nonce may be sent again with it.
        for _ in 0..2 {
            assert!(key.clone().heed("https://a.example", &answer, None));
            assert!(key.heed("https://a.example", &answer, Some("former")));
            assert!(!key.heed("https://a.example", &answer, Some("one")));
        }
        let nonce = |origin: &'static str| {
            let proof = key.prove("POST", (origin, "/"), None, Moment::of(UNIX_EPOCH));
            let claims: Value = serde_json::from_slice(&parts(&proof.unwrap().value)[1]).unwrap();
            claims.get("nonce").cloned()
        };
        assert_eq!(nonce("https://a.example"), Some("one".into()));
        assert_eq!(nonce("https://b.example"), None);
    }

    #[test]
    fn a_key_that_proofs_cannot_be_signed_with_is_refused() {
        let error = DpopKey::from_pem("-----BEGIN PRIVATE KEY-----\nAA==\n").unwrap_err();
        assert!(
            error.to_string().starts_with("the client's private key cannot be used"),
            "{error}"
        );
        assert!(!format!("{:?}", DpopKey::from_pem(PEM).unwrap()).contains("1O5y"));
    }
}
