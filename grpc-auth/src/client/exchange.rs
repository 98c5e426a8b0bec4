//! What is shown to get another token for it (RFC 8693).

use std::fmt;

use secrecy::SecretString;

use crate::token::bearer::BearerToken;

/// RFC 8693 §2.1.
pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// A caller's token, to be exchanged for one for another service.
///
/// It is wiped when it is dropped, and its `Debug` shows nothing of it.
///
/// ```
/// use grpc_auth::client::SubjectToken;
///
/// let token = SubjectToken::jwt("e30.e30.c2ln");
/// assert_eq!(format!("{token:?}"), "SubjectToken(jwt)");
/// ```
#[derive(Clone)]
pub struct SubjectToken {
    pub(super) token: SecretString,
    /// The identifier of its type (RFC 8693 §3).
    pub(super) token_type: &'static str,
}

impl SubjectToken {
    /// An access token of the same authorization server, whatever it is made of.
    pub fn access_token(token: impl Into<SecretString>) -> Self {
        Self { token: token.into(), token_type: "urn:ietf:params:oauth:token-type:access_token" }
    }

    /// A JWT, perhaps of another server that this one trusts.
    pub fn jwt(token: impl Into<SecretString>) -> Self {
        Self { token: token.into(), token_type: "urn:ietf:params:oauth:token-type:jwt" }
    }

    /// An ID token of OpenID Connect.
    pub fn id_token(token: impl Into<SecretString>) -> Self {
        Self { token: token.into(), token_type: "urn:ietf:params:oauth:token-type:id_token" }
    }
}

/// The token of a caller, as a handler gets it injected.
impl From<&BearerToken> for SubjectToken {
    fn from(token: &BearerToken) -> Self {
        Self::access_token(token.expose_secret())
    }
}

impl From<BearerToken> for SubjectToken {
    fn from(token: BearerToken) -> Self {
        Self::from(&token)
    }
}

impl fmt::Debug for SubjectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.token_type.rsplit(':').next().unwrap_or_default();
        write!(f, "SubjectToken({name})")
    }
}
