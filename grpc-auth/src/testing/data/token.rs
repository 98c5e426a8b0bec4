//! Tokens of any shape, good and bad.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value};

use super::dpop::TestDpopKey;
use super::issued_tokens::IssuedTokens;
use super::signing_key::{SigningKey, encode_and_sign};
use crate::jose::algorithm::Algorithm;
use crate::token::confirmation::Thumbprint;

/// A token to be signed; made by
/// [`TestAuthorizationServer::token`](crate::testing::TestAuthorizationServer::token).
///
/// Without further words it is an access token (RFC 9068) for
/// [`AUDIENCE`](crate::testing::TestAuthorizationServer::AUDIENCE) with the subject `test`, without scopes,
/// valid for an hour, signed with ES256.
#[derive(Clone)]
#[must_use = "a token does nothing until it is signed"]
pub struct TokenBuilder {
    keys: Vec<Arc<SigningKey>>,
    key: Arc<SigningKey>,
    issued_tokens: Arc<IssuedTokens>,
    now: SystemTime,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    names_key: bool,
}

impl TokenBuilder {
    pub(crate) fn new(
        keys: Vec<Arc<SigningKey>>,
        issued_tokens: Arc<IssuedTokens>,
        now: SystemTime,
        issuer: &str,
    ) -> Self {
        let builder = Self {
            key: key_for(&keys, Algorithm::Es256),
            keys,
            issued_tokens,
            now,
            header: Map::new(),
            claims: Map::new(),
            names_key: true,
        };
        builder
            .header("typ", "at+jwt")
            .claim("iss", issuer)
            .subject("test")
            .claim("iat", seconds(now))
            .expires_in(Duration::from_secs(3600))
    }

    /// Whom the token is about.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.claim("sub", subject.into())
    }

    /// Whom the token is for.
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.claim("aud", audience.into())
    }

    /// What the token grants.
    pub fn scopes<S: Into<String>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes: Vec<String> = scopes.into_iter().map(Into::into).collect();
        self.claim("scope", scopes.join(" "))
    }

    /// Binds it to a client's key: it is good with that key's DPoP proofs alone (RFC 9449 §6.1).
    pub fn bound_to_key(self, key: &TestDpopKey) -> Self {
        self.bound("jkt", key.thumbprint())
    }

    /// Binds it to a client certificate, given in DER (RFC 8705 §3.1). Bound to a key as well, it
    /// needs both.
    pub fn bound_to_certificate(self, der: &[u8]) -> Self {
        self.bound("x5t#S256", Thumbprint::of(der).encode())
    }

    fn bound(mut self, name: &str, thumbprint: String) -> Self {
        let cnf = self.claims.entry("cnf").or_insert_with(|| Map::new().into());
        if let Some(cnf) = cnf.as_object_mut() {
            cnf.insert(name.into(), thumbprint.into());
        }
        self
    }

    /// Any claim, as anything that serializes; it replaces one of the same name.
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.claims.insert(name.into(), serde_json::to_value(value).unwrap_or_default());
        self
    }

    pub(crate) fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims.extend(claims);
        self
    }

    /// Leaves a claim out.
    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Any header parameter; it replaces one of the same name.
    pub fn header(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.header.insert(name.into(), serde_json::to_value(value).unwrap_or_default());
        self
    }

    /// Leaves a header parameter out.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Leaves `kid` out.
    pub fn without_key_id(mut self) -> Self {
        self.names_key = false;
        self
    }

    /// How long it is valid from now on.
    pub fn expires_in(self, duration: Duration) -> Self {
        let expires_at = seconds(self.now + duration);
        self.claim("exp", expires_at)
    }

    /// Issued two hours ago for one hour.
    pub fn expired(self) -> Self {
        let hour = Duration::from_secs(3600);
        let (issued, expired) = (seconds(self.now - 2 * hour), seconds(self.now - hour));
        self.claim("iat", issued).claim("exp", expired)
    }

    /// Signs with RS256, ES256 or EdDSA.
    ///
    /// # Panics
    /// For other algorithms: the server has no key for them.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.key = key_for(&self.keys, algorithm);
        self
    }

    /// Signs the token with the server's key.
    #[must_use]
    pub fn sign(self) -> String {
        let key = Arc::clone(&self.key);
        self.sign_with(&key)
    }

    /// Makes the claims those of a token that is no JWT: it says nothing to anyone but the server's
    /// introspection endpoint. The header does not matter.
    ///
    /// # Panics
    /// When the operating system has no random numbers.
    #[must_use]
    pub fn opaque(self) -> String {
        self.issued_tokens.add_opaque(Value::Object(self.claims))
    }

    /// Signs the token with a new key under the key id of the server's: a forgery.
    ///
    /// # Panics
    /// When the operating system has no random numbers.
    #[must_use]
    #[expect(clippy::expect_used, reason = "only a broken machine cannot make keys")]
    pub fn sign_with_wrong_key(self) -> String {
        let forger = SigningKey::generate(self.key.algorithm(), self.key.kid.clone());
        self.sign_with(&forger.expect("a key can be generated"))
    }

    fn sign_with(mut self, key: &SigningKey) -> String {
        self.header.entry("alg").or_insert_with(|| key.algorithm().as_str().into());
        if self.names_key {
            self.header.entry("kid").or_insert_with(|| key.kid.as_str().into());
        }
        encode_and_sign(self.header, self.claims, key)
    }
}

#[expect(clippy::panic, reason = "a mistake in a test")]
fn key_for(keys: &[Arc<SigningKey>], algorithm: Algorithm) -> Arc<SigningKey> {
    match keys.iter().find(|key| key.algorithm() == algorithm) {
        Some(key) => Arc::clone(key),
        None => panic!("the authorization server signs with RS256, ES256 and EdDSA"),
    }
}

/// NumericDate of RFC 7519 §2.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
