//! A token that is no longer active: what was known of it before never counts again.

use super::*;

use tests::resp::FakeRedis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// By how much the clock goes back after the inactive answer.
const BACK: [Duration; 5] =
    [Duration::from_millis(50), SECOND, Duration::from_secs(10), Duration::from_secs(59), MINUTE];
const MINUTE: Duration = Duration::from_secs(60);
const KEY: [u8; 32] = [7; 32];

fn shared(asked: Introspection, redis: &FakeRedis) -> Introspection {
    asked.shared_cache(&Redis::new(&redis.url()).unwrap(), KEY)
}

/// A server that knows nothing yet but the address of Redis.
async fn replica(kit: &Opaque, redis: &FakeRedis) -> ResourceServer {
    let asked = shared(Introspection::new(client()), redis);
    Opaque::server(&kit.issuer, Issuer::discover(kit.issuer.url()).introspection(asked)).await
}

#[tokio::test]
async fn a_clock_that_goes_back_does_not_revive_it() {
    for back in BACK {
        let kit = Opaque::start().await;
        let token = kit.token();
        kit.call(&token).await.unwrap();
        kit.issuer.revoke(&token);
        kit.advance(MINUTE);
        assert_invalid(kit.call(&token).await);
        kit.issuer.clock().rewind(back);
        assert_invalid(kit.call(&token).await);
        assert_eq!(kit.asked(), 3, "{back:?}");
    }
}

/// The answer of before is still in Redis, which counts time by its own clock.
#[tokio::test]
async fn a_clock_that_goes_back_does_not_revive_it_at_another_replica() {
    for back in BACK {
        let redis = FakeRedis::start().await;
        let kit = Opaque::with(|asked| shared(asked, &redis)).await;
        let token = kit.token();
        kit.call(&token).await.unwrap();
        until("it is shared", async || redis.values().len() == 1).await;
        let active = redis.values();
        kit.issuer.revoke(&token);
        kit.advance(MINUTE);
        assert_invalid(kit.call(&token).await);
        let removed = async |times| {
            let removals = || redis.commands().into_iter().filter(|done| done.starts_with("DEL "));
            until("it is removed", async || removals().count() == times).await;
        };
        removed(1).await;
        assert_eq!(redis.values().len(), 1);
        kit.issuer.clock().rewind(back);
        assert_invalid(with(&replica(&kit, &redis).await, &token).await);
        removed(2).await;
        // A slow replica writes what it was told before.
        for (name, entry) in active {
            redis.write(&name, entry);
        }
        assert_invalid(with(&replica(&kit, &redis).await, &token).await);
        assert_eq!(kit.asked(), 4, "{back:?}");
    }
}

/// Written late to a Redis that holds no note of its end.
#[tokio::test]
async fn a_replica_does_not_take_an_answer_that_is_older_than_its_own() {
    let redis = FakeRedis::start().await;
    let kit = Opaque::with(|asked| shared(asked, &redis)).await;
    let token = kit.token();
    kit.call(&token).await.unwrap();
    until("it is shared", async || redis.values().len() == 1).await;
    let others = FakeRedis::start().await;
    let other = replica(&kit, &others).await;
    kit.issuer.revoke(&token);
    kit.advance(SECOND);
    assert_invalid(with(&other, &token).await);
    for (name, entry) in redis.values() {
        others.write(&name, entry);
    }
    // It is introspected again, and the entry lives for longer.
    kit.advance(10 * SECOND);
    let before = others.reads().len();
    assert_invalid(with(&other, &token).await);
    assert!(others.reads().len() > before);
    assert_eq!(kit.asked(), 3);
}

#[tokio::test]
async fn a_token_that_is_active_again_is_accepted_and_shared() {
    let redis = FakeRedis::start().await;
    let kit = Opaque::with(|asked| shared(asked, &redis)).await;
    let token = kit.token();
    kit.call(&token).await.unwrap();
    kit.issuer.set_introspection_response(Some(r#"{"active":false}"#.into()));
    kit.advance(MINUTE);
    assert_invalid(kit.call(&token).await);
    kit.issuer.set_introspection_response(None);
    kit.advance(10 * SECOND);
    kit.call(&token).await.unwrap();
    until("it is shared", async || redis.values().len() == 2).await;
    let before = kit.asked();
    with(&replica(&kit, &redis).await, &token).await.unwrap();
    assert_eq!(kit.asked(), before);
}

#[tokio::test]
async fn tokens_that_were_never_active_take_no_room_in_redis() {
    let redis = FakeRedis::start().await;
    let kit = Opaque::with(|asked| shared(asked, &redis)).await;
    assert_invalid(kit.call("nobodys").await);
    let token = kit.token();
    kit.call(&token).await.unwrap();
    until("the other is shared", async || !redis.commands().is_empty()).await;
    assert_eq!(redis.values().len(), 1);
    assert_eq!(redis.commands().len(), 1);
}

/// 16 KiB of answer, and what seals it.
#[tokio::test]
async fn no_more_is_read_from_redis_than_an_entry_can_have() {
    let redis = FakeRedis::start().await;
    let kit = Opaque::with(|asked| shared(asked, &redis)).await;
    let token = kit.token();
    kit.call(&token).await.unwrap();
    until("it is shared", async || redis.values().len() == 1).await;
    for name in redis.values().into_keys() {
        redis.write(&name, vec![0; 1 << 20]);
    }
    with(&replica(&kit, &redis).await, &token).await.unwrap();
    assert_eq!(kit.asked(), 2);
    assert_eq!(redis.reads().len(), 4);
    for read in redis.reads() {
        assert!(read.starts_with("GETRANGE grpc-auth:introspection:"), "{read}");
        assert!(read.ends_with(" 0 16428"), "{read}");
    }
}

#[tokio::test]
async fn one_call_probes_a_redis_that_failed_and_the_others_do_not_wait() {
    let redis = FakeRedis::start().await;
    let kit = Opaque::with(|asked| shared(asked, &redis)).await;
    redis.fail(Some(""));
    kit.call(&kit.token()).await.unwrap();
    for _ in 0..2 {
        let before = redis.reads().len();
        kit.advance(5 * SECOND);
        let mut calls = JoinSet::new();
        for _ in 0..20 {
            let (auth, token) = (kit.auth.clone(), kit.token());
            calls.spawn(async move { with(&auth, &token).await });
        }
        for answer in calls.join_all().await {
            answer.unwrap();
        }
        // Both entries of one token.
        assert!((1..=2).contains(&(redis.reads().len() - before)));
    }
}

/// More tokens may wait for Redis than questions may be asked.
#[tokio::test]
async fn only_so_many_questions_are_asked_also_if_replicas_share_what_they_know() {
    let redis = FakeRedis::start().await;
    let kit = Opaque::with(|asked| shared(asked, &redis).max_in_flight(3)).await;
    kit.issuer.fail(Endpoint::Introspection, Fault::Hang);
    let mut calls = JoinSet::new();
    for _ in 0..3 {
        let (auth, token) = (kit.auth.clone(), kit.token());
        calls.spawn(async move { with(&auth, &token).await });
    }
    until("three are asked about", async || kit.asked() == 3).await;
    let (auth, token) = (kit.auth.clone(), kit.token());
    let fourth = tokio::spawn(async move { with(&auth, &token).await });
    until("it is answered, or asked about", async || fourth.is_finished() || kit.asked() > 3).await;
    assert_eq!(kit.asked(), 3);
    assert_unavailable(fourth.await.unwrap());
}

/// An endpoint that answers "active", and only when the test asks it to.
async fn slow_endpoint() -> (String, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/introspect", listener.local_addr().unwrap());
    let ((asked, on_asked), (answer, on_answer)) = (oneshot::channel(), oneshot::channel());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        asked.send(()).unwrap();
        on_answer.await.unwrap();
        let aud = TestAuthorizationServer::AUDIENCE;
        let body = format!(r#"{{"active":true,"aud":"{aud}","scope":"read:word"}}"#);
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        stream.write_all((head + &body).as_bytes()).await.unwrap();
    });
    (url, on_asked, answer)
}

/// An active answer counts from when it was asked for: it may come after the end of the token.
#[tokio::test]
async fn a_slow_answer_from_before_the_end_revives_it_nowhere() {
    let redis = FakeRedis::start().await;
    let kit = Opaque::with(|asked| shared(asked, &redis)).await;
    let token = kit.token();
    kit.call(&token).await.unwrap();
    until("it is shared", async || redis.values().len() == 1).await;
    kit.advance(MINUTE);
    let (url, asked, answer) = slow_endpoint().await;
    let slow = shared(Introspection::new(client()).endpoint(url), &redis);
    let slow = Issuer::discover(kit.issuer.url()).introspection(slow);
    let slow = Opaque::server(&kit.issuer, slow).await;
    let waiting = tokio::spawn({
        let token = token.clone();
        async move { with(&slow, &token).await }
    });
    asked.await.unwrap();
    kit.issuer.revoke(&token);
    kit.advance(SECOND);
    assert_invalid(kit.call(&token).await);
    until("its end is noted", async || redis.commands().iter().any(|c| c.starts_with("DEL ")))
        .await;
    let before = redis.commands().len();
    kit.advance(SECOND);
    answer.send(()).unwrap();
    waiting.await.unwrap().unwrap();
    until("the slow answer is shared", async || redis.commands().len() > before).await;
    assert_invalid(with(&replica(&kit, &redis).await, &token).await);
}
