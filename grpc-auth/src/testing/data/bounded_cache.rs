//! What the server remembers of many things, without growing for ever.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use super::secret_store::hash;
use crate::lock::locked;

/// More than any test has.
const CAPACITY: usize = 100_000;
/// Assertions that could be used again. Beyond, no other is taken.
const MAX_ASSERTIONS: usize = 10_000;
/// For longer no assertion is good: it would have to be remembered (RFC 7523 §3).
pub(crate) const LONGEST_ASSERTION: Duration = Duration::from_secs(3600);

type Hash = [u8; 32];

/// Values by secrets; beyond so many the oldest is forgotten.
pub(crate) struct Recent<T> {
    known: HashMap<Hash, T>,
    order: VecDeque<Hash>,
    capacity: usize,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self::of(CAPACITY)
    }
}

impl<T> Recent<T> {
    fn of(capacity: usize) -> Self {
        Self { known: HashMap::new(), order: VecDeque::new(), capacity }
    }

    pub(crate) fn insert(&mut self, secret: &str, value: T) {
        let hash = hash(secret);
        if self.known.insert(hash, value).is_some() {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(crate) fn get(&self, secret: &str) -> Option<&T> {
        self.known.get(&hash(secret))
    }
}

/// The assertions of clients that were used, as long as they could be used again.
#[derive(Default)]
pub(crate) struct UsedAssertions(Mutex<HashMap<Hash, SystemTime>>);

/// Why an assertion does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotOnce {
    UsedBefore,
    NoRoom,
}

impl UsedAssertions {
    /// Remembers the id of an assertion that is good until then (RFC 7523 §3).
    pub(crate) fn use_once(
        &self,
        client: &str,
        id: &str,
        expires_at: SystemTime,
        now: SystemTime,
    ) -> Result<(), NotOnce> {
        // With its length, so that no other pair reads the same.
        let used = hash(&format!("{}:{client}:{id}", client.len()));
        let mut all = locked(&self.0);
        all.retain(|_, end| *end > now);
        if all.contains_key(&used) {
            return Err(NotOnce::UsedBefore);
        }
        if all.len() >= MAX_ASSERTIONS {
            return Err(NotOnce::NoRoom);
        }
        all.insert(used, expires_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_too_many_is_forgotten() {
        let mut recent = Recent::of(2);
        for (secret, value) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            recent.insert(secret, value);
        }
        let known = ["a", "b", "c"].map(|secret| recent.get(secret).copied());
        assert_eq!(known, [None, Some(2), Some(4)]);
        assert_eq!((recent.known.len(), recent.order.len()), (2, 2));
    }

    #[test]
    fn an_assertion_counts_once_until_it_ends_and_there_are_not_too_many() {
        let (used, now) = (UsedAssertions::default(), SystemTime::UNIX_EPOCH);
        let minute = Duration::from_secs(60);
        let once = |client: &str, id: &str, now| used.use_once(client, id, now + minute, now);
        assert_eq!(once("a", "1", now), Ok(()));
        assert_eq!(once("a", "1", now + minute / 2), Err(NotOnce::UsedBefore));
        assert_eq!(once("b", "1", now), Ok(()));
        assert_eq!(once("a", "1", now + minute), Ok(()));
        for id in 1..MAX_ASSERTIONS {
            assert_eq!(once("c", &id.to_string(), now + minute), Ok(()));
        }
        assert_eq!(once("d", "1", now + minute), Err(NotOnce::NoRoom));
        assert_eq!(once("d", "1", now + 2 * minute), Ok(()));
    }
}
