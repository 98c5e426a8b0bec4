//! State × event × time → action, without network and without waiting.

use super::*;

const HOUR: u64 = 3600;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn transient() -> Failure {
    Failure::default()
}

fn permanent() -> Failure {
    Failure { is_permanent: true, ..Failure::default() }
}

/// A token granted at 0 for an hour: due at 3,300, waited for at 3,590.
fn held() -> Renewal {
    let mut renewal = Renewal::default();
    assert_eq!(renewal.need(at(0)), Answer::Ask);
    renewal.succeed(Life::granted(at(0), seconds(HOUR), 0.0));
    renewal
}

#[test]
fn a_token_is_renewed_when_a_fifth_of_its_life_is_left_within_limits() {
    for (lifetime, roll, renew_at, wait_at) in [
        (3600, 0.0, 3_300_000, 3_590_000),
        (3600, 1.0, 3_330_000, 3_590_000),
        (3600, 0.5, 3_315_000, 3_590_000),
        (86_400, 0.0, 86_100_000, 86_390_000),
        // Its lifetime is unknown.
        (300, 0.0, 240_000, 290_000),
        (100, 0.0, 70_000, 90_000),
        // Half its life, and half of that.
        (60, 0.0, 30_000, 50_000),
        (40, 0.0, 20_000, 30_000),
        (20, 0.0, 10_000, 15_000),
        (10, 1.0, 5_500, 7_750),
        (1, 0.0, 500, 750),
    ] {
        let life = Life::granted(at(0), seconds(lifetime), roll);
        let after = |milliseconds| at(0) + Duration::from_millis(milliseconds);
        let expected = (after(renew_at), after(wait_at), at(lifetime));
        assert_eq!((life.renew_at, life.wait_at, life.end), expected, "{lifetime} {roll}");
    }
    // No number that a server writes takes the calendar to its end.
    let life = Life::granted(at(0), Duration::MAX, 0.0);
    assert!(life.end > at(50 * 365 * 24 * HOUR));
}

#[test]
fn a_file_is_read_again_within_a_minute_and_before_its_token_ends() {
    for (end, renew_at, wait_at) in [(None, 30, 60), (Some(HOUR), 30, 60), (Some(40), 20, 30)] {
        let life = Life::read(at(0), end.map(at), 0.0);
        assert_eq!((life.renew_at, life.wait_at), (at(renew_at), at(wait_at)), "{end:?}");
    }
    // An expired one is not used.
    let mut renewal = Renewal::default();
    renewal.succeed(Life::read(at(10), Some(at(5)), 0.0));
    assert!(!renewal.is_valid(at(10)));
    assert_eq!(renewal.need(at(10)), Answer::Ask);
}

#[test]
fn the_only_token_there_is_serves_to_its_end() {
    let mut renewal = Renewal::default();
    renewal.succeed(Life::given(Some(at(100))));
    assert_eq!(renewal.need(at(99)), Answer::Serve);
    assert_eq!(renewal.quiet(at(99)).end, at(100));
    assert_eq!(renewal.need(at(100)), Answer::Ask);
    let mut renewal = Renewal::default();
    renewal.succeed(Life::given(None));
    assert_eq!(renewal.need(at(50 * 365 * 24 * HOUR)), Answer::Serve);
}

/// One row a moment: what a call gets when nothing else has happened.
#[test]
fn calls_are_served_then_renew_in_the_background_then_wait() {
    for (now, idle, running, paused) in [
        (0, Answer::Serve, Answer::Serve, Answer::Serve),
        (3299, Answer::Serve, Answer::Serve, Answer::Serve),
        (3300, Answer::ServeAndRenew, Answer::Serve, Answer::Serve),
        (3589, Answer::ServeAndRenew, Answer::Serve, Answer::Serve),
        (3590, Answer::Ask, Answer::Wait, Answer::Serve),
        (3599, Answer::Ask, Answer::Wait, Answer::Serve),
        (3600, Answer::Ask, Answer::Wait, Answer::Refuse),
        (9999, Answer::Ask, Answer::Wait, Answer::Refuse),
    ] {
        assert_eq!(held().need(at(now)), idle, "idle at {now}");
        let mut renewal = Renewal { is_running: true, ..held() };
        assert_eq!(renewal.need(at(now)), running, "running at {now}");
        let mut renewal = Renewal { pause: Some((at(now), at(now + 1))), ..held() };
        assert_eq!(renewal.need(at(now)), paused, "paused at {now}");
    }
}

#[test]
fn all_who_need_a_token_cause_one_request() {
    let mut renewal = Renewal::default();
    assert_eq!(renewal.need(at(0)), Answer::Ask);
    for _ in 0..10_000 {
        assert_eq!(renewal.need(at(0)), Answer::Wait);
    }
    assert_eq!(renewal.succeed(Life::granted(at(0), seconds(HOUR), 0.0)), 1);
    assert_eq!(renewal.need(at(3400)), Answer::ServeAndRenew);
    for _ in 0..10_000 {
        assert_eq!(renewal.need(at(3400)), Answer::Serve);
    }
}

#[test]
fn calls_report_themselves_only_when_that_could_matter() {
    let mut renewal = held();
    assert_eq!(renewal.quiet(at(1)), at(0)..at(3300));
    renewal.need(at(3300));
    assert_eq!(renewal.quiet(at(3300)), at(0)..at(3590));
    renewal.fail(at(3301), transient(), 1.0);
    assert_eq!(renewal.quiet(at(3301)), at(0)..at(3302));
    renewal.need(at(3302));
    renewal.fail(at(3302), permanent(), 1.0);
    assert_eq!(renewal.quiet(at(3302)), at(0)..at(3332));
    renewal.need(at(3580));
    renewal.fail(at(3580), permanent(), 1.0);
    assert_eq!(renewal.quiet(at(3580)), at(0)..at(3590));
    // With nothing held, everyone asks.
    assert!(Renewal::default().quiet(at(0)).is_empty());
}

#[test]
fn a_failed_early_renewal_changes_nothing_while_the_token_lives() {
    let mut renewal = held();
    let (mut now, mut requests) = (3300, 0);
    while now < 3600 {
        match renewal.need(at(now)) {
            Answer::ServeAndRenew | Answer::Ask => {
                requests += 1;
                renewal.fail(at(now), transient(), 1.0);
                assert!(renewal.is_valid(at(now)));
            }
            answer => assert_eq!(answer, Answer::Serve, "{now}"),
        }
        now += 1;
    }
    // 1, 2, 4, 8, 16, 30, 30 .. s apart, the last of them at the margin.
    assert!((12..20).contains(&requests), "{requests}");
}

/// Whenever an outage ends before the token does, the very next call gets a new one.
#[test]
fn an_outage_that_ends_before_the_token_hurts_nobody() {
    for healed in 3300..3600 {
        for roll in [0.0, 0.5, 1.0] {
            let mut renewal = held();
            for now in 3300..3700 {
                match renewal.need(at(now)) {
                    Answer::ServeAndRenew | Answer::Ask if now < healed => {
                        renewal.fail(at(now), transient(), roll);
                        assert!(renewal.is_valid(at(now)), "{healed} {now}");
                    }
                    Answer::ServeAndRenew | Answer::Ask => {
                        renewal.succeed(Life::granted(at(now), seconds(HOUR), 0.0));
                    }
                    answer => assert_eq!(answer, Answer::Serve, "{healed} {now} {roll}"),
                }
            }
        }
    }
}

#[test]
fn failures_are_followed_by_ever_longer_pauses_up_to_half_a_minute() {
    let mut renewal = Renewal::default();
    let mut now = at(0);
    for (count, pause) in (1..).zip([1, 2, 4, 8, 16, 30, 30]) {
        assert_eq!(renewal.need(now), Answer::Ask);
        assert_eq!(renewal.fail(now, transient(), 1.0), count);
        let end = now + seconds(pause);
        assert_eq!(renewal.need(end - Duration::from_millis(1)), Answer::Refuse, "{pause}");
        now = end;
    }
    // Chance shortens a pause, down to nothing.
    assert_eq!(renewal.need(now), Answer::Ask);
    renewal.fail(now, transient(), 0.0);
    assert_eq!(renewal.need(now), Answer::Ask);
    renewal.succeed(Life::granted(now, seconds(HOUR), 0.0));
    assert_eq!(renewal.failures(), 0);
}

#[test]
fn a_permanent_error_is_remembered_for_half_a_minute_and_ends_nothing_for_good() {
    let mut renewal = Renewal::default();
    let mut requests = 0;
    for now in 0..300 {
        match renewal.need(at(now)) {
            Answer::Ask => {
                requests += 1;
                // Chance has no part in it.
                renewal.fail(at(now), permanent(), 0.0);
            }
            answer => assert_eq!(answer, Answer::Refuse),
        }
    }
    assert_eq!(requests, 10);
    assert_eq!(renewal.need(at(300)), Answer::Ask);
    renewal.succeed(Life::granted(at(300), seconds(HOUR), 0.0));
    assert_eq!(renewal.need(at(301)), Answer::Serve);
}

#[test]
fn a_server_that_asks_to_be_left_alone_is() {
    let busy =
        |seconds| Failure { retry_after: Some(Duration::from_secs(seconds)), ..Failure::default() };
    let mut renewal = held();
    renewal.need(at(3300));
    renewal.fail(at(3300), busy(100), 0.0);
    assert_eq!(renewal.need(at(3399)), Answer::Serve);
    assert_eq!(renewal.need(at(3400)), Answer::ServeAndRenew);
    // To the token's end, and not beyond: by then it may be well again.
    renewal.fail(at(3400), busy(1000), 0.0);
    assert_eq!(renewal.need(at(3599)), Answer::Serve);
    assert_eq!(renewal.need(at(3600)), Answer::Ask);
    // While nothing serves, not for ever.
    renewal.fail(at(3600), busy(HOUR), 0.0);
    assert_eq!(renewal.need(at(3899)), Answer::Refuse);
    assert_eq!(renewal.need(at(3900)), Answer::Ask);
}

#[test]
fn an_attempt_that_was_given_up_is_followed_by_the_next() {
    let mut renewal = Renewal::default();
    assert_eq!(renewal.need(at(0)), Answer::Ask);
    renewal.give_up();
    assert_eq!(renewal.need(at(0)), Answer::Ask);
}

#[test]
fn a_token_that_a_service_refuses_is_replaced_once_for_all_who_sent_it() {
    let mut renewal = held();
    assert!(renewal.reject(at(10), 1));
    assert_eq!(renewal.need(at(10)), Answer::Ask);
    // Others come while the new one is on its way,
    for _ in 0..1000 {
        assert!(renewal.reject(at(10), 1));
        assert_eq!(renewal.need(at(10)), Answer::Wait);
    }
    assert_eq!(renewal.succeed(Life::granted(at(10), seconds(HOUR), 0.0)), 2);
    // and when it is there.
    for _ in 0..1000 {
        assert!(renewal.reject(at(10), 1));
        assert_eq!(renewal.need(at(10)), Answer::Serve);
    }
    // A service that refuses that one too gets another in ten seconds.
    assert!(!renewal.reject(at(19), 2));
    assert_eq!(renewal.need(at(19)), Answer::Serve);
    assert!(renewal.reject(at(20), 2));
    assert_eq!(renewal.need(at(20)), Answer::Ask);
}

#[test]
fn a_renewal_that_is_under_way_replaces_a_refused_token_at_no_cost() {
    let mut renewal = held();
    assert_eq!(renewal.need(at(3300)), Answer::ServeAndRenew);
    assert!(renewal.reject(at(3300), 1));
    assert_eq!(renewal.need(at(3300)), Answer::Wait);
    renewal.succeed(Life::granted(at(3300), seconds(HOUR), 0.0));
    assert!(renewal.reject(at(3301), 2));
}

#[test]
fn what_one_service_refuses_serves_the_others_when_no_other_token_can_be_got() {
    let mut renewal = held();
    assert!(renewal.reject(at(10), 1));
    assert!(renewal.quiet(at(10)).is_empty());
    assert_eq!(renewal.need(at(10)), Answer::Ask);
    renewal.fail(at(10), transient(), 1.0);
    assert!(renewal.is_valid(at(10)));
    assert_eq!(renewal.need(at(10)), Answer::Serve);
    assert_eq!(renewal.need(at(12)), Answer::Serve);
    // It is tried again as often as for any other refusal.
    assert!(!renewal.reject(at(19), 1));
    assert_eq!(renewal.need(at(19)), Answer::Serve);
    assert!(renewal.reject(at(20), 1));
    assert_eq!(renewal.need(at(20)), Answer::Ask);
    renewal.succeed(Life::granted(at(20), seconds(HOUR), 0.0));
    assert_eq!(renewal.need(at(20)), Answer::Serve);
}

#[test]
fn a_file_that_did_not_change_confirms_its_token() {
    let mut renewal = Renewal::default();
    renewal.need(at(0));
    assert_eq!(renewal.succeed(Life::read(at(0), None, 0.0)), 1);
    assert_eq!(renewal.need(at(60)), Answer::Ask);
    renewal.confirm(Life::read(at(60), None, 0.0));
    assert_eq!(renewal.need(at(61)), Answer::Serve);
    // The call had sent the present one.
    assert!(renewal.reject(at(61), 1));
    assert_eq!(renewal.need(at(61)), Answer::Ask);
}

#[test]
fn a_clock_that_is_set_back_or_forward_stops_nothing() {
    let mut renewal = Renewal::default();
    renewal.need(at(7200));
    renewal.succeed(Life::granted(at(7200), seconds(HOUR), 0.0));
    // Back by an hour: the token seems to be from the future, and is renewed.
    assert!(!renewal.quiet(at(3600)).contains(&at(3600)));
    assert_eq!(renewal.need(at(3600)), Answer::ServeAndRenew);
    renewal.fail(at(3600), transient(), 1.0);
    assert_eq!(renewal.need(at(3600)), Answer::Serve);
    assert_eq!(renewal.need(at(3601)), Answer::ServeAndRenew);
    renewal.succeed(Life::granted(at(3601), seconds(HOUR), 0.0));
    assert_eq!(renewal.need(at(3602)), Answer::Serve);
    // Forward by two: it has expired.
    assert_eq!(renewal.need(at(10_800)), Answer::Ask);
    renewal.fail(at(10_800), permanent(), 1.0);
    assert_eq!(renewal.need(at(10_801)), Answer::Refuse);
    // Back again: the pause was decided in the future, and is over. So is that of the bucket.
    assert_eq!(renewal.need(at(3603)), Answer::Serve);
    assert!(renewal.reject(at(10_000), 2));
    renewal.need(at(10_000));
    renewal.succeed(Life::granted(at(10_000), seconds(HOUR), 0.0));
    assert!(renewal.reject(at(9_000), 3));
}
