//! State × event × time → action, without network and without waiting.

mod unknown_keys;

use super::*;
use crate::jwks::settings::RefreshMode;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

fn milliseconds(milliseconds: u64) -> SystemTime {
    at(0) + Duration::from_millis(milliseconds)
}

fn new(settings: JwksSettings) -> Lifecycle {
    Lifecycle::new(Arc::new(settings), at(0))
}

/// Keys fetched at 0: due at 720, fresh until 900, usable until 9,000.
fn held() -> Lifecycle {
    let mut life = new(JwksSettings::default());
    life.request(Request::Scheduled);
    life.begin();
    life.succeed(at(0), None, false, 0.5);
    life
}

#[test]
fn keys_have_their_times() {
    let held = held().held().unwrap();
    assert_eq!(held.refresh_at, at(720));
    assert_eq!(held.fresh_until, at(900));
    assert_eq!(held.stale_until, at(9000));
}

#[test]
fn an_idle_set_is_left_alone_and_a_used_one_is_fetched_ahead() {
    let mut life = held();
    assert_eq!(life.next(at(719)), Next::Idle);
    assert!(!life.used(at(719)));
    assert_eq!(life.next(at(5000)), Next::Idle);
    assert!(life.used(at(720)));
    assert_eq!(life.next(at(720)), Next::Fetch(Request::Scheduled));
    // While one is under way, no other is requested.
    life.begin();
    assert!(!life.used(at(720)));
    assert!(!life.request(Request::Forced));
    life.succeed(at(721), None, false, 0.0);
    assert_eq!(life.next(at(721)), Next::Idle);
    assert_eq!(life.held().unwrap().refresh_at, at(721 + 648));
}

#[test]
fn a_token_that_is_not_worth_a_fetch_waits_for_one_that_runs_anyway() {
    let mut life = new(JwksSettings::default());
    assert_eq!(life.join_fetch(), Answer::Unavailable);
    assert_eq!(life.next(at(0)), Next::Idle, "it caused a fetch");
    life.request(Request::Scheduled);
    assert_eq!(life.join_fetch(), Answer::Wait);
    life.begin();
    assert_eq!(life.join_fetch(), Answer::Wait);
    life.fail(at(0), None, false, 1.0);
    assert_eq!(life.join_fetch(), Answer::Unavailable);
    // Too old to be used.
    let mut life = held();
    assert_eq!(life.join_fetch(), Answer::Unavailable);
    life.used(at(10_000));
    assert_eq!(life.join_fetch(), Answer::Wait);
}

#[test]
fn an_eager_set_is_fetched_without_calls() {
    for (refresh, due) in
        [(RefreshMode::Eager, 720), (RefreshMode::Every(Duration::from_secs(3600)), 3600)]
    {
        let mut life = new(JwksSettings { refresh, ..Default::default() });
        // Nothing was asked for yet: `StartupPolicy::Lazy`.
        assert_eq!(life.next(at(0)), Next::Idle);
        life.begin();
        life.succeed(at(0), None, false, 0.5);
        assert_eq!(life.next(at(0)), Next::At(at(due)));
        assert_eq!(life.next(at(due)), Next::Fetch(Request::Scheduled));
        life.begin();
        life.fail(at(due), None, false, 0.5);
        assert_eq!(life.next(at(due)), Next::At(at(due) + Duration::from_millis(500)));
        assert_eq!(life.next(at(due + 1)), Next::Fetch(Request::Scheduled));
    }
}

#[test]
fn calls_report_themselves_only_when_that_could_matter() {
    let mut life = held();
    assert_eq!(life.quiet(at(0)), (at(0), at(720)));
    life.used(at(720));
    // Requested: the end of the fetch will say when to report again.
    assert!(life.quiet(at(720)).1 > at(80_000));
    life.begin();
    assert!(life.quiet(at(720)).1 > at(80_000));
    life.fail(at(721), None, false, 1.0);
    assert_eq!(life.quiet(at(721)), (at(0), at(722)));
}

#[test]
fn failures_are_followed_by_ever_longer_pauses_up_to_a_minute() {
    let mut life = held();
    let mut now = at(720);
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert!(life.used(now));
        life.begin();
        life.fail(now, None, false, 1.0);
        let end = now + Duration::from_secs(pause);
        assert!(!life.used(end - Duration::from_millis(1)), "{pause}");
        now = end;
    }
    assert_eq!(life.failures(), 8);
    // Chance shortens a pause, down to nothing.
    life.used(now);
    life.begin();
    life.fail(now, None, false, 0.0);
    assert!(life.used(now));
}

#[test]
fn an_issuer_that_asks_to_be_left_alone_is() {
    let mut life = held();
    life.used(at(720));
    life.begin();
    life.fail(at(720), Some(Duration::from_secs(100)), false, 1.0);
    assert!(!life.used(at(819)));
    assert!(life.used(at(820)));
}

#[test]
fn without_keys_an_issuer_is_left_alone_for_a_minute_at_most() {
    let mut life = new(JwksSettings::default());
    life.need_keys(at(0));
    life.begin();
    life.fail(at(0), Some(Duration::from_secs(3600)), false, 1.0);
    assert_eq!(life.next(at(0)), Next::At(at(60)));
}

#[test]
fn success_forgets_failures() {
    let mut life = held();
    for _ in 0..3 {
        life.used(at(800));
        life.begin();
        life.fail(at(720), None, false, 0.0);
    }
    life.used(at(800));
    life.begin();
    life.succeed(at(800), None, false, 0.5);
    assert_eq!(life.failures(), 0);
    assert_eq!(life.need_keys(at(800)), Answer::Wait);
}

#[test]
fn without_keys_the_first_calls_wait_and_later_ones_are_told_at_once() {
    let mut life = new(JwksSettings::default());
    assert_eq!(life.need_keys(at(0)), Answer::Wait);
    assert_eq!(life.need_keys(at(0)), Answer::Wait);
    assert_eq!(life.next(at(0)), Next::Fetch(Request::Scheduled));
    life.begin();
    assert_eq!(life.need_keys(at(1)), Answer::Wait);
    assert_eq!(life.next(at(1)), Next::Idle);
    life.fail(at(2), None, false, 1.0);
    assert_eq!(life.need_keys(at(2)), Answer::Unavailable);
    // It is tried again without calls, and within a second however long it lasts.
    for second in 2..100 {
        assert_eq!(life.next(at(second)), Next::At(at(second + 1)));
        assert_eq!(life.next(at(second + 1)), Next::Fetch(Request::Scheduled));
        life.begin();
        assert_eq!(life.need_keys(at(second + 1)), Answer::Unavailable);
        life.fail(at(second + 1), None, false, 1.0);
    }
    life.begin();
    life.succeed(at(101), None, false, 0.5);
    assert_eq!(life.next(at(101)), Next::Idle);
}

#[test]
fn keys_serve_through_an_outage_until_their_time_is_over() {
    let mut life = held();
    life.used(at(720));
    life.begin();
    life.fail(at(720), None, false, 1.0);
    // Used all the time, refused never; the task does not act on its own.
    assert_eq!(life.next(at(8999)), Next::Idle);
    for now in [8940, 8999] {
        life.used(at(now));
        life.begin();
        life.fail(at(now), Some(Duration::from_secs(600)), false, 1.0);
    }
    assert_eq!(life.need_keys(at(9000)), Answer::Unavailable);
    // From here on it is as at a cold start: within a second, without calls.
    assert_eq!(life.next(at(9000)), Next::At(at(9001)));
    assert_eq!(life.next(at(9001)), Next::Fetch(Request::Scheduled));
}

#[test]
fn a_failure_of_long_ago_says_nothing() {
    let mut life = held();
    life.used(at(720));
    life.begin();
    life.fail(at(720), None, false, 1.0);
    assert_eq!(life.need_keys(at(20_000)), Answer::Wait);
    assert_eq!(life.next(at(20_000)), Next::Fetch(Request::Scheduled));
    life.begin();
    assert_eq!(life.need_keys(at(20_000)), Answer::Wait);
}

#[test]
fn a_clock_that_is_set_back_or_forward_stops_nothing() {
    let mut life = new(JwksSettings::default());
    life.begin();
    life.succeed(at(7200), None, false, 0.5);
    // Back by an hour: the set seems to be from the future, and is fetched again.
    assert!(life.used(at(3600)));
    life.begin();
    life.fail(at(3600), None, false, 1.0);
    assert!(!life.used(at(3600)));
    assert!(life.used(at(3601)));
    life.begin();
    life.succeed(at(3601), None, false, 0.5);
    assert!(!life.used(at(3602)));
    // Forward by an hour: due, and still usable.
    assert!(life.used(at(7202)));
    assert!(life.held().unwrap().stale_until > at(7202));
    life.begin();
    life.fail(at(7202), Some(Duration::from_secs(3600)), false, 1.0);
    assert!(!life.used(at(7203)));
    // Back again: the pause was decided in the future, and is over.
    assert!(life.used(at(3601 - 1)));
}
