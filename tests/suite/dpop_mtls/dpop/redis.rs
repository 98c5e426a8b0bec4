//! Used proofs in Redis, where several replicas answer one address.

use std::time::Duration;

use grpc_auth::{ConfigError, Dpop, Redis, RedisReplayStore};
use tests::callers::until;
use tests::resp::FakeRedis;
use tests::sender::{Doors, Expected, UNARY};
use tests::serve;

use super::dpop;
use super::restart::restart;

const SECOND: Duration = Duration::from_secs(1);

fn shared(redis: &FakeRedis) -> Dpop {
    dpop().replay_store(RedisReplayStore::new(&Redis::new(&redis.url()).unwrap()))
}

#[tokio::test]
async fn a_proof_is_used_once_at_all_replicas() {
    let redis = FakeRedis::start().await;
    let mut doors = Doors::start(shared(&redis)).await;
    let replica = doors.issuer.resource_server().dpop(shared(&redis)).build().await.unwrap();
    let token = doors.token();
    let authorization = format!("DPoP {token}");
    let (proof, other) = (doors.proof(&token), doors.proof(&token));
    assert!(doors.prove(&token, &proof).await.is_ok());
    doors.refuses(&authorization, &[&proof], Expected::Proof, "was used before").await;
    doors.connect(serve(replica.protect(doors.handlers.clone())).await);
    doors.refuses(&authorization, &[&proof], Expected::Proof, "was used before").await;
    assert!(doors.prove(&token, &other).await.is_ok());

    // A hash, and for how long: a minute for the proof, and one for clocks that differ.
    let commands = redis.commands();
    assert_eq!(commands.len(), 4);
    for command in &commands {
        let id = command.strip_prefix("SET grpc-auth:dpop:").unwrap();
        let (id, rest) = id.split_at(43);
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(rest, " 1 NX PX 120000");
    }
    assert_eq!(commands[0], commands[1]);
    assert_eq!(commands[0], commands[2]);
    assert_ne!(commands[0], commands[3]);
}

#[tokio::test]
async fn while_redis_is_away_calls_with_proofs_are_answered_unavailable() {
    let mut redis = FakeRedis::start().await;
    let doors = Doors::start(shared(&redis)).await;
    let token = doors.token();
    let authorization = format!("DPoP {token}");
    let used = doors.proof(&token);
    assert!(doors.prove(&token, &used).await.is_ok());

    redis.kill().await;
    let cause = "the store of used DPoP proofs does not answer: Redis";
    for _ in 0..3 {
        let proof = doors.proof(&token);
        doors.refuses(&authorization, &[&proof], Expected::Unavailable, cause).await;
        doors.refuses(&authorization, &[&used], Expected::Unavailable, cause).await;
    }
    // Nothing else depends on it.
    let plain = doors.issuer.token().scopes(["read:word"]).sign();
    assert!(doors.call(&format!("Bearer {plain}"), &[]).await.is_ok());

    redis.restart().await;
    until("it is connected again", async || {
        doors.prove(&token, &doors.proof(&token)).await.is_ok()
    })
    .await;
    doors.refuses(&authorization, &[&used], Expected::Proof, "was used before").await;
}

#[tokio::test]
async fn a_redis_that_is_full_or_hangs_lets_nobody_in() {
    let redis = FakeRedis::start().await;
    let doors = Doors::start(shared(&redis)).await;
    let token = doors.token();
    let authorization = format!("DPoP {token}");
    for (answer, cause) in [
        ("-OOM command not allowed when used memory > 'maxmemory'.", "Redis refuses the command"),
        ("", "Redis takes longer than 0.5 s"),
    ] {
        redis.fail(Some(answer));
        let proof = doors.proof(&token);
        doors.refuses(&authorization, &[&proof], Expected::Unavailable, cause).await;
    }
}

#[tokio::test]
async fn a_server_starts_without_its_redis() {
    let mut redis = FakeRedis::start().await;
    redis.kill().await;
    let doors = Doors::start(shared(&redis)).await;
    let token = doors.token();
    let cause = "does not answer: Redis cannot be reached";
    let proof = doors.proof(&token);
    doors.refuses(&format!("DPoP {token}"), &[&proof], Expected::Unavailable, cause).await;
    redis.restart().await;
    until("it is connected", async || doors.prove(&token, &doors.proof(&token)).await.is_ok())
        .await;
}

const BEFORE: &str = "was made before this server, or the store in `Dpop::replay_store`, began to";
const AT_START: &str = "may have been used before this server, or the store in";

/// The proofs are still there.
#[tokio::test]
async fn a_restart_of_a_server_forgets_nothing() {
    let redis = FakeRedis::start().await;
    let mut doors = Doors::start(shared(&redis)).await;
    let token = doors.token();
    let authorization = format!("DPoP {token}");
    let (used, unused) = (doors.proof(&token), doors.proof(&token));
    assert!(doors.prove(&token, &used).await.is_ok());
    doors.issuer.clock().advance(SECOND);
    restart(&mut doors, shared(&redis)).await;
    doors.refuses(&authorization, &[&used], Expected::Proof, "was used before").await;
    assert!(doors.prove(&token, &unused).await.is_ok());
}

#[tokio::test]
async fn a_redis_that_was_restarted_without_its_data_makes_no_proof_fresh() {
    let mut redis = FakeRedis::start().await;
    let mut doors = Doors::start(shared(&redis)).await;
    let token = doors.token();
    let authorization = format!("DPoP {token}");
    let used = doors.proof(&token);
    let ahead = doors.key.proof(UNARY, &token).issued_at(doors.issuer.clock().now() + 3 * SECOND);
    let ahead = ahead.sign();
    assert!(doors.prove(&token, &used).await.is_ok());
    assert!(doors.prove(&token, &ahead).await.is_ok());

    doors.issuer.clock().advance(SECOND);
    redis.restart_empty().await;
    // At the replica that was connected before.
    until("it is connected again", async || {
        doors.prove(&token, &doors.proof(&token)).await.is_ok()
    })
    .await;
    doors.refuses(&authorization, &[&used], Expected::Proof, BEFORE).await;
    doors.refuses(&authorization, &[&ahead], Expected::Nonce, AT_START).await;
    // At a replica that never saw the Redis from before.
    redis.restart_empty().await;
    doors.issuer.clock().advance(SECOND);
    redis.set_uptime(Some(1));
    restart(&mut doors, shared(&redis)).await;
    doors.refuses(&authorization, &[&used], Expected::Proof, BEFORE).await;
    doors.refuses(&authorization, &[&ahead], Expected::Nonce, AT_START).await;
    doors.issuer.clock().advance(5 * SECOND);
    assert!(doors.prove(&token, &doors.proof(&token)).await.is_ok());
}

/// A connection that was lost is no loss of data.
#[tokio::test]
async fn the_same_run_of_a_redis_remembers_across_connections() {
    let mut redis = FakeRedis::start().await;
    let doors = Doors::start(shared(&redis)).await;
    let token = doors.token();
    let (first, second) = (doors.proof(&token), doors.proof(&token));
    assert!(doors.prove(&token, &first).await.is_ok());
    // Of two runs that are not said, the second is not the first.
    for says_its_run in [true, false, false] {
        redis.set_uptime(says_its_run.then_some(3600));
        // More than clocks may differ: what the memory holds since then is not asked for a nonce.
        doors.issuer.clock().advance(6 * SECOND);
        redis.kill().await;
        redis.restart().await;
        until("it is connected again", async || {
            doors.prove(&token, &doors.proof(&token)).await.is_ok()
        })
        .await;
        let proof = if says_its_run {
            &second
        } else {
            &doors.key.proof(UNARY, &token).issued_at(doors.issuer.clock().now() - SECOND).sign()
        };
        let answer = doors.prove(&token, proof).await;
        // A server that does not say which run it is may be another one.
        assert_eq!(answer.is_ok(), says_its_run, "{answer:?}");
    }
}

/// Its answer comes when others are awaited.
#[tokio::test]
async fn a_late_answer_is_not_taken_for_that_of_another_call() {
    let redis = FakeRedis::start().await;
    let doors = Doors::start(shared(&redis)).await;
    let token = doors.token();
    let authorization = format!("DPoP {token}");
    let used = doors.proof(&token);
    assert!(doors.prove(&token, &used).await.is_ok());
    assert_eq!(redis.connections(), 1);
    redis.hold(true);
    let (late, cause) = (doors.proof(&token), "Redis takes longer than 0.5 s");
    doors.refuses(&authorization, &[&late], Expected::Unavailable, cause).await;
    redis.hold(false);
    // `OK` is on its way, on a connection that is used no more.
    doors.refuses(&authorization, &[&used], Expected::Proof, "was used before").await;
    doors.refuses(&authorization, &[&late], Expected::Proof, "was used before").await;
    assert!(doors.prove(&token, &doors.proof(&token)).await.is_ok());
    assert_eq!(redis.connections(), 2);
}

#[tokio::test]
async fn an_address_that_is_none_is_said_without_repeating_it() {
    for address in ["", "localhost", "http://:hunter2@localhost/", "redis://:hunter2@[/"] {
        let error = Redis::new(address).unwrap_err();
        assert!(
            matches!(error, ConfigError::Setting { of: "Redis", setting: "address", .. }),
            "{address}: {error}"
        );
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2") && text.contains("write it like `redis://"), "{text}");
    }
    let redis = Redis::new("redis://:hunter2@127.0.0.1:1/").unwrap();
    assert_eq!(format!("{redis:?}"), "Redis([redacted])");
}
