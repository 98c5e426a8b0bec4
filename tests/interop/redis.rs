//! The shared store: a real one, which can be killed.

use crate::parts::Redis;

#[tokio::test]
async fn a_redis_is_killed_and_comes_back_empty_at_the_same_address() {
    let mut redis = Redis::start().await;
    let (url, first) = (redis.url(), redis.id());
    assert_eq!(redis.command("PING").await.unwrap().as_deref(), Some("PONG"));
    assert_eq!(redis.command("SET key value PX 1000").await.unwrap().as_deref(), Some("OK"));
    assert_eq!(redis.command("GET key").await.unwrap().as_deref(), Some("value"));
    redis.kill();
    assert!(redis.command("PING").await.is_err());
    redis.restart().await;
    assert_eq!(redis.command("GET key").await.unwrap(), None);
    assert_eq!((redis.url(), redis.id() == first), (url, false));
}
