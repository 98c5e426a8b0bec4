//! Introspection results, cached under the hash of the token.

use std::sync::Arc;

use constant_time_eq::constant_time_eq_32;

use super::Digest;
use crate::clock::Moment;
use crate::token::principal::Principal;
use crate::verify::error::VerifyFailure;
use crate::verify::set_associative::{Entry, Table};

/// What an entry takes beside its claims.
const OVERHEAD: usize = 512;

/// What is known of a token.
pub(crate) struct Remembered<T> {
    pub(crate) digest: Digest,
    /// Seconds since 1970: before it was learnt, nothing was known.
    pub(crate) since: f64,
    /// Seconds since 1970.
    pub(crate) deadline: f64,
    pub(crate) known: T,
}

impl Entry for Remembered<Principal> {
    fn weight(&self) -> usize {
        self.known.claims_len() + OVERHEAD
    }
}

impl Entry for Remembered<VerifyFailure> {
    fn weight(&self) -> usize {
        let texts = [&self.known.configured, &self.known.audience, &self.known.issuer];
        texts.into_iter().flatten().map(|text| text.len()).sum::<usize>() + OVERHEAD
    }
}

impl<T: Clone> Table<Remembered<T>>
where
    Remembered<T>: Entry,
{
    pub(crate) fn known(&self, digest: &Digest, now: Moment) -> Option<T> {
        let entry = self.entry(digest)?;
        (entry.since..entry.deadline).contains(&now.seconds).then(|| entry.known.clone())
    }

    /// Since when the entry of this token held, whether or not it holds now.
    pub(crate) fn since(&self, digest: &Digest) -> Option<f64> {
        self.entry(digest).map(|entry| entry.since)
    }

    fn entry(&self, digest: &Digest) -> Option<Arc<Remembered<T>>> {
        let found = self.find(hash(digest), |entry| constant_time_eq_32(&entry.digest, digest))?;
        found.as_arc().cloned()
    }

    /// Removes the entry of this token.
    pub(crate) fn forget(&self, digest: &Digest) {
        self.remove(hash(digest), |entry| constant_time_eq_32(&entry.digest, digest));
    }
}

/// The digest has a random key, so its bytes look random.
pub(crate) fn hash(digest: &Digest) -> u64 {
    digest.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}
