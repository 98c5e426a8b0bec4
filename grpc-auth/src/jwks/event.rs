//! What happens to a key set: one enum for the log, for metrics and for a callback.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::fetch::KeyFetchError;
use super::skipped::SkippedKey;
use crate::metrics;

/// Something that happened to the key set of one issuer.
///
/// Each is logged (`tracing`, target `grpc_auth`) and handed to
/// [`ResourceServerBuilder::on_key_set_event`](crate::ResourceServerBuilder::on_key_set_event).
#[derive(Debug)]
#[non_exhaustive]
pub enum JwksEvent<'a> {
    /// A fetch begins.
    RefreshStarted {
        /// Caches on the way are bypassed: a token named a key that is not known, or has a signature
        /// that its key did not make.
        forced: bool,
    },
    /// The issuer answered with a usable key set.
    RefreshSucceeded {
        /// Counts the changes of the set.
        generation: u64,
        /// Keys that were not there before.
        added: usize,
        /// Keys that are dead from now on, cached tokens included.
        removed: usize,
        /// The issuer said that nothing changed (HTTP 304).
        not_modified: bool,
    },
    /// It did not; what was known before is kept.
    RefreshFailed {
        /// Why.
        error: &'a KeyFetchError,
        /// How many fetches in a row have failed.
        consecutive: u32,
    },
    /// A token of this issuer, plausible otherwise, names a key that is not known.
    UnknownKidOutcome {
        /// What was decided.
        decision: UnknownKidOutcome,
    },
    /// A token of this issuer, plausible otherwise, has a signature that the key with its `kid` did
    /// not make. The key may have been replaced under its `kid`, so the key set is fetched; at most
    /// once in [`JwksSettings::bad_signature_interval`](crate::JwksSettings::bad_signature_interval).
    BadSignature,
    /// The set is no longer fresh, the issuer does not answer, and known keys still serve.
    ServingStale {
        /// How long ago the set was fetched.
        age: Duration,
    },
    /// A key of the set is not used; the others are.
    KeySkipped {
        /// Which, and why.
        key: &'a SkippedKey,
    },
}

/// What is done about a key id that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownKidOutcome {
    /// The key set is fetched.
    Fetch,
    /// A fetch is under way already; the call waits for it.
    Join,
    /// A fetch that began after the call came did not bring it: the token is refused.
    NotThere,
    /// It was looked for in vain a moment ago, and after the token was issued: the token is refused.
    Remembered,
    /// Unknown key ids have caused enough fetches for now: the call is answered UNAVAILABLE, for its
    /// token may be good.
    Limited,
    /// The issuer does not answer, so it is unknown.
    Unavailable,
}

/// Whether the keys of an issuer can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwksHealth {
    /// Fetched within its freshness, or given.
    Fresh,
    /// Older, and still used.
    Stale {
        /// How long ago it was fetched.
        age: Duration,
    },
    /// No keys are held, for no call has needed any yet, or not for long: the next one fetches them.
    Idle,
    /// There are no usable keys, and the issuer does not answer: calls that need a token of this
    /// issuer are answered UNAVAILABLE.
    Unavailable,
}

impl JwksHealth {
    /// Whether there are keys that tokens can be checked with: fresh or stale.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Fresh | Self::Stale { .. })
    }
}

/// Who gets the events.
#[derive(Clone, Default)]
pub(crate) struct Listener(pub(crate) Option<Arc<Callback>>);

type Callback = dyn Fn(&str, &JwksEvent<'_>) + Send + Sync;

impl UnknownKidOutcome {
    /// The name in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Join => "join",
            Self::NotThere => "not_there",
            Self::Remembered => "remembered",
            Self::Limited => "limited",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Listener" } else { "none" })
    }
}

impl Listener {
    pub(crate) fn tell_skipped(&self, issuer: &str, key: &SkippedKey) {
        self.tell(issuer, &JwksEvent::KeySkipped { key });
    }

    pub(super) fn tell(&self, issuer: &str, event: &JwksEvent<'_>) {
        record(issuer, event);
        // A callback that panics must not end the refreshing.
        if let Some(callback) = &self.0
            && catch_unwind(AssertUnwindSafe(|| callback(issuer, event))).is_err()
        {
            tracing::error!(target: "grpc_auth", issuer, "the callback for key-set events panicked");
        }
    }
}

/// Logs and counts.
fn record(issuer: &str, event: &JwksEvent<'_>) {
    use tracing::{debug, info, warn};

    match event {
        JwksEvent::RefreshStarted { forced } => {
            debug!(target: "grpc_auth", issuer, forced, "the key set is fetched");
        }
        JwksEvent::RefreshSucceeded { generation, added, removed, not_modified } => {
            let is_changed = added + removed > 0;
            if is_changed {
                info!(target: "grpc_auth", issuer, generation, added, removed, "the key set was fetched");
            } else {
                debug!(target: "grpc_auth", issuer, generation, not_modified, "the key set is as before");
            }
            let result = match (not_modified, is_changed) {
                (true, _) => "not_modified",
                (false, false) => "unchanged",
                (false, true) => "changed",
            };
            metrics::key_set_fetched(issuer, result);
            metrics::key_set_generation(issuer, *generation);
        }
        JwksEvent::RefreshFailed { error, consecutive } => {
            let (url, status) = (error.url(), error.status());
            let cause = error.problem().to_string();
            // A long outage is said ever more rarely; at debug, every time.
            if consecutive.is_power_of_two() {
                warn!(
                    target: "grpc_auth",
                    issuer, url, status, cause, consecutive,
                    "key set fetch failed:"
                );
            } else {
                debug!(
                    target: "grpc_auth",
                    issuer, url, status, cause, consecutive,
                    "key set fetch failed:"
                );
            }
            metrics::key_set_fetched(issuer, error.kind());
        }
        JwksEvent::UnknownKidOutcome { decision } => {
            debug!(target: "grpc_auth", issuer, decision = decision.as_str(), "unknown key id");
            metrics::unknown_key(issuer, decision.as_str());
        }
        JwksEvent::BadSignature => {
            debug!(
                target: "grpc_auth",
                issuer,
                "bad signature by a known key id; the key set is fetched, for the key may have been replaced"
            );
        }
        JwksEvent::ServingStale { age } => {
            info!(
                target: "grpc_auth",
                issuer, age_seconds = age.as_secs(),
                "the issuer does not answer; its last known keys still serve"
            );
        }
        JwksEvent::KeySkipped { key } => {
            warn!(
                target: "grpc_auth",
                issuer, position = key.position(), reason = %key,
                "a key of the key set is skipped"
            );
            metrics::key_skipped(issuer);
        }
    }
}
