//! Which proofs were used: none counts twice (RFC 9449 §11.1).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::{Clock, Moment};
use crate::lock::locked;
use crate::token::confirmation::Thumbprint;

/// Remembers the DPoP proofs that were used, for as long as they could be used again.
///
/// Without further words a server remembers them in its memory. Where several replicas answer one
/// address, a proof could be used once at each of them: give them a store that they share, with
/// [`Dpop::replay_store`](crate::Dpop::replay_store); over Redis there is one with the feature
/// `redis`.
///
/// ```
/// use std::collections::HashSet;
/// use std::future::{Future, ready};
/// use std::pin::Pin;
/// use std::sync::Mutex;
/// use grpc_auth::{Dpop, ReplayStore, ReplayStoreError, DpopProofId};
///
/// #[derive(Debug, Default)]
/// struct Unbounded(Mutex<HashSet<String>>);
///
/// impl ReplayStore for Unbounded {
///     fn is_first_use<'s>(
///         &'s self,
///         proof: DpopProofId,
///     ) -> Pin<Box<dyn Future<Output = Result<bool, ReplayStoreError>> + Send + 's>> {
///         let is_first = self.0.lock().unwrap().insert(proof.id());
///         Box::pin(ready(Ok(is_first)))
///     }
/// }
///
/// let dpop = Dpop::for_origins(["https://echo.example.com"]).replay_store(Unbounded::default());
/// ```
pub trait ReplayStore: fmt::Debug + Send + Sync + 'static {
    /// Remembers a proof, in one step with looking whether it was there: of two calls at a time
    /// with one proof, one gets `false`. What is remembered must not be forgotten before
    /// [`expires_at`](DpopProofId::expires_at).
    ///
    /// A call waits a second for it.
    ///
    /// # Errors
    /// When it is not known whether the proof was used, or it cannot be remembered. The call is
    /// answered UNAVAILABLE.
    fn is_first_use<'s>(
        &'s self,
        proof: DpopProofId,
    ) -> Pin<Box<dyn Future<Output = Result<bool, ReplayStoreError>> + Send + 's>>;

    /// Since when every proof that was used is remembered, by the clocks of the servers. A proof
    /// from before that moment may have been used and forgotten: it is rejected, or its client is
    /// asked for a nonce (see [`Dpop`](crate::Dpop#restarts)).
    ///
    /// It is asked for after each [`is_first_use`](Self::is_first_use) that returned `true`. A
    /// store that outlives the server, in a database for example, returns when it was created or
    /// last lost data. Default: `None`, since the resource server was built.
    fn remembers_since(&self) -> Option<SystemTime> {
        None
    }
}

/// A proof that is right in all else.
#[derive(Clone, Debug)]
pub struct DpopProofId {
    key: Thumbprint,
    id: [u8; 32],
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "for stores elsewhere"))]
    pub(crate) clock: Clock,
    now: Moment,
    expires_at: Moment,
}

/// Why a [`ReplayStore`] cannot tell.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayStoreError {
    /// There is no room for another proof.
    #[error("there is no room for another proof")]
    Full,
    /// One key has used more proofs than its share.
    #[error("one key has used more proofs than its share")]
    KeyFull,
    /// The store does not answer. The reason is logged, so the words are fixed ones: the text of a
    /// library's error may hold an address with its password.
    #[error("the store does not answer: {0}")]
    Unavailable(&'static str),
}

impl DpopProofId {
    pub(crate) fn new(
        key: Thumbprint,
        jti: &str,
        clock: Clock,
        now: Moment,
        expires_at: Moment,
    ) -> Self {
        // The thumbprint has a fixed length: no two pairs run together.
        let mut digest = Context::new(&SHA256);
        digest.update(key.as_bytes());
        digest.update(jti.as_bytes());
        let mut id = [0; 32];
        id.copy_from_slice(digest.finish().as_ref());
        Self { key, id, clock, now, expires_at }
    }

    /// Names the proof: a SHA-256 hash of its key and its `jti`, in base64url. It holds nothing
    /// secret.
    #[must_use]
    pub fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.id)
    }

    /// The thumbprint of the key that signed it (RFC 7638), in base64url: for stores that give each
    /// key its share.
    #[must_use]
    pub fn key(&self) -> String {
        self.key.encode()
    }

    /// When it is too old to be used again, by this server's clock.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at.time
    }

    /// How long that is from now.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.expires_at.time.duration_since(self.now.time).unwrap_or_default()
    }
}

/// How many proofs are remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) entries: usize,
    pub(crate) entries_per_key: usize,
}

/// The store in memory. What has not expired is never forgotten: when it is full, it says so.
pub(crate) struct Memory {
    bounds: Bounds,
    /// Held for less than a microsecond, beside a signature check of dozens.
    state: Mutex<State>,
}

/// Half of a SHA-256 digest: as many as are remembered at a time do not meet by chance.
type Id = [u8; 16];

#[derive(Default)]
struct State {
    used: HashSet<Id>,
    /// What is to be forgotten, by the second after which it may be, with its key.
    by_expiry: BTreeMap<u64, Vec<(Id, Id)>>,
    /// How many each key has used.
    per_key: HashMap<Id, usize>,
    /// Proofs that expired in this second or before may have been forgotten. If the clock is set
    /// back, they are in time again.
    forgotten: Option<u64>,
}

/// How many expired proofs a call forgets at most, unless its key has used up its share: a second of
/// them should not fall to one caller. They are more than a call adds, so that none that expired
/// takes the room of another.
const FORGOTTEN_AT_A_TIME: usize = 64;

impl Memory {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, state: Mutex::default() }
    }

    fn remember(&self, proof: &DpopProofId) -> Result<bool, ReplayStoreError> {
        let (id, key) = (half(&proof.id), half(proof.key.as_bytes()));
        let now = whole_seconds(proof.now.seconds.floor());
        let expires = whole_seconds(proof.expires_at.seconds.ceil());
        let mut state = locked(&self.state);
        state.forget(now, FORGOTTEN_AT_A_TIME);
        if state.used.contains(&id) || state.forgotten.is_some_and(|last| expires <= last) {
            return Ok(false);
        }
        if state.used.len() >= self.bounds.entries {
            return Err(ReplayStoreError::Full);
        }
        if state.per_key.get(&key).is_some_and(|used| *used >= self.bounds.entries_per_key) {
            state.forget(now, usize::MAX);
        }
        let used = state.per_key.entry(key).or_default();
        if *used >= self.bounds.entries_per_key {
            return Err(ReplayStoreError::KeyFull);
        }
        *used += 1;
        state.used.insert(id);
        state.by_expiry.entry(expires).or_default().push((id, key));
        Ok(true)
    }
}

impl State {
    /// Forgets what expired before this second, up to so many.
    fn forget(&mut self, now: u64, mut most: usize) {
        while let Some(mut oldest) = self.by_expiry.first_entry()
            && *oldest.key() < now
        {
            self.forgotten = self.forgotten.max(Some(*oldest.key()));
            while let Some((id, key)) = oldest.get_mut().pop() {
                self.used.remove(&id);
                if let Some(used) = self.per_key.get_mut(&key) {
                    *used -= 1;
                    if *used == 0 {
                        self.per_key.remove(&key);
                    }
                }
                most -= 1;
                if most == 0 {
                    return;
                }
            }
            oldest.remove();
        }
    }
}

impl ReplayStore for Memory {
    fn is_first_use<'s>(
        &'s self,
        proof: DpopProofId,
    ) -> Pin<Box<dyn Future<Output = Result<bool, ReplayStoreError>> + Send + 's>> {
        Box::pin(ready(self.remember(&proof)))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

fn half(digest: &[u8; 32]) -> Id {
    digest.first_chunk().copied().unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds since 1970, never negative; `as` stops at the ends"
)]
fn whole_seconds(seconds: f64) -> u64 {
    seconds as u64
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const START: u64 = 1_000_000;

    fn store(entries: usize, entries_per_key: usize) -> Memory {
        Memory::new(Bounds { entries, entries_per_key })
    }

    fn at(seconds: u64) -> Moment {
        Moment::of(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// Uses a proof that was made `age` seconds ago and lives for 60.
    fn use_proof(store: &Memory, key: u8, jti: &str, now: u64, age: u64) -> &'static str {
        let key = Thumbprint::of(&[key]);
        let clock = Clock::system();
        let proof = DpopProofId::new(key, jti, clock, at(now), at(now - age + 60));
        match store.remember(&proof) {
            Ok(true) => "first",
            Ok(false) => "again",
            Err(ReplayStoreError::Full) => "full",
            Err(ReplayStoreError::KeyFull) => "key full",
            Err(ReplayStoreError::Unavailable(_)) => "unavailable",
        }
    }

    #[test]
    fn a_proof_is_remembered_while_it_could_be_used_again_and_no_longer() {
        let store = store(100, 50);
        assert_eq!(use_proof(&store, 1, "a", START, 0), "first");
        assert_eq!(use_proof(&store, 1, "a", START, 0), "again");
        assert_eq!(use_proof(&store, 2, "a", START, 0), "first");
        assert_eq!(use_proof(&store, 1, "b", START, 0), "first");
        assert_eq!(use_proof(&store, 1, "a", START + 60, 60), "again");
        // The same name in another proof, later.
        assert_eq!(use_proof(&store, 1, "a", START + 61, 0), "first");
        assert_eq!(store.state.lock().unwrap().used.len(), 1);
    }

    #[test]
    fn what_is_full_says_so_and_forgets_nothing_that_counts() {
        let store = store(4, 2);
        assert_eq!(use_proof(&store, 1, "a", START, 0), "first");
        assert_eq!(use_proof(&store, 1, "b", START, 0), "first");
        assert_eq!(use_proof(&store, 1, "c", START, 0), "key full");
        assert_eq!(use_proof(&store, 2, "a", START, 0), "first");
        assert_eq!(use_proof(&store, 2, "b", START, 0), "first");
        assert_eq!(use_proof(&store, 3, "a", START, 0), "full");
        for (key, jti) in [(1, "a"), (1, "b"), (2, "a"), (2, "b")] {
            assert_eq!(use_proof(&store, key, jti, START + 60, 60), "again");
        }
        assert_eq!(use_proof(&store, 3, "a", START + 61, 0), "first");
        assert_eq!(use_proof(&store, 1, "c", START + 61, 0), "first");
        let state = store.state.lock().unwrap();
        assert_eq!((state.used.len(), state.per_key.len(), state.by_expiry.len()), (2, 2, 1));
    }

    #[test]
    fn many_are_forgotten_in_steps_or_at_once_where_there_is_no_room() {
        let store = store(1000, 999);
        for n in 0..999 {
            assert_eq!(use_proof(&store, 1, &n.to_string(), START, 0), "first");
        }
        assert_eq!(use_proof(&store, 2, "a", START + 61, 0), "first");
        assert_eq!(store.state.lock().unwrap().used.len(), 1000 - FORGOTTEN_AT_A_TIME);
        // Half of a second is forgotten: none of it counts again.
        assert_eq!(use_proof(&store, 1, "998", START, 0), "again");
        assert_eq!(use_proof(&store, 1, "0", START, 0), "again");
        for n in 1000..1999 {
            assert_eq!(use_proof(&store, 1, &n.to_string(), START + 61, 0), "first");
        }
        assert_eq!(store.state.lock().unwrap().used.len(), 1000);
    }

    /// A clock that is set back makes proofs young again that were forgotten.
    #[test]
    fn what_may_have_been_forgotten_counts_as_used() {
        let store = store(100, 50);
        assert_eq!(use_proof(&store, 1, "a", START, 0), "first");
        // An hour ahead, by mistake: what was known expires.
        assert_eq!(use_proof(&store, 2, "z", START + 3600, 0), "first");
        assert_eq!(use_proof(&store, 1, "a", START + 1, 1), "again");
        assert_eq!(use_proof(&store, 1, "unknown", START + 1, 1), "again");
        // A new proof is accepted.
        assert_eq!(use_proof(&store, 1, "b", START + 1, 0), "first");
    }
}
