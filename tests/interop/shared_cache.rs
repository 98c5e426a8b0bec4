//! Replicas that share answers through a Redis, which can be killed, frozen and written to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use grpc_auth::testing::ManualClock;
use grpc_auth::{Introspection, IntrospectionCache, Issuer, ResourceServer};
use tests::callers::{until, with};
use tests::logs::Logs;
use tokio::task::JoinSet;

use crate::introspection::{OPAQUE, assert_invalid, client};
use crate::parts::{AUDIENCE, CLIENT, OidcProvider, Redis};

const SECOND: Duration = Duration::from_secs(1);
const KEY: [u8; 32] = [7; 32];

/// An authorization server, a Redis, and a clock for the replicas.
struct Shared {
    issuer: OidcProvider,
    redis: Redis,
    /// The address of Redis for the replicas.
    url: String,
    clock: ManualClock,
}

impl Shared {
    async fn start() -> Self {
        let (issuer, redis) = (OidcProvider::start().await, Redis::start().await);
        let url = redis.url();
        Self { issuer, redis, url, clock: ManualClock::new() }
    }

    /// A server that knows nothing yet but the address of Redis.
    async fn replica(&self, key: [u8; 32], cache: IntrospectionCache) -> ResourceServer {
        let redis = grpc_auth::Redis::new(&self.url).unwrap();
        let asked = Introspection::new(client()).cache(cache).shared_cache(&redis, key);
        let issuer = Issuer::discover(self.issuer.issuer()).introspection(asked);
        let builder = ResourceServer::builder().issuer(issuer).audience(AUDIENCE);
        builder.clock(self.clock.clone()).build().await.unwrap()
    }

    async fn fresh(&self) -> ResourceServer {
        self.replica(KEY, IntrospectionCache::default()).await
    }

    async fn token(&self) -> String {
        self.issuer.token(CLIENT, "read:word", OPAQUE).await
    }

    async fn asked(&self) -> u64 {
        self.issuer.requests("introspection").await
    }

    async fn redis(&self, command: &str) -> String {
        self.redis.command(command).await.unwrap().unwrap_or_default()
    }

    /// It is written to in the background.
    async fn holds(&self, entries: u32) {
        let entries = entries.to_string();
        until("it is written", async || self.redis("DBSIZE").await == entries).await;
    }
}

#[tokio::test]
async fn a_redis_is_killed_and_comes_back_empty_at_the_same_address() {
    let mut redis = Redis::start().await;
    let (url, first) = (redis.url(), redis.id());
    assert_eq!(redis.command("PING").await.unwrap().as_deref(), Some("PONG"));
    assert_eq!(redis.command("SET key value PX 60000").await.unwrap().as_deref(), Some("OK"));
    assert_eq!(redis.command("GET key").await.unwrap().as_deref(), Some("value"));
    redis.kill();
    assert!(redis.command("PING").await.is_err());
    redis.restart().await;
    assert_eq!(redis.command("GET key").await.unwrap(), None);
    assert_eq!((redis.url(), redis.id() == first), (url, false));
}

#[tokio::test]
async fn what_one_replica_asked_the_others_know_as_long_as_it_does() {
    let shared = Shared::start().await;
    let token = shared.token().await;
    with(&shared.fresh().await, &token).await.unwrap();
    shared.holds(1).await;
    // Each learns it later, and none caches it longer.
    shared.issuer.revoke(&token).await;
    shared.clock.advance(59 * SECOND);
    let late = shared.fresh().await;
    with(&late, &token).await.unwrap();
    assert_eq!(shared.asked().await, 1);
    shared.clock.advance(SECOND);
    assert_invalid(with(&late, &token).await);
    assert_eq!(shared.asked().await, 2);
    // Its entry is replaced by a note that it ended, for as long as such an entry could live. Redis
    // counts time by its own clock.
    until("it is removed", async || {
        shared.redis("DBSIZE").await == "1"
            && shared.redis("RANDOMKEY").await.ends_with(":inactive")
    })
    .await;
    let name = shared.redis("RANDOMKEY").await;
    let left: u64 = shared.redis(&format!("PTTL {name}")).await.parse().unwrap();
    assert!((1..=65_000).contains(&left), "{left} ms");

    // Otherwise it is not shared that a token is rejected: unknown tokens take no room there.
    assert_invalid(with(&shared.fresh().await, "junk").await);
    assert_invalid(with(&shared.fresh().await, &token).await);
    assert_eq!(shared.asked().await, 4);
    assert_eq!(shared.redis("DBSIZE").await, "1");
}

#[tokio::test]
async fn a_clock_that_goes_back_does_not_revive_a_token_that_was_revoked() {
    for back in [SECOND / 20, 10 * SECOND, 60 * SECOND] {
        let shared = Shared::start().await;
        let (token, first) = (shared.token().await, shared.fresh().await);
        with(&first, &token).await.unwrap();
        shared.holds(1).await;
        let name = shared.redis("RANDOMKEY").await;
        assert_eq!(shared.redis(&format!("COPY {name} late")).await, "1");
        shared.issuer.revoke(&token).await;
        shared.clock.advance(60 * SECOND);
        assert_invalid(with(&first, &token).await);
        until("it is removed", async || shared.redis(&format!("EXISTS {name}")).await == "0").await;
        shared.clock.rewind(back);
        assert_invalid(with(&first, &token).await);
        assert_invalid(with(&shared.fresh().await, &token).await);
        // A slow replica writes what it was told before.
        assert_eq!(shared.redis(&format!("COPY late {name}")).await, "1");
        assert_invalid(with(&shared.fresh().await, &token).await);
    }
}

/// The one in the documentation of `Redis`.
#[tokio::test]
async fn a_user_of_its_own_may_do_what_the_cache_needs() {
    let logs = Logs::capture();
    let mut shared = Shared::start().await;
    shared.url = shared.redis.url_of_own_user().await;
    let token = shared.token().await;
    with(&shared.fresh().await, &token).await.unwrap();
    shared.holds(1).await;
    with(&shared.fresh().await, &token).await.unwrap();
    assert_eq!(shared.asked().await, 1);
    shared.issuer.revoke(&token).await;
    shared.clock.advance(60 * SECOND);
    assert_invalid(with(&shared.fresh().await, &token).await);
    until("it is removed", async || shared.redis("RANDOMKEY").await.ends_with(":inactive")).await;
    assert!(!logs.text().contains("Redis does not serve"), "{}", logs.text());
}

#[tokio::test]
async fn whoever_reads_redis_learns_nothing_and_whoever_writes_it_opens_nothing() {
    let shared = Shared::start().await;
    let token = shared.token().await;
    with(&shared.fresh().await, &token).await.unwrap();
    shared.holds(1).await;
    let good = shared.redis("RANDOMKEY").await;
    let entry = shared.redis(&format!("GET {good}")).await;
    let signs = [&*token, "active", "read:word", AUDIENCE, "svc", shared.issuer.issuer()];
    for sign in signs {
        assert!(!good.contains(sign) && !entry.contains(sign), "{sign:?} is in Redis");
    }

    // The entry of a good token under the name of a bad one.
    let bad = shared.token().await;
    with(&shared.fresh().await, &bad).await.unwrap();
    shared.holds(2).await;
    shared.issuer.revoke(&bad).await;
    let mut junk = good.clone();
    while junk == good {
        junk = shared.redis("RANDOMKEY").await;
    }
    assert_eq!(shared.redis(&format!("COPY {good} {junk} REPLACE")).await, "1");
    let before = shared.asked().await;
    assert_invalid(with(&shared.fresh().await, &bad).await);
    assert_eq!(shared.asked().await, before + 1);

    // An entry that this crate did not write.
    assert_eq!(shared.redis(&format!("SET {good} '{{\"active\":true}}'")).await, "OK");
    with(&shared.fresh().await, &token).await.unwrap();
    assert_eq!(shared.asked().await, before + 2);

    // Replicas with another key share nothing.
    let stranger = shared.replica([8; 32], IntrospectionCache::default()).await;
    with(&stranger, &token).await.unwrap();
    assert_eq!(shared.asked().await, before + 3);
}

/// Connections stay open, and nothing is answered.
#[tokio::test]
async fn a_redis_that_hangs_is_done_without() {
    let logs = Logs::capture();
    let shared = Shared::start().await;
    let token = shared.token().await;
    with(&shared.fresh().await, &token).await.unwrap();
    shared.holds(1).await;
    shared.redis("CLIENT PAUSE 600000 ALL").await;
    let before = shared.asked().await;
    let calls = async {
        with(&shared.fresh().await, &token).await.unwrap();
        assert_invalid(with(&shared.fresh().await, "junk").await);
    };
    // For a test that fails.
    tokio::time::timeout(30 * SECOND, calls).await.unwrap();
    assert_eq!(shared.asked().await, before + 2);
    assert!(logs.text().contains("Redis does not serve the shared introspection cache"));
}

#[tokio::test]
async fn a_redis_that_is_killed_and_restarted_under_load_costs_no_call_and_no_decision() {
    let mut shared = Shared::start().await;
    let (good, revoked) = (shared.token().await, shared.token().await);
    shared.issuer.revoke(&revoked).await;
    let (calls, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut load = JoinSet::new();
    // Nothing is remembered but in Redis: every call goes there.
    let mut cache = IntrospectionCache::default();
    (cache.active_entries, cache.inactive_entries) = (0, 0);
    for _ in 0..2 {
        let replica = shared.replica(KEY, cache).await;
        for (token, allowed) in [(&good, true), (&revoked, false), (&"junk".to_owned(), false)] {
            let (replica, token) = (replica.clone(), token.clone());
            let (calls, stop) = (Arc::clone(&calls), Arc::clone(&stop));
            load.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = with(&replica, &token).await;
                    if allowed {
                        answer.unwrap();
                    } else {
                        assert_invalid(answer);
                    }
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    }
    let more = async |wanted: u64| {
        let enough = calls.load(Ordering::Relaxed) + wanted;
        until("calls are made", async || {
            tokio::task::yield_now().await;
            calls.load(Ordering::Relaxed) >= enough
        })
        .await;
    };
    for _ in 0..3 {
        more(200).await;
        shared.redis.kill();
        let before = shared.asked().await;
        more(200).await;
        assert!(shared.asked().await >= before + 100, "calls are answered without Redis");
        shared.redis.restart().await;
        more(200).await;
        // It was left alone for a while; a question may take as long, so not all of it at once.
        until("it is used again", async || {
            shared.clock.advance(SECOND);
            more(50).await;
            shared.redis("DBSIZE").await == "1"
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    load.join_all().await;
}
