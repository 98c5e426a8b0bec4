//! A token in the headers of a call, and what an answer means for it.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap};
use http::request::Parts;
use tonic::Status;

use super::answer;
use super::answer::Remedy;
use super::refusal;
use crate::client::access_token::AccessToken;
use crate::client::dpop::DPOP;
use crate::client::response::TokenType;
use crate::client::source::TokenSource;

/// What a call was sent with.
pub(super) struct Sent {
    token: Arc<AccessToken>,
    source: TokenSource,
    /// Whom its proof was made for, and with which nonce; none of a token without.
    proved_to: Option<(Arc<str>, Option<Box<str>>)>,
}

impl Sent {
    /// Puts the token into the request.
    pub(super) fn with(
        token: Arc<AccessToken>,
        source: TokenSource,
        origin: Option<Arc<str>>,
        parts: &mut Parts,
    ) -> Result<Self, Box<Status>> {
        let mut proved_to = None;
        if token.token_type == TokenType::Dpop {
            let key = source.dpop().ok_or_else(refusal::no_key)?;
            let origin = origin.or_else(|| origin_of(parts)).ok_or_else(refusal::no_origin)?;
            let address = (&*origin, parts.uri.path());
            let now = source.clock().moment();
            let proof = key.prove(parts.method.as_str(), address, Some(&token.token), now);
            let proof = proof.map_err(|_| refusal::no_proof())?;
            parts.headers.try_insert(DPOP, proof.value).map_err(|_| refusal::too_many_headers())?;
            proved_to = Some((origin, proof.nonce));
        }
        // A map can be full.
        let inserted = parts.headers.try_insert(AUTHORIZATION, token.authorization.clone());
        inserted.map_err(|_| refusal::too_many_headers())?;
        Ok(Self { token, source, proved_to })
    }

    pub(super) fn token(&self) -> &Arc<AccessToken> {
        &self.token
    }

    /// What helps after this answer. A token that is refused is given up here, whether or not the
    /// call can be sent again.
    pub(super) fn remedy<R>(&self, answer: &http::Response<R>) -> Remedy {
        let has_other_nonce = self.heed(answer.headers());
        if !answer::is_unauthenticated(answer) {
            return Remedy::None;
        }
        match answer::remedy(answer.headers()) {
            Remedy::Nonce if has_other_nonce => Remedy::Nonce,
            Remedy::Token if self.source.reject(&self.token) => Remedy::Token,
            Remedy::Nonce | Remedy::Token | Remedy::None => Remedy::None,
        }
    }

    /// Any answer may bring the nonce for the next proof (RFC 9449 §8.2).
    fn heed(&self, headers: &HeaderMap) -> bool {
        let Some((origin, nonce)) = &self.proved_to else { return false };
        self.source.dpop().is_some_and(|key| key.heed(origin, headers, nonce.as_deref()))
    }
}

/// Of a request that names it itself, as those of a client `with_origin` do.
fn origin_of(parts: &Parts) -> Option<Arc<str>> {
    let (scheme, authority) = (parts.uri.scheme_str()?, parts.uri.authority()?);
    Some(format!("{scheme}://{authority}").into())
}
