//! Why a request to an authorization server failed.

use std::error::Error;
use std::time::Duration;

use crate::error::ConfigError;

/// Why a document could not be fetched from an authorization server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The server was not reached, or closed the connection.
    #[error("the server does not answer")]
    Transport {
        /// Whether no connection was made at all.
        is_connect: bool,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server took longer than the timeout of the request, such as
    /// [`JwksSettings::timeout`](crate::JwksSettings::timeout).
    #[error("the server does not answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The server answered with another HTTP status than 200.
    #[error("the server answers with HTTP status {status}")]
    Status {
        /// The status.
        status: u16,
        /// How long it asks clients to wait; at most an hour.
        retry_after: Option<Duration>,
    },
    /// The answer is longer than 256 KiB.
    #[error("the answer is longer than 256 KiB")]
    TooLarge,
    /// The answer is compressed, which was not requested, and may be a bomb.
    #[error("the answer is compressed (`content-encoding`), although that was not asked for")]
    Encoded,
    /// The discovery document is not the JSON of RFC 8414.
    #[error("the discovery document cannot be used: {cause}")]
    NotMetadata {
        /// What is wrong with it. It quotes no value of the document.
        cause: String,
    },
    /// The discovery document is another issuer's, so nothing in it can be trusted.
    #[error(
        "the discovery document is of the issuer {found:?}, configured is {configured:?}: write \
         the issuer exactly as the document spells it, slash included, if that one is meant"
    )]
    IssuerMismatch {
        /// The configured issuer.
        configured: String,
        /// The issuer in its answer.
        found: String,
    },
    /// The discovery document names an address that cannot be requested safely.
    #[error("an address in the discovery document cannot be used")]
    Address(#[source] Box<ConfigError>),
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport { is_connect: error.is_connect(), source: error.without_url().into() }
    }
}

impl HttpError {
    /// The name in metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Transport { .. } => "transport",
            Self::Timeout(_) => "timeout",
            Self::Status { .. } => "status",
            Self::TooLarge => "too_large",
            Self::Encoded => "encoded",
            Self::NotMetadata { .. } => "not_metadata",
            Self::IssuerMismatch { .. } => "issuer_mismatch",
            Self::Address(_) => "keys_url",
        }
    }

    /// Whether only a change of the configuration can help.
    pub(crate) fn is_misconfiguration(&self) -> bool {
        matches!(self, Self::IssuerMismatch { .. } | Self::Address(_))
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether a second try on the spot may help: the next replica, or the next connection, may be
    /// well. Not if the server asks clients to wait.
    pub(crate) fn is_retried_at_once(&self) -> bool {
        match self {
            Self::Transport { is_connect, .. } => *is_connect,
            Self::Status { status, retry_after: None } => (500..600).contains(status),
            _ => false,
        }
    }

    /// Whether the document is no longer where discovery said.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Status { status: 404 | 410, .. })
    }
}
