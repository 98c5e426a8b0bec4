//! Redis, for state that replicas share (feature `redis`): its address, and one connection that
//! comes back by itself.

use std::fmt;
use std::time::Duration;

use redis::Client;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use crate::error::ConfigError;

/// A command that takes longer has failed.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
const CONNECTION_TIMEOUT: Duration = Duration::from_millis(500);
/// Between attempts to connect again.
const MAX_DELAY: Duration = Duration::from_secs(1);

/// A Redis server that replicas share state in. Cloning it shares its connection.
///
/// It connects when it is used first, and again whenever the connection was lost. What stands in
/// Redis decides on calls: whoever can write to it can let proofs be used twice. Give it a password
/// of its own, and use `rediss://` (TLS) unless it runs beside the server.
#[derive(Clone)]
pub struct Redis(ConnectionManager);

impl Redis {
    /// Reads an address like `redis://:password@127.0.0.1:6379/0` or `rediss://redis.example.com/`.
    ///
    /// # Errors
    /// [`ConfigError::RedisAddress`] when it is none. Whether Redis answers shows when it is used.
    ///
    /// # Panics
    /// Outside a tokio runtime: the connection is kept in the background.
    pub fn new(address: &str) -> Result<Self, ConfigError> {
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECTION_TIMEOUT))
            .set_max_delay(MAX_DELAY)
            .set_number_of_retries(0);
        // Its own error may quote the address, and with it the password.
        Client::open(address)
            .and_then(|client| ConnectionManager::new_lazy_with_config(client, config))
            .map(Self)
            .map_err(|_| ConfigError::RedisAddress)
    }

    /// The connection, to send a command on.
    pub(crate) fn connection(&self) -> ConnectionManager {
        self.0.clone()
    }
}

/// The address may hold a password.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redis([redacted])")
    }
}
