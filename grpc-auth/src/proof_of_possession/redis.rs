//! Used proofs in Redis.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use redis::{ExistenceCheck, Pipeline, RedisError, SetExpiry, SetOptions};

use super::replay::{DpopProofId, ReplayStore, ReplayStoreError};
use crate::lock::locked;
use crate::redis::{Connection, Redis};

/// By so much the clocks of replicas may differ: a proof is remembered for longer than it counts at
/// the replica that saw it first.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(60);

/// Remembers used DPoP proofs in Redis, for replicas that answer one address (feature `redis`).
///
/// A proof is a key `grpc-auth:dpop:..` with a time to live, written with `SET .. NX PX`; it holds a
/// hash and nothing secret. While Redis does not answer, calls with proofs are answered
/// UNAVAILABLE; nothing is let in unchecked.
///
/// # When Redis loses data
/// Proofs that Redis lost could be used again. So each new connection asks it for its run id and its
/// uptime (`INFO server`). Proofs are remembered since Redis was started; if the run id is another
/// than on the connection before, since that was noticed: Redis was restarted, or another server
/// took over. For what that means for clients see [`Dpop`](crate::Dpop#restarts). Where the user
/// may not send `INFO`, each new connection counts as a restart.
///
/// A restart counts as a loss of all proofs, whatever Redis is configured to keep: with
/// `appendonly yes` and `appendfsync everysec` it loses the last second, with snapshots (`save`)
/// minutes. Only `appendfsync always` loses nothing, and costs a disk write a call. So nothing needs
/// to be kept: `appendonly no` and `save ""` serve well in a Redis of its own.
///
/// Two losses do not show, so configuration has to prevent them:
/// - Set `maxmemory-policy` to `noeviction`: with another one Redis deletes proofs when memory is
///   short. With it, calls are answered UNAVAILABLE.
/// - Do not send `FLUSHDB` or `FLUSHALL` while servers run: see
///   [`Redis`](crate::Redis#securing-it) for a user that cannot.
///
/// Redis replicates after it answers: a failover may lose the proofs of its last moment. Servers that
/// were connected before notice it by the run id. A server that starts after the failover cannot, and
/// trusts the uptime of the new primary: its clients could use a proof of that moment again. The clocks of replicas have to agree: by as much as they differ, a proof of
/// a client whose clock is ahead may be used again after Redis lost its data.
///
/// There is no share for each key here; what one key can fill is bounded by the time to live and the
/// rate at which it may call.
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
    /// What is known of the server; the clones of a store share it.
    run: Arc<Mutex<Option<Run>>>,
}

/// One run of a Redis server, from its start to its end.
#[derive(Debug)]
struct Run {
    /// Its `run_id`. `None` if it does not say.
    id: Option<String>,
    /// The number of the connection that asked for it.
    connection: u64,
    /// Since when it remembers proofs.
    since: SystemTime,
}

/// What `INFO server` says of a run.
#[derive(Default)]
struct Info {
    id: Option<String>,
    uptime: Option<Duration>,
}

impl RedisReplayStore {
    /// Remembers proofs in this Redis.
    #[must_use]
    pub fn new(redis: &Redis) -> Self {
        Self { redis: redis.clone(), run: Arc::default() }
    }

    /// Asks which run of the server this connection is to, unless that is known.
    async fn know_run(
        &self,
        connection: &Connection,
        proof: &DpopProofId,
    ) -> Result<(), RedisError> {
        if self.run().as_ref().is_some_and(|run| run.connection == connection.number) {
            return Ok(());
        }
        let mut info = Pipeline::new();
        info.cmd("INFO").arg("server");
        let info = match self.redis.query::<(String,)>(connection, &info).await {
            Ok((text,)) => Info::read(&text),
            Err(error) if error.is_io_error() => return Err(error),
            Err(_) => {
                tracing::warn!(
                    target: "grpc_auth",
                    "Redis does not answer `INFO server`: each new connection counts as a restart of \
                     Redis that lost the used DPoP proofs; give the user `+info`"
                );
                Info::default()
            }
        };
        let now = proof.clock.now();
        let mut run = self.run();
        let since = match &*run {
            Some(run) if run.id.is_some() && run.id == info.id => run.since,
            Some(_) => now,
            None => info.uptime.and_then(|uptime| now.checked_sub(uptime)).unwrap_or(now),
        };
        *run = Some(Run { id: info.id, connection: connection.number, since });
        Ok(())
    }

    /// Never across an await.
    fn run(&self) -> MutexGuard<'_, Option<Run>> {
        locked(&self.run)
    }
}

impl Info {
    fn read(text: &str) -> Self {
        let mut info = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.trim().split_once(':')) {
            match name {
                "run_id" => info.id = Some(value.to_owned()),
                "uptime_in_seconds" => info.uptime = value.parse().ok().map(Duration::from_secs),
                _ => {}
            }
        }
        info
    }
}

impl ReplayStore for RedisReplayStore {
    fn is_first_use<'s>(
        &'s self,
        proof: DpopProofId,
    ) -> Pin<Box<dyn Future<Output = Result<bool, ReplayStoreError>> + Send + 's>> {
        let lifetime = proof.expires_in() + CLOCK_DIFFERENCE;
        let milliseconds = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .with_expiration(SetExpiry::PX(milliseconds));
        let mut set = Pipeline::new();
        set.cmd("SET").arg(format!("grpc-auth:dpop:{}", proof.id())).arg(1).arg(options);
        Box::pin(async move {
            let connection = self.redis.connection().await.map_err(unavailable)?;
            self.know_run(&connection, &proof).await.map_err(unavailable)?;
            // `OK`, or nil if the key was there.
            let (written,): (Option<String>,) =
                self.redis.query(&connection, &set).await.map_err(unavailable)?;
            match written.as_deref() {
                Some("OK") => Ok(true),
                None => Ok(false),
                Some(_) => Err(ReplayStoreError::Unavailable("Redis answers nonsense")),
            }
        })
    }

    fn remembers_since(&self) -> Option<SystemTime> {
        self.run().as_ref().map(|run| run.since)
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
