//! Keeping a key set fresh: a pure decision on when to fetch, and the task that acts on it.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::KeyStore;
use super::fetch::{FetchError, KeyFetcher};
use crate::clock::Clock;

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// The background task of one key set; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Refresher(JoinHandle<()>);

impl Refresher {
    /// Fetches every `interval`, sooner after failures, and keeps the keys it has meanwhile.
    pub(crate) fn spawn(
        store: Arc<KeyStore>,
        fetcher: KeyFetcher,
        clock: Clock,
        interval: Duration,
        mut failures: u32,
    ) -> Self {
        // Pauses count from the beginning of a fetch, and the first one from here: a clock that is
        // moved in between is not missed.
        let mut next = Box::pin(clock.sleep(pause(interval, failures)));
        Self(tokio::spawn(async move {
            loop {
                next.await;
                let started = clock.now();
                failures = match refresh(&store, &fetcher).await {
                    Ok(()) => 0,
                    Err(_) => failures.saturating_add(1),
                };
                let took = clock.now().duration_since(started).unwrap_or_default();
                let rest = pause(interval, failures).saturating_sub(took);
                next = Box::pin(clock.sleep(rest));
            }
        }))
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Fetches once. A failure leaves the keys as they are: they are still the issuer's.
pub(crate) async fn refresh(store: &KeyStore, fetcher: &KeyFetcher) -> Result<(), FetchError> {
    let issuer = &*fetcher.issuer;
    match fetcher.fetch().await {
        Ok(set) => {
            info!(issuer, keys = set.len(), "the key set was fetched");
            store.replace(set);
            Ok(())
        }
        Err(error) => {
            let cause = error.source().map(ToString::to_string);
            let kept = store.load().as_ref().map_or(0, |set| set.len());
            warn!(issuer, %error, cause, kept, "the key set could not be fetched");
            Err(error)
        }
    }
}

/// How long to wait before the next fetch.
fn pause(interval: Duration, failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => interval,
        Some(doublings) => FIRST_RETRY
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(LAST_RETRY)
            .min(interval),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_retried_ever_more_slowly_up_to_a_minute() {
        let hour = Duration::from_secs(3600);
        let pauses = [0, 1, 2, 3, 6, 7, 8, 40, u32::MAX].map(|n| pause(hour, n).as_secs());
        assert_eq!(pauses, [3600, 1, 2, 4, 32, 60, 60, 60, 60]);
    }
}
