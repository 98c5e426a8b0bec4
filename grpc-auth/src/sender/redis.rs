//! Used proofs in Redis.

use std::pin::Pin;
use std::time::Duration;

use redis::{ExistenceCheck, RedisError, SetExpiry, SetOptions, cmd};

use super::replay::{ReplayStore, ReplayStoreError, UsedProof};
use crate::redis::Redis;

/// By so much the clocks of replicas may differ: a proof is remembered for longer than it counts at
/// the replica that saw it first.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(60);

/// Remembers used DPoP proofs in Redis, for replicas that answer one address (feature `redis`).
///
/// A proof is a key `grpc-auth:dpop:..` with a time to live, written with `SET .. NX PX`; it holds a
/// hash and nothing secret. While Redis does not answer, calls with proofs are answered
/// UNAVAILABLE; nothing is let in unchecked.
///
/// Set Redis's `maxmemory-policy` to `noeviction`: with another one it forgets proofs when memory is
/// short, and they could be used again. Redis replicates after it answers, so that a failover may
/// lose the proofs of its last moment. There is no share for each key here; what one key can fill is
/// bounded by the time to live and the rate at which it may call.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_auth::{Dpop, Redis, RedisReplayStore, ResourceServer};
///
/// let redis = Redis::new("redis://127.0.0.1:6379/")?;
/// let dpop = Dpop::for_origins(["https://echo.example.com"])
///     .replay_store(RedisReplayStore::new(&redis));
/// let auth = ResourceServer::auth0("tenant.eu.auth0.com", "https://echo.example.com")
///     .dpop(dpop)
///     .build()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RedisReplayStore {
    redis: Redis,
}

impl RedisReplayStore {
    /// Remembers proofs in this Redis.
    #[must_use]
    pub fn new(redis: &Redis) -> Self {
        Self { redis: redis.clone() }
    }
}

impl ReplayStore for RedisReplayStore {
    fn is_first_use<'s>(
        &'s self,
        proof: UsedProof,
    ) -> Pin<Box<dyn Future<Output = Result<bool, ReplayStoreError>> + Send + 's>> {
        let lifetime = proof.expires_in() + CLOCK_DIFFERENCE;
        let milliseconds = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .with_expiration(SetExpiry::PX(milliseconds));
        let mut command = cmd("SET");
        command.arg(format!("grpc-auth:dpop:{}", proof.id())).arg(1).arg(options);
        let mut connection = self.redis.connection();
        Box::pin(async move {
            // `OK`, or nil if the key was there.
            let written: Option<String> =
                command.query_async(&mut connection).await.map_err(unavailable)?;
            match written.as_deref() {
                Some("OK") => Ok(true),
                None => Ok(false),
                Some(_) => Err(ReplayStoreError::Unavailable("Redis answers nonsense")),
            }
        })
    }
}

/// In words of our own: the library's may name the address.
fn unavailable(error: RedisError) -> ReplayStoreError {
    let what = match error {
        error if error.is_timeout() => "Redis takes longer than 0.5 s",
        error if error.is_connection_refusal() || error.is_io_error() => "Redis cannot be reached",
        _ => "Redis refuses the command; its own log, or `redis-cli`, says why",
    };
    ReplayStoreError::Unavailable(what)
}
