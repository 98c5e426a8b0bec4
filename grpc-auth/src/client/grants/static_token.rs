//! One token that is never renewed.

use crate::client::access_token::AccessToken;
use crate::client::error::TokenError;
use crate::client::renewal::Life;
use crate::client::source::grant::{Grant, Granted, Obtaining};
use crate::clock::Clock;
use crate::token::bearer::BearerToken;

pub(crate) struct StaticGrant(pub(crate) BearerToken);

impl Grant for StaticGrant {
    fn obtain<'a>(&'a self, _: &'a Clock) -> Obtaining<'a> {
        Box::pin(async { Err(TokenError::Expired { help: "write a new one" }) })
    }

    fn name(&self) -> &str {
        "given"
    }

    fn given(&self) -> Option<Granted> {
        let token = AccessToken::bearer(self.0.clone());
        Some(Granted { life: Life::given(token.expires_at), token, is_reread: false })
    }

    fn is_renewable(&self) -> bool {
        false
    }
}
