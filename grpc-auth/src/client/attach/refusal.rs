//! Why a call is not sent, or not again: constant texts, which name what to look at. The cause is in
//! the log.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::client::error::TokenError;

/// How long a caller should wait before it tries again, unless the authorization server said so.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Boxed, so that what is moved is small: nearly all calls are sent.
type Refusal = Box<Status>;

pub(super) fn already_authorized() -> Refusal {
    internal(
        "the call was not sent: it already carries `authorization` or `dpop`, and the channel \
         attaches the tokens of a `TokenSource`; remove it, or use a channel without \
         `AddTokenLayer`",
    )
}

pub(super) fn too_many_headers() -> Refusal {
    internal("the call was not sent: it has too many headers for another one")
}

pub(super) fn no_origin() -> Refusal {
    internal(
        "the call was not sent: its token is bound to a key, and the layer does not know for which \
         address to prove that it is held; use `TokenSource::connect`, or write \
         `tokens.layer().origin(\"https://echo.example.com\")`",
    )
}

pub(super) fn no_key() -> Refusal {
    internal("the call was not sent: its token is bound to a key that its source does not have")
}

pub(super) fn no_proof() -> Refusal {
    internal(
        "the call was not sent: it cannot be proved that its token's key is held, for there are no \
         random numbers, or the key does not sign",
    )
}

/// What became of a call for which there is no token.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    NotSent,
    /// The service refused the token that it was sent with.
    Refused,
}

impl Call {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "the call was not sent",
            Self::Refused => "the call was refused with its token, and not sent again",
        }
    }
}

pub(super) fn no_token(error: &TokenError, call: Call) -> Refusal {
    let what = call.as_str();
    if error.is_permanent() {
        return Box::new(Status::unauthenticated(format!(
            "{what}: the authorization server gives this program no token for it, and will not \
             until a setting is changed; the cause is in this program's log (target \
             `grpc_auth`)",
        )));
    }
    let delay = error.retry_after().unwrap_or(RETRY_DELAY);
    Box::new(Status::with_error_details(
        Code::Unavailable,
        format!(
            "{what}: no token could be got for it; look at the authorization server, and at the way \
             to it; the cause is in this program's log (target `grpc_auth`)",
        ),
        ErrorDetails::with_retry_info(Some(delay)),
    ))
}

pub(super) fn too_late(call: Call) -> Refusal {
    let what = call.as_str();
    Box::new(Status::deadline_exceeded(format!(
        "{what}: its deadline passed while it waited for a token",
    )))
}

fn internal(text: &'static str) -> Refusal {
    Box::new(Status::internal(text))
}
