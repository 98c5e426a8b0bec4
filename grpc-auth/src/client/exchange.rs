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
    kind: Kind,
}

/// RFC 8693 §3.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    AccessToken,
    IdToken,
    Jwt,
}

impl SubjectToken {
    /// An access token of the same authorization server, whatever it is made of.
    pub fn access_token(token: impl Into<SecretString>) -> Self {
        Self { token: token.into(), kind: Kind::AccessToken }
    }

    /// A JWT, perhaps of another server that this one trusts.
    pub fn jwt(token: impl Into<SecretString>) -> Self {
        Self { token: token.into(), kind: Kind::Jwt }
    }

    /// An ID token of OpenID Connect.
    pub fn id_token(token: impl Into<SecretString>) -> Self {
        Self { token: token.into(), kind: Kind::IdToken }
    }

    /// The identifier of its type.
    pub(super) fn token_type(&self) -> &'static str {
        match self.kind {
            Kind::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Kind::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Kind::Jwt => "urn:ietf:params:oauth:token-type:jwt",
        }
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
        f.write_str(match self.kind {
            Kind::AccessToken => "SubjectToken(access_token)",
            Kind::IdToken => "SubjectToken(id_token)",
            Kind::Jwt => "SubjectToken(jwt)",
        })
    }
}
