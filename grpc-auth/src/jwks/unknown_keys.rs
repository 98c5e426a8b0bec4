//! How often tokens may cause a fetch: token buckets, and a memory of the key ids that were looked
//! for in vain. Anyone can write key ids into tokens; that must not cause a fetch for each.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use super::settings::JwksSettings;

/// A token bucket (the algorithm) that pays for fetches.
#[derive(Debug)]
pub(super) struct Bucket {
    capacity: u32,
    interval: Duration,
    left: u32,
    /// When the last one was added.
    refilled_at: SystemTime,
}

impl Bucket {
    /// Full at first.
    pub(super) fn new(capacity: u32, interval: Duration, now: SystemTime) -> Self {
        Self { capacity, interval, left: capacity, refilled_at: now }
    }

    /// Whether a fetch is paid for, that leaves at least `reserve` further ones.
    pub(super) fn take(&mut self, now: SystemTime, reserve: u32) -> bool {
        let pays = self.has(now, reserve);
        if pays {
            self.left = self.left.saturating_sub(1);
        }
        pays
    }

    pub(super) fn has(&mut self, now: SystemTime, reserve: u32) -> bool {
        self.refill(now);
        self.left > reserve
    }

    /// How long it takes until it pays for one more fetch. Ask [`take`](Self::take) first.
    pub(super) fn until_refill(&self, now: SystemTime) -> Duration {
        let passed = now.duration_since(self.refilled_at).unwrap_or_default();
        self.interval.saturating_sub(passed)
    }

    /// Gives back the price of a fetch that brought new keys: rotations are no abuse.
    pub(super) fn give_back(&mut self) {
        self.left = (self.left + 1).min(self.capacity);
    }

    fn refill(&mut self, now: SystemTime) {
        let Ok(passed) = now.duration_since(self.refilled_at) else {
            // The clock was set back: waiting for the old time could take for ever.
            self.refilled_at = now;
            return;
        };
        if self.interval.is_zero() || self.left >= self.capacity {
            (self.left, self.refilled_at) = (self.capacity, now);
            return;
        }
        let drops = u32::try_from(passed.as_nanos() / self.interval.as_nanos()).unwrap_or(u32::MAX);
        let missing = self.capacity - self.left;
        if drops >= missing {
            (self.left, self.refilled_at) = (self.capacity, now);
        } else {
            self.left += drops;
            self.refilled_at += self.interval * drops;
        }
    }
}

/// Key ids that were looked for in vain, for a while. It holds hashes: key ids that callers chose take
/// no room.
#[derive(Debug)]
pub(super) struct Memory {
    capacity: usize,
    forget: Duration,
    hasher: RandomState,
    since: HashMap<u64, SystemTime>,
    /// The oldest first.
    order: VecDeque<u64>,
}

impl Memory {
    pub(super) fn new(settings: &JwksSettings) -> Self {
        Self {
            capacity: settings.unknown_key_memory,
            forget: settings.unknown_key_forget,
            hasher: RandomState::new(),
            since: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// When this key id was last looked for in vain, if that is not forgotten yet.
    pub(super) fn since(&self, kid: &str, now: SystemTime) -> Option<SystemTime> {
        let since = self.since.get(&self.hasher.hash_one(kid)).copied();
        since.filter(|since| is_recent(*since, now, self.forget))
    }

    pub(super) fn insert(&mut self, kid: &str, now: SystemTime) {
        while let Some(oldest) = self.order.front()
            && (self.order.len() >= self.capacity
                || self.since.get(oldest).is_none_or(|since| !is_recent(*since, now, self.forget)))
        {
            self.since.remove(oldest);
            self.order.pop_front();
        }
        let hash = self.hasher.hash_one(kid);
        if self.order.len() < self.capacity && self.since.insert(hash, now).is_none() {
            self.order.push_back(hash);
        }
    }
}

/// A time in the future was not remembered: the clock was set back.
fn is_recent(since: SystemTime, now: SystemTime, forget: Duration) -> bool {
    now.duration_since(since).is_ok_and(|passed| passed < forget)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_A_MINUTE: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn three_at_once_and_then_one_every_half_minute() {
        let mut bucket = Bucket::new(3, HALF_A_MINUTE, at(0));
        let taken: Vec<u64> = (0..=125).filter(|second| bucket.take(at(*second), 0)).collect();
        assert_eq!(taken, [0, 1, 2, 30, 60, 90, 120]);
        // It never holds more than three, however long nothing was taken.
        let taken = (0..10).filter(|_| bucket.take(at(100_000), 0)).count();
        assert_eq!(taken, 3);
    }

    #[test]
    fn a_reserve_is_left_and_the_time_until_the_next_refill_is_known() {
        let mut bucket = Bucket::new(3, HALF_A_MINUTE, at(0));
        let taken = (0..10).filter(|_| bucket.take(at(0), 1)).count();
        assert_eq!(taken, 2);
        assert!(bucket.take(at(10), 0));
        assert!(!bucket.take(at(10), 0));
        assert_eq!(bucket.until_refill(at(10)), Duration::from_secs(20));
        assert!(!bucket.take(at(29), 0));
        assert!(bucket.take(at(30), 0));
        assert_eq!(bucket.until_refill(at(31)), Duration::from_secs(29));
        // Set back by an hour: a whole interval, and no more.
        assert_eq!(bucket.until_refill(at(0)), HALF_A_MINUTE);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_the_bucket() {
        let mut bucket = Bucket::new(3, HALF_A_MINUTE, at(7200));
        for _ in 0..3 {
            assert!(bucket.take(at(7200), 0));
        }
        assert!(!bucket.take(at(3600), 0));
        assert!(bucket.take(at(3630), 0));
    }

    #[test]
    fn what_was_looked_for_in_vain_is_remembered_for_a_while() {
        let mut memory = Memory::new(&JwksSettings::default());
        memory.insert("a", at(0));
        assert_eq!(memory.since("a", at(29)), Some(at(0)));
        assert_eq!(memory.since("a", at(30)), None);
        assert_eq!(memory.since("b", at(0)), None);
        // With a clock that was set back by an hour, the key is looked for anew.
        memory.insert("c", at(3600));
        assert_eq!(memory.since("c", at(0)), None);
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let mut memory = Memory::new(&JwksSettings::default());
        for n in 0..100_000 {
            memory.insert(&n.to_string(), at(0));
        }
        assert_eq!((memory.since.len(), memory.order.len()), (1024, 1024));
        let holds = |kid| memory.since(kid, at(0)).is_some();
        assert!(holds("99999") && holds("98976"));
        assert!(!holds("98975"));
        memory.insert("later", at(31));
        assert_eq!((memory.since.len(), memory.order.len()), (1, 1));
    }
}
