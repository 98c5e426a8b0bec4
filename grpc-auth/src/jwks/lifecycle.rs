//! When to fetch keys, whom to let wait, whom to refuse: decisions only. No network, no task, no
//! sleep; time and chance are handed in.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::event::UnknownKidOutcome;
use super::fetch::Request;
use super::settings::JwksSettings;
use super::unknown_keys::{Bucket, Memory};

/// How long after it began to sign with a key an issuer may publish it.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(60);

/// The life of one key set.
#[derive(Debug)]
pub(super) struct Lifecycle {
    settings: Arc<JwksSettings>,
    held: Option<Held>,
    /// Fetches that were begun so far.
    begun: u64,
    /// The number of the last one that succeeded past all caches, and of the last one that failed.
    succeeded: u64,
    failed: u64,
    running: Option<Request>,
    requested: Option<Request>,
    /// Failures in a row.
    failures: u32,
    /// After a failure: when to try again, and when that was decided.
    pause: Option<(SystemTime, SystemTime)>,
    /// Pays for the fetches that unknown key ids cause.
    unknown_keys: Bucket,
    /// Pays for those that bad signatures by known keys cause.
    bad_signatures: Bucket,
    memory: Memory,
}

/// The times of the key set that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) fetched_at: SystemTime,
    pub(super) fresh_until: SystemTime,
    pub(super) refresh_at: SystemTime,
    pub(super) stale_until: SystemTime,
}

/// What the task does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Fetch(Request),
    /// Looks again at this time, or when it is notified.
    At(SystemTime),
    /// Waits until it is notified.
    Idle,
}

/// What happens to a call that needs keys which are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A fetch is under way or about to begin.
    Wait,
    /// The issuer does not answer.
    Unavailable,
    /// Tokens have caused enough fetches; the next one is paid for after this time.
    Limited(Duration),
    /// There is no such key.
    Refuse,
}

/// When a token came, counted in fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival(u64);

impl Lifecycle {
    pub(super) fn new(settings: Arc<JwksSettings>, now: SystemTime) -> Self {
        Self {
            held: None,
            begun: 0,
            succeeded: 0,
            failed: 0,
            running: None,
            requested: None,
            failures: 0,
            pause: None,
            unknown_keys: Bucket::new(
                settings.unknown_key_burst,
                settings.unknown_key_interval,
                now,
            ),
            bad_signatures: Bucket::new(1, settings.bad_signature_interval, now),
            memory: Memory::new(&settings),
            settings,
        }
    }

    pub(super) fn arrival(&self) -> Arrival {
        Arrival(self.begun)
    }

    pub(super) fn held(&self) -> Option<Held> {
        self.held
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The span of time in which calls need not report themselves.
    pub(super) fn quiet(&self, now: SystemTime) -> (SystemTime, SystemTime) {
        let from = self.held.map_or(now, |held| held.fetched_at);
        // The same as long as nothing changes, and later than any set is held.
        let far = from + Duration::from_secs(30 * 24 * 60 * 60);
        let end = match self.held {
            // Its end will report itself.
            _ if self.running.is_some() || self.requested.is_some() => far,
            Some(held) => {
                self.pause_end(now).map_or(held.refresh_at, |end| end.max(held.refresh_at))
            }
            None => far,
        };
        (from, end)
    }

    /// A call used a key outside of the quiet time. Tells whether a fetch is wanted now.
    pub(super) fn used(&mut self, now: SystemTime) -> bool {
        if self.is_due(now) && self.pause_end(now).is_none() {
            return self.request(Request::Scheduled);
        }
        false
    }

    /// What the task does next.
    pub(super) fn next(&self, now: SystemTime) -> Next {
        if let Some(request) = self.requested {
            return Next::Fetch(request);
        }
        let retries_alone = self.is_cold(now) && self.failures > 0;
        let refreshes_alone = self.settings.is_eager() && self.held.is_some();
        if !(retries_alone || refreshes_alone) {
            return Next::Idle;
        }
        let due = self.held.filter(|_| !self.is_due(now)).map(|held| held.refresh_at);
        match (due, self.pause_end(now)) {
            (None, None) => Next::Fetch(Request::Scheduled),
            (due, pause) => Next::At(due.max(pause).unwrap_or(now)),
        }
    }

    /// Asks for the first fetch, or for one more.
    pub(super) fn request(&mut self, request: Request) -> bool {
        if self.running.is_some() {
            return false;
        }
        self.requested = self.requested.max(Some(request));
        true
    }

    /// A fetch begins.
    pub(super) fn begin(&mut self) -> Request {
        self.begun += 1;
        let request = self.requested.take().unwrap_or(Request::Scheduled);
        self.running = Some(request);
        request
    }

    /// It brought a usable key set, perhaps with keys that were not known.
    pub(super) fn succeed(
        &mut self,
        now: SystemTime,
        max_age: Option<Duration>,
        has_new_keys: bool,
        roll: f64,
    ) -> Held {
        if self.running == Some(Request::Forced) && has_new_keys {
            self.unknown_keys.give_back();
            self.bad_signatures.give_back();
        }
        let freshness = self.settings.freshness(max_age);
        let held = Held {
            fetched_at: now,
            fresh_until: now + freshness,
            refresh_at: now + self.settings.refresh_after(freshness, roll),
            stale_until: now + self.settings.lifetime(freshness),
        };
        self.held = Some(held);
        if self.running.take() == Some(Request::Forced) {
            self.succeeded = self.begun;
        }
        self.failures = 0;
        self.pause = None;
        held
    }

    /// It did not. What is held stays.
    pub(super) fn fail(
        &mut self,
        now: SystemTime,
        retry_after: Option<Duration>,
        is_misconfiguration: bool,
        roll: f64,
    ) {
        self.running = None;
        self.failed = self.begun;
        let doublings = self.failures;
        self.failures = self.failures.saturating_add(1);
        let is_cold = self.is_cold(now);
        let longest = if is_cold && !is_misconfiguration {
            self.settings.first_retry
        } else {
            self.settings.last_retry
        };
        // No call is served meanwhile, so an issuer can ask for at most a minute.
        let retry_after = retry_after.unwrap_or_default();
        let retry_after =
            if is_cold { retry_after.min(self.settings.last_retry) } else { retry_after };
        let backoff = self
            .settings
            .first_retry
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(longest)
            .mul_f64(roll.clamp(0.0, 1.0));
        self.pause = Some((now, now + backoff.max(retry_after)));
    }

    /// A call needs keys, and there is no usable one.
    pub(super) fn need_keys(&mut self, now: SystemTime) -> Answer {
        if self.is_forgotten(now) {
            (self.failures, self.pause) = (0, None);
        }
        if self.failures > 0 {
            // Keys that served through an outage until now were asked for rarely. From here on it
            // is as at a cold start.
            if let Some((since, end)) = self.pause
                && self.held.is_some_and(|held| since < held.stale_until)
            {
                self.pause = Some((now, end.min(now + self.settings.first_retry)));
            }
            return Answer::Unavailable;
        }
        self.request(Request::Scheduled);
        Answer::Wait
    }

    /// A call with an expired token needs keys, and there is no usable one. It waits for a fetch that is
    /// under way, and causes none.
    pub(super) fn join_fetch(&self) -> Answer {
        if self.running.is_some() || self.requested.is_some() {
            Answer::Wait
        } else {
            Answer::Unavailable
        }
    }

    /// A call needs a key that the set does not have. `issued` is when its token says that it was
    /// issued, at the latest.
    pub(super) fn need_key(
        &mut self,
        now: SystemTime,
        kid: &str,
        issued: Option<SystemTime>,
        arrival: Arrival,
    ) -> (Answer, UnknownKidOutcome) {
        let looked_for = self.memory.since(kid, now);
        // A token that was issued after that, or shortly before, may have a key that was published
        // after that: keys are published with a delay, and clocks differ.
        let is_older = |since: SystemTime| {
            issued
                .and_then(|issued| issued.checked_add(PUBLISHED_WITHIN))
                .is_some_and(|at| at < since)
        };
        if looked_for.is_some_and(is_older) {
            return (Answer::Refuse, UnknownKidOutcome::Remembered);
        }
        // The last fetch is reserved for key ids that were not looked for yet, so that a client with
        // tokens of another issuer does not use up what a rotation needs.
        let reserve = u32::from(looked_for.is_some());
        if self.succeeded > arrival.0 {
            self.memory.insert(kid, now);
            return (Answer::Refuse, UnknownKidOutcome::NotThere);
        }
        // A scheduled fetch may be answered by a cache; one that has not begun can be made to ask
        // the issuer itself.
        if self.requested == Some(Request::Scheduled)
            && self.running.is_none()
            && self.pause_end(now).is_none()
            && self.unknown_keys.take(now, reserve)
        {
            self.request(Request::Forced);
            return (Answer::Wait, UnknownKidOutcome::Fetch);
        }
        if self.running.is_some() || self.requested.is_some() {
            return (Answer::Wait, UnknownKidOutcome::Join);
        }
        if self.failed > arrival.0 || self.pause_end(now).is_some() {
            return (Answer::Unavailable, UnknownKidOutcome::Unavailable);
        }
        // The token may be good: no answer but a fetch's says that it is not.
        if !self.unknown_keys.take(now, reserve) {
            return (
                Answer::Limited(self.unknown_keys.until_refill(now)),
                UnknownKidOutcome::Limited,
            );
        }
        self.request(Request::Forced);
        (Answer::Wait, UnknownKidOutcome::Fetch)
    }

    /// A call's token has a signature that the key with its key id did not make. The key may have
    /// been replaced under its key id. Also tells whether this call causes a fetch.
    pub(super) fn need_replacement(&mut self, now: SystemTime, arrival: Arrival) -> (Answer, bool) {
        if self.succeeded > arrival.0 {
            return (Answer::Refuse, false);
        }
        if self.running.max(self.requested) == Some(Request::Forced) {
            return (Answer::Wait, false);
        }
        if self.failed > arrival.0 {
            return (Answer::Unavailable, false);
        }
        if self.pause_end(now).is_some() || !self.bad_signatures.has(now, 0) {
            return (Answer::Refuse, false);
        }
        if self.running.is_some() {
            return (Answer::Wait, false);
        }
        self.bad_signatures.take(now, 0);
        self.request(Request::Forced);
        (Answer::Wait, true)
    }

    /// The last failure is so old that it says nothing any more.
    fn is_forgotten(&self, now: SystemTime) -> bool {
        let long_ago = |end: SystemTime| {
            now.duration_since(end).is_ok_and(|passed| passed >= self.settings.last_retry)
        };
        self.running.is_none() && self.pause.is_none_or(|(since, end)| now < since || long_ago(end))
    }

    /// Without keys that may be used.
    pub(super) fn is_cold(&self, now: SystemTime) -> bool {
        self.held.is_none_or(|held| now >= held.stale_until)
    }

    /// Time to fetch again; also when the clock was set back before the last time.
    fn is_due(&self, now: SystemTime) -> bool {
        self.held.is_none_or(|held| now >= held.refresh_at || now < held.fetched_at)
    }

    /// Until when nothing is fetched after a failure. A clock that was set back ends it.
    fn pause_end(&self, now: SystemTime) -> Option<SystemTime> {
        let (since, end) = self.pause?;
        (since <= now && now < end).then_some(end)
    }
}

#[cfg(test)]
mod tests;
