//! Tokens that were verified before.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use constant_time_eq::constant_time_eq;

use super::set_associative::{Entry, Table};
use super::trusted_issuer::TrustedIssuer;
use crate::error::ConfigError;
use crate::token::principal::{Principal, Verified};

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
    /// How many bytes of tokens and claims at most. Default 32 MiB. What the types take that claims
    /// are read as ([`Claims<T>`](crate::Claims)) is kept beside them, and comes on top.
    pub bytes: usize,
    /// How long a verified token stays cached. Default 5 min.
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
        let require = |works, setting, help| {
            let works = works || self.entries == 0;
            ConfigError::require(works, "token-cache", setting, help)
        };
        require(self.entries <= 1 << 24, "entries", "write at most 16,777,216")?;
        let help = "write at least 65,536, or switch it off: `TokenCache::off()`";
        require(self.bytes >= 64 * 1024, "bytes", help)?;
        let help = "write more than zero, or switch it off: `TokenCache::off()`";
        require(!self.max_age.is_zero(), "max_age", help)
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self { entries: 8192, bytes: 32 * 1024 * 1024, max_age: Duration::from_secs(5 * 60) }
    }
}

/// What an entry takes beside its token and its claims.
const OVERHEAD: usize = 512;

/// The table.
#[derive(Debug)]
pub(crate) struct VerifiedTokens {
    hash: TailHash,
    table: Table<Verified>,
    max_age: Duration,
}

impl Entry for Verified {
    fn weight(&self) -> usize {
        // The claims take three quarters of what they take in the token.
        self.token().map_or(0, <[u8]>::len) * 2 + OVERHEAD
    }
}

impl VerifiedTokens {
    pub(crate) fn new(settings: TokenCache) -> Self {
        let table = Table::new("verified", settings.entries, settings.bytes);
        Self { hash: TailHash::new(), table, max_age: settings.max_age }
    }

    /// How long a verified token stays cached; `None` without a cache.
    pub(super) fn max_age(&self) -> Option<Duration> {
        (!self.table.is_off()).then_some(self.max_age)
    }

    /// The caller of a token that was verified, if that still holds.
    pub(super) fn find(
        &self,
        token: &[u8],
        now: SystemTime,
        issuers: &[TrustedIssuer],
    ) -> Option<Principal> {
        let hash = self.hash.of(token).filter(|_| !self.table.is_off())?;
        let found = self.find_current(hash, token, now, issuers);
        self.table.metrics.looked_up(found.is_some());
        found
    }

    #[inline]
    fn find_current(
        &self,
        hash: u64,
        token: &[u8],
        now: SystemTime,
        issuers: &[TrustedIssuer],
    ) -> Option<Principal> {
        let is_it = |entry: &Verified| entry.token().is_some_and(|own| is_same(own, token));
        let found = self.table.find(hash, is_it)?;
        let entry = found.as_arc()?;
        let validity = entry.validity()?;
        let is_current = now < validity.deadline
            && issuers
                .get(validity.issuer)
                .is_some_and(|issuer| issuer.keys.is_current(&validity.standing, now));
        is_current.then(|| Arc::clone(entry).into())
    }

    /// Remembers a token that was verified for the second time: most of what comes once never
    /// comes again, and to store it would cost more than to verify it.
    pub(super) fn insert(&self, verified: &Principal) {
        let hash = verified.token().and_then(|token| self.hash.of(token.as_bytes()));
        if let Some(hash) = hash
            && self.table.has_seen(hash)
        {
            self.table.insert(hash, Arc::clone(verified.as_arc()));
        }
    }
}

/// A hash of the end of a token, which is the end of its signature and looks random: its last
/// 16 characters, with a random key, so that a caller cannot choose tokens that meet in one set.
///
/// Pair-multiply-shift, a universal family (Thorup, "High Speed Hashing for Integers and Strings",
/// §3.3): only tokens that were verified are ever inserted, so there is nothing to find out by
/// trying, and a keyed hash of the whole token would cost half of what all else costs.
struct TailHash {
    keys: [u64; 2],
    offset: u128,
}

/// Omits the keys: they are secret.
impl fmt::Debug for TailHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TailHash([redacted])")
    }
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

/// Compares all of two tokens. The end of the signature, all of an ES256 or EdDSA one, is compared
/// in constant time: how far a guess agrees with it does not show in the time it takes. A caller that has these 512 bits
/// has nothing left to guess, so the rest may end early, which costs a third.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    // The 86 characters of 512 bits, and what fills the last vector that is compared at a time.
    const SECRET: usize = 96;
    let split = |token: &'_ [u8]| token.len().saturating_sub(SECRET);
    let (one, one_end) = one.split_at(split(one));
    let (other, other_end) = other.split_at(split(other));
    constant_time_eq(one_end, other_end) && one == other
}

#[cfg(test)]
#[path = "token_cache_tests.rs"]
mod tests;
