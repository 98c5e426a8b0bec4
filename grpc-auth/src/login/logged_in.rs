//! What a login brings.

use std::fmt;

use serde::de::DeserializeOwned;

use super::Party;
use super::id_token::IdToken;
use super::session::Session;
use super::store::Entry;
use super::tokens::Tokens;
use crate::client::source::TokenSource;
use crate::json;
use crate::token::claims::ClaimsError;

/// A person has logged in.
#[derive(Clone)]
pub struct LoginOutcome {
    tokens: TokenSource,
    id_token: Option<IdToken>,
    can_renew: bool,
}

impl LoginOutcome {
    pub(crate) fn new(
        party: &Party,
        entry: Option<Entry>,
        tokens: Tokens,
        id_token: Option<IdToken>,
    ) -> Self {
        let can_renew = tokens.refresh.is_some();
        let subject = id_token.as_ref().map(|id_token| &*id_token.subject);
        Self { tokens: Session::source(party, entry, tokens, subject), id_token, can_renew }
    }

    /// Their tokens: the first is there already, others come by the refresh token.
    #[must_use]
    pub fn tokens(&self) -> TokenSource {
        self.tokens.clone()
    }

    /// Who it is: `sub` of the identity token, unique at its issuer. None where no identity token
    /// was asked for.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.id_token.as_ref().map(|id_token| &*id_token.subject)
    }

    /// The claims of the identity token, in a type of the program's own: `name`, `email`, ..
    ///
    /// They are for greeting the person. A service decides by the access token.
    ///
    /// # Errors
    /// When they do not fit the type. Without an identity token there are no claims at all.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, ClaimsError> {
        let claims = self.id_token.as_ref().map_or(&b"{}"[..], |id_token| &id_token.claims);
        json::read(claims).map_err(|error| ClaimsError::of::<T>(&error))
    }

    /// Whether there is a refresh token. Without one the person has to log in again when the access
    /// token ends.
    #[must_use]
    pub fn can_renew(&self) -> bool {
        self.can_renew
    }
}

/// Without the claims: they are about a person.
impl fmt::Debug for LoginOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginOutcome").field("can_renew", &self.can_renew).finish_non_exhaustive()
    }
}
