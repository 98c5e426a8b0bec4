//! The keys of one issuer: a snapshot that calls read without a lock, and the task that keeps it.

mod health;
mod published;
mod refresh_task;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::event::{JwksEvent, Listener};
use super::fetch::{KeyFetchError, KeyFetcher};
use super::lifecycle::{Answer, Arrival, Lifecycle};
use super::set::KeySet;
use super::settings::JwksSettings;
use crate::clock::Clock;
use crate::lock::locked;

use crate::token::key_set_version::Quiet;
use crate::token::key_set_version::Standing;
use published::Published;

/// The keys of one issuer as they are known now.
#[derive(Debug)]
pub(crate) struct KeySource {
    shared: Arc<Shared>,
    /// None for keys that were given.
    task: Option<JoinHandle<()>>,
}

/// Keys that may be used until their time is over.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) keys: Arc<KeySet>,
    pub(crate) generation: u64,
    /// None for keys that were given.
    pub(crate) stale_until: Option<SystemTime>,
}

/// A snapshot, and what a verdict with its keys rests on.
pub(crate) struct Loaded {
    snapshot: Guard<Option<Arc<Snapshot>>>,
    pub(crate) standing: Standing,
}

/// What a fetch would have to bring.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Any keys: no key may be used now.
    AnyKeys,
    /// The same for an expired token: it causes no fetch, and waits for one that is under way.
    KeysOfRunningFetch,
    Key {
        kid: Box<str>,
        /// When the token says that it was issued, at the latest.
        issued: Option<SystemTime>,
    },
    /// Another key under the same key id: the signature is not by the one that is known.
    Replacement,
}

/// What a call does when a key is missing.
#[derive(Debug)]
pub(crate) enum Missing {
    /// Looks again when this is over.
    Wait(Waiting),
    /// Looks again at once: keys came in the meantime.
    LookAgain,
    Unavailable,
    /// Unknown key ids have caused enough fetches; the next one may begin after this time.
    Limited(Duration),
    /// The issuer has no such key.
    Unknown,
}

/// A fetch that a call waits for.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Counts fetches that ended.
    pub(crate) finished: watch::Receiver<u64>,
    /// How long a call may wait.
    pub(crate) longest: Duration,
    pub(crate) arrival: Arrival,
}

#[derive(Debug)]
pub(crate) struct Shared {
    issuer: Box<str>,
    published: Published<Snapshot>,
    quiet: ArcSwap<Quiet>,
    /// Sequence number of the usage window; unchanged means that it need not be read again.
    edition: AtomicU64,
    clock: Clock,
    refresh: Option<Refresh>,
}

#[derive(Debug)]
pub(crate) struct Refresh {
    lifecycle: Mutex<Lifecycle>,
    settings: Arc<JwksSettings>,
    wake: Notify,
    /// Counts fetches that ended.
    finished: watch::Sender<u64>,
    /// The same, for those who look at its health: they are no waiting calls, which are counted.
    settled: watch::Sender<()>,
    listener: Listener,
}

impl KeySource {
    /// Keys that never change.
    pub(crate) fn given(issuer: &str, keys: KeySet) -> Self {
        let snapshot = Snapshot { keys: Arc::new(keys), generation: 1, stale_until: None };
        let published = Published::new(snapshot, 1);
        let shared = Shared::new(issuer.into(), published, Clock::system(), None);
        Self { shared: Arc::new(shared), task: None }
    }

    /// Keys that are fetched; the first time before this returns, if `first` says so. A failure is
    /// handed out and does not matter here: the task goes on.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) async fn fetched(
        mut fetcher: KeyFetcher,
        settings: Arc<JwksSettings>,
        listener: Listener,
        first: bool,
    ) -> (Self, Result<(), KeyFetchError>) {
        let clock = fetcher.clock.clone();
        let refresh = Refresh {
            lifecycle: Mutex::new(Lifecycle::new(Arc::clone(&settings), clock.now())),
            settings,
            wake: Notify::new(),
            finished: watch::Sender::new(0),
            settled: watch::Sender::default(),
            listener,
        };
        let issuer = fetcher.issuer.clone();
        let shared = Arc::new(Shared::new(issuer, Published::empty(), clock, Some(refresh)));
        let mut outcome = Ok(());
        if first && let Some(refresh) = &shared.refresh {
            outcome = shared.fetch(refresh, &mut fetcher).await;
        }
        let task = tokio::spawn(Arc::clone(&shared).keep(fetcher));
        (Self { shared, task: Some(task) }, outcome)
    }

    /// The present snapshot; none before the first successful fetch and when it is too old.
    pub(crate) fn load(&self, now: SystemTime) -> Option<Loaded> {
        let quiet = self.report_use(now);
        let snapshot = self.shared.published.snapshot();
        let usable = snapshot.as_ref()?;
        if usable.stale_until.is_some_and(|end| now >= end) {
            return None;
        }
        let standing = Standing { generation: usable.generation, quiet };
        Some(Loaded { snapshot, standing })
    }

    /// Whether what a verdict rests on still stands.
    #[inline]
    pub(crate) fn is_current(&self, standing: &Standing, now: SystemTime) -> bool {
        let quiet = &standing.quiet;
        let is_quiet =
            self.shared.edition.load(Ordering::Relaxed) == quiet.edition && quiet.is_at(now);
        if !is_quiet {
            self.report_use(now);
        }
        self.generation() == standing.generation
    }

    fn report_use(&self, now: SystemTime) -> Quiet {
        let quiet = **self.shared.quiet.load();
        if quiet.is_at(now) {
            return quiet;
        }
        self.shared.report_use(now);
        **self.shared.quiet.load()
    }

    /// Keys are missing among those of this generation: is it worth to fetch them? `arrival` is that
    /// of a call that waited before.
    pub(crate) fn need(
        &self,
        wanted: &Wanted,
        generation: u64,
        now: SystemTime,
        arrival: Option<Arrival>,
    ) -> Missing {
        let Some(refresh) = &self.shared.refresh else { return Missing::Unknown };
        if self.is_over() {
            // Without a fetch a bad signature is what it seems to be.
            if matches!(wanted, Wanted::Replacement) {
                return Missing::Unknown;
            }
            self.log_abandoned();
            return Missing::Unavailable;
        }
        let (missing, event) = {
            let mut lifecycle = refresh.lock();
            // Under the lock nothing can come between this look and the request for a fetch.
            let has_changed = match wanted {
                Wanted::AnyKeys | Wanted::KeysOfRunningFetch => !lifecycle.is_cold(now),
                Wanted::Key { .. } | Wanted::Replacement => self.generation() != generation,
            };
            if has_changed {
                return Missing::LookAgain;
            }
            let arrival = arrival.unwrap_or(lifecycle.arrival());
            let (answer, event) = match wanted {
                Wanted::AnyKeys => (lifecycle.need_keys(now), None),
                Wanted::KeysOfRunningFetch => (lifecycle.join_fetch(), None),
                Wanted::Key { kid, issued } => {
                    let (answer, decision) = lifecycle.need_key(now, kid, *issued, arrival);
                    (answer, Some(JwksEvent::UnknownKidOutcome { decision }))
                }
                Wanted::Replacement => {
                    let (answer, fetches) = lifecycle.need_replacement(now, arrival);
                    (answer, fetches.then_some(JwksEvent::BadSignature))
                }
            };
            (self.shared.missing(refresh, &lifecycle, answer, arrival), event)
        };
        if let Some(event) = event {
            self.shared.tell(refresh, &event);
        }
        missing
    }

    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.shared.published.generation()
    }

    /// Whether the task that fetches has ended.
    fn is_over(&self) -> bool {
        self.task.as_ref().is_some_and(JoinHandle::is_finished)
    }

    fn log_abandoned(&self) {
        tracing::error!(
            target: "grpc_auth",
            issuer = &*self.shared.issuer,
            "the keys can no longer be fetched: the tokio runtime in which the server was built is \
             gone, or a listener panicked; build it in the runtime that serves"
        );
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.shared.issuer
    }
}

impl Loaded {
    pub(crate) fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_deref()
    }
}

impl Drop for KeySource {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Refresh {
    /// Decisions leave the lifecycle whole, whatever panics around them.
    fn lock(&self) -> MutexGuard<'_, Lifecycle> {
        locked(&self.lifecycle)
    }
}

impl Shared {
    fn new(
        issuer: Box<str>,
        published: Published<Snapshot>,
        clock: Clock,
        refresh: Option<Refresh>,
    ) -> Self {
        let (quiet, edition) = (ArcSwap::from_pointee(Quiet::always()), AtomicU64::new(0));
        Self { issuer, published, quiet, edition, clock, refresh }
    }

    fn missing(
        &self,
        refresh: &Refresh,
        lifecycle: &Lifecycle,
        answer: Answer,
        arrival: Arrival,
    ) -> Missing {
        // These change nothing that others look at.
        if !matches!(answer, Answer::Refuse | Answer::Limited(_)) {
            self.publish(lifecycle);
            refresh.wake.notify_one();
        }
        match answer {
            Answer::Wait if refresh.finished.receiver_count() >= refresh.settings.max_waiting => {
                Missing::Unavailable
            }
            // Subscribed under the lock: no fetch can end unnoticed.
            Answer::Wait => Missing::Wait(Waiting {
                finished: refresh.finished.subscribe(),
                longest: refresh.settings.wait,
                arrival,
            }),
            Answer::Unavailable => Missing::Unavailable,
            Answer::Limited(wait) => Missing::Limited(wait),
            Answer::Refuse => Missing::Unknown,
        }
    }

    #[cold]
    fn report_use(&self, now: SystemTime) {
        let Some(refresh) = &self.refresh else { return };
        let mut lifecycle = refresh.lock();
        let is_wanted = lifecycle.used(now);
        self.publish(&lifecycle);
        drop(lifecycle);
        if is_wanted {
            refresh.wake.notify_one();
        }
    }

    /// The caller holds the lock of the lifecycle, so sequence numbers are counted one after the other.
    fn publish(&self, lifecycle: &Lifecycle) {
        let (from, until) = lifecycle.quiet(self.clock.now());
        let before = **self.quiet.load();
        if (before.from, before.until) == (from, until) {
            return;
        }
        let edition = self.edition.load(Ordering::Relaxed) + 1;
        self.quiet.store(Arc::new(Quiet { edition, from, until }));
        self.edition.store(edition, Ordering::Release);
    }

    fn tell(&self, refresh: &Refresh, event: &JwksEvent<'_>) {
        refresh.listener.tell(&self.issuer, event);
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
