//! Redis, for state that replicas share (feature `redis`): its address, and one connection that is
//! opened again when it failed.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisError};

use crate::error::ConfigError;
use crate::lock::locked;
use crate::single_flight::SingleFlight;

/// A command that takes longer has failed.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
const CONNECTION_TIMEOUT: Duration = Duration::from_millis(500);

/// A Redis server that replicas share state in. Cloning it shares its connection.
///
/// It connects when it is used first, and again after the connection failed. A command that takes
/// longer than half a second fails, and its connection is closed.
///
/// # Securing it
/// What is in Redis decides on calls: a program that can delete keys there makes used DPoP proofs
/// usable again. Use `rediss://` (TLS) unless Redis runs beside the server, and give the servers a
/// Redis, or at least a database, of their own: in a shared one the `FLUSHDB` of another program
/// deletes used proofs too. Give them a user of their own (Redis ACL) that can do no more than they
/// need:
///
/// ```text
/// ACL SETUSER grpc-auth on >password ~grpc-auth:* -@all +set +getrange +del +info +select
/// ```
///
/// Its address is `redis://grpc-auth:password@127.0.0.1:6379/`.
#[derive(Clone)]
pub struct Redis(Arc<Shared>);

struct Shared {
    client: Client,
    config: AsyncConnectionConfig,
    open: Mutex<Option<Connection>>,
    opening: SingleFlight<Result<Connection, RedisError>>,
    opened: AtomicU64,
}

/// A connection, which calls share.
#[derive(Clone)]
pub(crate) struct Connection {
    /// Its number among the connections of this process to this Redis.
    pub(crate) number: u64,
    inner: MultiplexedConnection,
}

impl Redis {
    /// Reads an address like `redis://:password@127.0.0.1:6379/0` or `rediss://redis.example.com/`.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] when it is invalid. Whether Redis answers shows when it is used.
    pub fn new(address: &str) -> Result<Self, ConfigError> {
        // Its own error may quote the address, and with it the password.
        let client = Client::open(address).map_err(|_| {
            ConfigError::setting(
                "Redis",
                "address",
                "write it like `redis://:password@127.0.0.1:6379/0`, or `rediss://..` for TLS",
            )
        })?;
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECTION_TIMEOUT));
        Ok(Self(Arc::new(Shared {
            client,
            config,
            open: Mutex::new(None),
            opening: SingleFlight::new(),
            opened: AtomicU64::new(0),
        })))
    }

    /// The open connection; without one, opens it for all callers that wait.
    pub(crate) async fn connection(&self) -> Result<Connection, RedisError> {
        if let Some(open) = self.open().clone() {
            return Ok(open);
        }
        let open = async {
            // An earlier caller may have opened it since.
            if let Some(open) = self.open().clone() {
                return Ok(open);
            }
            let Shared { client, config, opened, .. } = &*self.0;
            let inner = client.get_multiplexed_async_connection_with_config(config).await?;
            let connection = Connection { number: opened.fetch_add(1, Relaxed), inner };
            *self.open() = Some(connection.clone());
            Ok(connection)
        };
        self.0.opening.join(open).await
    }

    /// Sends commands in one round trip. A connection on which one got no answer is not used again.
    pub(crate) async fn query<T: FromRedisValue>(
        &self,
        connection: &Connection,
        commands: &Pipeline,
    ) -> Result<T, RedisError> {
        let mut inner = connection.inner.clone();
        let answer = commands.query_async(&mut inner).await;
        if answer.as_ref().is_err_and(|error: &RedisError| {
            error.is_timeout() || error.is_io_error() || error.is_unrecoverable_error()
        }) {
            self.open().take_if(|open| open.number == connection.number);
        }
        answer
    }

    /// Never across an await.
    fn open(&self) -> MutexGuard<'_, Option<Connection>> {
        locked(&self.0.open)
    }
}

/// The address may hold a password.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redis([redacted])")
    }
}
