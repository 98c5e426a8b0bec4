//! Verifies a token: from the text in the metadata to an [`AuthenticatedCaller`], or to the reason why
//! not.

mod advice;
pub(crate) mod claims;
mod configured;
pub(crate) mod error;
pub(crate) mod jwt;
mod lenient_jwt;
pub(crate) mod set_associative;
pub(crate) mod token_cache;
pub(crate) mod trusted_issuer;

use std::pin::Pin;

use crate::token::caller::AuthenticatedCaller;
use error::VerifyFailure;

/// What a verifier says of a token.
pub(crate) enum Verdict {
    Known(Result<AuthenticatedCaller, VerifyFailure>),
    /// Keys have to be fetched first.
    Pending(Pending),
    /// The issuer introspects the token. Methods open to anyone wait for that as well: it
    /// is as if the token were verified, and is over soon.
    Asked(Pending),
}

pub(crate) type Pending =
    Pin<Box<dyn Future<Output = Result<AuthenticatedCaller, VerifyFailure>> + Send>>;

impl Verdict {
    /// Waits for it, if it has to.
    pub(crate) async fn wait(self) -> Result<AuthenticatedCaller, VerifyFailure> {
        match self {
            Self::Known(result) => result,
            Self::Pending(pending) | Self::Asked(pending) => pending.await,
        }
    }
}
