//! Why a request is not sent.

use crate::client::error::TokenError;

/// Why an HTTP request was not sent with a token, and so not at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachTokenError {
    /// The request carries credentials of its own.
    #[error(
        "the request was not sent: it already carries `authorization` or `dpop`; remove it, or send \
         the request without a `TokenSource`"
    )]
    AlreadyAuthorized,
    /// The token would go to another host in plaintext.
    #[error(
        "the request was not sent: `{origin}` is plaintext, and an attacker on the way could read \
         the token and use it; write `https://..` (plaintext is accepted to loopback addresses alone)"
    )]
    Plaintext {
        /// Scheme and authority of the address.
        origin: String,
    },
    /// It is unknown where the request goes.
    #[error(
        "the request was not sent: its address is no `https://host/path`, so it is unknown who \
         would see the token; write scheme and host as well"
    )]
    NotAbsolute,
    /// There is no token.
    #[error("the request was not sent: no token could be got for it")]
    Token(#[from] TokenError),
    /// It cannot be proved that the token's key is held.
    #[error(
        "the request was not sent: it cannot be proved that its token's key is held, for there are \
         no random numbers, or the key does not sign"
    )]
    Proof,
    /// The request has too many headers.
    #[error("the request was not sent: it has too many headers for another one")]
    HeadersFull,
    /// The request cannot be built or sent; its address is left out.
    #[error("the request cannot be sent")]
    Request(#[source] reqwest::Error),
}

impl From<reqwest::Error> for AttachTokenError {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error.without_url())
    }
}
