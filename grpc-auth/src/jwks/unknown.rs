//! How often unknown key ids may cause a fetch: a token bucket, and a memory of what was looked for
//! in vain. Anyone can write key ids into tokens; nobody can make us fetch for each.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use super::settings::KeySetSettings;

/// Fills up slowly, and pays for fetches.
#[derive(Debug)]
pub(super) struct Bucket {
    capacity: u32,
    interval: Duration,
    left: u32,
    /// When the last one was added.
    refilled_at: SystemTime,
}

impl Bucket {
    pub(super) fn new(settings: &KeySetSettings, now: SystemTime) -> Self {
        let capacity = settings.unknown_key_burst;
        Self { capacity, interval: settings.unknown_key_interval, left: capacity, refilled_at: now }
    }

    pub(super) fn take(&mut self, now: SystemTime) -> bool {
        self.refill(now);
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// Gives back what a fetch cost that was not in vain: rotations are no abuse.
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

/// Key ids that were looked for in vain, for a while. It holds hashes: a stranger's key ids take
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
    pub(super) fn new(settings: &KeySetSettings) -> Self {
        Self {
            capacity: settings.unknown_key_memory,
            forget: settings.unknown_key_forget,
            hasher: RandomState::new(),
            since: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(super) fn holds(&self, kid: &str, now: SystemTime) -> bool {
        let since = self.since.get(&self.hasher.hash_one(kid));
        since.is_some_and(|since| is_recent(*since, now, self.forget))
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

/// A time in the future is none that was remembered: the clock was set back.
fn is_recent(since: SystemTime, now: SystemTime, forget: Duration) -> bool {
    now.duration_since(since).is_ok_and(|passed| passed < forget)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn three_at_once_and_then_one_every_half_minute() {
        let mut bucket = Bucket::new(&KeySetSettings::default(), at(0));
        let taken: Vec<u64> = (0..=125).filter(|second| bucket.take(at(*second))).collect();
        assert_eq!(taken, [0, 1, 2, 30, 60, 90, 120]);
        // It never holds more than three, however long nobody asked.
        let taken = (0..10).filter(|_| bucket.take(at(100_000))).count();
        assert_eq!(taken, 3);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_the_bucket() {
        let mut bucket = Bucket::new(&KeySetSettings::default(), at(7200));
        for _ in 0..3 {
            assert!(bucket.take(at(7200)));
        }
        assert!(!bucket.take(at(3600)));
        assert!(bucket.take(at(3630)));
    }

    #[test]
    fn what_was_looked_for_in_vain_is_remembered_for_a_while() {
        let mut memory = Memory::new(&KeySetSettings::default());
        memory.insert("a", at(0));
        assert!(memory.holds("a", at(29)));
        assert!(!memory.holds("a", at(30)));
        assert!(!memory.holds("b", at(0)));
        // Set back by an hour, it is asked anew rather than refused for an hour.
        memory.insert("c", at(3600));
        assert!(!memory.holds("c", at(0)));
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let mut memory = Memory::new(&KeySetSettings::default());
        for n in 0..100_000 {
            memory.insert(&n.to_string(), at(0));
        }
        assert_eq!((memory.since.len(), memory.order.len()), (1024, 1024));
        assert!(memory.holds("99999", at(0)) && memory.holds("98976", at(0)));
        assert!(!memory.holds("98975", at(0)));
        memory.insert("later", at(31));
        assert_eq!((memory.since.len(), memory.order.len()), (1, 1));
    }
}
