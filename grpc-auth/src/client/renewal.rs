//! When a token is renewed, who waits for that, and who is refused: decisions only. No network, no
//! task, no sleep; time and chance are handed in.

use std::ops::Range;
use std::time::{Duration, SystemTime};

/// A token is renewed when a fifth of its life is left, within these limits.
const SHORTEST_LEAD: Duration = Duration::from_secs(30);
const LONGEST_LEAD: Duration = Duration::from_secs(300);
/// The part of the lead that chance takes away, so that replicas do not renew all at once.
const JITTER: f64 = 0.1;
/// So close to its end a token is sent only if there is no other: it could expire on the way.
const MARGIN: Duration = Duration::from_secs(10);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// How long a permanent refusal stays cached.
const PERMANENT: Duration = Duration::from_secs(30);
/// While nothing serves, a server is left alone for so long at most, whatever it asks for.
const LONGEST_SILENCE: Duration = Duration::from_secs(300);
/// How often a service that refuses a token causes another.
const REJECTION_INTERVAL: Duration = Duration::from_secs(10);
/// A token in a file is read again after this, and one that was read longer ago is not used.
const FILE_AGE: Duration = Duration::from_secs(60);
/// Longer than any program runs.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The times of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    since: SystemTime,
    /// From here on another one is got in the background.
    renew_at: SystemTime,
    /// From here on another one is waited for.
    wait_at: SystemTime,
    end: SystemTime,
}

impl Life {
    /// Of a token that was granted then, for so long. Of one that lives less than a minute, half the
    /// life is left when it is renewed, and it is waited for when half of that is left.
    pub(super) fn granted(since: SystemTime, lifetime: Duration, roll: f64) -> Self {
        let lifetime = lifetime.min(FOR_EVER);
        let lead = (lifetime / 5).clamp(SHORTEST_LEAD, LONGEST_LEAD).min(lifetime / 2);
        let lead = lead.mul_f64(1.0 - JITTER * roll.clamp(0.0, 1.0));
        let end = since + lifetime;
        Self { since, renew_at: end - lead, wait_at: end - MARGIN.min(lead / 2), end }
    }

    /// Of a token that was read from a file which others write. It is cheap to read: that is done
    /// once it is due, and whatever the token says of its end.
    pub(super) fn read(since: SystemTime, end: Option<SystemTime>, roll: f64) -> Self {
        let lifetime = end.map_or(FOR_EVER, |end| end.duration_since(since).unwrap_or_default());
        let own = Self::granted(since, lifetime, roll);
        let early = FILE_AGE.mul_f64(0.5 + JITTER * roll.clamp(0.0, 1.0));
        Self {
            renew_at: own.renew_at.min(since + early),
            wait_at: own.wait_at.min(since + FILE_AGE),
            ..own
        }
    }

    /// Of the only token there is.
    pub(super) fn given(end: Option<SystemTime>) -> Self {
        let since = SystemTime::UNIX_EPOCH;
        let end = end.unwrap_or(since + FOR_EVER * 2).max(since);
        Self { since, renew_at: end, wait_at: end, end }
    }
}

/// The life of the tokens of one source.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    held: Option<Life>,
    /// Numbers the tokens.
    generation: u64,
    is_running: bool,
    /// Failures in a row.
    failures: u32,
    /// After a failure: when it was, and until when nothing is asked.
    pause: Option<(SystemTime, SystemTime)>,
    /// A service refused the token that is held, and no other was requested since.
    is_refused: bool,
    /// When a service last refused a token that was replaced for it.
    rejected_at: Option<SystemTime>,
}

/// What happens to a call that needs a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It gets the one that is held.
    Serve,
    /// So it does, and another one is asked for in the background.
    ServeAndRenew,
    /// It waits for the one that is being asked for.
    Wait,
    /// One is asked for, and it waits.
    Ask,
    /// It gets the error of the last attempt.
    Refuse,
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) is_permanent: bool,
    pub(super) retry_after: Option<Duration>,
}

/// Where a token is in its life, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    None,
    Fresh,
    Stale,
    Expired,
}

impl Renewal {
    /// A call needs a token. Where the answer is to ask, that has begun.
    pub(super) fn need(&mut self, now: SystemTime) -> Answer {
        let is_paused = self.pause_end(now).is_some();
        let answer = match self.held.filter(|held| now < held.end) {
            None if self.is_running => Answer::Wait,
            None if is_paused => Answer::Refuse,
            None => Answer::Ask,
            // What is still valid and cannot be renewed serves to its end.
            Some(_) if is_paused => Answer::Serve,
            Some(held) if self.is_refused || now >= held.wait_at => {
                if self.is_running {
                    Answer::Wait
                } else {
                    Answer::Ask
                }
            }
            // The clock was set back, and it is unknown how far: as one that is due.
            Some(held) if now >= held.renew_at || now < held.since => {
                if self.is_running {
                    Answer::Serve
                } else {
                    Answer::ServeAndRenew
                }
            }
            Some(_) => Answer::Serve,
        };
        if matches!(answer, Answer::Ask | Answer::ServeAndRenew) {
            self.is_running = true;
        }
        answer
    }

    /// The span of time in which the token that is held serves without a question.
    pub(super) fn quiet(&self, now: SystemTime) -> Range<SystemTime> {
        let Some(held) = self.held.filter(|_| !self.is_refused) else { return now..now };
        let end = match self.pause_end(now) {
            _ if self.is_running => held.wait_at,
            Some(end) => end.clamp(held.renew_at, held.wait_at),
            None => held.renew_at,
        };
        held.since..end
    }

    /// Whether the token that is held may be sent if there is no other.
    pub(super) fn is_valid(&self, now: SystemTime) -> bool {
        self.held.is_some_and(|held| now < held.end)
    }

    /// A token came. Returns its number.
    pub(super) fn succeed(&mut self, life: Life) -> u64 {
        self.confirm(life);
        self.generation += 1;
        self.generation
    }

    /// A token came, and it is the one that is held.
    pub(super) fn confirm(&mut self, life: Life) {
        self.is_running = false;
        self.is_refused = false;
        self.failures = 0;
        self.pause = None;
        self.held = Some(life);
    }

    /// None came; one that is still valid is kept. Returns how many times in a row.
    pub(super) fn fail(&mut self, now: SystemTime, failure: Failure, roll: f64) -> u32 {
        self.is_running = false;
        // One service does not take it: that is no reason to keep it from the others.
        self.is_refused = false;
        let doublings = self.failures;
        self.failures = self.failures.saturating_add(1);
        let valid = self.held.filter(|held| now < held.end);
        let backoff = if failure.is_permanent {
            now + PERMANENT
        } else {
            let backoff = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(doublings));
            let end = now + backoff.min(LAST_RETRY).mul_f64(roll.clamp(0.0, 1.0));
            // When the token comes to its end, it is tried once more: an outage that is over by
            // then had no effect.
            match valid {
                Some(held) if now < held.wait_at => end.min(held.wait_at),
                Some(held) => end.min(held.end),
                None => end,
            }
        };
        let retry_after = failure.retry_after.unwrap_or_default();
        // That goes for what a server asks for, too: it is asked once more when the token has ended.
        let silence = match valid {
            Some(held) => (now + retry_after).min(held.end),
            None => now + retry_after.min(LONGEST_SILENCE),
        };
        self.pause = Some((now, backoff.max(silence)));
        self.failures
    }

    /// The renewal task was dropped.
    pub(super) fn give_up(&mut self) {
        self.is_running = false;
    }

    /// A service refused the token of this number. Tells whether another one may be tried; then
    /// that is waited for, and the one that is held is used until it comes.
    pub(super) fn reject(&mut self, now: SystemTime, generation: u64) -> bool {
        // It has been replaced, or is being: there is nothing to pay for.
        if generation != self.generation || self.is_refused || !self.is_valid(now) {
            return true;
        }
        let is_recent =
            |since| now.duration_since(since).is_ok_and(|passed| passed < REJECTION_INTERVAL);
        // A renewal that is under way brings one anyhow.
        if !self.is_running {
            if self.rejected_at.is_some_and(is_recent) {
                return false;
            }
            self.rejected_at = Some(now);
        }
        self.is_refused = true;
        true
    }

    pub(super) fn stage(&self, now: SystemTime) -> Stage {
        match self.held {
            None => Stage::None,
            Some(held) if now >= held.end => Stage::Expired,
            Some(held) if now >= held.renew_at || now < held.since => Stage::Stale,
            Some(_) => Stage::Fresh,
        }
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Until when nothing is asked after a failure. A clock that was set back ends it.
    fn pause_end(&self, now: SystemTime) -> Option<SystemTime> {
        let (since, end) = self.pause?;
        (since <= now && now < end).then_some(end)
    }
}

#[cfg(test)]
#[path = "renewal_tests.rs"]
mod tests;
