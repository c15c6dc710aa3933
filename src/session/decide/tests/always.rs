//! What holds for all facts, whatever they are.

use crate::session::facts::{Info, Renewal};
use proptest::option;
use proptest::prelude::*;

use super::*;

fn times() -> impl Strategy<Value = Timestamp> {
    (-50_i64..50).prop_map(|n| t(n * 40))
}

fn hashes() -> impl Strategy<Value = AppliedHash> {
    prop_oneof![3 => Just(SPEC), 1 => Just(OTHER)]
}

fn words() -> impl Strategy<Value = Word> {
    prop_oneof![
        3 => Just(Word::Available),
        1 => Just(Word::Requested),
        1 => Just(Word::Unavailable),
        1 => Just(Word::NotSaid),
        1 => Just(Word::Unknown(1)),
    ]
}

fn infos() -> impl Strategy<Value = Info> {
    prop_oneof![
        Just(Info::NotSaid),
        Just(Info::DurationExpired),
        Just(Info::NetworkTerminated),
        Just(Info::DeleteRequested),
        Just(Info::Unknown(1)),
    ]
}

fn sights() -> impl Strategy<Value = Seen> {
    (words(), infos(), option::of(times()), option::of(times()), option::of(0_i64..4000)).prop_map(
        |(word, info, started_at, expires_at, granted_seconds)| Seen { word, info, started_at, expires_at, granted_seconds },
    )
}

fn goals() -> impl Strategy<Value = Goal> {
    let renewal = prop_oneof![Just(Renewal::Always), (0_i64..4000).prop_map(|run_seconds| Renewal::Never { run_seconds })];
    (any::<[bool; 5]>(), option::weighted(0.9, hashes()), renewal, option::of(0_i64..4000)).prop_map(
        |([deleting, orphan, suspend, paused, recreate], hash, renewal, lease_seconds)| Goal {
            deleting,
            orphan,
            suspend,
            paused,
            hash,
            renewal,
            lease_seconds,
            recreate,
        },
    )
}

fn attempts() -> impl Strategy<Value = Attempt> {
    (0..2_u128, times(), 0..20_i64, 0..40_i64, hashes(), 1..4000_i64, any::<bool>(), option::of(times())).prop_map(
        |(nonce, at, lands, dead, hash, duration_seconds, extends, earlier)| Attempt {
            nonce: Nonce(nonce),
            at,
            lands_by: later(at, bounds::seconds(lands * 40)),
            dead_by: later(at, bounds::seconds((lands + dead) * 40)),
            hash,
            duration_seconds,
            extends,
            earlier,
        },
    )
}

fn pasts() -> impl Strategy<Value = Past> {
    let outcome = prop_oneof![Just(Outcome::Created), Just(Outcome::Busy), Just(Outcome::Refused), Just(Outcome::Absent)];
    let record = prop_oneof![
        6 => attempts().prop_map(Record::Of),
        1 => Just(Record::None),
        1 => Just(Record::Unreadable),
    ];
    let settled = option::of((0..2_u128, outcome).prop_map(|(nonce, outcome)| Settled { nonce: Nonce(nonce), outcome }));
    let held = option::of((option::weighted(0.9, hashes()), sights()).prop_map(|(hash, seen)| Held { hash, seen }));
    (any::<bool>(), record, settled, held, option::of(hashes()), infos(), option::of(times())).prop_map(
        |(finalizer, record, settled, held, last_hash, last_info, run_started_at)| Past {
            finalizer,
            record,
            settled,
            held,
            last_hash,
            last_info,
            run_started_at,
        },
    )
}

fn looks() -> impl Strategy<Value = Look> {
    let got = || {
        prop_oneof![
            3 => sights().prop_map(Got::Session),
            1 => Just(Got::Gone),
            1 => Just(Got::Error),
            1 => Just(Got::NotSupported),
        ]
    };
    let listed = (option::of(0..3_usize), option::of(0..3_usize), any::<bool>(), any::<bool>())
        .prop_map(|(own, other_own, own_matches, flow)| Listed { own, other_own, own_matches, flow });
    prop_oneof![
        2 => Just(Look::None),
        3 => got().prop_map(Look::Held),
        1 => got().prop_map(Look::OfEvent),
        2 => option::of(listed).prop_map(Look::List),
    ]
}

fn bars() -> impl Strategy<Value = Bar> {
    prop_oneof![Just(Bar::Spec), Just(Bar::ProviderNotReady), Just(Bar::Budget), Just(Bar::Duration)]
}

fn sighted() -> impl Strategy<Value = Observed> {
    let reach =
        prop_oneof![4 => Just(Reach::Ready), 1 => Just(Reach::NotReady), 1 => Just(Reach::Closed), 1 => Just(Reach::Gone)];
    let memory = (option::of(times()), option::of(times()), any::<[bool; 4]>(), option::of(times())).prop_map(
        |(poll_at, pause_until, [refused, extend_refused, delete_unsupported, get_unsupported], half_of_grant)| Memory {
            poll_at,
            pause_until,
            refused,
            extend_refused,
            half_of_grant,
            delete_unsupported,
            get_unsupported,
        },
    );
    let limits = (option::of(1..4000_i64), option::of(1..4000_i64), option::of(1..4000_i64))
        .prop_map(|(min_seconds, max_seconds, max_lease_seconds)| Limits { min_seconds, max_seconds, max_lease_seconds });
    (looks(), any::<[bool; 4]>(), reach, option::weighted(0.3, bars()), any::<bool>(), limits, memory).prop_map(
        |(look, [rejects, lists, sink, extends], reach, bar, peer, limits, memory)| Observed {
            look,
            abilities: Abilities { rejects, lists, sink, extends },
            reach,
            bar,
            peer,
            limits,
            memory,
            ..observed()
        },
    )
}

/// A row after which nothing is left to wait for, or only for a change of the object, its provider or its peers, which wakes it.
fn ends_or_waits_for_a_change(goal: &Goal, decision: &Decision) -> bool {
    let let_go = goal.deleting && matches!(decision.row, Row::R1 | Row::R4 | Row::R17 | Row::R20 | Row::R24);
    let_go || matches!(decision.row, Row::R22a | Row::R25) || decision.held_back == Some(HeldBack::Paused)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_table_answers_to_any_facts(goal in goals(), past in pasts(), observed in sighted(), event: bool, now in times()) {
        let decision = decide(&goal, &past, &observed, now);
        let _: Read = due_read(&goal, &past, &observed, event, now);
        prop_assert!(decision.held_back.is_none() || decision.step == Step::None);
    }

    #[test]
    fn a_paused_object_has_no_effect_at_the_provider(goal in goals(), past in pasts(), observed in sighted(), now in times()) {
        let decision = decide(&Goal { paused: true, ..goal }, &past, &observed, now);
        prop_assert!(!decision.step.is_effect(), "{decision:?}");
    }

    #[test]
    fn nothing_is_created_extended_or_recorded_as_wanted_while_deleting(
        goal in goals(), past in pasts(), observed in sighted(), now in times(),
    ) {
        let decision = decide(&Goal { deleting: true, ..goal }, &past, &observed, now);
        let keeps = matches!(
            decision.step,
            Step::Send { .. } | Step::Extend { .. } | Step::MarkExtends | Step::RestoreFinalizer | Step::RecordListed(_) | Step::AdoptListed(_)
        );
        prop_assert!(!keeps, "{decision:?}");
    }

    #[test]
    fn nothing_is_sent_against_a_bar(
        goal in goals(), past in pasts(), observed in sighted(), bar in bars(), now in times(),
    ) {
        let sends = |decision: &Decision| matches!(decision.step, Step::Send { .. } | Step::Extend { .. });
        let by_bar = decide(&goal, &past, &Observed { bar: Some(bar), ..observed }, now);
        prop_assert!(!sends(&by_bar), "{by_bar:?}");
        let suspended = decide(&Goal { suspend: true, ..goal }, &past, &observed, now);
        prop_assert!(!sends(&suspended), "{suspended:?}");
        let ended = bounds::recovery_ended(&goal, &past) && past.held.is_none();
        prop_assert!(!(ended && sends(&decide(&goal, &past, &observed, now))));
    }

    #[test]
    fn nothing_is_sent_while_the_flow_is_anothers_unless_an_earlier_send_of_ours_is_there(
        goal in goals(), past in pasts(), observed in sighted(), now in times(),
    ) {
        let decision = decide(&goal, &past, &Observed { peer: true, ..observed }, now);
        prop_assert!(!matches!(decision.step, Step::Send { earlier: None, .. }), "{decision:?}");
    }

    #[test]
    fn what_is_asked_for_lies_within_the_limits(goal in goals(), past in pasts(), observed in sighted(), now in times()) {
        if let Step::Send { seconds, .. } = decide(&goal, &past, &observed, now).step {
            let least = observed.limits.min_seconds.unwrap_or(1);
            let most = observed.limits.max_seconds.unwrap_or(i64::MAX).max(least);
            prop_assert!((least..=most).contains(&seconds));
        }
    }

    #[test]
    fn every_object_that_is_not_at_its_end_is_looked_at_again(
        goal in goals(), past in pasts(), observed in sighted(), now in times(),
    ) {
        let decision = decide(&goal, &past, &observed, now);
        if decision.step == Step::None && !ends_or_waits_for_a_change(&goal, &decision) {
            prop_assert!(decision.backoff || decision.wake.is_some(), "{decision:?}");
        }
    }

    #[test]
    fn a_time_that_has_passed_wakes_nobody_unless_a_read_is_due(
        goal in goals(), past in pasts(), observed in sighted(), now in times(),
    ) {
        let decision = decide(&goal, &past, &observed, now);
        if decision.step == Step::None && decision.wake.is_some_and(|at| at <= now) {
            let read = due_read(&goal, &past, &observed, false, now);
            prop_assert!(read != Read::None, "{decision:?}");
        }
    }

    #[test]
    fn a_finalizer_is_taken_off_only_from_an_object_that_is_being_deleted(
        goal in goals(), past in pasts(), observed in sighted(), now in times(),
    ) {
        let decision = decide(&goal, &past, &observed, now);
        prop_assert!(decision.step != Step::RemoveFinalizer || (goal.deleting && past.finalizer), "{decision:?}");
    }
}
