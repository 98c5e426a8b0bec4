//! DPoP proofs that replicas remember in a real Redis.

use std::time::Duration;

use grpc_auth::{Dpop, RedisReplayStore};
use tests::callers::until;
use tests::logs::Logs;
use tests::sender::{Doors, ORIGIN};
use tests::{assert_denied, serve};
use tonic::Code;

use crate::parts::Redis;

/// Redis counts the seconds since its start by another clock than the tests: none of them is asked
/// for a nonce for that.
fn shared(url: &str) -> impl Fn() -> Dpop + use<> {
    let store = RedisReplayStore::new(&grpc_auth::Redis::new(url).unwrap());
    move || {
        let dpop = Dpop::for_origins([ORIGIN]).clock_skew(Duration::ZERO);
        dpop.replay_store(store.clone())
    }
}

#[tokio::test]
async fn a_proof_is_used_once_at_all_replicas_and_never_unchecked() {
    let mut redis = Redis::start().await;
    let dpop = shared(&redis.url());
    let mut doors = Doors::start(dpop()).await;
    let replica = doors.issuer.resource_server().dpop(dpop()).build().await.unwrap();
    let token = doors.token();
    let (proof, other, third) = (doors.proof(&token), doors.proof(&token), doors.proof(&token));
    doors.prove(&token, &proof).await.unwrap();
    let again = doors.prove(&token, &proof).await;
    assert_denied(again, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    doors.connect(serve(replica.protect(doors.handlers.clone())).await);
    let elsewhere = doors.prove(&token, &proof).await;
    assert_denied(elsewhere, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    doors.prove(&token, &other).await.unwrap();

    redis.kill();
    let unchecked = doors.prove(&token, &third).await;
    assert_denied(unchecked, Code::Unavailable, "AUTH_BACKEND_UNAVAILABLE");
    redis.restart().await;
    until("Redis is used again", async || doors.prove(&token, &doors.proof(&token)).await.is_ok())
        .await;
}

/// At the replica that was connected, and at one that never saw the Redis from before.
#[tokio::test]
async fn a_redis_that_was_restarted_without_its_data_makes_no_proof_fresh() {
    let mut redis = Redis::start().await;
    let mut doors = Doors::start(shared(&redis.url())()).await;
    let token = doors.token();
    let used = doors.proof(&token);
    doors.prove(&token, &used).await.unwrap();

    doors.issuer.clock().advance(Duration::from_secs(30));
    redis.restart().await;
    until("Redis is used again", async || doors.prove(&token, &doors.proof(&token)).await.is_ok())
        .await;
    let again = doors.prove(&token, &used).await;
    assert_denied(again, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");

    redis.restart().await;
    let builder = doors.issuer.resource_server().dpop(shared(&redis.url())());
    let replica = builder.build().await.unwrap();
    doors.connect(serve(replica.protect(doors.handlers.clone())).await);
    let elsewhere = doors.prove(&token, &used).await;
    assert_denied(elsewhere, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    doors.prove(&token, &doors.proof(&token)).await.unwrap();
}

/// The one in the documentation of `Redis`.
#[tokio::test]
async fn a_user_of_its_own_may_do_what_the_store_needs() {
    let logs = Logs::capture();
    let redis = Redis::start().await;
    let doors = Doors::start(shared(&redis.url_of_own_user().await)()).await;
    let token = doors.token();
    let proof = doors.proof(&token);
    doors.prove(&token, &proof).await.unwrap();
    let again = doors.prove(&token, &proof).await;
    assert_denied(again, Code::Unauthenticated, "ACCESS_TOKEN_INVALID");
    assert!(!logs.text().contains("INFO server"), "{}", logs.text());
}
