//! Each row of the table by an example.

mod always;

use super::*;
use crate::session::facts::{Abilities, AppliedHash, Limits, Listed, Margins, Memory, Nonce, Settled};
use crate::session::facts::{Info, Renewal};
use crate::session::rules::Rules;

const SPEC: AppliedHash = AppliedHash(1);
const OTHER: AppliedHash = AppliedHash(2);
const N: Nonce = Nonce(7);

fn t(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn goal() -> Goal {
    Goal {
        deleting: false,
        orphan: false,
        suspend: false,
        paused: false,
        hash: Some(SPEC),
        renewal: Renewal::Always,
        lease_seconds: Some(600),
        recreate: true,
    }
}

fn deleting() -> Goal {
    Goal { deleting: true, ..goal() }
}

fn blank() -> Past {
    Past {
        finalizer: false,
        record: Record::None,
        settled: None,
        held: None,
        last_hash: None,
        last_info: Info::NotSaid,
        run_started_at: None,
    }
}

/// Sent at 0, landed by 135, dead by 1030.
fn attempt() -> Attempt {
    Attempt {
        nonce: N,
        at: t(0),
        lands_by: t(135),
        dead_by: t(1030),
        hash: SPEC,
        duration_seconds: 600,
        extends: false,
        earlier: None,
    }
}

fn open() -> Past {
    Past { finalizer: true, record: Record::Of(attempt()), ..blank() }
}

fn seen(word: Word, expires: Option<i64>) -> Seen {
    Seen { word, expires_at: expires.map(t), ..Seen::NOTHING }
}

/// AVAILABLE until 600.
fn held() -> Past {
    held_as(seen(Word::Available, Some(600)))
}

fn held_as(seen: Seen) -> Past {
    Past {
        settled: Some(Settled { nonce: N, outcome: Outcome::Created }),
        held: Some(Held { hash: Some(SPEC), seen }),
        last_hash: Some(SPEC),
        ..open()
    }
}

fn settled(outcome: Outcome) -> Past {
    Past { settled: Some(Settled { nonce: N, outcome }), ..open() }
}

/// v0.10: no list, no sink, rejects overlaps; W 10, L 90, C 5, Q 300, skew 30, retention 360.
fn observed() -> Observed {
    let s = bounds::seconds;
    Observed {
        look: Look::None,
        abilities: Abilities { rejects: true, lists: false, sink: false, extends: false },
        reach: Reach::Ready,
        bar: None,
        peer: false,
        limits: Limits::default(),
        memory: Memory { poll_at: Some(t(100_000)), ..Memory::default() },
        margins: Margins {
            send_window: s(10),
            late_effect: s(90),
            list_lag: s(5),
            requested_max: s(300),
            clock_skew: s(30),
            retention: s(360),
            renewal_margin: s(300),
        },
        longest_grant: 600,
        rules: Rules::ALL,
    }
}

fn listing(look: Look) -> Observed {
    Observed { look, abilities: Abilities { rejects: true, lists: true, sink: true, extends: false }, ..observed() }
}

fn got(got: Got) -> Observed {
    Observed { look: Look::Held(got), ..observed() }
}

fn extending(look: Look) -> Observed {
    Observed { look, abilities: Abilities { extends: true, ..observed().abilities }, ..observed() }
}

fn barred() -> Observed {
    Observed { bar: Some(Bar::Budget), ..observed() }
}

#[track_caller]
fn says(goal: Goal, past: Past, observed: Observed, at: i64, row: Row, step: Step) -> Decision {
    let decision = decide(&goal, &past, &observed, t(at));
    assert_eq!((decision.row, decision.step), (row, step));
    decision
}

#[test]
fn an_orphan_is_let_go_at_once_even_when_paused_and_holding() {
    let goal = Goal { orphan: true, paused: true, ..deleting() };
    says(goal, held(), observed(), 1, Row::R1, Step::RemoveFinalizer);
}

#[test]
fn a_paused_object_keeps_its_row_and_loses_its_effect_until_nothing_can_be_left() {
    let decision = says(Goal { paused: true, ..deleting() }, held(), observed(), 1, Row::R5, Step::None);
    assert_eq!((decision.held_back, decision.wake), (Some(HeldBack::Paused), Some(t(630))));
}

#[test]
fn a_missing_finalizer_is_put_back_before_anything_else() {
    says(goal(), Past { finalizer: false, ..held() }, observed(), 1, Row::R3, Step::RestoreFinalizer);
    says(goal(), Past { finalizer: false, ..open() }, observed(), 1, Row::R3, Step::RestoreFinalizer);
}

#[test]
fn at_the_bound_a_deleted_object_goes_without_its_release() {
    says(deleting(), held(), observed(), 629, Row::R5, Step::Release);
    says(deleting(), held(), observed(), 630, Row::R4, Step::RemoveFinalizer);
}

#[test]
fn a_session_of_the_earlier_spec_is_over_only_when_it_cannot_block_any_more() {
    let edited = Goal { hash: Some(OTHER), ..goal() };
    says(edited, held(), observed(), 989, Row::R5, Step::Release);
    says(edited, held(), observed(), 990, Row::R4, Step::RecordReleased(Ending::ByTime));
}

#[test]
fn a_session_is_released_when_it_is_suspended_or_its_spec_has_changed() {
    says(Goal { suspend: true, ..goal() }, held(), observed(), 1, Row::R5, Step::Release);
    says(Goal { hash: Some(OTHER), ..goal() }, held(), observed(), 1, Row::R5, Step::Release);
}

#[test]
fn a_session_of_the_earlier_spec_is_kept_while_its_successor_could_not_be_created() {
    says(Goal { hash: Some(OTHER), ..goal() }, held(), barred(), 1, Row::R13, Step::None);
}

#[test]
fn a_failed_look_keeps_what_is_recorded() {
    let decision = says(goal(), held(), got(Got::Error), 1, Row::R6, Step::None);
    assert!(decision.backoff);
    assert_eq!(decision.wake, Some(t(600)));
}

#[test]
fn what_cannot_be_asked_for_is_over_when_it_cannot_block_any_more() {
    let once = Goal { renewal: Renewal::Never { run_seconds: 600 }, ..goal() };
    let past = Past { run_started_at: Some(t(0)), ..held() };
    says(once, past, got(Got::Error), 989, Row::R6, Step::None);
    says(once, past, got(Got::Error), 990, Row::R6a, Step::RecordReleased(Ending::ByTime));
}

#[test]
fn a_session_that_the_provider_does_not_know_is_over() {
    says(goal(), held(), got(Got::Gone), 1, Row::R7, Step::RecordReleased(Ending::Vanished));
}

#[test]
fn a_terminated_session_is_deleted_before_it_is_forgotten() {
    let unavailable = seen(Word::Unavailable, Some(600));
    says(goal(), held(), got(Got::Session(unavailable)), 1, Row::R8, Step::Release);
    says(goal(), held_as(unavailable), observed(), 1, Row::R8, Step::Release);
    // A release that is refused without end (another client's session) is not tried beyond what the session can block.
    says(goal(), held_as(unavailable), observed(), 989, Row::R8, Step::Release);
    says(goal(), held_as(unavailable), observed(), 990, Row::R8, Step::RecordReleased(Ending::ByTime));
}

#[test]
fn where_there_is_no_delete_a_terminated_session_is_only_recorded() {
    let unable = Memory { delete_unsupported: true, ..observed().memory };
    let past = held_as(Seen { info: Info::NetworkTerminated, ..seen(Word::Unavailable, Some(600)) });
    says(goal(), past, Observed { memory: unable, ..observed() }, 1, Row::R8, Step::RecordReleased(Ending::Vanished));
}

#[test]
fn an_answer_that_tells_something_new_is_recorded() {
    let longer = seen(Word::Available, Some(900));
    says(goal(), held(), got(Got::Session(longer)), 1, Row::R9, Step::RecordSeen(longer));
}

#[test]
fn a_requested_session_is_waited_for_and_its_bound_stays_ahead() {
    let requested = held_as(seen(Word::Requested, None));
    says(goal(), requested, observed(), 430, Row::R10, Step::None);
    says(goal(), requested, observed(), 431, Row::R10, Step::DeferDeath { dead_by: t(431 + 600 + 431) });
}

#[test]
fn near_its_expiry_a_session_is_extended_after_its_bound_counts_it() {
    let looked = Look::Held(Got::Session(seen(Word::Available, Some(600))));
    says(goal(), held(), extending(looked), 299, Row::R13, Step::None);
    says(goal(), held(), extending(looked), 300, Row::R11, Step::MarkExtends);
    let marked = Past { record: Record::Of(Attempt { extends: true, ..attempt() }), ..held() };
    says(goal(), marked, extending(looked), 300, Row::R11, Step::Extend { seconds: 600 });
    says(goal(), marked, extending(Look::None), 300, Row::R13, Step::None);
}

#[test]
fn where_nothing_can_be_extended_the_session_is_replaced_at_the_last_moment() {
    says(goal(), held(), observed(), 589, Row::R13, Step::None);
    says(goal(), held(), observed(), 590, Row::R12, Step::Release);
}

#[test]
fn where_there_is_no_delete_either_the_session_is_replaced_when_it_cannot_block_any_more() {
    let unable = Memory { delete_unsupported: true, get_unsupported: true, ..observed().memory };
    let observed = Observed { memory: unable, ..observed() };
    let decision = says(goal(), held(), observed, 989, Row::R12, Step::None);
    assert_eq!((decision.held_back, decision.wake), (Some(HeldBack::Unreachable), Some(t(990))));
    says(goal(), held(), observed, 990, Row::R12, Step::RecordReleased(Ending::ByTime));
}

#[test]
fn what_could_not_be_created_again_is_not_released_near_its_expiry() {
    let decision = says(goal(), held(), barred(), 590, Row::R12a, Step::None);
    assert_eq!(decision.barred, Some(Barred::By(Bar::Budget)));
}

#[test]
fn at_rest_nothing_is_done_until_the_next_time_that_matters() {
    let decision = says(goal(), held(), observed(), 1, Row::R13, Step::None);
    assert_eq!(decision.wake, Some(t(590)));
}

#[test]
fn an_event_or_a_list_brings_the_session_of_the_open_attempt() {
    let found = seen(Word::Available, Some(600));
    let by_event = Observed { look: Look::OfEvent(Got::Session(found)), ..observed() };
    says(goal(), open(), by_event, 1, Row::R14, Step::AdoptEvent(found));
    let over = Observed { look: Look::OfEvent(Got::Gone), ..observed() };
    says(goal(), open(), over, 1, Row::R14, Step::SettleEvent);
    let listed = listing(Look::List(Some(Listed { own: Some(3), ..Listed::default() })));
    says(goal(), open(), listed, 1, Row::R14, Step::AdoptListed(3));
}

#[test]
fn what_is_found_and_no_longer_wanted_is_released() {
    let own = listing(Look::List(Some(Listed { own: Some(3), ..Listed::default() })));
    says(deleting(), open(), own, 1, Row::R15, Step::ReleaseListed(3));
    says(Goal { hash: Some(OTHER), ..goal() }, open(), own, 1, Row::R15, Step::ReleaseListed(3));
    let copy = listing(Look::List(Some(Listed { other_own: Some(4), ..Listed::default() })));
    says(goal(), open(), copy, 1, Row::R15, Step::ReleaseListed(4));
    // Of two, the further one goes before the other is adopted, unless the provider cannot release.
    let two = listing(Look::List(Some(Listed { own: Some(3), other_own: Some(4), ..Listed::default() })));
    says(goal(), open(), two, 1, Row::R15, Step::ReleaseListed(4));
    let unable = Memory { delete_unsupported: true, ..Memory::default() };
    says(goal(), open(), Observed { memory: unable, ..two }, 1, Row::R14, Step::AdoptListed(3));
}

#[test]
fn a_failed_list_is_not_an_empty_one() {
    let decision = says(deleting(), open(), listing(Look::List(None)), 500, Row::R16, Step::None);
    assert_eq!((decision.backoff, decision.wake), (true, Some(t(1030))));
}

#[test]
fn an_empty_list_counts_only_after_the_last_moment_to_land() {
    let empty = listing(Look::List(Some(Listed::default())));
    says(goal(), open(), empty, 135, Row::R19, Step::None);
    says(goal(), open(), empty, 136, Row::R27, Step::Send { seconds: 600, earlier: None });
    says(deleting(), open(), empty, 136, Row::R17, Step::RemoveFinalizer);
    says(goal(), open(), Observed { bar: Some(Bar::Budget), ..empty }, 136, Row::R17, Step::RecordAbsent);
}

#[test]
fn without_a_sink_what_stands_on_the_flow_blocks_and_is_never_adopted() {
    let mut look = listing(Look::List(Some(Listed { flow: true, ..Listed::default() })));
    look.abilities.sink = false;
    let decision = says(goal(), open(), look, 500, Row::R18, Step::None);
    assert_eq!(decision.wake, Some(t(1030)));
}

#[test]
fn nothing_is_concluded_while_a_create_may_still_land() {
    let decision = says(goal(), open(), observed(), 135, Row::R19, Step::None);
    assert_eq!(decision.wake, Some(t(136)));
}

#[test]
fn at_its_death_an_attempt_has_left_nothing_behind() {
    says(deleting(), open(), observed(), 1029, Row::R22, Step::None);
    says(deleting(), open(), observed(), 1030, Row::R20, Step::RemoveFinalizer);
}

#[test]
fn without_a_list_one_more_send_decides_where_overlaps_are_rejected() {
    let send = Step::Send { seconds: 600, earlier: Some(t(1030)) };
    says(goal(), open(), observed(), 136, Row::R21, send);
}

#[test]
fn where_doubles_live_or_the_request_has_changed_only_time_decides() {
    let mut doubles = observed();
    doubles.abilities.rejects = false;
    let decision = says(goal(), open(), doubles, 136, Row::R22, Step::None);
    assert_eq!(decision.wake, Some(t(1030)));
    says(Goal { hash: Some(OTHER), ..goal() }, open(), observed(), 136, Row::R22, Step::None);
}

#[test]
fn a_refused_second_send_keeps_the_attempt_open_until_the_first_is_dead() {
    let second = Attempt { earlier: Some(t(900)), ..attempt() };
    let past = Past { record: Record::Of(second), ..settled(Outcome::Busy) };
    says(Goal { hash: Some(OTHER), ..goal() }, past, observed(), 899, Row::R22, Step::None);
    says(Goal { hash: Some(OTHER), ..goal() }, past, observed(), 900, Row::R27, Step::Send { seconds: 600, earlier: None });
}

#[test]
fn a_record_that_cannot_be_read_stops_everything() {
    says(goal(), Past { record: Record::Unreadable, ..open() }, observed(), 1, Row::R22a, Step::None);
}

#[test]
fn at_first_sight_and_after_a_conflict_the_list_is_asked_for_what_is_ours() {
    let ours = Listed { other_own: Some(2), own_matches: true, ..Listed::default() };
    for past in [blank(), settled(Outcome::Busy)] {
        says(goal(), past, listing(Look::List(Some(ours))), 1, Row::R23, Step::RecordListed(2));
        let unlike = Listed { own_matches: false, ..ours };
        says(goal(), past, listing(Look::List(Some(unlike))), 1, Row::R23, Step::ReleaseListed(2));
        assert!(says(goal(), past, listing(Look::List(None)), 1, Row::R23, Step::None).backoff);
        assert_eq!(due_read(&goal(), &past, &listing(Look::None), false, t(1)), Read::List);
    }
}

#[test]
fn with_nothing_left_a_deleted_object_goes() {
    says(deleting(), settled(Outcome::Absent), observed(), 1, Row::R24, Step::RemoveFinalizer);
    says(deleting(), blank(), observed(), 1, Row::R24, Step::None);
}

#[test]
fn nothing_is_created_against_what_bars_it() {
    let past = settled(Outcome::Created);
    let bar = |goal, past, observed| says(goal, past, observed, 700, Row::R25, Step::None).barred;
    assert_eq!(bar(Goal { suspend: true, ..goal() }, past, observed()), Some(Barred::Suspended));
    assert_eq!(bar(goal(), past, barred()), Some(Barred::By(Bar::Budget)));
    let ended = Past { last_hash: Some(SPEC), last_info: Info::NetworkTerminated, ..past };
    assert_eq!(bar(Goal { recreate: false, ..goal() }, ended, observed()), Some(Barred::RecoveryEnded));
    let once = Goal { renewal: Renewal::Never { run_seconds: 600 }, ..goal() };
    let ran = Past { last_hash: Some(SPEC), run_started_at: Some(t(0)), last_info: Info::DurationExpired, ..past };
    assert_eq!(bar(once, ran, observed()), Some(Barred::RunOver));
}

#[test]
fn a_peer_on_the_flow_is_waited_for() {
    assert!(says(goal(), blank(), Observed { peer: true, ..observed() }, 1, Row::R26, Step::None).backoff);
}

#[test]
fn what_is_declared_is_created() {
    says(goal(), blank(), observed(), 1, Row::R27, Step::Send { seconds: 600, earlier: None });
    let once = Goal { renewal: Renewal::Never { run_seconds: 600 }, ..goal() };
    let ended = Past { last_hash: Some(SPEC), run_started_at: Some(t(0)), last_info: Info::NetworkTerminated, ..blank() };
    says(once, ended, observed(), 250, Row::R27, Step::Send { seconds: 350, earlier: None });
}

#[test]
fn after_a_confirmed_release_a_deleted_object_goes_and_another_forgets_its_session() {
    assert_eq!(after_release(&deleting(), &held(), Ending::Deleted, t(1)), Step::RemoveFinalizer);
    assert_eq!(after_release(&goal(), &held(), Ending::Deleted, t(1)), Step::RecordReleased(Ending::Deleted));
    let newer = Past { record: Record::Of(Attempt { nonce: Nonce(8), ..attempt() }), ..held() };
    assert_eq!(after_release(&deleting(), &newer, Ending::Deleted, t(1)), Step::RecordReleased(Ending::Deleted));
}
