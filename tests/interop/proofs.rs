//! DPoP proofs that replicas remember in a real Redis.

use grpc_auth::{Dpop, RedisReplayStore};
use tests::callers::until;
use tests::sender::{Doors, ORIGIN};
use tests::{assert_denied, serve};
use tonic::Code;

use crate::parts::Redis;

#[tokio::test]
async fn a_proof_is_used_once_at_all_replicas_and_never_unchecked() {
    let mut redis = Redis::start().await;
    let store = RedisReplayStore::new(&grpc_auth::Redis::new(&redis.url()).unwrap());
    let dpop = || Dpop::for_origins([ORIGIN]).replay_store(store.clone());
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
