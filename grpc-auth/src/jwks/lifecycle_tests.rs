//! State × event × time → action, without network and without waiting.

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
fn an_unknown_key_is_fetched_once_for_all_who_ask() {
    let mut life = held();
    let arrival = life.arrival();
    let fetch = (Answer::Wait, UnknownKidOutcome::Fetch);
    let join = (Answer::Wait, UnknownKidOutcome::Join);
    assert_eq!(life.need_key(at(1), "new", None, arrival), fetch);
    assert_eq!(life.need_key(at(1), "new", None, arrival), join);
    assert_eq!(life.next(at(1)), Next::Fetch(Request::Forced));
    assert_eq!(life.begin(), Request::Forced);
    assert_eq!(life.need_key(at(1), "new", None, arrival), join);
    life.succeed(at(1), None, false, 0.5);
    // It did not bring the key: refused, and remembered.
    assert_eq!(
        life.need_key(at(1), "new", None, arrival),
        (Answer::Refuse, UnknownKidOutcome::NotThere)
    );
    let later = life.arrival();
    let remembered = (Answer::Refuse, UnknownKidOutcome::Remembered);
    let old = Some(at(1) - PUBLISHED_WITHIN - Duration::from_millis(1));
    assert_eq!(life.need_key(at(30), "new", old, later), remembered);
    assert_eq!(life.need_key(at(31), "new", old, later), fetch);
}

#[test]
fn a_key_id_that_was_looked_for_before_the_token_was_issued_may_be_published_since() {
    let mut life = held();
    let look = |life: &mut Lifecycle, now: SystemTime, issued: Option<SystemTime>| {
        let arrival = life.arrival();
        let (answer, decision) = life.need_key(now, "next", issued, arrival);
        if decision == UnknownKidOutcome::Fetch {
            life.begin();
            life.succeed(now, None, false, 0.5);
            let not_there = (Answer::Refuse, UnknownKidOutcome::NotThere);
            assert_eq!(life.need_key(now, "next", issued, arrival), not_there);
        }
        (answer, decision)
    };
    // A junk token with the key id that the issuer's next key will have.
    assert_eq!(look(&mut life, at(1), Some(at(1))).1, UnknownKidOutcome::Fetch);
    let old = at(1) - PUBLISHED_WITHIN - Duration::from_millis(1);
    assert_eq!(look(&mut life, at(2), Some(old)).1, UnknownKidOutcome::Remembered);
    for issued in [Some(at(1) - PUBLISHED_WITHIN), None] {
        let (answer, decision) = look(&mut life, at(2), issued);
        let expected = match issued {
            Some(_) => (Answer::Wait, UnknownKidOutcome::Fetch),
            // All but the last fetch, which other key ids may need.
            None => (Answer::Limited(Duration::from_secs(29)), UnknownKidOutcome::Limited),
        };
        assert_eq!((answer, decision), expected, "{issued:?}");
    }
    let arrival = life.arrival();
    assert_eq!(
        life.need_key(at(3), "other", None, arrival),
        (Answer::Wait, UnknownKidOutcome::Fetch)
    );
}

#[test]
fn bad_signatures_cause_one_fetch_in_five_minutes_whatever_unknown_key_ids_cost() {
    let mut life = held();
    for _ in 0..3 {
        let arrival = life.arrival();
        assert_eq!(life.need_key(at(1), "x", None, arrival).1, UnknownKidOutcome::Fetch);
        life.begin();
        life.succeed(at(1), None, false, 0.5);
    }
    let mut fetches = Vec::new();
    for second in 1..900 {
        let arrival = life.arrival();
        match life.need_replacement(at(second), arrival) {
            (Answer::Wait, true) => {
                fetches.push(second);
                // All who come until it ends wait for it.
                assert_eq!(life.need_replacement(at(second), arrival), (Answer::Wait, false));
                assert_eq!(life.begin(), Request::Forced);
                assert_eq!(life.need_replacement(at(second), arrival), (Answer::Wait, false));
                life.succeed(at(second), None, false, 0.5);
                assert_eq!(life.need_replacement(at(second), arrival), (Answer::Refuse, false));
            }
            other => assert_eq!(other, (Answer::Refuse, false), "{second}"),
        }
    }
    assert_eq!(fetches, [1, 301, 601]);
    // They leave the other budget alone.
    let arrival = life.arrival();
    assert_eq!(life.need_key(at(900), "y", None, arrival).1, UnknownKidOutcome::Fetch);
}

#[test]
fn a_key_that_is_replaced_under_its_id_again_and_again_is_noticed_each_time() {
    let mut life = held();
    for second in 1..100 {
        let arrival = life.arrival();
        assert_eq!(life.need_replacement(at(second), arrival), (Answer::Wait, true), "{second}");
        life.begin();
        life.succeed(at(second), None, true, 0.5);
    }
}

#[test]
fn a_bad_signature_waits_for_a_refresh_that_is_running_and_asks_past_the_caches_after_it() {
    let mut life = held();
    life.used(at(720));
    // Requested and not begun: it is made to bypass caches.
    let arrival = life.arrival();
    assert_eq!(life.need_replacement(at(720), arrival), (Answer::Wait, true));
    assert_eq!(life.begin(), Request::Forced);
    life.succeed(at(720), None, true, 0.5);

    life.used(at(1440));
    assert_eq!(life.begin(), Request::Scheduled);
    let arrival = life.arrival();
    assert_eq!(life.need_replacement(at(1440), arrival), (Answer::Wait, false));
    life.succeed(at(1441), None, false, 0.5);
    assert_eq!(life.need_replacement(at(1441), arrival), (Answer::Wait, true));
    assert_eq!(life.begin(), Request::Forced);
    life.fail(at(1442), None, false, 1.0);
    // Who waited is not told that the token is bad; who did not is not made to wait.
    assert_eq!(life.need_replacement(at(1442), arrival), (Answer::Unavailable, false));
    let arrival = life.arrival();
    assert_eq!(life.need_replacement(at(1442), arrival), (Answer::Refuse, false));
}

#[test]
fn a_fetch_that_began_before_the_token_came_proves_nothing() {
    let mut life = held();
    life.used(at(720));
    life.begin();
    let arrival = life.arrival();
    assert_eq!(
        life.need_key(at(720), "new", None, arrival),
        (Answer::Wait, UnknownKidOutcome::Join)
    );
    life.succeed(at(721), None, false, 0.5);
    // The answer may have left before the rotation: once more.
    assert_eq!(
        life.need_key(at(721), "new", None, arrival),
        (Answer::Wait, UnknownKidOutcome::Fetch)
    );
    life.begin();
    life.succeed(at(722), None, false, 0.5);
    assert_eq!(
        life.need_key(at(722), "new", None, arrival),
        (Answer::Refuse, UnknownKidOutcome::NotThere)
    );
}

#[test]
fn a_refresh_that_was_due_anyway_asks_past_the_caches_for_an_unknown_key() {
    let mut life = held();
    let arrival = life.arrival();
    assert!(life.used(at(720)));
    let (_, decision) = life.need_key(at(720), "new", None, arrival);
    assert_eq!((decision, life.begin()), (UnknownKidOutcome::Fetch, Request::Forced));
    life.succeed(at(720), None, false, 0.5);
    assert_eq!(life.need_key(at(720), "new", None, arrival).1, UnknownKidOutcome::NotThere);
}

#[test]
fn a_configuration_that_is_at_fault_is_tried_ever_more_slowly() {
    let mut life = new(JwksSettings::default());
    life.need_keys(at(0));
    let mut now = at(0);
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        life.begin();
        life.fail(now, None, true, 1.0);
        assert_eq!(life.next(now), Next::At(now + Duration::from_secs(pause)));
        now += Duration::from_secs(pause);
    }
}

#[test]
fn strangers_key_ids_cause_no_more_fetches_than_the_bucket_pays_for() {
    let mut life = held();
    let mut fetches = 0;
    for n in 0..100_000_u64 {
        let now = milliseconds(n / 2);
        let arrival = life.arrival();
        let (answer, decision) = life.need_key(now, &n.to_string(), None, arrival);
        match decision {
            UnknownKidOutcome::Fetch => {
                fetches += 1;
                life.begin();
                life.succeed(now, None, false, 0.5);
            }
            decision => {
                assert_eq!(decision, UnknownKidOutcome::Limited);
                // Until the next refill, never longer: the token may be good.
                let Answer::Limited(wait) = answer else { panic!("{answer:?}") };
                let end = if now < at(30) { at(30) } else { at(60) };
                assert_eq!(now + wait, end);
            }
        }
    }
    // 50 s: three at once, one after 30 s.
    assert_eq!(fetches, 4);
}

#[test]
fn rotations_do_not_use_up_the_bucket() {
    let mut life = held();
    for rotation in 0..100 {
        let (now, arrival) = (at(10 * rotation), life.arrival());
        let (_, decision) = life.need_key(now, &rotation.to_string(), None, arrival);
        assert_eq!(decision, UnknownKidOutcome::Fetch, "{rotation}");
        life.begin();
        life.succeed(now, None, true, 0.5);
    }
}

#[test]
fn while_the_issuer_does_not_answer_nobody_knows_whether_a_key_is_unknown() {
    let mut life = held();
    let arrival = life.arrival();
    life.need_key(at(1), "new", None, arrival);
    life.begin();
    life.fail(at(2), None, false, 1.0);
    let unavailable = (Answer::Unavailable, UnknownKidOutcome::Unavailable);
    assert_eq!(life.need_key(at(2), "new", None, arrival), unavailable);
    assert_eq!(life.need_key(at(2), "other", None, life.arrival()), unavailable);
    assert_eq!(
        life.need_key(at(3), "other", None, life.arrival()),
        (Answer::Wait, UnknownKidOutcome::Fetch)
    );
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
