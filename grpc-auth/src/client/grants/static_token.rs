//! One token that is never renewed, or none.

use crate::client::access_token::AccessToken;
use crate::client::error::TokenError;
use crate::client::renewal::Life;
use crate::client::source::grant::{Grant, Granted, Obtaining};
use crate::clock::Clock;
use crate::token::bearer::BearerToken;

pub(crate) struct StaticGrant {
    pub(crate) name: &'static str,
    pub(crate) token: Option<BearerToken>,
    /// Why there is no other one.
    pub(crate) error: TokenError,
}

impl Grant for StaticGrant {
    fn obtain<'a>(&'a self, _: &'a Clock) -> Obtaining<'a> {
        Box::pin(async { Err(self.error.clone()) })
    }

    fn name(&self) -> &str {
        self.name
    }

    fn given(&self) -> Option<Granted> {
        let token = AccessToken::bearer(self.token.clone()?);
        Some(Granted { life: Life::given(token.expires_at), token, is_reread: false })
    }

    fn is_renewable(&self) -> bool {
        false
    }
}
