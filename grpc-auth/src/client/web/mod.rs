//! The same tokens for HTTP: REST, an authorization server's management API.

pub(crate) mod error;
pub(crate) mod layer;
mod reqwest;

use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use url::Url;

use super::access_token::AccessToken;
use super::dpop::DPOP;
use super::response::TokenType;
use super::source::TokenSource;
use crate::http::address::is_loopback;

pub(super) use error::AttachTokenError;

/// Whether a request to this address may carry a token, and does not carry one yet.
fn check(url: &Url, headers: &HeaderMap) -> Result<(), AttachTokenError> {
    if headers.contains_key(AUTHORIZATION) || headers.contains_key(DPOP) {
        return Err(AttachTokenError::AlreadyAuthorized);
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        _ => Err(AttachTokenError::Plaintext { origin: url.origin().ascii_serialization() }),
    }
}

/// Puts a token into the headers of a request to this address. Returns the nonce of its proof.
fn attach(
    source: &TokenSource,
    token: &AccessToken,
    method: &str,
    url: &Url,
    headers: &mut HeaderMap,
) -> Result<Option<Box<str>>, AttachTokenError> {
    let mut nonce = None;
    if token.token_type == TokenType::Dpop {
        let key = source.dpop().ok_or(AttachTokenError::Proof)?;
        let origin = url.origin().ascii_serialization();
        let address = (&*origin, url.path());
        let proof = key.prove(method, address, Some(&token.token), source.clock().moment());
        let proof = proof.map_err(|_| AttachTokenError::Proof)?;
        headers.try_insert(DPOP, proof.value).map_err(|_| AttachTokenError::HeadersFull)?;
        nonce = proof.nonce;
    }
    let inserted = headers.try_insert(AUTHORIZATION, token.authorization.clone());
    inserted.map(|_| nonce).map_err(|_| AttachTokenError::HeadersFull)
}

/// Reads an answer. Tells whether the same request may do better now: with a nonce that came along,
/// or with another token, for this one is given up.
fn may_do_better(
    source: &TokenSource,
    token: &AccessToken,
    nonce: Option<&str>,
    url: &Url,
    status: StatusCode,
    headers: &HeaderMap,
) -> bool {
    let origin = url.origin().ascii_serialization();
    let has_other_nonce = source.dpop().is_some_and(|key| key.heed(&origin, headers, nonce));
    if status != StatusCode::UNAUTHORIZED {
        return false;
    }
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter();
    let mut challenges = challenges.filter_map(|challenge| challenge.to_str().ok());
    if challenges.any(|challenge| challenge.contains("error=\"use_dpop_nonce\"")) {
        return has_other_nonce;
    }
    source.reject(token)
}
