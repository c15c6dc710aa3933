//! The rows, and what holds of all of them.

use super::*;
use crate::qod::Reason as Refusal;
use crate::session::decide::{Ending, Row as Decided};

/// A row: its number in the table, the world, and what is told, as the table writes it: qosStatus/statusInfo, Available, Ready,
/// Reconciling or Stalled, the Event, a part of the message. Where no reason is written, it is Ready's.
pub(super) type Row = (&'static str, World, &'static str);

macro_rules! rows {
    ($($row:literal: $world:expr => $told:literal;)+) => { vec![$(($row, $world, $told)),+] };
}

fn before_the_first() -> Vec<Row> {
    let new = World::new;
    let peer = |older| PeerWords::Named { name: "camera-11".to_owned(), older };
    let words = "telefonica does not exist";
    let young = || new().at(-3590).bar(Bar::ProviderNotFound, Reason::ProviderNotFound, words);
    let barred = |bar, reason| new().bar(bar, reason, "the cause");
    let denied = || Effect::AdmissionDenied("policy-x".to_owned());
    rows! {
        "2": new()
            => "-/- | - | - | - | - | ";
        "3": barred(Bar::Spec, Reason::InvalidSpec)
            => "-/- | False | False InvalidSpec | Sta | Warning / Validate | the cause";
        "4": barred(Bar::ProviderNotFound, Reason::ProviderNotFound)
            => "-/- | False | False ProviderNotFound | Rec | Warning / Resolve | the cause";
        "4, new": young()
            => "-/- | False | False ProviderNotFound | Rec | - | does not exist; it may be on its way";
        "5": barred(Bar::ProviderNotReady, Reason::ProviderNotReady)
            => "-/- | False | False ProviderNotReady | Rec | - | the cause";
        "6": barred(Bar::Namespace, Reason::NamespaceNotAllowed)
            => "-/- | False | False NamespaceNotAllowed | Sta | Warning / Resolve | the cause";
        "7": barred(Bar::Budget, Reason::BudgetExceeded)
            => "-/- | False | False BudgetExceeded | Rec | Warning / Create | the cause";
        "8": new().peer(peer(true))
            => "-/- | False | False DeviceBusy | Rec | Warning / Create | waits for QosSession camera-11, which is older";
        "8, younger": new().peer(peer(false))
            => "-/- | False | False DeviceBusy | Rec | Warning / Create | waits for QosSession camera-11, which holds";
        "8, elsewhere": new().peer(PeerWords::Elsewhere)
            => "-/- | False | False DeviceBusy | Rec | Warning / Create | a session of another namespace";
        "9": new().refused(fault(FaultClass::Conflict, 409, "CONFLICT"))
            => "-/- | False | False DeviceBusy | Rec | Warning / Create | 409 CONFLICT";
        "10": new().recorded(None).at(200).refused(fault(FaultClass::Conflict, 409, "CONFLICT"))
            => "-/- | False | False DeviceBusy | Rec | Warning / Create | may hold this device until 2026-05-28T";
        "23": new().effect(Effect::Ambiguous(fault(FaultClass::Ambiguous, 500, "INTERNAL")))
            => "-/- | Unknown | Unknown OutcomeUnknown | Rec | Warning / Create | answer to a create was lost";
        "23, later": new().recorded(None).at(20)
            => "-/- | Unknown | Unknown OutcomeUnknown | Rec | Warning / Create | answer to a create was lost";
        "26": new().refused(fault(FaultClass::Refused(Refusal::Permission), 403, "PERMISSION_DENIED"))
            => "-/- | False | False CredentialsRejected | Sta | Warning / Create | (403 PERMISSION_DENIED)";
        "28": barred(Bar::Spec, Reason::ConsentPending)
            => "-/- | False | False ConsentPending | Rec | Normal / Authorize | ";
        "29": barred(Bar::Spec, Reason::ConsentDenied)
            => "-/- | False | False ConsentDenied | Sta | Warning / Authorize | ";
        "30, bar": barred(Bar::Profile, Reason::ProfileUnavailable)
            => "-/- | False | False ProfileUnavailable | Sta | Warning / Create | the cause";
        "30, profile": new().refused(fault(FaultClass::Refused(Refusal::Profile), 400, "X"))
            => "-/- | False | False ProfileUnavailable | Sta | Warning / Create | profile";
        "30, duration": new().refused(fault(FaultClass::Refused(Refusal::Duration), 400, "X"))
            => "-/- | False | False DurationOutOfRange | Sta | Warning / Create | duration";
        "30, device": new().refused(fault(FaultClass::Refused(Refusal::Device), 404, "X"))
            => "-/- | False | False DeviceNotFound | Sta | Warning / Create | device";
        "30, identifier": new().refused(fault(FaultClass::Refused(Refusal::Identifier { flip: None }), 422, "X"))
            => "-/- | False | False IdentifierRejected | Sta | Warning / Create | device";
        "31, silent": new().refused(silent())
            => "-/- | False | False ProviderUnreachable | Rec | Warning / Create | cannot be reached";
        "31, 429": new().refused(fault(FaultClass::RateLimited, 429, "TOO_MANY_REQUESTS"))
            => "-/- | False | False QuotaExceeded | Rec | Warning / Create | (429 TOO_MANY_REQUESTS)";
        "31, gateway": new().refused(fault(FaultClass::GatewayNotFound, 404, "X"))
            => "-/- | False | False ProviderError | Rec | Warning / Create | check the URL";
        "33, unknown": new().recorded(None).at(20).deleted()
            => "-/- | Unknown OutcomeUnknown | False ReleaseBlocked | Rec | Warning / Release | and the object goes";
        "35, never seen": new().paused()
            => "-/- | False | False Paused | Sta | - | qos-operator.io/paused";
        "21, never held": new().spec(&json!({"suspend": true}))
            => "-/- | False | True Suspended | - | - | no session is held";
        "38": new().effect(denied())
            => "-/- | False | False AdmissionDenied | Sta | Warning / Create | policy-x";
        "40": barred(Bar::Secret, Reason::SecretNotFound)
            => "-/- | False | False SecretNotFound | Rec | Warning / Resolve | the cause";
        "43": new().annotated(ATTEMPT_ANNOTATION, r#"{"v": 2, "uid": "u1"}"#)
            => "-/- | Unknown | Unknown OutcomeUnknown | Sta | Warning / Observe | has version 2, this operator reads 1";
        "11": new().created("REQUESTED", 3600)
            => "REQUESTED/- | False | False Requested | Rec | - | accepted by the provider, not yet in force";
        "12": new().created("AVAILABLE", 3600)
            => "AVAILABLE/- | True | True Available | - | - | the network gives the QoS";
    }
}

fn while_it_lives() -> Vec<Row> {
    let living = || World::new().living("AVAILABLE");
    let extending = || World::new().extends().living("AVAILABLE");
    let due = || extending().at(3400).sees("AVAILABLE", 3600);
    let other = |mut world: World| {
        world.hash = OTHER;
        world
    };
    let not_ready = |world: World| world.bar(Bar::ProviderNotReady, Reason::ProviderNotReady, "the cause");
    let refused = || fault(FaultClass::Refused(Refusal::Permission), 403, "PERMISSION_DENIED");
    let suspended = || living().spec(&json!({"suspend": true}));
    let lost = || living().at(1000).sees("UNAVAILABLE", 3600).effect(Effect::Released(Ending::GoneAtDelete));
    let lost_for_good = |world: World| world.spec(&json!({"recoveryPolicy": "Never"}));
    let once = || World::new().spec(&json!({"durationSeconds": 3600})).living("AVAILABLE");
    let mut foreign = living().at(1000).fails(Got::Error);
    foreign.other_client = true;
    let mut cut_short = once().at(3000).sees("UNAVAILABLE", 3600).effect(Effect::Released(Ending::GoneAtDelete));
    cut_short.observed.limits.min_seconds = Some(1000);
    cut_short.go_on();
    rows! {
        "11, late": World::new().living("REQUESTED").at(700)
            => "REQUESTED/- | False | False Requested | Rec | Warning / Observe | not yet in force since 2026-05-28T";
        "13": living().at(100).sees("AVAILABLE", 3600)
            => "AVAILABLE/- | True | True Available | - | - | the network gives the QoS";
        "14": other(living()).at(100).effect(Effect::NotReleased(silent()))
            => "AVAILABLE/- | False | False Updating | Rec | - | the session of the earlier spec is being released";
        "15": due().effect(Effect::Extended(Box::new(answer("AVAILABLE", 7200))))
            => "AVAILABLE/- | True | True Available | - | - | the network gives the QoS";
        "16, extend": due().effect(Effect::NotExtended(silent()))
            => "AVAILABLE/- | True Available | True RenewalFailing | Rec ProviderUnreachable | Warning / Renew | renewal is due";
        "16, look": extending().at(3400).fails(Got::Error)
            => "AVAILABLE/- | True Available | True RenewalFailing | Rec ProviderUnreachable | Warning / Renew | renewal is due";
        "16, budget": due().bar(Bar::Budget, Reason::BudgetExceeded, "the cause")
            => "AVAILABLE/- | True Available | True RenewalFailing | Rec BudgetExceeded | Warning / Renew | due: the cause";
        "16, release": living().at(3595).sees("AVAILABLE", 3600).effect(Effect::NotReleased(silent()))
            => "AVAILABLE/- | True Available | True RenewalFailing | Rec ProviderUnreachable | Warning / Renew | renewal is due";
        "17": living().at(3595).sees("AVAILABLE", 3600).effect(Effect::Released(Ending::Deleted))
            => "UNAVAILABLE/DELETE_REQUESTED | False | False Renewing | Rec | - | released, being created again";
        "17, new spec": other(living()).at(100).effect(Effect::Released(Ending::Deleted))
            => "UNAVAILABLE/DELETE_REQUESTED | False | False Updating | Rec | - | one for the new spec is being created";
        "18": lost()
            => "UNAVAILABLE/- | False | False NetworkTerminated | Rec | Warning / Observe | it is released and created again";
        "19": lost_for_good(lost())
            => "UNAVAILABLE/- | False | False NetworkTerminated | Sta | Warning / Observe | recoveryPolicy is Never";
        "20": once().at(3605).sees("UNAVAILABLE", 3600).effect(Effect::Released(Ending::GoneAtDelete))
            => "UNAVAILABLE/DURATION_EXPIRED | False | True Expired | - | Normal / Observe | ran for 3600 s, as declared";
        "20, too little left": cut_short
            => "UNAVAILABLE/- | False | True Expired | - | Normal / Observe | of the declared 3600 s too little is left";
        "21": suspended().at(100).effect(Effect::Released(Ending::Deleted))
            => "UNAVAILABLE/DELETE_REQUESTED | False | True Suspended | - | - | no session is held while suspend is true";
        "22": suspended().at(100).effect(Effect::NotReleased(silent()))
            => "AVAILABLE/- | False | False Releasing | Rec | - | suspend is true";
        "22, cut short": once().spec(&json!({"durationSeconds": 60})).at(100).effect(Effect::NotReleased(silent()))
            => "AVAILABLE/- | False | False Releasing | Rec | - | the declared time is over";
        "24": living().at(1000).fails(Got::Error)
            => "AVAILABLE/- | True | True Available | - | - | the network gives the QoS";
        "25, release": living().at(3610).fails(Got::Error).effect(Effect::NotReleased(silent()))
            => "UNAVAILABLE/DURATION_EXPIRED | False | False ProviderUnreachable | Rec | Warning / Renew | has run out and the";
        "25, look": not_ready(once().spec(&json!({"durationSeconds": 9000})).extends()).at(3610).fails(Got::Error)
            => "UNAVAILABLE/DURATION_EXPIRED | False | False ProviderUnreachable | Rec | Warning / Renew | has run out and the";
        "27": due().effect(Effect::NotExtended(refused()))
            => "AVAILABLE/- | True Available | True RenewalFailing | Sta CredentialsRejected | Warning / Renew | renewal is due";
        "33": living().at(100).deleted().effect(Effect::NotReleased(silent()))
            => "AVAILABLE/- | True Available | False ReleaseBlocked | Rec | Warning / Release | and the object goes";
        "34": living().paused().at(100).sees("AVAILABLE", 3600)
            => "AVAILABLE/- | True | True Available | - | - | the network gives the QoS";
        "34, renewal due": due().paused()
            => "AVAILABLE/- | True | True Available | - | - | the network gives the QoS";
        "35": suspended().paused().at(100)
            => "AVAILABLE/- | False | False Paused | Sta | - | qos-operator.io/paused";
        "37": living().at(1000).fails(Got::Gone)
            => "UNAVAILABLE/- | False | False Vanished | Rec | Warning / Observe | no longer knows the session";
        "37, for good": lost_for_good(living().at(1000).fails(Got::Gone))
            => "UNAVAILABLE/- | False | False Vanished | Sta | Warning / Observe | no longer knows the session";
        "39": due().bar(Bar::Namespace, Reason::NamespaceNotAllowed, "the cause")
            => "AVAILABLE/- | True Available | True NamespaceNotAllowed | Sta | Warning / Renew | not renewed";
        "41": foreign.clone()
            => "AVAILABLE/- | True Available | True CredentialsRejected | Sta | Warning / Observe | another client made";
        "41, run out": not_ready(foreign.clone().at(3610))
            => "UNAVAILABLE/DURATION_EXPIRED | False | False CredentialsRejected | Sta | Warning / Observe | another client made";
        "42": other(living()).at(100).bar(Bar::Spec, Reason::InvalidSpec, "the cause")
            => "AVAILABLE/- | False | False InvalidSpec | Sta | Warning / Validate | the cause; the session of the earlier";
        "42, not ready": not_ready(other(living()).at(100))
            => "AVAILABLE/- | False | False ProviderNotReady | Rec | - | the session of the earlier spec is kept";
    }
}

pub(super) fn rows() -> Vec<Row> {
    before_the_first().into_iter().chain(while_it_lives()).collect()
}

/// As a row writes it, but for the message.
fn told(next: &Next) -> String {
    let status = &next.status;
    let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
    let ready = condition(status, ConditionType::Ready);
    let same = ready.split_once(' ').map_or("", |(_, reason)| reason);
    let short = |text: &str| text.replace(&format!(" {same}"), "");
    let deciding = [("Rec", ConditionType::Reconciling), ("Sta", ConditionType::Stalled)]
        .into_iter()
        .find_map(|(short, kind)| find(status, kind).map(|condition| format!("{short} {}", condition.reason)));
    let notes = next.notes.iter().map(|note| short(&shown(note))).collect::<Vec<_>>().join(", ");
    [
        format!("{}/{}", word(&status.qos_status), word(&status.status_info)),
        short(&condition(status, ConditionType::Available)),
        ready.clone(),
        deciding.map_or_else(|| "-".to_owned(), |deciding| short(&deciding)),
        if notes.is_empty() { "-".to_owned() } else { notes },
    ]
    .join(" | ")
}

fn message(status: &QosSessionStatus) -> &str {
    find(status, ConditionType::Ready).map_or("", |ready| &ready.message)
}

/// All rows are tried before the first that is wrong fails the test.
fn each(check: impl Fn(&World, &str) -> Result<(), String>) {
    let wrong: Vec<_> = rows()
        .into_iter()
        .filter_map(|(row, world, expected)| check(&world, expected).err().map(|why| format!("row {row}: {why}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_state_is_told_as_the_table_says() {
    each(|world, expected| {
        let next = world.next();
        let (expected, fragment) = expected.rsplit_once(" | ").unwrap();
        let is = told(&next);
        let message = message(&next.status);
        if is != expected {
            Err(format!("is {is}, not {expected}; decided {:?}", world.decision()))
        } else if !message.contains(fragment) {
            Err(format!("{message:?} does not say {fragment:?}"))
        } else {
            Ok(())
        }
    });
}

#[test]
fn an_object_is_never_reconciling_and_stalled_at_once_and_every_condition_is_of_its_generation() {
    each(|world, _| {
        let status = world.next().status;
        let both = [ConditionType::Reconciling, ConditionType::Stalled].map(|kind| find(&status, kind).is_some());
        let current = status.conditions.iter().all(|condition| condition.observed_generation == Some(3));
        if both == [true; 2] || !current { Err(format!("{:?}", status.conditions)) } else { Ok(()) }
    });
}

#[test]
fn a_state_that_is_told_is_not_told_again_by_the_same_look() {
    each(|world, _| {
        let first = world.next();
        if !matches!(world.effect, Effect::None) || world.decision().row == Decided::R7 {
            return Ok(());
        }
        let mut again = world.clone();
        again.object.status = Some(first.status.clone());
        let second = again.next();
        if same(&first.status, &second.status) && second.notes.is_empty() {
            Ok(())
        } else {
            Err(format!("{:?} became {:?}", told(&first), told(&second)))
        }
    });
}

#[test]
fn a_state_stands_through_the_next_pass_that_finds_nothing_new() {
    each(|world, _| {
        let mut after = world.clone();
        let first = after.go_on();
        after.observed.memory.pause_until = Some(at(100_000));
        let second = after.next();
        // A record of a create whose answer was lost is not written by the fold.
        if same(&first.status, &second.status) && second.notes.is_empty() {
            Ok(())
        } else {
            Err(format!("{:?} became {:?}; decided {:?}", told(&first), told(&second), after.decision()))
        }
    });
}

#[test]
fn neither_a_condition_nor_an_event_tells_who_the_device_is() {
    each(|world, _| {
        let Next { status, notes } = world.next();
        let texts = status.conditions.iter().map(|condition| &condition.message).chain(notes.iter().map(|note| &note.note));
        let mut texts = texts.map(String::as_str).chain(status.device.as_deref().map(|mask| mask.split(" ip:").next().unwrap()));
        let leak = texts.find(|text| PRIVATE.iter().any(|secret| text.contains(secret)));
        leak.map_or(Ok(()), |text| Err(text.to_owned()))
    });
}
