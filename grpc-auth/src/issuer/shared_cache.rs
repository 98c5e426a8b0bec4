//! Where the answers of an introspection endpoint are shared.

use std::fmt;

use secrecy::{ExposeSecret, SecretSlice};

use crate::error::ConfigError;
use crate::redis::Redis;

/// Shorter keys can be guessed.
const MIN_KEY_BYTES: usize = 32;

/// Where replicas share what an introspection endpoint said (feature `redis`); set by
/// [`Introspection::shared_cache`](crate::Introspection::shared_cache).
#[derive(Clone)]
pub(crate) struct SharedCacheSettings {
    pub(crate) redis: Redis,
    pub(crate) key: SecretSlice<u8>,
}

impl SharedCacheSettings {
    pub(crate) fn new(redis: Redis, key: Vec<u8>) -> Self {
        Self { redis, key: key.into() }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.key.expose_secret().len() >= MIN_KEY_BYTES {
            return Ok(());
        }
        Err(ConfigError::setting(
            "introspection",
            "shared_cache",
            "write a key of at least 32 random bytes, the same for all replicas",
        ))
    }
}

impl fmt::Debug for SharedCacheSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedCache").field(&self.redis).finish()
    }
}
