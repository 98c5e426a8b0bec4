//! The readers of untrusted documents, for the fuzzer and the property tests of this project. Each
//! returns why it rejects a document; the reason names the cause and holds no value.

use std::time::{Duration, SystemTime};

use aws_lc_rs::error::Unspecified;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::data::client_file::ClientFile;
use super::data::keys::KeyRing;
use crate::client::fuzz as client;
use crate::http::cache_control::{self, Freshness};
use crate::http::discovery;
use crate::introspection::response;
use crate::jose::algorithm::Algorithm;
use crate::json;
use crate::json::node::Node;
use crate::jwks::set::KeySet;
use crate::jwks::settings::JwksSettings;
use crate::login::fuzz as login;
use crate::proof_of_possession::proof;
use crate::token::claims::ClaimsMemo;

/// The longest JSON document, in bytes.
pub const MAX_JSON_BYTES: usize = json::MAX_BYTES;

/// Reads any JSON document.
pub fn json<T: DeserializeOwned>(document: &[u8]) -> Result<T, String> {
    json::read(document).map_err(|error| error.to_string())
}

/// Reads a JSON document as the tree that claims are read as.
pub fn json_tree(document: &[u8]) -> Result<(), String> {
    json::read::<Node<'_>>(document).map(drop).map_err(|error| error.to_string())
}

/// Reads claims as a handler does that asks for a type of its own.
pub fn claims(claims: &[u8]) -> Result<Value, String> {
    let memo = ClaimsMemo::default();
    match memo.get_or_parse::<Value>(claims) {
        Ok(claims) => Ok((**claims).clone()),
        // Its own text names the path; here the cause is of interest.
        Err(_) => json(claims),
    }
}

/// A key set that was read.
#[derive(Debug)]
pub struct Keys {
    set: KeySet,
    /// What the usable keys are, sorted.
    pub identities: Vec<[u8; 32]>,
    /// Why the other keys are skipped.
    pub skipped: Vec<String>,
}

/// Reads a key set.
pub fn key_set(document: &[u8]) -> Result<Keys, String> {
    let (set, skipped) = KeySet::parse(document).map_err(|error| error.to_string())?;
    let skipped = skipped.iter().map(ToString::to_string).collect();
    Ok(Keys { identities: set.identities(), skipped, set })
}

impl Keys {
    /// Whether any of the keys accepts the signature, by any algorithm.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        Algorithm::ALL.into_iter().any(|algorithm| {
            let mut keys = self.set.without_kid(algorithm);
            keys.any(|key| key.verifies(algorithm, message, signature))
        })
    }

    /// How many keys there are for an algorithm.
    #[must_use]
    pub fn count(&self, algorithm: Algorithm) -> usize {
        self.set.without_kid(algorithm).count()
    }
}

/// Reads the metadata of an issuer; returns the address of its key set.
pub fn metadata(document: &[u8], issuer: &str) -> Result<Url, String> {
    let url = Url::parse(issuer).map_err(|error| error.to_string())?;
    discovery::read(document, &url, issuer).map_err(|error| error.to_string())
}

/// Reads the headers of a key set: how long it is kept, and how long its issuer is left alone.
#[must_use]
pub fn cache_control(headers: &HeaderMap) -> (Duration, Option<Duration>) {
    let kept = JwksSettings::default().freshness(Freshness::of(headers).max_age);
    (kept, cache_control::retry_after(headers, SystemTime::UNIX_EPOCH))
}

/// Reads an answer to introspection, about a token of this issuer for this audience.
pub fn introspection(answer: &[u8], issuer: &str, audience: &str) -> Result<(), String> {
    response::read_answer(answer, issuer, audience)
}

/// Checks a DPoP proof of any time for a call of this method at this origin.
pub fn dpop_proof(proof: &[u8], origin: &str, method: &str) -> Result<(), String> {
    proof::check_any(proof, origin, method)
}

/// Reads a file of clients, users and scopes.
pub fn client_file(text: &str) -> Result<(), String> {
    ClientFile::parse(text).map(drop).map_err(|problem| problem.to_string())
}

/// Reads a token endpoint's answer with this HTTP status.
pub fn token_response(status: u16, answer: &[u8]) -> Result<(), String> {
    client::token_response(status, answer)
}

/// Checks an ID token of this issuer for the client `fuzz`.
pub fn id_token(token: &str, issuer: &str) -> Result<(), String> {
    login::id_token(token, issuer)
}

/// Reads a device authorization endpoint's answer.
pub fn device_response(answer: &[u8]) -> Result<(), String> {
    login::device_response(answer)
}

/// Reads a stored login of the client `fuzz` at this issuer.
pub fn stored_login(file: &[u8], issuer: &str) -> Result<(), String> {
    login::stored_login(file, issuer)
}

/// Reads the head of a request to a login's port 4000, whose `state` is `the-state`, and whose
/// cookie is `login=the-cookie`.
pub fn callback(head: &[u8]) -> Result<(), String> {
    login::callback(head)
}

/// An issuer's keys for RS256, ES256 and EdDSA. They sign any header and claims.
#[derive(Debug)]
pub struct Signer(KeyRing);

impl Signer {
    /// Generates the keys.
    pub fn generate() -> Result<Self, Unspecified> {
        KeyRing::generate().map(Self)
    }

    /// The key set (RFC 7517). The key ids are `rs256-1`, `es256-1` and `eddsa-1`.
    #[must_use]
    pub fn jwks(&self) -> String {
        self.0.jwks().to_string()
    }

    /// The compact form of a token with this header and these claims, which need not be JSON; none
    /// for other algorithms.
    #[must_use]
    pub fn sign(&self, algorithm: Algorithm, header: &[u8], claims: &[u8]) -> Option<String> {
        let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        let signed = format!("{}.{}", encode(header), encode(claims));
        let keys = self.0.signing_keys();
        let key = keys.iter().find(|key| key.algorithm() == algorithm)?;
        let signature = key.sign(signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", encode(&signature)))
    }
}
