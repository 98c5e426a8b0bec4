//! The warm path, and tokens that services refuse: what calls ask of a source besides a token.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use super::*;
use crate::clock::manual::ManualClock;

const SECOND: Duration = Duration::from_secs(1);

/// Tokens for an hour, numbered, and how many were asked for.
fn hourly(clock: &ManualClock) -> (TokenSource, Arc<AtomicU64>) {
    let asked = Arc::new(AtomicU64::new(0));
    let source = TokenSource::from_fn({
        let (asked, clock) = (Arc::clone(&asked), clock.clone());
        move || {
            let number = asked.fetch_add(1, SeqCst) + 1;
            let expires_at = clock.now() + 3600 * SECOND;
            async move {
                // Others get their turn.
                tokio::task::yield_now().await;
                let token = BearerToken::parse(&format!("token-{number}")).ok_or("no token")?;
                Ok::<_, &str>(AccessToken::bearer(token).expiring_at(expires_at))
            }
        }
    });
    (source.with_clock(clock.clone()), asked)
}

fn text(token: &AccessToken) -> &str {
    token.token().expose_secret()
}

#[tokio::test]
async fn a_warm_call_waits_for_nothing_and_a_stale_token_is_renewed_behind_it() {
    let clock = ManualClock::new();
    let (tokens, asked) = hourly(&clock);
    // Nothing is held: what is asked for is there soon.
    assert!(tokens.current().is_none());
    assert_eq!(text(&tokens.token().await.unwrap()), "token-1");
    assert_eq!(text(&tokens.current().unwrap()), "token-1");
    clock.advance(3299 * SECOND);
    tokens.current().unwrap();
    assert_eq!(asked.load(SeqCst), 1);

    clock.advance(40 * SECOND);
    for _ in 0..100 {
        assert_eq!(text(&tokens.current().unwrap()), "token-1");
    }
    while text(&tokens.current().unwrap()) == "token-1" {
        tokio::task::yield_now().await;
    }
    assert_eq!(asked.load(SeqCst), 2);
    clock.advance(3600 * SECOND);
    assert!(tokens.current().is_none());
    assert_eq!(text(&tokens.token().await.unwrap()), "token-3");
}

#[tokio::test]
async fn a_thousand_calls_that_are_refused_cause_one_new_token_and_all_get_it() {
    let clock = ManualClock::new();
    let (tokens, asked) = hourly(&clock);
    let old = tokens.token().await.unwrap();
    let calls = (0..1000).map(|number| {
        let (tokens, old) = (tokens.clone(), Arc::clone(&old));
        tokio::spawn(async move {
            // Some are refused while the new token is on its way, some when it is there.
            for _ in 0..number % 7 {
                tokio::task::yield_now().await;
            }
            assert!(tokens.reject(&old));
            text(&tokens.token().await.unwrap()).to_owned()
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), "token-2");
    }
    assert_eq!(asked.load(SeqCst), 2);

    // Services that refuse this one as well get another in ten seconds.
    let new = tokens.token().await.unwrap();
    assert!(!tokens.reject(&new));
    assert!(tokens.current().is_some());
    clock.advance(10 * SECOND);
    assert!(tokens.reject(&new));
    assert!(tokens.current().is_none());
    assert_eq!(text(&tokens.token().await.unwrap()), "token-3");
}

#[tokio::test]
async fn a_token_that_is_all_there_is_is_not_replaced() {
    let token = BearerToken::parse("opaque").unwrap();
    let tokens = TokenSource::static_token(token);
    let held = tokens.current().unwrap();
    assert!(!tokens.reject(&held));
    assert_eq!(text(&tokens.current().unwrap()), "opaque");
}

#[test]
fn without_a_runtime_nothing_is_asked_and_nothing_panics() {
    let (tokens, asked) = hourly(&ManualClock::new());
    assert!(tokens.current().is_none());
    assert_eq!(asked.load(SeqCst), 0);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(text(&runtime.block_on(tokens.token()).unwrap()), "token-1");
}
