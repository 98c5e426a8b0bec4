//! Whether the keys of an issuer can be relied on, and when that changes.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

use super::{KeySource, Wanted};
use crate::jwks::event::JwksHealth;
use crate::lock::locked;

impl KeySource {
    pub(crate) fn health(&self) -> JwksHealth {
        let Some(refresh) = &self.shared.refresh else { return JwksHealth::Fresh };
        let now = self.shared.clock.now();
        let lifecycle = refresh.lock();
        match lifecycle.held() {
            Some(held) if now < held.fresh_until => JwksHealth::Fresh,
            Some(held) if now < held.stale_until => {
                JwksHealth::Stale { age: now.duration_since(held.fetched_at).unwrap_or_default() }
            }
            _ if lifecycle.failures() == 0 => JwksHealth::Idle,
            _ => JwksHealth::Unavailable,
        }
    }

    /// Why the last fetch failed, if it did.
    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        locked(&self.shared.refresh.as_ref()?.failure).clone()
    }

    /// Uses the keys as a call would: those that are due are fetched again, in the background.
    pub(crate) fn keep_in_use(&self) {
        let now = self.shared.clock.now();
        if self.load(now).is_none() {
            drop(self.need(&Wanted::AnyKeys, self.generation(), now, None));
        }
    }

    /// When its health changes by time alone or keys grow due; none for keys that were given.
    pub(crate) fn changes_at(&self) -> Option<SystemTime> {
        let refresh = self.shared.refresh.as_ref()?;
        let now = self.shared.clock.now();
        let lifecycle = refresh.lock();
        let (_, due) = lifecycle.quiet(now);
        let end = lifecycle.held().map(|held| held.stale_until).filter(|end| now < *end);
        Some(end.map_or(due, |end| end.min(due)))
    }

    /// Changes whenever a fetch has ended; none for keys that were given.
    pub(crate) fn settled(&self) -> Option<watch::Receiver<()>> {
        self.shared.refresh.as_ref().map(|refresh| refresh.settled.subscribe())
    }
}
