//! The answers about tokens: fetched, checked, cached, and shared with replicas.

#[cfg(feature = "redis")]
use std::sync::Arc;
use std::time::Duration;

use super::{Outcome, Shared, unavailable};
use crate::http::error::HttpError;
use crate::introspection::Digest;
use crate::introspection::cache::{Remembered, hash};
use crate::introspection::request::Failure;
use crate::introspection::response::Active;
#[cfg(feature = "redis")]
use crate::introspection::shared_cache::Entry;
use crate::metrics;
use crate::metrics::Timer;
use crate::token::bearer::BearerToken;
use crate::token::principal::Principal;
use crate::verify::error::VerifyFailure;

/// An answer, and how long it holds.
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "the times are for replicas"))]
struct Judged {
    outcome: Outcome,
    /// Seconds since 1970.
    since: f64,
    /// Seconds since 1970.
    deadline: f64,
    /// It says that a token is inactive, or not for us, which was active before.
    ends_active: bool,
}

/// What an answer is about, and when.
#[derive(Clone, Copy)]
struct Answered<'a> {
    digest: &'a Digest,
    /// When it was asked for, in seconds since 1970.
    asked_at: f64,
    /// It holds until then at most, in seconds since 1970.
    latest: f64,
    /// When the token expires, as far as that is known, in seconds since 1970.
    expires_at: f64,
}

impl Shared {
    /// Asks, and remembers the answer. If replicas may hold an active entry of the token, an inactive
    /// answer is for them too.
    pub(super) async fn put(
        &self,
        digest: &Digest,
        token: &BearerToken,
        expires_at: f64,
        is_shared: bool,
    ) -> Outcome {
        #[cfg(not(feature = "redis"))]
        let _ = is_shared;
        let asked_at = self.clock.moment().seconds;
        let about = Answered { digest, asked_at, latest: f64::INFINITY, expires_at };
        let timer = Timer::start(&self.clock);
        let question = self.question.ask(token);
        let in_time = self.clock.timeout(self.settings.timeout, question).await;
        let answer =
            in_time.unwrap_or_else(|| Err(HttpError::Timeout(self.settings.timeout).into()));
        let judged = answer.and_then(|json| {
            let judged = self.judge(about, &json)?;
            #[cfg(feature = "redis")]
            self.share(digest, json, &judged, is_shared);
            Ok(judged)
        });
        let outcome = match &judged {
            Ok(judged) if judged.outcome.is_ok() => "active",
            Ok(_) => "inactive",
            Err(_) => "failed",
        };
        metrics::introspected(self.identifier(), &timer, outcome);
        match judged {
            Ok(judged) => {
                self.asking().succeeded();
                judged.outcome
            }
            Err(failure) => {
                let now = self.clock.moment().seconds;
                let consecutive = self.asking().failed(&failure, now);
                failure.log(self.identifier(), consecutive);
                Err(unavailable())
            }
        }
    }

    /// Judges an answer, and remembers it instead of an earlier one.
    fn judge(&self, about: Answered<'_>, json: &[u8]) -> Result<Judged, Failure> {
        let Answered { digest, asked_at, latest, expires_at } = about;
        let now = self.clock.moment();
        let judged = self.expected.read(json, now.seconds).map_err(Failure::NoAnswer)?;
        let judged = judged.map(|active| active.until(expires_at));
        let cache = &self.settings.cache;
        let after = |age: Duration| latest.min(now.seconds + age.as_secs_f64());
        let deadline = match &judged {
            Ok(Active { exp: Some(exp), .. }) => exp.min(after(cache.active)),
            Ok(Active { exp: None, .. }) => after(cache.active_without_expiry),
            Err(_) => after(cache.inactive),
        };
        let outcome = match judged {
            Ok(active) => Ok(Principal::new(active.facts)),
            Err(failure) => {
                let issuer = Some(self.identifier().into());
                Err(VerifyFailure { issuer, ..failure })
            }
        };
        // So that of two answers the active one counts only if it was asked for after the other came.
        let since = if outcome.is_ok() { asked_at } else { now.seconds };
        let ends_active = outcome.is_err() && self.active.since(digest).is_some();
        match &outcome {
            Ok(_) => self.inactive.forget(digest),
            Err(_) => self.active.forget(digest),
        }
        if deadline > now.seconds {
            let (digest, hash) = (*digest, hash(digest));
            match outcome.clone() {
                Ok(known) => {
                    self.active.insert(hash, Remembered { digest, since, deadline, known }.into());
                }
                Err(known) => {
                    self.inactive.insert(hash, Remembered { digest, since, deadline, known }.into())
                }
            }
        }
        Ok(Judged { outcome, since, deadline, ends_active })
    }

    /// What a replica knows of the token; otherwise whether replicas may hold an entry of it.
    #[cfg(feature = "redis")]
    pub(super) async fn shared_answer(
        &self,
        digest: &Digest,
        expires_at: f64,
    ) -> Result<Outcome, bool> {
        let cache = self.shared_cache.as_ref().ok_or(false)?;
        let found = cache.get(digest, self.clock.moment()).await;
        let active = found.active.ok_or(found.has_entry)?;
        if self.inactive.since(digest).is_some_and(|inactive| active.since <= inactive) {
            return Err(true);
        }
        let about =
            Answered { digest, asked_at: active.since, latest: active.deadline, expires_at };
        Ok(self.judge(about, &active.json).map_err(|_| true)?.outcome)
    }

    /// In the background: no caller waits for it.
    #[cfg(feature = "redis")]
    fn share(&self, digest: &Digest, json: Vec<u8>, judged: &Judged, is_shared: bool) {
        let Some(cache) = &self.shared_cache else { return };
        let (cache, digest, now) = (Arc::clone(cache), *digest, self.clock.moment());
        let Judged { since, deadline, ends_active, .. } = *judged;
        if judged.outcome.is_ok() {
            let active = Entry { since, deadline, json };
            tokio::spawn(async move { cache.put_active(&digest, &active, now).await });
        } else if is_shared || ends_active {
            let lifetime = self.settings.cache.longest_active() + self.settings.timeout;
            let deadline = now.seconds + lifetime.as_secs_f64();
            let inactive = Entry { since, deadline, json: Vec::new() };
            tokio::spawn(async move { cache.put_inactive(&digest, &inactive, now).await });
        }
    }
}
