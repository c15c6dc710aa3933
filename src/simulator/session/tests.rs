//! How a session lives, at its own times.

use super::super::device::{Device, Identifier};
use super::super::flow::PortSet;
use super::super::settings::Course;
use super::*;

pub(in super::super) fn order(client: &str, phone: &str, duration: i64) -> Order {
    let flow = Flow {
        device: Device::new([Identifier::phone(phone)]),
        servers: vec!["198.51.100.10/32".parse().unwrap()],
        device_ports: PortSet::ALL,
        server_ports: PortSet::ALL,
    };
    let profile = "QOS_E".to_owned();
    Order {
        client: client.to_owned(),
        flow,
        profile,
        duration,
        callback: None,
        notify: None,
        echo: Private::new(Map::new()),
        generation: Generation::V0_10,
    }
}

pub(in super::super) fn start() -> Timestamp {
    Timestamp::from_second(1_767_322_800).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    seconds_later(start(), seconds)
}

fn session(duration: i64, settings: &Settings) -> Session {
    Session::create(Uuid::new_v4(), order("a", "+447700900112", duration), start(), settings)
}

#[test]
fn without_a_delay_a_session_is_available_at_once_and_expires_at_its_end() {
    let settings = Settings::default();
    let mut session = session(60, &settings);
    assert_eq!((session.state, session.first_available), (State::Available, Some(start())));
    assert_eq!(session.next_change(), Some(at(60)));
    let _ = session.change(&settings);
    assert_eq!(session.ended, Some((at(60), End::DurationExpired)));
    assert_eq!((session.freed, session.released), (Some(at(60)), None));
    assert!(!session.readable(at(60)));
}

#[test]
fn a_requested_session_becomes_available_after_the_delay() {
    let settings = Settings { requested_delay_seconds: 2, ..Settings::default() };
    let mut session = session(60, &settings);
    assert_eq!((session.state, session.next_change()), (State::Requested(at(2)), Some(at(2))));
    assert_eq!(session.extend(10, at(1), &settings), Err(NotExtended::Inactive));
    let _ = session.change(&settings);
    assert_eq!((session.state, session.first_available, session.expires()), (State::Available, Some(at(2)), at(60)));
}

#[test]
fn a_session_that_the_network_does_not_grant_is_kept_and_blocks_like_a_terminated_one() {
    let settings =
        Settings { requested_delay_seconds: 2, requested_outcome: RequestedOutcome::Unavailable, ..Settings::default() };
    let mut session = session(60, &settings);
    let _ = session.change(&settings);
    assert_eq!((session.state, session.first_available), (State::Retained(at(362)), None));
    assert_eq!(session.ended, Some((at(2), End::NetworkTerminated)));
    assert!(session.holds());
}

#[test]
fn a_session_still_requested_at_its_end_expires() {
    let settings = Settings { requested_delay_seconds: 1000, ..Settings::default() };
    let mut session = session(60, &settings);
    assert_eq!(session.next_change(), Some(at(60)));
    let _ = session.change(&settings);
    assert_eq!(session.ended, Some((at(60), End::DurationExpired)));
}

#[test]
fn a_terminated_session_is_kept_for_the_retention_beyond_its_own_end_and_then_goes() {
    let settings = Settings::default();
    let mut session = session(60, &settings);
    let _ = session.terminate(at(50), &settings);
    assert_eq!((session.state, session.holds(), session.serves()), (State::Retained(at(410)), true, false));
    assert_eq!(session.extend(10, at(51), &settings), Err(NotExtended::Inactive));
    let _ = session.terminate(at(55), &settings);
    assert_eq!(session.next_change(), Some(at(410)));
    let _ = session.change(&settings);
    assert_eq!((session.freed, session.holds()), (Some(at(410)), false));
    assert_eq!(session.blocked(at(1000)), SignedDuration::from_secs(360));
    assert_eq!(session.held(at(1000)), SignedDuration::from_secs(410));
}

#[test]
fn delete_frees_a_kept_session_at_once_and_leaves_how_it_ended() {
    let settings = Settings::default();
    let mut session = session(60, &settings);
    let _ = session.terminate(at(10), &settings);
    let _ = session.delete(at(15), &settings);
    assert_eq!((session.freed, session.released), (Some(at(15)), Some(at(15))));
    assert_eq!(session.ended, Some((at(10), End::NetworkTerminated)));
    assert!(!session.readable(at(15)));
}

#[test]
fn a_deleted_session_can_be_set_to_stay_readable_without_holding_its_flow() {
    let settings = Settings { deleted_kept_seconds: 360, ..Settings::default() };
    let mut session = session(60, &settings);
    let _ = session.delete(at(15), &settings);
    assert!(session.readable(at(374)) && !session.readable(at(375)) && !session.holds());
}

#[test]
fn extend_adds_to_the_duration_and_leaves_at_most_the_cap_before_the_end() {
    let settings = Settings::default();
    let mut documented = session(80_000, &settings);
    documented.extend(20_000, at(10_000), &settings).unwrap();
    assert_eq!(documented.duration, 96_400);
    let mut additive = session(100, &settings);
    additive.extend(50, at(10), &settings).unwrap();
    additive.extend(50, at(10), &settings).unwrap();
    assert_eq!((additive.duration, additive.expires(), additive.extended), (200, at(200), 2));
}

#[test]
fn extend_never_shortens_and_can_be_set_to_gain_nothing() {
    let capped = Settings { extend_cap_seconds: 60, ..Settings::default() };
    let mut session_ = session(3600, &capped);
    session_.extend(10, at(10), &capped).unwrap();
    assert_eq!(session_.duration, 3600);
    let no_gain = Settings { extend: Extend::NoGain, ..Settings::default() };
    let mut session_ = session(1200, &no_gain);
    session_.extend(1200, at(10), &no_gain).unwrap();
    assert_eq!(session_.expires(), at(1200));
}

#[test]
fn another_duration_than_asked_can_be_granted() {
    let settings = Settings { granted_seconds: Some(1200), ..Settings::default() };
    assert_eq!(session(7200, &settings).expires(), at(1200));
}

fn of(generation: Generation, duration: i64, settings: &Settings) -> Session {
    let order = Order { generation, ..order("a", "+447700900112", duration) };
    Session::create(Uuid::new_v4(), order, start(), settings)
}

#[test]
fn from_0_11_on_the_time_runs_from_the_moment_it_became_available() {
    let settings = Settings { requested_delay_seconds: 5, ..Settings::default() };
    let mut early = of(Generation::V0_10, 60, &settings);
    let mut later = of(Generation::V0_11, 60, &settings);
    assert_eq!((early.started(), later.started()), (Some(at(0)), None));
    for session in [&mut early, &mut later] {
        let _ = session.change(&settings);
    }
    assert_eq!((early.expires(), later.started(), later.expires()), (at(60), Some(at(5)), at(65)));
    let _ = later.terminate(at(25), &settings);
    assert_eq!(later.effective(), 20);
    let mut at_once = of(Generation::V0_11, 60, &Settings::default());
    let _ = at_once.terminate(at(0), &settings);
    assert_eq!(at_once.effective(), 1, "a duration is at least 1");
}

#[test]
fn from_0_11_on_an_extension_reaches_the_profiles_maximum_and_not_beyond() {
    let mut settings = Settings::default();
    settings.profiles[0].max_duration_seconds = Some(50_000);
    let mut session = of(Generation::V1_1, 30_000, &settings);
    session.extend(30_000, at(10), &settings).unwrap();
    assert_eq!(session.duration, 50_000);
    session.extend(1, at(10), &settings).unwrap();
    assert_eq!(session.duration, 50_000);
    settings.quirks.insert(Quirk::ExtendAtMaximumRefused);
    assert_eq!(session.extend(1, at(10), &settings), Err(NotExtended::AtMaximum));
    settings.quirks.insert(Quirk::NearEndNotExtended);
    assert_eq!(session.extend(1, at(49_980), &settings), Err(NotExtended::NearEnd));
    settings.profiles.clear();
    session.extend(i64::MAX, at(10), &settings).unwrap();
    assert_eq!(session.duration, i64::from(i32::MAX), "an int32 holds no more");
}

#[test]
fn the_retention_came_with_0_10_is_a_setting_in_0_9_and_has_a_surplus_if_set() {
    let kept = |generation, settings: &Settings| {
        let mut session = of(generation, 3600, settings);
        let _ = session.terminate(at(10), settings);
        match session.state {
            State::Retained(until) => until.duration_since(at(10)).as_secs(),
            _ => 0,
        }
    };
    let settings = Settings::default();
    assert_eq!(Generation::ALL.map(|generation| kept(generation, &settings)), [0, 0, 360, 360, 360, 360, 360]);
    let set = Settings { retention_seconds_v0_9: 20, retention_spread_seconds: 60, ..Settings::default() };
    assert_eq!([Generation::V0_8, Generation::V0_9].map(|generation| kept(generation, &set)), [0, 20]);
    let many: Vec<i64> = (0..50).map(|_| kept(Generation::V1_1, &set)).collect();
    assert!(many.iter().all(|kept| (360..=420).contains(kept)), "{many:?}");
    assert!(many.iter().any(|kept| *kept != many[0]), "not all the same: {many:?}");
}

#[test]
fn a_profile_can_have_a_course_of_its_own() {
    let course = Course { requested_delay_seconds: Some(9), granted_seconds: Some(360), ..Course::default() };
    let settings = Settings { courses: [("QOS_E".to_owned(), course)].into(), ..Settings::default() };
    let session = of(Generation::V1_1, 1200, &settings);
    assert_eq!((session.state, session.duration), (State::Requested(at(9)), 360));
}
