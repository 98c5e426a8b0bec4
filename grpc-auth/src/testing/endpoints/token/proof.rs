//! Keys that clients prove to have, so that their tokens are bound to them (RFC 9449 §5).

use axum::http::{HeaderMap, HeaderValue};

use crate::lock::locked;
use crate::proof_of_possession::Unproved;
use crate::testing::data::state::State;
use crate::testing::endpoints::oauth_error::OAuthError;
use crate::token::confirmation::Thumbprint;

const PATH: &str = "/oauth/token";

/// The key of the proof, if the request came with one.
pub(crate) async fn proved_key(
    state: &State,
    headers: &HeaderMap,
) -> Result<Option<Thumbprint>, OAuthError> {
    if !headers.contains_key("dpop") {
        return Ok(None);
    }
    let requires_nonce = locked(&state.settings).requires_dpop_nonce;
    let checked = state.dpop.check_token_request(headers, PATH, requires_nonce);
    let (key, first_use) = checked.map_err(|unproved| refused(&unproved))?;
    first_use.await.map_err(|unproved| refused(&unproved))?;
    Ok(Some(key))
}

/// The nonce that the next proof has to have (RFC 9449 §8).
pub(crate) fn offer_nonce(state: &State, headers: &mut HeaderMap) {
    if locked(&state.settings).requires_dpop_nonce
        && let Ok(nonce) = HeaderValue::try_from(state.dpop.nonces.current())
    {
        headers.insert("dpop-nonce", nonce);
    }
}

/// RFC 9449 §5 and §8.
fn refused(unproved: &Unproved) -> OAuthError {
    let why = match unproved {
        Unproved::ProofNonce => {
            let why = "the proof has no nonce, or an old one: use the one in `DPoP-Nonce`";
            return OAuthError::bad("use_dpop_nonce", why);
        }
        Unproved::ReplayFull | Unproved::ReplayKeyFull | Unproved::ReplayUnavailable(_) => {
            return OAuthError::server("there is no room to remember another DPoP proof");
        }
        Unproved::ProofsSeveral => "there are several proofs",
        Unproved::ProofMethod => "its `htm` is not `POST`",
        Unproved::ProofTarget => "its `htu` is not the address of the token endpoint",
        Unproved::ProofOld | Unproved::ProofInFuture => "its `iat` is not now",
        Unproved::ProofSignature => "its signature is not its key's",
        Unproved::ProofReplayed => "it was used before",
        _ => "it is no proof as RFC 9449 §4.2 wants it",
    };
    OAuthError::bad("invalid_dpop_proof", format!("the DPoP proof is refused: {why}"))
}
