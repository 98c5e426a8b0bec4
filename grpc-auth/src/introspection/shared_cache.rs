//! Answers that replicas share in Redis.

use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::{FromRedisValue, Pipeline, RedisError};
use secrecy::ExposeSecret;

use super::Digest;
use crate::clock::Moment;
use crate::error::ConfigError;
use crate::issuer::shared_cache::SharedCacheSettings;
use crate::lock::locked;
use crate::redis::Redis;

/// For how long a Redis that failed is not asked again.
const PAUSE: Duration = Duration::from_secs(5);
/// Longer answers are not shared.
const MAX_BYTES: usize = 16 * 1024;
/// Since when an entry holds and until when, at its beginning.
const TIMES: usize = 2 * size_of::<f64>();
/// The longest sealed entry.
const MAX_ENTRY_BYTES: usize = TIMES + MAX_BYTES + AES_256_GCM_TAG + NONCE_LEN;
const AES_256_GCM_TAG: usize = 16;

/// The cache. Entries are sealed, each for its token: a program that reads Redis learns nothing from
/// them, and one that writes to it cannot make a token valid.
pub(crate) struct SharedCache {
    redis: Redis,
    seal: RandomizedNonceKey,
    outage: Mutex<Outage>,
}

/// A Redis that does not answer is left alone for a while.
#[derive(Debug, Default)]
struct Outage {
    failures: u32,
    /// When it failed or was probed last, in seconds since 1970.
    since: f64,
}

/// What is held of a token. There are two entries of it, so that an active one that is written late
/// does not replace the inactive one.
#[derive(Clone, Copy)]
struct Kind {
    /// What an entry is sealed for, so that it is not read as one of the other kind.
    sealed_as: &'static str,
    /// The end of its name in Redis.
    suffix: &'static str,
}

impl Kind {
    const ACTIVE: Self = Self { sealed_as: "active", suffix: "" };
    /// Its answer is empty: it ends the active ones before it.
    const INACTIVE: Self = Self { sealed_as: "inactive", suffix: ":inactive" };

    fn context(self, digest: &Digest) -> Vec<u8> {
        [digest, self.sealed_as.as_bytes()].concat()
    }

    fn name(self, digest: &Digest) -> String {
        format!("grpc-auth:introspection:{}{}", URL_SAFE_NO_PAD.encode(digest), self.suffix)
    }
}

/// An answer and how long it holds.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Seconds since 1970.
    pub(crate) since: f64,
    /// Seconds since 1970.
    pub(crate) deadline: f64,
    pub(crate) json: Vec<u8>,
}

/// What Redis holds of a token.
#[derive(Default)]
pub(crate) struct Found {
    /// An active answer that holds.
    pub(crate) active: Option<Entry>,
    /// It holds something, whether or not that counts.
    pub(crate) has_entry: bool,
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl SharedCache {
    /// The cache, and the key by which tokens are known in it.
    pub(crate) fn new(settings: &SharedCacheSettings) -> Result<(Self, hmac::Key), ConfigError> {
        let secret = settings.key.expose_secret();
        let prk = Salt::new(HKDF_SHA256, b"grpc-auth introspection cache").extract(secret);
        let derive = |what: &[u8]| {
            let mut key = [0; 32];
            prk.expand(&[what], Length(key.len()))
                .and_then(|okm| okm.fill(&mut key))
                .map(|()| key)
                .map_err(|_| ConfigError::no_random_numbers())
        };
        let seal = RandomizedNonceKey::new(&AES_256_GCM, &derive(b"answers")?)
            .map_err(|_| ConfigError::no_random_numbers())?;
        let names = hmac::Key::new(hmac::HMAC_SHA256, &derive(b"tokens")?);
        let outage = Mutex::default();
        Ok((Self { redis: settings.redis.clone(), seal, outage }, names))
    }

    /// What replicas put there. A Redis that does not answer holds nothing.
    pub(crate) async fn get(&self, digest: &Digest, now: Moment) -> Found {
        let mut get = Pipeline::new();
        for kind in [Kind::ACTIVE, Kind::INACTIVE] {
            // One byte more than an entry can have: a longer one is not read to its end.
            get.cmd("GETRANGE").arg(kind.name(digest)).arg(0).arg(MAX_ENTRY_BYTES);
        }
        let Some((active, inactive)) = self.ask::<(Vec<u8>, Vec<u8>)>(&get, now).await else {
            return Found::default();
        };
        let has_entry = !(active.is_empty() && inactive.is_empty());
        let ended = self.open(digest, Kind::INACTIVE, inactive).map(|inactive| inactive.since);
        let active = self.open(digest, Kind::ACTIVE, active).filter(|active| {
            (active.since..active.deadline).contains(&now.seconds)
                && ended.is_none_or(|ended| ended < active.since)
        });
        Found { active, has_entry }
    }

    pub(crate) async fn put_active(&self, digest: &Digest, active: &Entry, now: Moment) {
        if active.json.len() <= MAX_BYTES
            && let Some(set) = self.set(digest, Kind::ACTIVE, active, now)
        {
            self.ask::<()>(&set, now).await;
        }
    }

    /// Removes the active entry, and keeps others from before this one from counting.
    pub(crate) async fn put_inactive(&self, digest: &Digest, inactive: &Entry, now: Moment) {
        if let Some(mut set) = self.set(digest, Kind::INACTIVE, inactive, now) {
            set.cmd("DEL").arg(Kind::ACTIVE.name(digest)).ignore();
            self.ask::<()>(&set, now).await;
        }
    }

    fn set(&self, digest: &Digest, kind: Kind, entry: &Entry, now: Moment) -> Option<Pipeline> {
        let lifetime = entry.deadline - now.seconds;
        if lifetime <= 0.0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "little more than an hour at most, and more than zero"
        )]
        let milliseconds = (lifetime * 1000.0).ceil() as u64;
        let sealed = self.sealed(digest, kind, entry)?;
        let mut set = Pipeline::new();
        set.cmd("SET").arg(kind.name(digest)).arg(sealed).arg("PX").arg(milliseconds).ignore();
        Some(set)
    }

    /// Nothing if Redis fails, or is left alone because it did.
    async fn ask<T: FromRedisValue>(&self, commands: &Pipeline, now: Moment) -> Option<T> {
        if !self.may_ask(now) {
            return None;
        }
        let answer = match self.redis.connection().await {
            Ok(connection) => self.redis.query(&connection, commands).await,
            Err(error) => Err(error),
        };
        self.note(answer, now)
    }

    /// While Redis fails, one call probes it after each pause.
    fn may_ask(&self, now: Moment) -> bool {
        let mut outage = self.outage();
        if outage.failures == 0 {
            return true;
        }
        let pause = outage.since..outage.since + PAUSE.as_secs_f64();
        let is_over = !pause.contains(&now.seconds);
        if is_over {
            outage.since = now.seconds;
        }
        is_over
    }

    /// A long outage is said ever more rarely.
    fn note<T>(&self, done: Result<T, RedisError>, now: Moment) -> Option<T> {
        let mut outage = self.outage();
        match done {
            Ok(done) => {
                *outage = Outage::default();
                Some(done)
            }
            Err(error) => {
                outage.failures = outage.failures.saturating_add(1);
                outage.since = now.seconds;
                if outage.failures.is_power_of_two() {
                    log(&error);
                }
                None
            }
        }
    }

    fn outage(&self) -> MutexGuard<'_, Outage> {
        locked(&self.outage)
    }

    fn sealed(&self, digest: &Digest, kind: Kind, entry: &Entry) -> Option<Vec<u8>> {
        let mut sealed = Vec::with_capacity(MAX_ENTRY_BYTES.min(entry.json.len() + 64));
        sealed.extend_from_slice(&entry.since.to_le_bytes());
        sealed.extend_from_slice(&entry.deadline.to_le_bytes());
        sealed.extend_from_slice(&entry.json);
        let context = Aad::from(kind.context(digest));
        let nonce = self.seal.seal_in_place_append_tag(context, &mut sealed).ok()?;
        sealed.extend_from_slice(nonce.as_ref());
        Some(sealed)
    }

    /// What was sealed as this entry of this token under the same key; anything else is nothing.
    fn open(&self, digest: &Digest, kind: Kind, mut sealed: Vec<u8>) -> Option<Entry> {
        if sealed.len() > MAX_ENTRY_BYTES {
            return None;
        }
        let at = sealed.len().checked_sub(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(&sealed.split_off(at)).ok()?;
        let context = Aad::from(kind.context(digest));
        let plain = self.seal.open_in_place(nonce, context, &mut sealed).ok()?;
        let (since, plain) = plain.split_first_chunk()?;
        let (deadline, json) = plain.split_first_chunk()?;
        let (since, deadline) = (f64::from_le_bytes(*since), f64::from_le_bytes(*deadline));
        Some(Entry { since, deadline, json: json.to_vec() })
    }
}

/// The kind alone: the text of some errors quotes what was sent.
fn log(error: &RedisError) {
    tracing::warn!(
        target: "grpc_auth",
        error = ?error.kind(),
        "Redis does not serve the shared introspection cache; tokens are introspected as without it"
    );
}

impl fmt::Debug for SharedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedCache").field(&self.redis).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(key: u8) -> SharedCache {
        let redis = Redis::new("redis://127.0.0.1:1/").unwrap();
        let settings = SharedCacheSettings::new(redis, vec![key; 32]);
        settings.check().unwrap();
        SharedCache::new(&settings).unwrap().0
    }

    #[test]
    fn an_entry_is_for_its_token_and_of_its_key_alone() {
        let (one, same, other) = (cache(1), cache(1), cache(2));
        let json = br#"{"active":true}"#.to_vec();
        let entry = Entry { since: 1.0, deadline: 1.5, json };
        let sealed = one.sealed(&[7; 32], Kind::ACTIVE, &entry).unwrap();
        let opened = same.open(&[7; 32], Kind::ACTIVE, sealed.clone()).unwrap();
        assert_eq!((&opened.json, opened.since, opened.deadline), (&entry.json, 1.0, 1.5));
        assert!(!sealed.windows(6).any(|window| window == b"active"));
        assert!(other.open(&[7; 32], Kind::ACTIVE, sealed.clone()).is_none());
        assert!(same.open(&[8; 32], Kind::ACTIVE, sealed.clone()).is_none());
        assert!(same.open(&[7; 32], Kind::INACTIVE, sealed.clone()).is_none());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            let cut = sealed[..place].to_vec();
            assert!(same.open(&[7; 32], Kind::ACTIVE, changed).is_none(), "{place}");
            assert!(same.open(&[7; 32], Kind::ACTIVE, cut).is_none(), "{place}");
        }
    }

    #[test]
    fn the_longest_entry_is_read_whole() {
        let cache = cache(1);
        for (length, is_read) in [(MAX_BYTES, true), (MAX_BYTES + 1, false)] {
            let entry = Entry { since: 1.0, deadline: 1.5, json: vec![b' '; length] };
            let sealed = cache.sealed(&[7; 32], Kind::ACTIVE, &entry).unwrap();
            assert_eq!(sealed.len() <= MAX_ENTRY_BYTES, is_read);
            assert_eq!(cache.open(&[7; 32], Kind::ACTIVE, sealed).is_some(), is_read);
        }
    }

    #[test]
    fn one_call_probes_a_redis_that_failed_after_each_pause() {
        let cache = cache(1);
        let at = |seconds| Moment::of(std::time::UNIX_EPOCH + Duration::from_secs(seconds));
        let failed = || Err::<(), _>(RedisError::from((redis::ErrorKind::Io, "it is away")));
        assert!(cache.may_ask(at(100)) && cache.may_ask(at(100)));
        cache.note(failed(), at(100));
        assert!(!cache.may_ask(at(104)));
        assert_eq!([105, 105, 109].map(|now| cache.may_ask(at(now))), [true, false, false]);
        // The probe was lost, or failed.
        assert_eq!([110, 110].map(|now| cache.may_ask(at(now))), [true, false]);
        cache.note(failed(), at(111));
        assert_eq!([115, 116, 116].map(|now| cache.may_ask(at(now))), [false, true, false]);
        // A clock that is set back does not prolong the pause.
        assert_eq!([50, 50].map(|now| cache.may_ask(at(now))), [true, false]);
        cache.note(Ok(()), at(51));
        assert!(cache.may_ask(at(51)) && cache.may_ask(at(51)));
    }

    #[test]
    fn short_keys_are_refused() {
        let redis = Redis::new("redis://127.0.0.1:1/").unwrap();
        let error = SharedCacheSettings::new(redis, vec![1; 31]).check().unwrap_err();
        assert!(error.to_string().contains("at least 32 random bytes"));
    }
}
