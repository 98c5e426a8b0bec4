//! Telling operators that calls have to do without tokens: once for each outage, whatever the number
//! of calls.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{info, warn};

use super::error::TokenError;

/// Whether the last token that a call needed could not be got.
#[derive(Debug, Default)]
pub(crate) struct Outage(AtomicBool);

impl Outage {
    /// A call needs a token, and there is no token.
    pub(super) fn begins(&self, error: &TokenError) {
        if !self.0.swap(true, Ordering::Relaxed) {
            let permanent = error.is_permanent();
            warn!(
                target: "grpc_auth",
                permanent,
                error = %Chain(error),
                "no token can be got, and no call is sent without one"
            );
        }
    }

    /// There is a token.
    pub(super) fn ends(&self) {
        // Nearly always there was none: a look costs less than a change.
        if self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed) {
            info!(target: "grpc_auth", "tokens can be got again");
        }
    }
}

/// An error with its causes.
pub(super) struct Chain<'e>(pub(super) &'e dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
