use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn key(number: u32) -> Key {
    Key { subject: Some(Subject::tel(&format!("+4477009{number:05}"))), scope: "qod".into() }
}

fn granted(token: &str) -> Granted {
    Granted {
        access_token: AccessToken::new(token),
        token_type: None,
        expires_in: Some(Duration::from_mins(10)),
        refresh_token: None,
    }
}

fn fault(class: TokenFaultClass) -> Fetched {
    Fetched::Fault(TokenFault::new(class))
}

/// The errand that a look brings; there must be one.
fn errand(cache: &mut Cache, key: &Key, now: i64) -> Errand {
    cache.look(key, at(now)).1.unwrap()
}

/// The answer that a look brings at once; there must be one, and no errand.
fn answer(cache: &mut Cache, key: &Key, now: i64) -> Outcome {
    match cache.look(key, at(now)) {
        (Look::Now(outcome), None) => outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_fetches_for_all_and_nobody_gets_anothers_token() {
    let mut cache = Cache::new(false);
    let (one, other) = (key(1), key(2));
    let first = errand(&mut cache, &one, 0);
    let (Look::Soon(flight), None) = cache.look(&one, at(0)) else { panic!("it is being fetched") };
    let second = errand(&mut cache, &other, 0);
    cache.settle(first, Fetched::Granted(granted("one")), at(1));
    assert_eq!(flight.borrow().clone(), Some(Ok(AccessToken::new("one"))));
    assert_eq!(answer(&mut cache, &one, 1), Ok(AccessToken::new("one")));
    assert!(matches!(cache.look(&other, at(1)), (Look::Soon(_), None)));
    cache.settle(second, Fetched::Granted(granted("other")), at(1));
    assert_eq!(answer(&mut cache, &other, 1), Ok(AccessToken::new("other")));
    let narrower = Key { scope: "qod:read".into(), ..one };
    assert!(matches!(cache.look(&narrower, at(1)), (Look::Soon(_), Some(_))), "nor one of another scope");
}

#[test]
fn a_flight_whose_task_is_gone_keeps_nobody_waiting() {
    let mut cache = Cache::new(false);
    drop(errand(&mut cache, &key(1), 0));
    assert!(matches!(cache.look(&key(1), at(0)), (Look::Soon(_), Some(_))));
}

#[test]
fn the_old_token_serves_while_its_renewal_is_under_way_and_while_it_fails() {
    let mut cache = Cache::new(false);
    let first = errand(&mut cache, &key(1), 0);
    cache.settle(first, Fetched::Granted(granted("old")), at(0));
    let (Look::Now(Ok(token)), Some(renewal)) = cache.look(&key(1), at(500)) else { panic!("it is time to renew") };
    assert_eq!((token, renewal.ahead), (AccessToken::new("old"), true));
    assert_eq!(answer(&mut cache, &key(1), 500), Ok(AccessToken::new("old")), "one renewal is enough");
    cache.settle(renewal, fault(TokenFaultClass::Unavailable), at(501));
    assert_eq!(answer(&mut cache, &key(1), 505), Ok(AccessToken::new("old")), "the pause holds for renewals");
    assert!(matches!(cache.look(&key(1), at(506)), (Look::Now(Ok(_)), Some(_))));
}

#[test]
fn wrong_credentials_keep_everybody_from_asking_and_one_finds_out_when_they_are_right() {
    let mut cache = Cache::new(false);
    let first = errand(&mut cache, &key(1), 0);
    let waiting = errand(&mut cache, &key(2), 0);
    cache.settle(first, fault(TokenFaultClass::Refused(Refusal::Credentials)), at(0));
    let refused = NoToken::Refused { reason: Refusal::Credentials, code: None };
    assert_eq!(cache.keeps_from(&waiting, at(0)), Some(refused.clone()), "even who has waited for a turn");
    cache.settle(waiting, Fetched::NotSent(refused.clone()), at(0));
    assert_eq!(answer(&mut cache, &key(3), 4), Err(refused.clone()));
    let probe = errand(&mut cache, &key(3), 5);
    assert_eq!(cache.keeps_from(&probe, at(5)), None);
    assert_eq!(answer(&mut cache, &key(4), 5), Err(refused.clone()), "one is enough to find out");
    cache.settle(probe, fault(TokenFaultClass::Refused(Refusal::Credentials)), at(5));
    assert_eq!(answer(&mut cache, &key(4), 14), Err(refused), "the second pause is longer");
    let probe = errand(&mut cache, &key(4), 15);
    cache.settle(probe, Fetched::Granted(granted("t")), at(15));
    errand(&mut cache, &key(5), 15);
}

#[test]
fn a_device_that_is_refused_holds_up_no_other() {
    let mut cache = Cache::new(false);
    for class in [TokenFaultClass::Denied, TokenFaultClass::Refused(Refusal::Device), TokenFaultClass::Refused(Refusal::Scope)] {
        let first = errand(&mut cache, &key(1), 0);
        cache.settle(first, fault(class), at(0));
        assert!(answer(&mut cache, &key(1), 4).is_err());
        drop(errand(&mut cache, &key(2), 4));
        cache = Cache::new(false);
    }
}

#[test]
fn who_waits_for_consent_is_told_when_to_look_again_and_nothing_is_asked_twice() {
    let mut cache = Cache::new(true);
    let first = errand(&mut cache, &key(1), 0);
    cache.settle(first, Fetched::Asked(at(2)), at(0));
    assert_eq!(answer(&mut cache, &key(1), 0), Err(NoToken::Pending { again_at: at(3) }));
    cache.polls_at(&key(1), at(4));
    assert_eq!(answer(&mut cache, &key(1), 3), Err(NoToken::Pending { again_at: at(5) }));
    cache.consented(&key(1), &granted("t"), at(4));
    assert_eq!(answer(&mut cache, &key(1), 5), Ok(AccessToken::new("t")));
}

#[test]
fn consent_that_expires_is_asked_for_again_after_growing_pauses() {
    let mut cache = Cache::new(true);
    let mut now = 0;
    for pause in [5, 10, 20] {
        let errand = errand(&mut cache, &key(1), now);
        cache.settle(errand, Fetched::Asked(at(now + 2)), at(now));
        now += 120;
        cache.not_consented(&key(1), TokenFault::new(TokenFaultClass::Expired), at(now));
        let again = NoToken::Pending { again_at: at(now + pause) };
        assert_eq!(answer(&mut cache, &key(1), now + pause - 1), Err(again));
        now += pause;
    }
}

#[test]
fn a_person_who_said_no_is_left_alone_for_the_longest_pause() {
    let mut cache = Cache::new(true);
    let first = errand(&mut cache, &key(1), 0);
    cache.settle(first, Fetched::Asked(at(2)), at(0));
    cache.not_consented(&key(1), TokenFault::new(TokenFaultClass::Denied), at(2));
    assert_eq!(answer(&mut cache, &key(1), 301), Err(NoToken::Denied { code: None }));
    errand(&mut cache, &key(1), 302);
}

#[test]
fn a_consent_that_nobody_wants_any_more_is_given_up() {
    let mut cache = Cache::new(true);
    let first = errand(&mut cache, &key(1), 0);
    cache.settle(first, Fetched::Asked(at(2)), at(0));
    assert!(cache.goes_on(&key(1), at(899)));
    assert!(!cache.goes_on(&key(1), at(900)));
    errand(&mut cache, &key(1), 901);
}

#[test]
fn a_hundred_thousand_devices_leave_nothing_behind() {
    let mut cache = Cache::new(false);
    for number in 0..100_000 {
        let errand = errand(&mut cache, &key(number), 0);
        cache.settle(errand, Fetched::Granted(granted("t")), at(0));
    }
    drop(errand(&mut cache, &key(100_000), 700));
    assert_eq!(cache.entries.len(), 1);
    assert!(cache.entries.capacity() < 1000, "{}", cache.entries.capacity());
}

#[test]
fn there_is_a_bound_and_those_asked_for_the_longest_ago_go_first() {
    let mut cache = Cache::new(false);
    let busy = errand(&mut cache, &key(0), 0);
    for number in 1..64 {
        let errand = errand(&mut cache, &key(number), i64::from(number));
        cache.settle(errand, Fetched::Granted(granted("t")), at(i64::from(number)));
    }
    cache.make_room(64, at(64));
    assert!(cache.entries.len() < 64);
    assert!(cache.entries.contains_key(&key(0)), "one that is being fetched stays");
    assert!(!cache.entries.contains_key(&key(1)) && cache.entries.contains_key(&key(63)));
    drop(busy);
}
