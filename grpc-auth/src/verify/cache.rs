//! Tokens that were verified before: a table of fixed size, read without a lock.
//!
//! It is built like a processor's cache. A token's hash chooses a set of eight places, in one of
//! which it stands or nowhere; a tag beside each place says whether it is worth to look. What is
//! inserted displaces what was not used lately, in its set alone. There is nothing to clean up, and
//! no order to keep.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use constant_time_eq::constant_time_eq;

use super::trusted::TrustedIssuer;
use crate::clock::Moment;
use crate::error::ConfigError;
use crate::principal::{Principal, Verified};

/// How many verified tokens are remembered, and for how long; set by
/// [`ResourceServerBuilder::token_cache`](crate::ResourceServerBuilder::token_cache).
///
/// What is remembered is that a token is genuine, never what its caller may do. It is forgotten
/// when it expires, when a key of its issuer changes, and after `max_age`. Tokens that are refused
/// are never remembered: they take no room and displace nothing.
///
/// ```
/// use grpc_auth::{ResourceServer, TokenCache};
///
/// let builder = ResourceServer::oidc("https://issuer.example.com").token_cache(TokenCache::off());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenCache {
    /// How many tokens at most. Default 8,192; rounded up to a power of two. 0 switches it off.
    pub entries: usize,
    /// How many bytes of tokens and claims at most. Default 32 MiB.
    pub bytes: usize,
    /// For how long a token is believed without looking at it again. Default 5 min.
    pub max_age: Duration,
}

impl TokenCache {
    /// Verifies every token of every call.
    #[must_use]
    pub fn off() -> Self {
        Self { entries: 0, ..Self::default() }
    }

    /// Remembers so many tokens.
    #[must_use]
    pub fn entries(mut self, entries: usize) -> Self {
        self.entries = entries;
        self
    }

    /// Remembers tokens up to so many bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Remembers a token for so long.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    pub(crate) fn check(self) -> Result<(), ConfigError> {
        let wrong = |setting, help| Err(ConfigError::TokenCacheSetting { setting, help });
        if self.entries > 1 << 24 {
            return wrong("entries", "write at most 16,777,216");
        }
        if self.entries > 0 && self.bytes < 64 * 1024 {
            return wrong("bytes", "write at least 65,536, or switch it off: `TokenCache::off()`");
        }
        if self.entries > 0 && self.max_age.is_zero() {
            return wrong("max_age", "write more than zero, or switch it off: `TokenCache::off()`");
        }
        Ok(())
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self { entries: 8192, bytes: 32 * 1024 * 1024, max_age: Duration::from_secs(5 * 60) }
    }
}

/// Places in a set.
const WAYS: usize = 8;
/// What an entry takes beside its token and its claims.
const OVERHEAD: usize = 512;

/// The table.
#[derive(Debug)]
pub(crate) struct VerifiedTokens {
    hash: TailHash,
    sets: Box<[Set]>,
    settings: TokenCache,
    bytes: AtomicUsize,
    /// Where room is made next when bytes run out.
    hand: AtomicUsize,
}

/// What a look-up reads stands first, in one or two lines of memory.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Set {
    /// Parts of the hashes; 0 stands for an empty place.
    tags: [AtomicU32; WAYS],
    /// Since the hand last passed.
    used: [AtomicBool; WAYS],
    hand: AtomicUsize,
    entries: [ArcSwapOption<Verified>; WAYS],
    /// Tags of tokens that came once, in turn.
    seen: [AtomicU32; WAYS],
}

impl Set {
    /// Whether a token with this tag came before, as far as anyone remembers.
    fn has_seen(&self, tag: u32) -> bool {
        if self.seen.iter().chain(&self.tags).any(|seen| seen.load(Relaxed) == tag) {
            return true;
        }
        let next = self.hand.fetch_add(1, Relaxed) % WAYS;
        if let Some(seen) = self.seen.get(next) {
            seen.store(tag, Relaxed);
        }
        false
    }

    /// The next place that was not used since the hand passed it (the algorithm CLOCK).
    fn unused(&self) -> usize {
        let next = || self.hand.fetch_add(1, Relaxed) % WAYS;
        let is_unused =
            |way: &usize| self.used.get(*way).is_none_or(|used| !used.swap(false, Relaxed));
        // If all were used, none is any more after one round.
        std::iter::repeat_with(next).take(WAYS).find(is_unused).unwrap_or_else(next)
    }
}

/// What an entry takes in memory.
fn weight(entry: &Verified) -> usize {
    // The claims take three quarters of what they take in the token.
    entry.token().map_or(0, <[u8]>::len) * 2 + OVERHEAD
}

impl VerifiedTokens {
    pub(crate) fn new(settings: TokenCache) -> Self {
        let sets = match settings.entries {
            0 => 0,
            entries => entries.div_ceil(WAYS).next_power_of_two(),
        };
        Self {
            hash: TailHash::new(),
            sets: (0..sets).map(|_| Set::default()).collect(),
            settings,
            bytes: AtomicUsize::new(0),
            hand: AtomicUsize::new(0),
        }
    }

    /// For how long a token is believed; none if nothing is remembered.
    pub(super) fn max_age(&self) -> Option<Duration> {
        (!self.sets.is_empty()).then_some(self.settings.max_age)
    }

    /// The caller of a token that was verified, if that still holds.
    pub(super) fn find(
        &self,
        token: &[u8],
        now: Moment,
        issuers: &[TrustedIssuer],
    ) -> Option<Principal> {
        let (set, tag) = self.place(token)?;
        for (way, own) in set.tags.iter().enumerate() {
            if own.load(Relaxed) != tag {
                continue;
            }
            let (Some(entry), Some(used)) = (set.entries.get(way), set.used.get(way)) else {
                break;
            };
            let entry = entry.load();
            let Some(entry) = entry.as_ref() else { continue };
            if !entry.token().is_some_and(|own| constant_time_eq(own, token)) {
                continue;
            }
            let validity = entry.validity();
            let is_current = now.seconds < validity.deadline
                && issuers
                    .get(validity.issuer)
                    .is_some_and(|issuer| issuer.keys.is_current(validity.generation, now));
            if !is_current {
                return None;
            }
            if !used.load(Relaxed) {
                used.store(true, Relaxed);
            }
            return Some(Arc::clone(entry).into());
        }
        None
    }

    /// Remembers a token that was verified for the second time: most of what comes once never
    /// comes again, and to store it would cost more than to verify it. It displaces what stands for
    /// the same token, else an empty place, else what was not used since it was last looked at.
    pub(super) fn insert(&self, verified: &Principal) {
        let place = verified.token().and_then(|token| self.place(token.as_bytes()));
        let Some((set, tag)) = place else { return };
        if !set.has_seen(tag) {
            return;
        }
        let entry = Arc::clone(verified.as_arc());
        let tags = || set.tags.iter().map(|tag| tag.load(Relaxed));
        let way = tags()
            .position(|own| own == tag)
            .or_else(|| tags().position(|own| own == 0))
            .unwrap_or_else(|| set.unused());
        self.bytes.fetch_add(weight(&entry), Relaxed);
        self.replace(set, way, tag, Some(entry));
        self.make_room(set);
    }

    /// Empties sets in turn until the bytes are within bounds; the one just written comes last.
    fn make_room(&self, except: &Set) {
        let sets = self.sets.len();
        for _ in 0..sets {
            if self.bytes.load(Relaxed) <= self.settings.bytes {
                return;
            }
            let Some(set) = self.sets.get(self.hand.fetch_add(1, Relaxed) % sets) else { return };
            if std::ptr::eq(set, except) {
                continue;
            }
            (0..WAYS).for_each(|way| self.replace(set, way, 0, None));
        }
        if self.bytes.load(Relaxed) > self.settings.bytes {
            (0..WAYS).for_each(|way| self.replace(except, way, 0, None));
        }
    }

    fn replace(&self, set: &Set, way: usize, tag: u32, entry: Option<Arc<Verified>>) {
        let (Some(own), Some(used), Some(slot)) =
            (set.tags.get(way), set.used.get(way), set.entries.get(way))
        else {
            return;
        };
        used.store(false, Relaxed);
        let before = slot.swap(entry);
        own.store(tag, Relaxed);
        if let Some(before) = before {
            self.bytes.fetch_sub(weight(&before), Relaxed);
        }
    }

    fn place(&self, token: &[u8]) -> Option<(&Set, u32)> {
        let hash = self.hash.of(token)?;
        #[expect(clippy::cast_possible_truncation, reason = "a part of the hash is meant")]
        let (index, tag) = ((hash >> 32) as usize, (hash >> 8) as u32);
        Some((self.sets.get(index & self.sets.len().wrapping_sub(1))?, tag.max(1)))
    }
}

/// A hash of the end of a token, which is the end of its signature and as good as random: its last
/// 16 characters, keyed by chance, so that nobody can choose tokens that meet in one set.
///
/// Pair-multiply-shift, a universal family (Thorup, "High Speed Hashing for Integers and Strings",
/// §3.3): only tokens that were verified are ever inserted, so there is nothing to find out by
/// trying, and a keyed hash of the whole token would cost half of what all else costs.
#[derive(Debug)]
struct TailHash {
    keys: [u64; 2],
    offset: u128,
}

impl TailHash {
    fn new() -> Self {
        let random = |()| RandomState::new().hash_one(());
        let [high, low] = [(); 2].map(random);
        Self { keys: [(); 2].map(random), offset: u128::from(high) << 64 | u128::from(low) }
    }

    fn of(&self, token: &[u8]) -> Option<u64> {
        let tail = u128::from_le_bytes(*token.last_chunk()?);
        #[expect(clippy::cast_possible_truncation, reason = "halves are meant")]
        let (high, low) = ((tail >> 64) as u64, tail as u64);
        let [of_high, of_low] = self.keys.map(u128::from);
        let sum = |key: u128, half: u64| (key + u128::from(half)) & u128::from(u64::MAX);
        let product = sum(of_high, high).wrapping_mul(sum(of_low, low));
        Some((product.wrapping_add(self.offset) >> 64) as u64)
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
