//! What an issuer's metadata says, cached for a day.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use super::error::HttpError;
use crate::clock::Clock;
use crate::lock::locked;
use crate::single_flight::SingleFlight;

/// How long an address in the metadata stays cached.
const REDISCOVER: Duration = Duration::from_secs(24 * 3600);

const REDISCOVERY_TIMEOUT: Duration = Duration::from_secs(2);

/// What the metadata said. It is fetched again once a day, once for all callers that wait for it.
#[derive(Debug)]
pub(crate) struct CachedMetadata<T, E> {
    said: Mutex<Option<(T, SystemTime)>>,
    fetching: SingleFlight<Result<T, E>>,
}

impl<T: Clone, E: Clone + From<HttpError>> CachedMetadata<T, E> {
    pub(crate) fn new() -> Self {
        Self { said: Mutex::new(None), fetching: SingleFlight::new() }
    }

    /// What was said before, or what is said now. The old answer is better than none.
    pub(crate) async fn get(
        &self,
        clock: &Clock,
        ask: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if let Some(said) = self.fresh(clock.now()) {
            return Ok(said);
        }
        let refreshed = async {
            let now = clock.now();
            // An earlier caller may have fetched it since.
            match self.fresh(now) {
                Some(said) => Ok(said),
                None => self.refresh(clock, now, ask).await,
            }
        };
        self.fetching.join(refreshed).await
    }

    fn fresh(&self, now: SystemTime) -> Option<T> {
        let said = self.said();
        let (said, since) = said.as_ref()?;
        let passed = now.duration_since(*since).ok()?;
        (passed < REDISCOVER).then(|| said.clone())
    }

    async fn refresh(
        &self,
        clock: &Clock,
        now: SystemTime,
        ask: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let held = self.said().clone();
        // Not all of a request's time, if there is an answer.
        let asked = match held {
            Some(_) => clock.timeout(REDISCOVERY_TIMEOUT, ask).await,
            None => Some(ask.await),
        };
        let timeout = || Err(HttpError::Timeout(REDISCOVERY_TIMEOUT).into());
        let (said, since) = match asked.unwrap_or_else(timeout) {
            Ok(said) => (said, now),
            // Not asked again for a minute.
            Err(error) => (held.ok_or(error)?.0, now - REDISCOVER + Duration::from_secs(60)),
        };
        *self.said() = Some((said.clone(), since));
        Ok(said)
    }

    /// What was said does not hold any more: it is asked again the next time.
    pub(crate) fn doubt(&self, clock: &Clock) {
        if let Some((_, since)) = &mut *self.said() {
            *since = (*since).min(clock.now() - REDISCOVER);
        }
    }

    /// Never across an await.
    fn said(&self) -> MutexGuard<'_, Option<(T, SystemTime)>> {
        locked(&self.said)
    }
}
