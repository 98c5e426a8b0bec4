//! Why a login fails, and what to do next.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use super::callback::filter::{NotTheAnswer, Refused};
use super::store::error::StoreError;
use crate::client::error::{TokenError, described};
use crate::error::ConfigError;

const MAX_ERROR: usize = 64;
const MAX_DESCRIPTION: usize = 256;

/// Why a login did not succeed.
///
/// Each text says what to do next, and can be shown to the person: it holds no code, no token and
/// no `state`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// A setting cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The authorization server cannot be asked, or refuses the client.
    #[error(transparent)]
    Server(#[from] TokenError),
    /// The tokens cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The authorization server does not bind codes safely to the client that requested them.
    #[error(
        "the authorization server lists `code_challenge_methods_supported` without `S256`: allow \
         S256 there; `plain` is never sent (RFC 7636 §4.2)"
    )]
    ChallengeMethod,
    /// There is no port for the browser to come back to.
    #[error("no port of 127.0.0.1 can be listened on: log in by a device code instead")]
    Listen(#[source] io::Error),
    /// The browser cannot be opened, or the file that it begins with cannot be written, and the
    /// address was not shown.
    #[error(
        "the browser cannot be opened: show the address to the person with `.announce(..)`, or log \
         in by a device code"
    )]
    Browser(#[source] io::Error),
    /// The authorization server, or the person there, said no (RFC 6749 §4.1.2.1).
    #[error("the authorization server answers `{error}`{}{}", described(.description), help(.error))]
    Refused {
        /// Its error code: `access_denied`, `login_required`, ..
        error: Box<str>,
        /// Its description, at most 256 characters.
        description: Option<Box<str>>,
    },
    /// The answer names another issuer than the one that was asked: two were mixed up (RFC 9207).
    #[error(
        "the answer came from another authorization server than the one that was asked (RFC 9207): \
         log in again, and if it stays so compare the issuer with the `iss` that the server sends"
    )]
    IssuerOther,
    /// The answer does not say whose it is.
    #[error(
        "the answer does not name its issuer, although the metadata of the authorization server \
         promises it (RFC 9207): log in again; if it stays so the metadata is wrong"
    )]
    IssuerMissing,
    /// No answer came.
    #[error(
        "no login within {} s{}: log in again; if the authorization server showed an error \
         about the redirect URI, register `{redirect_uri}` for the client there, with any port",
        .after.as_secs(), last_refused(.refused)
    )]
    TimedOut {
        /// How long it waited.
        after: Duration,
        /// What the client has to be registered with: the redirect URI without its port.
        redirect_uri: Box<str>,
        /// Why the last request to the login's port was not its answer, if there was one.
        refused: Option<CallbackError>,
    },
    /// Two browsers have begun it, and it is unknown which of them is the person's.
    #[error(
        "the login was opened in two browsers, so the login failed: log in again, in one of them; \
         if the other was not yours, find out who saw the address that you were shown"
    )]
    OpenedTwice,
    /// Something on this machine keeps opening connections to the login's port.
    #[error(
        "over 1,000 connections were made to the login's port: find out which program on this \
         machine makes them, and log in again"
    )]
    Flooded,
    /// The identity token is invalid (OpenID Connect Core §3.1.3.7).
    #[error("the identity token cannot be used: {problem}")]
    IdToken {
        /// What is wrong with it.
        problem: Cow<'static, str>,
    },
    /// The answer of the device authorization endpoint cannot be used (RFC 8628 §3.2).
    #[error("the answer of the device authorization endpoint cannot be used: {problem}")]
    DeviceAnswer {
        /// What is wrong with it.
        problem: Cow<'static, str>,
    },
    /// The person did not type in the code in time (RFC 8628 §3.5).
    #[error("the device code has expired before it was typed in: log in again for a new one")]
    CodeExpired,
}

/// What kind of failure a [`LoginError`] is: what a program does next depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginErrorKind {
    /// A setting has to change.
    Setting,
    /// The authorization server was asked in vain; its [`TokenError`] says whether to try again.
    Server,
    /// This machine has no port, no browser or no place for the tokens.
    Machine,
    /// The person did not log in in time.
    NotLoggedIn,
    /// The authorization server or the person said no, or the answer was rejected.
    Denied,
}

/// Why a request to the login's port was not the answer that it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct CallbackError(#[from] NotTheAnswer);

impl LoginError {
    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> LoginErrorKind {
        match self {
            Self::Config(_) => LoginErrorKind::Setting,
            Self::Server(_) => LoginErrorKind::Server,
            Self::Listen(_) | Self::Browser(_) | Self::Store(_) | Self::Flooded => {
                LoginErrorKind::Machine
            }
            Self::TimedOut { .. } | Self::CodeExpired => LoginErrorKind::NotLoggedIn,
            Self::ChallengeMethod
            | Self::Refused { .. }
            | Self::IssuerOther
            | Self::IssuerMissing
            | Self::OpenedTwice
            | Self::IdToken { .. }
            | Self::DeviceAnswer { .. } => LoginErrorKind::Denied,
        }
    }

    pub(crate) fn refused(refused: &Refused) -> Self {
        // What RFC 6749 §4.1.2.1 allows in it, less the space.
        let plain = |character: char| if character.is_ascii_graphic() { character } else { '?' };
        let error = refused.error.chars().map(plain).take(MAX_ERROR).collect::<String>();
        let description = refused.description.as_deref();
        let short = |text: &str| text.chars().take(MAX_DESCRIPTION).collect::<String>().into();
        Self::Refused { error: error.into(), description: description.map(short) }
    }
}

fn last_refused(last: &Option<CallbackError>) -> String {
    let told = |last| format!(", and the last request to its port was refused: {last}");
    last.as_ref().map(told).unwrap_or_default()
}

fn help(error: &str) -> &'static str {
    match error {
        "access_denied" => ": log in again and agree, or ask for access there",
        "login_required"
        | "interaction_required"
        | "consent_required"
        | "account_selection_required" => ": log in again, without `prompt=none`",
        "unauthorized_client" => ": allow the client the authorization code grant there",
        "invalid_scope" => {
            ": the client may not ask for one of the scopes; `offline_access` may \
                            have to be allowed, or left out with `.only_these_scopes()`"
        }
        "invalid_request" => ": look at the client's redirect URIs and settings there",
        "invalid_target" => ": the audience or resource is not known there",
        "server_error" | "temporarily_unavailable" => ": log in again later",
        _ => ": log in again",
    }
}
