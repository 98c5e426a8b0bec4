//! Tokens whose key is not in the set, or whose signature it does not fit.

use super::*;

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
