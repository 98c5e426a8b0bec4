//! What happens when the endpoint, or what replicas share, fails or says nothing.

use super::*;

#[tokio::test]
async fn an_endpoint_that_fails_makes_calls_unavailable_and_is_soon_left_alone() {
    for fault in [
        Fault::Refuse,
        Fault::Reset,
        Fault::Status(500),
        Fault::Status(429),
        Fault::Html,
        Fault::Truncated,
        Fault::Redirect,
        Fault::Corrupt,
    ] {
        let kit = Opaque::start().await;
        let good = kit.token();
        kit.call(&good).await.unwrap();
        kit.issuer.fail(Endpoint::Introspection, fault);
        for n in 0..8 {
            assert_unavailable(kit.call(&kit.token()).await);
            assert_eq!(kit.asked(), 1 + (n + 1).min(5), "{fault:?}");
        }
        assert_eq!(kit.issuer.requests(Endpoint::Elsewhere), 0, "{fault:?}");
        // What was known is still known.
        kit.call(&good).await.unwrap();
        // One call in five seconds finds out whether it is well.
        kit.advance(5 * SECOND);
        assert_unavailable(kit.call(&kit.token()).await);
        assert_unavailable(kit.call(&kit.token()).await);
        assert_eq!(kit.asked(), 7, "{fault:?}");
        kit.issuer.heal();
        kit.advance(5 * SECOND);
        kit.call(&kit.token()).await.unwrap();
        kit.call(&kit.token()).await.unwrap();
    }
}

#[test]
fn a_gigabyte_is_not_read() {
    let memory = measure(|| {
        block_on(async {
            let kit = Opaque::start().await;
            kit.issuer.fail(Endpoint::Introspection, Fault::Huge);
            assert_unavailable(kit.call(&kit.token()).await);
        });
    });
    assert!(memory.bytes_max < 4 * 1024 * 1024, "{} bytes", memory.bytes_max);
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_given_five_seconds() {
    for fault in [Fault::Hang, Fault::Drip] {
        let kit = Opaque::start().await;
        kit.issuer.fail(Endpoint::Introspection, fault);
        let (auth, token) = (kit.auth.clone(), kit.token());
        let call = tokio::spawn(async move { with(&auth, &token).await });
        until("it is asked", async || kit.asked() == 1).await;
        settle().await;
        kit.advance(5 * SECOND - Duration::from_millis(1));
        settle().await;
        assert!(!call.is_finished(), "{fault:?}");
        kit.advance(Duration::from_millis(1));
        assert_unavailable(call.await.unwrap());
    }
}

#[tokio::test]
async fn only_so_many_questions_are_asked_at_a_time() {
    let kit = Opaque::with(|asked| asked.max_in_flight(3)).await;
    kit.issuer.fail(Endpoint::Introspection, Fault::Hang);
    let mut calls = JoinSet::new();
    for _ in 0..3 {
        let (auth, token) = (kit.auth.clone(), kit.token());
        calls.spawn(async move { with(&auth, &token).await });
    }
    until("three are asked about", async || kit.asked() == 3).await;
    let logs = Logs::capture();
    assert_unavailable(kit.call(&kit.token()).await);
    assert!(logs.line_with("call denied").contains("`Introspection::max_in_flight`"));
    assert_eq!(kit.asked(), 3);
}

#[tokio::test]
async fn a_client_that_is_not_accepted_is_the_operators_to_correct() {
    let kit = Opaque::start().await;
    kit.issuer.add_client("orders:api", "changed", [""; 0]);
    let logs = Logs::capture();
    assert_unavailable(kit.call(&kit.token()).await);
    // The question is asked by a task on this thread.
    let line = logs.line_with("could not be introspected");
    assert!(line.contains("does not accept this client (HTTP status 401)"), "{line}");
    assert!(!logs.text().contains("s3:cr"), "the secret is in the log");
}

/// Replicas share what they know through Redis; `tests/interop` has a real one.
#[tokio::test]
async fn a_redis_that_does_not_answer_changes_nothing() {
    let redis = Redis::new("redis://:canary@127.0.0.1:1/").unwrap();
    let kit = Opaque::with(|asked| asked.shared_cache(&redis, [7; 32])).await;
    let logs = Logs::capture();
    let token = kit.token();
    kit.call(&token).await.unwrap();
    kit.call(&token).await.unwrap();
    assert_eq!(kit.asked(), 1);
    assert_invalid(kit.call("nobodys").await);
    until("the log says so", async || logs.text().contains("shared introspection cache")).await;
    assert!(!format!("{} {redis:?}", logs.text()).contains("canary"));
}

/// Nothing is known of the endpoint yet, and no token is sent to find that out.
#[tokio::test]
async fn metadata_that_is_not_there_is_soon_left_alone() {
    for fault in [Fault::Status(404), Fault::Status(403)] {
        let kit = Opaque::start().await;
        kit.issuer.fail(Endpoint::Discovery, fault);
        let logs = Logs::capture();
        for _ in 0..5 {
            assert_unavailable(kit.call(&kit.token()).await);
        }
        assert!(
            logs.text().contains("the issuer's metadata, which names the introspection endpoint")
        );
        let asked = kit.issuer.requests(Endpoint::Discovery);
        for _ in 0..5 {
            assert_unavailable(kit.call(&kit.token()).await);
        }
        assert_eq!(kit.issuer.requests(Endpoint::Discovery), asked, "{fault:?}");
        kit.issuer.heal();
        kit.advance(5 * SECOND);
        kit.call(&kit.token()).await.unwrap();
    }
}
