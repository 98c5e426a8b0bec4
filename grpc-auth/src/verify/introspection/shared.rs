//! Answers that replicas share in Redis.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::{FromRedisValue, Pipeline, RedisError};
use secrecy::{ExposeSecret, SecretSlice};

use super::introspector::Digest;
use crate::clock::Moment;
use crate::error::ConfigError;
use crate::redis::Redis;

/// Shorter keys can be guessed.
const MIN_KEY_BYTES: usize = 32;
/// For how long a Redis that failed is not asked again.
const PAUSE: Duration = Duration::from_secs(5);
/// Longer answers are not shared.
const MAX_BYTES: usize = 16 * 1024;
/// What a sealed entry begins with: when the answer ends, in seconds since 1970.
type Deadline = [u8; 8];

/// Where replicas share what an introspection endpoint said (feature `redis`); set by
/// [`Introspection::shared_cache`](crate::Introspection::shared_cache).
#[derive(Clone)]
pub(crate) struct SharedCacheSettings {
    pub(crate) redis: Redis,
    key: SecretSlice<u8>,
}

impl SharedCacheSettings {
    pub(crate) fn new(redis: Redis, key: Vec<u8>) -> Self {
        Self { redis, key: key.into() }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.key.expose_secret().len() >= MIN_KEY_BYTES {
            return Ok(());
        }
        Err(ConfigError::IntrospectionSetting {
            setting: "shared_cache",
            help: "write a key of at least 32 random bytes, the same for all replicas",
        })
    }
}

impl fmt::Debug for SharedCacheSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedCache").field(&self.redis).finish()
    }
}

/// The cache. Whoever can read Redis learns nothing from it, and whoever can write to it makes
/// nobody believe anything: entries are sealed, each for its token.
pub(super) struct SharedCache {
    redis: Redis,
    seal: RandomizedNonceKey,
    outage: Mutex<Outage>,
}

/// A Redis that does not answer is left alone for a while.
#[derive(Debug, Default)]
struct Outage {
    failures: u32,
    /// Seconds since 1970.
    since: f64,
}

/// An answer and when it ends.
pub(super) struct Shared {
    pub(super) json: Vec<u8>,
    /// Seconds since 1970.
    pub(super) deadline: f64,
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl SharedCache {
    /// The cache, and the key by which tokens are known in it.
    pub(super) fn new(settings: &SharedCacheSettings) -> Result<(Self, hmac::Key), ConfigError> {
        let secret = settings.key.expose_secret();
        let prk = Salt::new(HKDF_SHA256, b"grpc-auth introspection cache").extract(secret);
        let derive = |what: &[u8]| {
            let mut key = [0; 32];
            prk.expand(&[what], Length(key.len()))
                .and_then(|okm| okm.fill(&mut key))
                .map(|()| key)
                .map_err(|_| ConfigError::RandomUnavailable)
        };
        let seal = RandomizedNonceKey::new(&AES_256_GCM, &derive(b"answers")?)
            .map_err(|_| ConfigError::RandomUnavailable)?;
        let names = hmac::Key::new(hmac::HMAC_SHA256, &derive(b"tokens")?);
        let outage = Mutex::default();
        Ok((Self { redis: settings.redis.clone(), seal, outage }, names))
    }

    /// What a replica put there. Redis that does not answer knows nothing.
    pub(super) async fn get(&self, digest: &Digest, now: Moment) -> Option<Shared> {
        if self.is_left_alone(now) {
            return None;
        }
        let mut get = Pipeline::new();
        get.cmd("GET").arg(name(digest));
        let (entry,) = self.ask::<(Option<Vec<u8>>,)>(&get, now).await?;
        let entry = entry?;
        let shared = self.open(digest, entry)?;
        (now.seconds < shared.deadline).then_some(shared)
    }

    pub(super) async fn put(&self, digest: &Digest, json: &[u8], deadline: f64, now: Moment) {
        let lifetime = deadline - now.seconds;
        if json.len() > MAX_BYTES || lifetime <= 0.0 || self.is_left_alone(now) {
            return;
        }
        let Some(entry) = self.sealed(digest, json, deadline) else { return };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an hour at most, and more than zero"
        )]
        let milliseconds = (lifetime * 1000.0).ceil() as u64;
        let mut set = Pipeline::new();
        set.cmd("SET").arg(name(digest)).arg(entry).arg("PX").arg(milliseconds).ignore();
        self.ask::<()>(&set, now).await;
    }

    async fn ask<T: FromRedisValue>(&self, commands: &Pipeline, now: Moment) -> Option<T> {
        let answer = match self.redis.connection().await {
            Ok(connection) => self.redis.query(&connection, commands).await,
            Err(error) => Err(error),
        };
        self.note(answer, now)
    }

    fn is_left_alone(&self, now: Moment) -> bool {
        let outage = self.outage();
        let pause = outage.since..outage.since + PAUSE.as_secs_f64();
        outage.failures > 0 && pause.contains(&now.seconds)
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
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sealed(&self, digest: &Digest, json: &[u8], deadline: f64) -> Option<Vec<u8>> {
        let mut sealed = deadline.to_le_bytes().to_vec();
        sealed.extend_from_slice(json);
        let nonce = self.seal.seal_in_place_append_tag(Aad::from(digest), &mut sealed).ok()?;
        sealed.extend_from_slice(nonce.as_ref());
        Some(sealed)
    }

    /// What was sealed for this token under the same key; anything else is nothing.
    fn open(&self, digest: &Digest, mut sealed: Vec<u8>) -> Option<Shared> {
        let at = sealed.len().checked_sub(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(&sealed.split_off(at)).ok()?;
        let plain = self.seal.open_in_place(nonce, Aad::from(digest), &mut sealed).ok()?;
        let (deadline, json) = plain.split_first_chunk::<{ size_of::<Deadline>() }>()?;
        Some(Shared { json: json.to_vec(), deadline: f64::from_le_bytes(*deadline) })
    }
}

fn name(digest: &Digest) -> String {
    format!("grpc-auth:introspection:{}", URL_SAFE_NO_PAD.encode(digest))
}

/// The kind alone: the text of some errors quotes what was sent.
fn log(error: &RedisError) {
    tracing::warn!(
        target: "grpc_auth",
        error = ?error.kind(),
        "Redis does not serve the shared introspection cache; tokens are asked about as without it"
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

    #[tokio::test]
    async fn an_entry_is_for_its_token_and_of_its_key_alone() {
        let (one, same, other) = (cache(1), cache(1), cache(2));
        let sealed = one.sealed(&[7; 32], br#"{"active":true}"#, 1.5).unwrap();
        let opened = same.open(&[7; 32], sealed.clone()).unwrap();
        assert_eq!((&*opened.json, opened.deadline), (&br#"{"active":true}"#[..], 1.5));
        assert!(!sealed.windows(6).any(|window| window == b"active"));
        assert!(other.open(&[7; 32], sealed.clone()).is_none());
        assert!(same.open(&[8; 32], sealed.clone()).is_none());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(same.open(&[7; 32], changed).is_none(), "{place}");
            assert!(same.open(&[7; 32], sealed[..place].to_vec()).is_none(), "{place}");
        }
    }

    #[tokio::test]
    async fn short_keys_are_refused() {
        let redis = Redis::new("redis://127.0.0.1:1/").unwrap();
        let error = SharedCacheSettings::new(redis, vec![1; 31]).check().unwrap_err();
        assert!(error.to_string().contains("at least 32 random bytes"));
    }
}
