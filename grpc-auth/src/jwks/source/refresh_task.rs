//! The task that keeps a key set: it fetches when the lifecycle says so, and tells of it.

use std::sync::Arc;

use tracing::field::Empty;
use tracing::{Instrument, Span, debug_span};

use super::{Refresh, Shared, Snapshot};
use crate::clock::jitter::roll;
use crate::http::error::HttpError;
use crate::jwks::event::JwksEvent;
use crate::jwks::fetch::{Fetched, KeyFetchError, KeyFetchProblem, KeyFetcher, Request};
use crate::jwks::lifecycle::Next;
use crate::lock::locked;
use crate::metrics;

impl Shared {
    /// Fetches whenever the lifecycle says so, until it is aborted.
    pub(crate) async fn keep(self: Arc<Self>, mut fetcher: KeyFetcher) {
        let Some(refresh) = &self.refresh else { return };
        loop {
            let now = self.clock.now();
            let next = refresh.lock().next(now);
            self.tell_age(refresh);
            let pause = match next {
                Next::Fetch(_) => {
                    // What went wrong has been told, and decides on the next step.
                    let _ = self.fetch(refresh, &mut fetcher).await;
                    continue;
                }
                Next::At(time) => Some(time.duration_since(now).unwrap_or_default()),
                Next::Idle => None,
            };
            // The graph of the age grows.
            let pause = pause.into_iter().chain(metrics::AGE_INTERVAL).min();
            match pause {
                Some(pause) => {
                    let _ = self.clock.timeout(pause, refresh.wake.notified()).await;
                }
                None => refresh.wake.notified().await,
            }
        }
    }

    pub(crate) async fn fetch(
        &self,
        refresh: &Refresh,
        fetcher: &mut KeyFetcher,
    ) -> Result<(), KeyFetchError> {
        let request = refresh.lock().begin();
        let (issuer, forced) = (&*self.issuer, request == Request::Forced);
        let span =
            debug_span!(target: "grpc_auth", "fetch_key_set", issuer, forced, result = Empty);
        let work = async {
            let result = self.fetch_as(request, refresh, fetcher).await;
            let told = result.as_ref().map_or_else(KeyFetchError::kind, |()| "succeeded");
            Span::current().record("result", told);
            result
        };
        work.instrument(span).await
    }

    async fn fetch_as(
        &self,
        request: Request,
        refresh: &Refresh,
        fetcher: &mut KeyFetcher,
    ) -> Result<(), KeyFetchError> {
        self.tell(refresh, &JwksEvent::RefreshStarted { forced: request == Request::Forced });
        let (now, held) = (self.clock.now(), refresh.lock().held());
        if held.is_some_and(|held| now >= held.fresh_until) {
            fetcher.accept_older();
        }
        let timeout = refresh.settings.timeout;
        let outcome = self
            .clock
            .timeout(timeout, fetcher.fetch(request))
            .await
            .unwrap_or(Err(HttpError::Timeout(timeout).into()));
        let result = outcome.and_then(|fetched| self.succeed(refresh, fetched));
        let result = result.map_err(|problem| fetcher.failed(problem));
        if let Err(error) = &result {
            self.fail(refresh, error);
        }
        refresh.finished.send_modify(|finished| *finished += 1);
        refresh.settled.send_replace(());
        self.tell_age(refresh);
        result
    }

    fn succeed(&self, refresh: &Refresh, fetched: Fetched) -> Result<(), KeyFetchProblem> {
        let now = self.clock.now();
        let before = self.published.snapshot().clone();
        let not_modified = matches!(fetched, Fetched::NotModified { .. });
        let (keys, skipped, max_age) = match (fetched, &before) {
            (Fetched::Keys { set, skipped, max_age }, _) => (Arc::new(set), skipped, max_age),
            (Fetched::NotModified { max_age }, Some(before)) => {
                (Arc::clone(&before.keys), Vec::new(), max_age)
            }
            // The request was not conditional.
            (Fetched::NotModified { .. }, None) => {
                return Err(
                    HttpError::Status { status: 304, location: None, retry_after: None }.into()
                );
            }
        };
        let old = before.as_ref().map(|before| before.keys.identities()).unwrap_or_default();
        let new = keys.identities();
        let added = new.iter().filter(|key| !old.contains(key)).count();
        let removed = old.iter().filter(|key| !new.contains(key)).count();
        let has_changed = added + removed > 0 || before.is_none();
        let generation = before.map_or(0, |before| before.generation) + u64::from(has_changed);
        // Not with every refresh: it is said once for each set.
        for key in skipped.iter().filter(|_| has_changed) {
            refresh.listener.tell_skipped(&self.issuer, key);
        }

        *locked(&refresh.failure) = None;
        let mut lifecycle = refresh.lock();
        let held = lifecycle.succeed(now, max_age, added > 0, roll());
        let stale_until = Some(held.stale_until);
        self.published.replace(Snapshot { keys, generation, stale_until }, generation);
        self.publish(&lifecycle);
        drop(lifecycle);
        self.tell(
            refresh,
            &JwksEvent::RefreshSucceeded { generation, added, removed, not_modified },
        );
        Ok(())
    }

    fn fail(&self, refresh: &Refresh, error: &KeyFetchError) {
        *locked(&refresh.failure) = Some(error.to_string().into());
        let now = self.clock.now();
        let (consecutive, held) = {
            let mut lifecycle = refresh.lock();
            let retry_after = error.http().and_then(HttpError::retry_after);
            let is_misconfiguration = error.http().is_some_and(HttpError::is_misconfiguration);
            lifecycle.fail(now, retry_after, is_misconfiguration, roll());
            self.publish(&lifecycle);
            (lifecycle.failures(), lifecycle.held())
        };
        self.tell(refresh, &JwksEvent::RefreshFailed { error, consecutive });
        if let Some(held) = held
            && (held.fresh_until..held.stale_until).contains(&now)
        {
            let age = now.duration_since(held.fetched_at).unwrap_or_default();
            self.tell(refresh, &JwksEvent::ServingStale { age });
        }
    }

    fn tell_age(&self, refresh: &Refresh) {
        if let Some(held) = refresh.lock().held() {
            let age = self.clock.now().duration_since(held.fetched_at).unwrap_or_default();
            metrics::key_set_age(&self.issuer, age);
        }
    }
}
