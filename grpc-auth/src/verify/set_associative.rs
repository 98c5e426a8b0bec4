//! A table of fixed size, read without a lock.
//!
//! An 8-way set-associative cache: the hash of a key chooses a set of eight places. A 32-bit tag for
//! each place avoids most loads of pointers. A new entry replaces one of its set that was not used
//! lately (the CLOCK algorithm). There is nothing to clean up, and no order to keep.

use std::fmt;
use std::sync::Arc;

use crate::metrics::TokenCacheUse;
use crate::sync::atomic::Ordering::Relaxed;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicUsize};
use crate::sync::{ArcSwapOption, Guard};

/// Places in a set.
const WAYS: usize = 8;

/// What a table holds.
pub(crate) trait Entry {
    /// How much of the table's bytes it takes; the same whenever it is asked.
    fn weight(&self) -> usize;
}

/// The table. Hashes have a random key, so that a caller cannot choose what meets in one set.
pub(crate) struct Table<E> {
    sets: Box<[Set<E>]>,
    limit: usize,
    bytes: AtomicUsize,
    /// Where room is made next when bytes run out.
    hand: AtomicUsize,
    pub(crate) metrics: TokenCacheUse,
}

/// Two lines of memory, which processors fetch as a pair.
#[repr(C, align(128))]
struct Set<E> {
    /// Parts of the hashes; 0 stands for an empty place.
    tags: [AtomicU32; WAYS],
    /// The reference bit of the CLOCK algorithm.
    used: [AtomicBool; WAYS],
    entries: [ArcSwapOption<E>; WAYS],
    /// 16-bit tags of keys that were seen once; a false positive is harmless.
    seen: [AtomicU16; WAYS],
    hand: AtomicU8,
}

impl<E: Entry> Table<E> {
    /// For so many entries, rounded up to a power of two, of so many bytes together. With none it
    /// remembers nothing. The name is the one in metrics.
    pub(crate) fn new(name: &'static str, entries: usize, bytes: usize) -> Self {
        let sets = match entries {
            0 => 0,
            entries => entries.div_ceil(WAYS).next_power_of_two(),
        };
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
            limit: bytes,
            bytes: AtomicUsize::new(0),
            hand: AtomicUsize::new(0),
            metrics: TokenCacheUse::new(name),
        }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.sets.is_empty()
    }

    /// What these entries weigh together.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// How many entries it holds. Two writers that meet in one place may leave an entry with the tag
    /// of the other: it is not found any more, and counts until the place is used again.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        let entries = self.sets.iter().flat_map(|set| &set.entries);
        entries.filter(|entry| entry.load().is_some()).count()
    }

    /// The entry of this hash that is the one.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(&E) -> bool) -> Option<Found<E>> {
        let (set, tag) = self.place(hash)?;
        for (way, own) in set.tags.iter().enumerate() {
            if own.load(Relaxed) != tag {
                continue;
            }
            let (Some(entry), Some(used)) = (set.entries.get(way), set.used.get(way)) else {
                break;
            };
            let entry = entry.load();
            if entry.as_ref().is_some_and(|entry| is_it(entry)) {
                if !used.load(Relaxed) {
                    used.store(true, Relaxed);
                }
                return Some(Found(entry));
            }
        }
        None
    }

    /// Whether something of this hash came before, as far as anyone remembers; it has now.
    pub(super) fn has_seen(&self, hash: u64) -> bool {
        self.place(hash).is_some_and(|(set, tag)| set.has_seen(tag))
    }

    /// Takes an entry in. It displaces what stands for the same, else an empty place, else what was
    /// not used since it was last looked at.
    pub(crate) fn insert(&self, hash: u64, entry: Arc<E>) {
        let Some((set, tag)) = self.place(hash) else { return };
        // It would displace all others, and leave no room for itself.
        if entry.weight() > self.limit {
            return;
        }
        let tags = || set.tags.iter().map(|tag| tag.load(Relaxed));
        let way = tags()
            .position(|own| own == tag)
            .or_else(|| tags().position(|own| own == 0))
            .unwrap_or_else(|| set.unused());
        self.bytes.fetch_add(entry.weight(), Relaxed);
        self.replace(set, way, tag, Some(entry));
        self.make_room(set);
    }

    /// Removes the entry of this hash that is the one.
    pub(crate) fn remove(&self, hash: u64, is_it: impl Fn(&E) -> bool) {
        let Some((set, tag)) = self.place(hash) else { return };
        for (way, (own, entry)) in set.tags.iter().zip(&set.entries).enumerate() {
            if own.load(Relaxed) == tag && entry.load().as_ref().is_some_and(|entry| is_it(entry)) {
                self.replace(set, way, 0, None);
            }
        }
    }

    /// Empties sets in turn until the bytes are within bounds; the one just written comes last.
    fn make_room(&self, except: &Set<E>) {
        let sets = self.sets.len();
        for _ in 0..sets {
            if self.bytes.load(Relaxed) <= self.limit {
                return;
            }
            let Some(set) = self.sets.get(self.hand.fetch_add(1, Relaxed) % sets) else { return };
            if std::ptr::eq(set, except) {
                continue;
            }
            (0..WAYS).for_each(|way| self.replace(set, way, 0, None));
        }
        if self.bytes.load(Relaxed) > self.limit {
            (0..WAYS).for_each(|way| self.replace(except, way, 0, None));
        }
    }

    fn replace(&self, set: &Set<E>, way: usize, tag: u32, entry: Option<Arc<E>>) {
        let (Some(own), Some(used), Some(slot)) =
            (set.tags.get(way), set.used.get(way), set.entries.get(way))
        else {
            return;
        };
        used.store(false, Relaxed);
        if entry.is_some() {
            self.metrics.remembered();
        }
        let before = slot.swap(entry);
        own.store(tag, Relaxed);
        if let Some(before) = before {
            self.bytes.fetch_sub(before.weight(), Relaxed);
            self.metrics.forgot();
        }
    }

    #[inline]
    fn place(&self, hash: u64) -> Option<(&Set<E>, u32)> {
        #[expect(clippy::cast_possible_truncation, reason = "a part of the hash is meant")]
        let (index, tag) = ((hash >> 32) as usize, (hash >> 8) as u32);
        Some((self.sets.get(index & self.sets.len().wrapping_sub(1))?, tag.max(1)))
    }
}

/// An entry as it stood there.
pub(crate) struct Found<E>(Guard<Option<Arc<E>>>);

impl<E> Found<E> {
    pub(crate) fn as_arc(&self) -> Option<&Arc<E>> {
        self.0.as_ref()
    }
}

impl<E> Set<E> {
    fn has_seen(&self, tag: u32) -> bool {
        #[expect(clippy::cast_possible_truncation, reason = "a half is meant")]
        let half = tag as u16;
        let is_half = |seen: &AtomicU16| seen.load(Relaxed) == half;
        if self.seen.iter().any(is_half) || self.tags.iter().any(|own| own.load(Relaxed) == tag) {
            return true;
        }
        if let Some(seen) = self.seen.get(self.next()) {
            seen.store(half, Relaxed);
        }
        false
    }

    /// The place under the hand, which moves on.
    fn next(&self) -> usize {
        usize::from(self.hand.fetch_add(1, Relaxed)) % WAYS
    }

    /// The next place that was not used since the hand passed it (the algorithm CLOCK).
    fn unused(&self) -> usize {
        let is_unused =
            |way: &usize| self.used.get(*way).is_none_or(|used| !used.swap(false, Relaxed));
        // If all were used, none is any more after one round.
        let next = || self.next();
        std::iter::repeat_with(next).take(WAYS).find(is_unused).unwrap_or_else(next)
    }
}

impl<E> Default for Set<E> {
    fn default() -> Self {
        Self {
            tags: Default::default(),
            used: Default::default(),
            entries: std::array::from_fn(|_| ArcSwapOption::empty()),
            seen: Default::default(),
            hand: AtomicU8::new(0),
        }
    }
}

/// Omits the entries: they hold personal data.
impl<E: Entry> fmt::Debug for Table<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("sets", &self.sets.len())
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "set_associative_tests.rs"]
mod tests;
