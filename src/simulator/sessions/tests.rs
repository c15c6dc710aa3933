//! The overlap rule, and who may touch what.

use super::super::session::tests::{order, start};
use super::super::settings::{Flavour, Quirk};
use super::super::transition::{EventStatus, NotifyTarget, StatusInfo};
use super::*;
use crate::private::Private;

const PHONE: &str = "+447700900112";

/// Somebody with a two-legged token of `client`.
pub(in super::super) fn viewer(client: &str) -> Viewer<'_> {
    Viewer { client, subject: None, generation: Generation::V0_10 }
}

fn at(seconds: i64) -> Timestamp {
    seconds_later(start(), seconds)
}

fn create(sessions: &mut Sessions, client: &str, now: i64, settings: &Settings) -> Result<Uuid, ()> {
    sessions.create(order(client, PHONE, 3600), at(now), settings, settings.overlap).map(|session| session.id).map_err(drop)
}

#[test]
fn a_flow_is_refused_while_another_session_holds_it_and_free_after_delete() {
    let settings = Settings { requested_delay_seconds: 10, ..Settings::default() };
    let mut sessions = Sessions::default();
    let first = create(&mut sessions, "a", 0, &settings).unwrap();
    assert_eq!(create(&mut sessions, "a", 1, &settings), Err(()), "REQUESTED holds it");
    assert_eq!(create(&mut sessions, "b", 1, &settings), Err(()), "for other clients too");
    sessions.advance(at(20), &settings);
    assert_eq!(create(&mut sessions, "a", 20, &settings), Err(()), "AVAILABLE holds it");
    assert_eq!(sessions.terminate(at(30), &settings, |_| true), 1);
    sessions.advance(at(389), &settings);
    assert_eq!(create(&mut sessions, "a", 389, &settings), Err(()), "kept as UNAVAILABLE it holds it");
    sessions.delete(first, &viewer("a"), at(389), &settings).unwrap();
    let second = create(&mut sessions, "a", 389, &settings).unwrap();
    assert_eq!(sessions.get(first, &viewer("a"), at(390)).unwrap_err(), Refused::NotFound);
    sessions.terminate(at(400), &settings, |session| session.id == second);
    sessions.advance(at(760), &settings);
    assert!(create(&mut sessions, "a", 760, &settings).is_ok(), "after the retention it is free");
}

#[test]
fn each_overlap_setting_refuses_what_it_says() {
    let mut other_profile = order("a", PHONE, 60);
    other_profile.profile = "QOS_S".to_owned();
    for (overlap, same, other) in
        [(Overlap::Enforced, false, false), (Overlap::Identical, false, true), (Overlap::Off, true, true)]
    {
        let settings = Settings { overlap, ..Settings::default() };
        let mut sessions = Sessions::default();
        create(&mut sessions, "a", 0, &settings).unwrap();
        assert_eq!(create(&mut sessions, "a", 0, &settings).is_ok(), same, "{overlap:?}");
        assert_eq!(sessions.create(other_profile.clone(), at(0), &settings, overlap).is_ok(), other, "{overlap:?}");
    }
}

#[test]
fn another_client_is_refused_and_its_asking_does_not_count_as_the_owners() {
    let settings = Settings::default();
    let mut sessions = Sessions::default();
    let id = create(&mut sessions, "a", 0, &settings).unwrap();
    assert_eq!(sessions.get(id, &viewer("b"), at(1)).unwrap_err(), Refused::Foreign);
    assert_eq!(sessions.all()[0].last_asked, None);
    assert_eq!(sessions.delete(id, &viewer("b"), at(1), &settings), Err(Refused::Foreign));
    sessions.get(id, &viewer("a"), at(2)).unwrap();
    assert_eq!(sessions.all()[0].last_asked, Some(at(2)));
}

#[test]
fn an_extended_session_ends_at_its_new_time_only() {
    let settings = Settings::default();
    let mut sessions = Sessions::default();
    let id = create(&mut sessions, "a", 0, &settings).unwrap();
    sessions.extend(id, &viewer("a"), 600, at(10), &settings).unwrap();
    sessions.advance(at(3600), &settings);
    assert_eq!(sessions.get(id, &viewer("a"), at(3600)).unwrap().state, State::Available);
    sessions.advance(at(4200), &settings);
    assert_eq!(sessions.get(id, &viewer("a"), at(4200)).unwrap_err(), Refused::NotFound);
    assert!(sessions.timers.is_empty());
}

#[test]
fn twins_of_one_client_are_doubled_by_flow_or_by_callback_and_of_two_clients_only_overlapping() {
    let settings = Settings { overlap: Overlap::Off, ..Settings::default() };
    let doubled = |sessions: &Sessions| sessions.all().iter().filter(|session| session.doubled).count();
    let mut sessions = Sessions::default();
    let first = create(&mut sessions, "a", 0, &settings).unwrap();
    create(&mut sessions, "b", 0, &settings).unwrap();
    assert_eq!((doubled(&sessions), sessions.overlapping()), (0, 1));
    sessions.delete(first, &viewer("a"), at(1), &settings).unwrap();
    create(&mut sessions, "a", 2, &settings).unwrap();
    assert_eq!(doubled(&sessions), 0, "one after the other is no double");
    create(&mut sessions, "a", 3, &settings).unwrap();
    assert_eq!(doubled(&sessions), 1);
    let mut sessions = Sessions::default();
    for phone in [PHONE, "+447700900113"] {
        let mut order = order("a", phone, 60);
        order.callback = Some(Private::from("https://client.example.com/n/1"));
        sessions.create(order, at(0), &settings, settings.overlap).unwrap();
    }
    assert_eq!((doubled(&sessions), sessions.overlapping()), (1, 0));
}

#[test]
fn a_lost_session_is_not_found_and_frees_its_flow() {
    let settings = Settings::default();
    let mut sessions = Sessions::default();
    let id = create(&mut sessions, "a", 0, &settings).unwrap();
    assert_eq!(sessions.lose(at(1), |session| session.id == id), 1);
    assert_eq!(sessions.get(id, &viewer("a"), at(2)).unwrap_err(), Refused::NotFound);
    assert!(create(&mut sessions, "a", 2, &settings).is_ok());
}

#[test]
fn a_session_is_found_and_listed_only_by_its_client_its_subject_and_its_generation() {
    let settings = Settings::default();
    let mut sessions = Sessions::default();
    let id = create(&mut sessions, "a", 0, &settings).unwrap();
    let device = order("a", PHONE, 60).flow.device;
    let other = order("a", "+447700900113", 60).flow.device;
    let by = |subject, generation| Viewer { subject, generation, ..viewer("a") };
    assert!(sessions.get(id, &by(Some(&device), Generation::V0_10), at(1)).is_ok());
    assert_eq!(sessions.get(id, &by(Some(&other), Generation::V0_10), at(1)).unwrap_err(), Refused::Foreign);
    assert_eq!(sessions.get(id, &by(None, Generation::V0_11), at(1)).unwrap_err(), Refused::NotFound);
    let listed = |who: &Viewer<'_>, device: &Device, lag| sessions.list(who, device, at(1), lag).count();
    assert_eq!(listed(&viewer("a"), &device, 0), 1);
    assert_eq!(listed(&viewer("a"), &device, 1), 1);
    assert_eq!(listed(&viewer("a"), &device, 2), 0, "the list lags behind");
    assert_eq!(listed(&viewer("a"), &other, 0), 0);
    assert_eq!(listed(&viewer("b"), &device, 0), 0);
    assert_eq!(listed(&by(None, Generation::V0_11), &device, 0), 0);
}

#[test]
fn a_list_has_retained_sessions_and_never_a_deleted_one() {
    let settings = Settings { deleted_kept_seconds: 360, ..Settings::default() };
    let mut sessions = Sessions::default();
    let id = create(&mut sessions, "a", 0, &settings).unwrap();
    let device = order("a", PHONE, 60).flow.device;
    sessions.terminate(at(1), &settings, |_| true);
    assert_eq!(sessions.list(&viewer("a"), &device, at(2), 0).count(), 1);
    sessions.delete(id, &viewer("a"), at(2), &settings).unwrap();
    assert!(sessions.get(id, &viewer("a"), at(2)).is_ok(), "still shown by its id");
    assert_eq!(sessions.list(&viewer("a"), &device, at(2), 0).count(), 0);
}

fn told(sessions: &mut Sessions) -> Vec<(i64, EventStatus, Option<StatusInfo>)> {
    let at = |transition: Transition| transition.at.as_second() - start().as_second();
    sessions.transitions().drain(..).map(|told| (at(told), told.status, told.info)).collect()
}

fn notified(generation: Generation) -> Order {
    let url = Private::from("https://client.example.com/n/1");
    let flavour = Flavour::Camara;
    let target = NotifyTarget { url, token: None, token_expires: None, key: None, generation, flavour };
    Order { notify: Some(target), generation, ..order("a", PHONE, 3600) }
}

#[test]
fn the_client_is_told_of_each_change_at_its_own_time_and_of_none_twice() {
    use EventStatus::{Available, Unavailable};
    let settings = Settings { requested_delay_seconds: 5, ..Settings::default() };
    let mut sessions = Sessions::default();
    let create = |sessions: &mut Sessions, settings: &Settings, now| {
        sessions.create(notified(Generation::V1_1), at(now), settings, Overlap::Off).unwrap().id
    };
    let id = create(&mut sessions, &settings, 0);
    assert_eq!(told(&mut sessions), []);
    sessions.advance(at(100), &settings);
    assert_eq!(told(&mut sessions), [(5, Available, None)]);
    sessions.extend(id, &viewer_of(Generation::V1_1), 60, at(101), &settings).unwrap();
    assert_eq!(told(&mut sessions), [], "an extension is no event");
    sessions.terminate(at(110), &settings, |_| true);
    assert_eq!(told(&mut sessions), [(110, Unavailable, Some(StatusInfo::NetworkTerminated))]);
    sessions.advance(at(5000), &settings);
    assert_eq!(told(&mut sessions), [], "the end of the retention is no event");
    let id = create(&mut sessions, &settings, 5000);
    sessions.delete(id, &viewer_of(Generation::V1_1), at(5001), &settings).unwrap();
    assert_eq!(told(&mut sessions), [], "it was REQUESTED");
    let at_once = Settings::default();
    let id = create(&mut sessions, &at_once, 6000);
    sessions.delete(id, &viewer_of(Generation::V1_1), at(6001), &at_once).unwrap();
    assert_eq!(told(&mut sessions), [(6000, Available, None), (6001, Unavailable, Some(StatusInfo::DeleteRequested))]);
    create(&mut sessions, &at_once, 7000);
    sessions.advance(at(20_000), &at_once);
    assert_eq!(told(&mut sessions), [(7000, Available, None), (10_600, Unavailable, Some(StatusInfo::DurationExpired))]);
    let id = create(&mut sessions, &at_once, 20_000);
    sessions.terminate(at(20_001), &at_once, |_| true);
    told(&mut sessions);
    sessions.delete(id, &viewer_of(Generation::V1_1), at(20_002), &at_once).unwrap();
    assert_eq!(told(&mut sessions), [], "it was UNAVAILABLE already");
    sessions.create(order("a", "+447700900113", 60), at(20_000), &at_once, Overlap::Off).unwrap();
    assert_eq!(told(&mut sessions), [], "no callback was given");
}

fn viewer_of(generation: Generation) -> Viewer<'static> {
    Viewer { generation, ..viewer("a") }
}

#[test]
fn a_creation_refused_by_the_network_is_told_at_once_and_a_late_one_when_the_retention_ends() {
    let refused = Settings { unavailable_at_once: true, ..Settings::default() };
    let mut sessions = Sessions::default();
    let terminated = Some(StatusInfo::NetworkTerminated);
    sessions.create(notified(Generation::V1_2), at(0), &refused, Overlap::Enforced).unwrap();
    assert_eq!(told(&mut sessions), [(0, EventStatus::Unavailable, terminated)]);
    let late = Settings { quirks: [Quirk::LateTerminationEvent].into(), ..Settings::default() };
    let mut sessions = Sessions::default();
    sessions.create(notified(Generation::V1_1), at(0), &late, Overlap::Enforced).unwrap();
    told(&mut sessions);
    sessions.terminate(at(10), &late, |_| true);
    assert_eq!(told(&mut sessions), []);
    sessions.advance(at(1000), &late);
    assert_eq!(told(&mut sessions), [(370, EventStatus::Unavailable, terminated)]);
}
