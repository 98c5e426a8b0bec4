//! Tokens from a function of the program's own.

use std::error::Error;
use std::pin::Pin;

use crate::client::access_token::AccessToken;
use crate::client::error::TokenError;
use crate::client::source::grant::{Grant, Granted, LONGEST_WAIT, Obtaining, UNKNOWN_LIFETIME};
use crate::clock::Clock;

type BoxError = Box<dyn Error + Send + Sync>;
type Answer = Pin<Box<dyn Future<Output = Result<AccessToken, BoxError>> + Send>>;

pub(crate) struct FunctionGrant(Box<dyn Fn() -> Answer + Send + Sync>);

impl FunctionGrant {
    pub(crate) fn new<F, R, E>(function: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<AccessToken, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self(Box::new(move || {
            let answer = function();
            Box::pin(async move { answer.await.map_err(Into::into) })
        }))
    }

    async fn call(&self, clock: &Clock) -> Result<Granted, TokenError> {
        let asked_at = clock.now();
        let answer = clock.timeout(LONGEST_WAIT, (self.0)()).await;
        let timeout = || Err("it does not answer within 30 s".into());
        let token = answer.unwrap_or_else(timeout).map_err(custom)?;
        let left = token.expires_at.map(|end| end.duration_since(asked_at));
        let left = left.map(Result::unwrap_or_default);
        if left.is_some_and(|left| left.is_zero()) {
            return Err(custom("the token that it gave has expired".into()));
        }
        Ok(Granted::new(token, asked_at, left.unwrap_or(UNKNOWN_LIFETIME)))
    }
}

impl Grant for FunctionGrant {
    fn obtain<'a>(&'a self, clock: &'a Clock) -> Obtaining<'a> {
        Box::pin(self.call(clock))
    }

    fn name(&self) -> &str {
        "function"
    }
}

/// A source may be made of other sources: their errors stay what they are.
fn custom(error: BoxError) -> TokenError {
    match error.downcast::<TokenError>() {
        Ok(error) => *error,
        Err(error) => TokenError::Custom(error.into()),
    }
}
