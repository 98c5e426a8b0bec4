//! Why there is no token.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::client_authentication::CannotSign;
use crate::http::error::HttpError;

/// Why a [`TokenSource`](super::TokenSource) has no token.
///
/// A transient error ends by itself; a [permanent](Self::is_permanent) one needs a change. The text
/// is for operators. It holds no secret, and no token.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The authorization server refuses the request (RFC 6749 §5.2).
    #[error("the authorization server answers `{error}`{}{}", described(.description), help(.error))]
    Refused {
        /// Its error code: `invalid_client`, `invalid_scope`, ..
        error: Box<str>,
        /// Its description, at most 256 characters; left out if it has the client's secret in it.
        description: Option<Box<str>>,
    },
    /// The authorization server was not reached, or cannot answer.
    #[error("the authorization server cannot be asked")]
    Unreachable(#[source] Arc<HttpError>),
    /// The answer holds no token that could be sent.
    #[error("the answer of the authorization server cannot be used: {problem}")]
    AnswerInvalid {
        /// What is wrong with it.
        problem: Cow<'static, str>,
    },
    /// The authorization server has no endpoint for this.
    #[error(
        "the metadata of the authorization server names no `{endpoint}`: it does not support this, \
         or its address has to be written by hand"
    )]
    EndpointMissing {
        /// The member of RFC 8414 §2.
        endpoint: &'static str,
    },
    /// The client's credentials cannot be made.
    #[error(
        "the client's credentials cannot be made: there are no random numbers, or the key does not sign"
    )]
    Credentials,
    /// The file of the token cannot be read, or holds none.
    #[error("the token file {path:?} cannot be used: {problem}")]
    File {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        problem: Box<str>,
    },
    /// The token has expired, and nothing brings another.
    #[error("the token has expired, and its source brings no other: {help}")]
    Expired {
        /// What to do.
        help: &'static str,
    },
    /// A call on a channel of [`TokenExchange::connect`](super::TokenExchange::connect) does not say on
    /// whose behalf.
    #[error(
        "the call names no caller to act for: insert `on_behalf_of.source(&caller)`, with the injected \
         `BearerToken`, into the extensions of the outgoing request"
    )]
    NoCaller,
    /// The task that was to get the token is gone: it panicked, or the runtime ends.
    #[error("the request for a token was given up")]
    GivenUp,
    /// A source of the program's own failed.
    #[error("the source of the token failed")]
    Custom(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

/// What kind of failure a [`TokenError`] is: what a program does next depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenErrorKind {
    /// A new request fails until a setting is changed, or a person logs in again.
    Denied,
    /// The authorization server does not answer, or asks to be asked later.
    Unavailable,
    /// Anything else: an answer that cannot be used, or a source that failed.
    Failed,
}

impl TokenError {
    /// Whether a new request fails until a setting is changed.
    ///
    /// ```
    /// use grpc_auth::client::TokenError;
    ///
    /// let refused = |error: &str| TokenError::Refused { error: error.into(), description: None };
    /// assert!(refused("invalid_client").is_permanent());
    /// assert!(!refused("temporarily_unavailable").is_permanent());
    /// ```
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.kind() == TokenErrorKind::Denied
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> TokenErrorKind {
        match self {
            Self::Refused { error, .. } => match &**error {
                "temporarily_unavailable" | "server_error" | "slow_down" => {
                    TokenErrorKind::Unavailable
                }
                _ => TokenErrorKind::Denied,
            },
            Self::EndpointMissing { .. } | Self::Expired { .. } | Self::NoCaller => {
                TokenErrorKind::Denied
            }
            Self::Unreachable(_) => TokenErrorKind::Unavailable,
            Self::AnswerInvalid { .. }
            | Self::Credentials
            | Self::File { .. }
            | Self::GivenUp
            | Self::Custom(_) => TokenErrorKind::Failed,
        }
    }

    /// How long the server asks to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unreachable(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl From<CannotSign> for TokenError {
    fn from(CannotSign: CannotSign) -> Self {
        Self::Credentials
    }
}

impl From<HttpError> for TokenError {
    fn from(error: HttpError) -> Self {
        Self::Unreachable(Arc::new(error))
    }
}

/// The description of an error. Its text may be hostile: control characters would reach a terminal.
pub(crate) fn described(description: &Option<Box<str>>) -> String {
    description.as_ref().map(|text| format!(", {text:?}")).unwrap_or_default()
}

fn help(error: &str) -> &'static str {
    match error {
        "invalid_client" => {
            ": check the client's id, its secret and the method in `ClientAuthentication`"
        }
        "unauthorized_client" => ": allow the client this grant at the authorization server",
        "invalid_scope" => ": the client may not be granted one of the scopes",
        "invalid_target" => ": the audience or resource is not known there",
        "access_denied" => ": allow the client this API at the authorization server",
        "invalid_grant" => ": what was exchanged has expired, was revoked or was used before",
        "unsupported_grant_type" => ": the server does not know this grant",
        _ => "",
    }
}
