//! When the streams of a call end. Unary calls are decided on when they arrive, and must not begin
//! too late: without a guard that sees to it, the stream that brings their one message ends.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use tonic::Status;

use super::{ResourceServer, audit};
use crate::error::ConfigError;
use crate::policy::denial::DenialReason;
use crate::policy::rpc_kind::RpcKind;
use crate::policy::service_policy::PolicyEntry;
use crate::token::principal::Principal;

/// When the open streams of a service end; set by
/// [`Protect::stream_expiry`](super::Protect::stream_expiry).
///
/// A token is verified when a call arrives, and a stream may stay open for days after that. At its
/// end the caller is answered UNAUTHENTICATED with the reason ACCESS_TOKEN_EXPIRED, as a call with
/// the same token would be; what was sent before has arrived. Unary calls are never cut off. A call
/// of any kind whose token has expired before its method begins does not reach the method, whatever
/// is set here: its message may come long after its headers.
/// Nothing ends calls without a token of methods that let anyone in. An opaque token of which the
/// authorization server says no expiry never expires: for those, [`MaxAge`](Self::MaxAge) is what
/// ends streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamExpiry {
    /// When the caller's token expires (`exp`), and the leeway is over. The default.
    #[default]
    UntilExpiry,
    /// When caller or handler end them: the token is checked until the method begins, and not
    /// again. (Entries written by hand count as streams until they say
    /// [`RpcKind::Unary`](crate::policy::RpcKind::Unary).)
    CheckedAtOpen,
    /// When the caller's token expires, or this long after they were opened if that is earlier.
    /// More than zero.
    MaxAge(Duration),
}

/// Waits for the end of a call's streams, for the task that polls it. It takes a timer of the
/// runtime only if it has to wait.
pub(super) struct StreamDeadline {
    at: SystemTime,
    cause: &'static str,
    auth: ResourceServer,
    /// For the log: whose token, and what it called.
    issuer: Arc<str>,
    entry: PolicyEntry,
    /// What both sides of the call know, where both are watched.
    sides: Option<Arc<Sides>>,
    sleep: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

#[derive(Default)]
struct Sides {
    /// The handler has read the request stream to its end.
    requests_are_over: AtomicBool,
    is_told: AtomicBool,
}

/// A timer looks at the time of day at least this often.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

const EXPIRED: &str = "the token expired while the stream was open";
/// As the guard says it.
pub(super) const TOO_LATE: &str = "`exp` passed before the message had come";
const TOO_OLD: &str = "the stream was open for as long as `StreamExpiry::MaxAge` allows";

impl StreamExpiry {
    pub(super) fn check(self) -> Result<(), ConfigError> {
        ConfigError::require(
            self != Self::MaxAge(Duration::ZERO),
            "stream-expiry",
            "MaxAge",
            "zero ends every stream at once: write how long one may stay open, or leave it at \
             `StreamExpiry::UntilExpiry`",
        )
    }

    /// The end of streams that are opened now, and the cause that the log tells.
    fn end(self, auth: &ResourceServer, caller: &Principal) -> Option<(SystemTime, &'static str)> {
        let expires_at = caller.expires_at() + auth.inner.settings.leeway;
        let until_expiry = (expires_at, EXPIRED);
        match self {
            Self::CheckedAtOpen => None,
            Self::UntilExpiry => Some(until_expiry),
            Self::MaxAge(age) => {
                // Overflow means no age limit.
                let by_age = auth.inner.settings.clock.now().checked_add(age);
                Some(match by_age.filter(|end| *end < expires_at) {
                    Some(end) => (end, TOO_OLD),
                    None => until_expiry,
                })
            }
        }
    }
}

impl StreamDeadline {
    /// Of a call that is let in; none if its streams do not end by themselves. Boxed, for it goes
    /// from hand to hand.
    pub(super) fn of(
        stream_expiry: StreamExpiry,
        auth: &ResourceServer,
        caller: &Principal,
        entry: PolicyEntry,
    ) -> Option<Box<Self>> {
        let (at, cause) = match entry.kind() {
            RpcKind::Unary => (caller.expires_at() + auth.inner.settings.leeway, TOO_LATE),
            _ => stream_expiry.end(auth, caller)?,
        };
        let (auth, issuer) = (auth.clone(), caller.shared_issuer());
        Some(Box::new(Self { at, cause, auth, issuer, entry, sides: None, sleep: None }))
    }

    /// Another one for the other side of the call.
    pub(super) fn share(&mut self) -> Box<Self> {
        let Self { at, cause, auth, issuer, entry, .. } = &*self;
        let (at, cause, entry) = (*at, *cause, *entry);
        let (auth, issuer) = (auth.clone(), Arc::clone(issuer));
        let sides = Some(Arc::clone(self.sides.get_or_insert_default()));
        Box::new(Self { at, cause, auth, issuer, entry, sides, sleep: None })
    }

    pub(super) fn kind(&self) -> RpcKind {
        self.entry.kind()
    }

    /// Nothing more comes from the caller.
    pub(super) fn note_end_of_requests(&self) {
        if let Some(sides) = &self.sides {
            sides.requests_are_over.store(true, Ordering::Release);
        }
    }

    /// Whether all that is left is to answer: what a unary call is from its beginning.
    pub(super) fn has_only_to_answer(&self) -> bool {
        let are_over = |sides: &Arc<Sides>| sides.requests_are_over.load(Ordering::Acquire);
        !self.kind().streams_responses() && self.sides.as_ref().is_some_and(are_over)
    }

    /// Looks at the clock and waits for nothing.
    pub(super) fn is_due(&self) -> bool {
        self.auth.inner.settings.clock.now() >= self.at
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // More than one round when the clock was set back meanwhile.
        while !self.is_due() {
            let (clock, at) = (&self.auth.inner.settings.clock, self.at);
            let sleep = self.sleep.get_or_insert_with(|| {
                // Timers count by the monotonic clock, which stands still while a machine sleeps.
                Box::pin(clock.sleep_until(at.min(clock.now() + LOOK_AGAIN)))
            });
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        Poll::Ready(())
    }

    /// The status for the caller, and one log line for each call.
    pub(super) fn status(&self) -> Status {
        let is_told = |sides: &Arc<Sides>| sides.is_told.swap(true, Ordering::Relaxed);
        if !self.sides.as_ref().is_some_and(is_told) {
            audit::log_ended(self.entry, &self.issuer, self.cause);
        }
        DenialReason::TokenExpired.to_status(&self.auth.inner.settings.challenge)
    }
}
