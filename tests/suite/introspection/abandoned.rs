//! Questions that end without an answer: the runtime that was to ask them ends.

use super::*;

use std::pin::pin;
use std::task::Poll;

use tokio::runtime::Builder;

/// Begins to ask about these tokens on a runtime that ends before anything is sent.
async fn abandon(auth: &ResourceServer, tokens: Vec<String>) {
    let auth = auth.clone();
    let begun = tokio::task::spawn_blocking(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for token in tokens {
                let token = BearerToken::parse(&token).unwrap();
                let mut cx = Context::from_waker(Waker::noop());
                let answer = pin!(auth.verify(&token)).poll(&mut cx);
                assert!(matches!(answer, Poll::Pending), "{answer:?}");
            }
        });
    });
    begun.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_that_were_never_polled_give_their_places_back() {
    let kit = Opaque::with(|asked| asked.max_in_flight(8)).await;
    for _ in 0..2 {
        let tokens: Vec<_> = (0..8).map(|_| kit.token()).collect();
        abandon(&kit.auth, tokens.clone()).await;
        assert_eq!(kit.asked(), 0);
    }
    let token = kit.token();
    abandon(&kit.auth, vec![token.clone()]).await;
    // Another token, and one whose introspection failed.
    kit.call(&kit.token()).await.unwrap();
    kit.call(&token).await.unwrap();
    assert_eq!(kit.asked(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_that_was_never_sent_is_made_by_the_next_call() {
    let kit = Opaque::start().await;
    kit.issuer.fail(Endpoint::Introspection, Fault::Status(500));
    for _ in 0..5 {
        assert_unavailable(kit.call(&kit.token()).await);
    }
    kit.issuer.heal();
    assert_unavailable(kit.call(&kit.token()).await);
    kit.advance(5 * SECOND);
    abandon(&kit.auth, vec![kit.token()]).await;
    kit.call(&kit.token()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_wait_for_a_runtime_that_ends_are_served() {
    let kit = Opaque::start().await;
    let token = kit.token();
    kit.issuer.fail(Endpoint::Introspection, Fault::Hang);
    let ending = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let call = || {
        let (auth, token) = (kit.auth.clone(), token.clone());
        async move { with(&auth, &token).await }
    };
    ending.spawn(call());
    until("it is asked about", async || kit.asked() == 1).await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        calls.spawn(call());
    }
    settle().await;
    assert_eq!(kit.asked(), 1);
    kit.issuer.heal();
    ending.shutdown_background();
    for answer in calls.join_all().await {
        answer.unwrap();
    }
    assert_eq!(kit.asked(), 2);
}
