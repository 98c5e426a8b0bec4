//! Keys of clients, and the DPoP proofs that they sign.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};

use super::secret_store::random;
use super::signing_key::{SigningKey, encode_and_sign};
use crate::clock::Moment;
use crate::clock::manual::ManualClock;
use crate::jose::algorithm::Algorithm;
use crate::jose::thumbprint::canonical_form;
use crate::token::confirmation::Thumbprint;

/// A client's key that tokens can be bound to (RFC 9449); made by
/// [`TestAuthorizationServer::dpop_key`](crate::testing::TestAuthorizationServer::dpop_key).
#[derive(Clone)]
pub struct TestDpopKey {
    key: Arc<SigningKey>,
    clock: ManualClock,
}

impl TestDpopKey {
    #[expect(clippy::expect_used, reason = "only a broken machine cannot make keys")]
    pub(crate) fn generate(algorithm: Algorithm, clock: ManualClock) -> Self {
        let key = SigningKey::generate(algorithm, String::new()).expect("a key can be generated");
        Self { key: Arc::new(key), clock }
    }

    /// The public key as a JWK.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = self.key.jwk();
        if let Some(members) = jwk.as_object_mut() {
            ["kid", "alg", "use"].iter().for_each(|name| drop(members.remove(*name)));
        }
        jwk
    }

    /// The thumbprint of RFC 7638, as in `cnf`.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let form = canonical_form(|name| jwk.get(name)?.as_str());
        Thumbprint::of(form.as_bytes()).encode()
    }

    /// Starts a proof for a call of the method at this address,
    /// `https://echo.example.com/echo.Echo/UnaryEcho`, with this access token. Without further
    /// words it is right: made now, and unlike every other.
    ///
    /// # Panics
    /// When the operating system has no random numbers.
    pub fn proof(&self, address: &str, token: &str) -> ProofBuilder {
        ProofBuilder { key: Arc::clone(&self.key), header: Map::new(), claims: Map::new() }
            .header("typ", "dpop+jwt")
            .header("alg", self.key.algorithm().as_str())
            .header("jwk", self.jwk())
            .claim("jti", random())
            .claim("htm", "POST")
            .claim("htu", address)
            .issued_at(self.clock.now())
            .claim("ath", Thumbprint::of(token.as_bytes()).encode())
    }
}

impl fmt::Debug for TestDpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestDpopKey").finish_non_exhaustive()
    }
}

/// A DPoP proof to be signed; made by [`TestDpopKey::proof`].
#[derive(Clone)]
#[must_use = "a proof does nothing until it is signed"]
pub struct ProofBuilder {
    key: Arc<SigningKey>,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl ProofBuilder {
    /// The server's nonce, from `dpop-nonce`.
    pub fn nonce(self, nonce: &str) -> Self {
        self.claim("nonce", nonce)
    }

    /// When it was made, to the microsecond.
    pub fn issued_at(self, time: SystemTime) -> Self {
        self.claim("iat", Moment::of(time).to_microsecond())
    }

    /// Any claim, as anything that serializes; it replaces one of the same name.
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.claims.insert(name.into(), serde_json::to_value(value).unwrap_or_default());
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

    /// Signs the proof with the key.
    #[must_use]
    pub fn sign(self) -> String {
        encode_and_sign(self.header, self.claims, &self.key)
    }

    /// Signs it with another key than it names.
    ///
    /// # Panics
    /// When the operating system has no random numbers.
    #[must_use]
    #[expect(clippy::expect_used, reason = "only a broken machine cannot make keys")]
    pub fn sign_with_wrong_key(self) -> String {
        let forger = SigningKey::generate(self.key.algorithm(), String::new());
        encode_and_sign(self.header, self.claims, &forger.expect("a key can be generated"))
    }
}

impl fmt::Debug for ProofBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofBuilder").finish_non_exhaustive()
    }
}
