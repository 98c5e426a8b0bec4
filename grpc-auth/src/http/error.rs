//! Why a request to an authorization server failed.

use std::error::Error;
use std::time::Duration;

use super::connection::ConnectionFailure;
use crate::error::ConfigError;

/// Why a document could not be fetched from an authorization server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The server was not reached, or closed the connection.
    #[error("the server does not answer: {failure} ({detail})")]
    Transport {
        /// Whether no connection was made at all.
        is_connect: bool,
        /// What kind of failure it is. Its text says what to set.
        failure: ConnectionFailure,
        /// The whole chain of causes, from the request down to the operating system or TLS.
        detail: Box<str>,
    },
    /// The server took longer than the timeout of the request, such as
    /// [`JwksSettings::timeout`](crate::JwksSettings::timeout).
    #[error("the server does not answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The server answered with an HTTP status that is no success.
    #[error("the server answers with HTTP status {status}{}", redirect(.location.as_deref()))]
    Status {
        /// The status.
        status: u16,
        /// Where a redirect leads, without query; redirects are not followed.
        location: Option<Box<str>>,
        /// How long it asks clients to wait; at most an hour.
        retry_after: Option<Duration>,
    },
    /// Neither form of the metadata's address led to metadata.
    #[error("neither address holds the issuer's metadata: {openid}; {oauth}")]
    NoMetadata {
        /// The address of OpenID Connect Discovery, and what it answered.
        openid: Box<str>,
        /// The address of RFC 8414, and what it answered.
        oauth: Box<str>,
        /// How long the server asks clients to wait; at most an hour.
        retry_after: Option<Duration>,
    },
    /// The answer is longer than 256 KiB, or a key set longer than 1 MiB.
    #[error("the answer is longer than {} KiB", .0 / 1024)]
    TooLarge(usize),
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
    #[error("an address in the discovery document cannot be used: {0}")]
    Address(Box<ConfigError>),
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let failure = ConnectionFailure::of(&error);
        Self::Transport { is_connect: error.is_connect(), failure, detail: chain(&error).into() }
    }
}

/// The error and all its causes, in one line. Control characters are escaped: TLS errors hold names
/// from the server's certificate.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let of_cause = error.to_string();
        if !text.ends_with(&of_cause) {
            text = format!("{text}: {of_cause}");
        }
        cause = error.source();
    }
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

fn redirect(location: Option<&str>) -> String {
    location.map_or_else(String::new, |to| {
        format!(
            ", a redirect to {to}: redirects are not followed, so write that address if it is right"
        )
    })
}

impl HttpError {
    /// The name in metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Transport { .. } => "transport",
            Self::Timeout(_) => "timeout",
            Self::Status { .. } => "status",
            Self::NoMetadata { .. } => "no_metadata",
            Self::TooLarge(_) => "too_large",
            Self::Encoded => "encoded",
            Self::NotMetadata { .. } => "not_metadata",
            Self::IssuerMismatch { .. } => "issuer_mismatch",
            Self::Address(_) => "keys_url",
        }
    }

    /// The HTTP status, if there was an answer with another than success.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether only a change of the configuration can help.
    pub(crate) fn is_misconfiguration(&self) -> bool {
        matches!(self, Self::IssuerMismatch { .. } | Self::Address(_))
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } | Self::NoMetadata { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether a second try on the spot may help: the next replica, or the next connection, may be
    /// well. Not if the server asks clients to wait.
    pub(crate) fn is_retried_at_once(&self) -> bool {
        match self {
            Self::Transport { is_connect, .. } => *is_connect,
            Self::Status { status, retry_after: None, .. } => (500..600).contains(status),
            _ => false,
        }
    }

    /// Whether the document is no longer where discovery said.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Status { status: 404 | 410, .. })
    }
}
