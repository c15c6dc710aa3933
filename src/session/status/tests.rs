//! The table of states, row by row, through the real reading of the past and the real decision.

mod objects;
mod table;

use serde_json::{Value, json};

use super::*;
use crate::api::{ATTEMPT_ANNOTATION, FINALIZER, PAUSED_ANNOTATION};
use crate::qod::wire::Shape;
use crate::qod::{Fault, FaultClass, Generation, SessionInfo};
use crate::session::bounds::seconds;
use crate::session::decide::{Ending, Step, decide};
use crate::session::desired::Desired;
use crate::session::facts::*;
use crate::session::record::{AttemptRecord, VERSION};
use crate::session::rules::Rules;
use crate::session::{flow, past, protocol};

const HASH: AppliedHash = AppliedHash(7);
const OTHER: AppliedHash = AppliedHash(8);
/// What the object's spec says of the device.
const PRIVATE: [&str; 4] = ["447700900112", "203.0.113.25", "192.0.2.26", "user-7"];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + seconds).unwrap()
}

fn provider() -> SessionProvider {
    SessionProvider { name: "telefonica".to_owned(), uid: "p1".to_owned() }
}

/// An answer of the provider, as v0.10 writes it.
fn answer(word: &str, expires: i64) -> SessionInfo {
    let body = json!({
        "sessionId": "s1", "qosStatus": word, "duration": 3600, "startedAt": at(0).as_second(), "expiresAt": at(expires).as_second(),
    });
    Shape::of(Generation::V0_10).session(body.to_string().as_bytes()).unwrap()
}

fn fault(class: FaultClass, status: u16, code: &str) -> Fault {
    Fault { class, status: Some(status), code: Some(code.to_owned()), retry_after: None, generation: None }
}

fn silent() -> Fault {
    Fault::new(FaultClass::Unavailable)
}

/// One object, and what a pass over it finds and does.
#[derive(Clone)]
struct World {
    object: QosSession,
    hash: AppliedHash,
    observed: Observed,
    effect: Effect,
    look_fault: Option<Fault>,
    found: Option<SessionInfo>,
    bar: Option<BarWords>,
    peer: Option<PeerWords>,
    other_client: bool,
    now: Timestamp,
    /// Of the next send.
    nonce: u128,
}

impl World {
    fn new() -> Self {
        let object = json!({
            "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession",
            "metadata": {
                "name": "camera-12", "namespace": "stadium", "generation": 3, "uid": "u1", "creationTimestamp": at(-3600).to_string(),
            },
            "spec": {
                "device": {
                    "phoneNumber": "+447700900112", "networkAccessIdentifier": "user-7@example.com",
                    "ipv4Address": {"publicAddress": "203.0.113.25", "privateAddress": "192.0.2.26"},
                },
                "applicationServer": {"ipv4Address": "198.51.100.7"}, "qosProfile": "QOS_E",
            },
        });
        let margins = Margins {
            send_window: seconds(10),
            late_effect: seconds(40),
            list_lag: seconds(5),
            requested_max: seconds(600),
            clock_skew: seconds(30),
            retention: seconds(360),
            renewal_margin: seconds(300),
        };
        Self {
            object: serde_json::from_value(object).unwrap(),
            hash: HASH,
            observed: Observed {
                look: Look::None,
                abilities: Abilities { rejects: true, lists: false, sink: false, extends: false },
                reach: Reach::Ready,
                bar: None,
                peer: false,
                limits: Limits::default(),
                memory: Memory::default(),
                margins,
                longest_grant: 3600,
                rules: Rules::ALL,
            },
            effect: Effect::None,
            look_fault: None,
            found: None,
            bar: None,
            peer: None,
            other_client: false,
            now: at(0),
            nonce: 1,
        }
    }

    fn spec(mut self, changes: &Value) -> Self {
        let mut object = serde_json::to_value(&self.object).unwrap();
        for (field, value) in changes.as_object().unwrap() {
            object["spec"][field] = value.clone();
        }
        self.object = serde_json::from_value(object).unwrap();
        self
    }

    fn annotated(mut self, key: &str, value: &str) -> Self {
        self.object.annotations_mut().insert(key.to_owned(), value.to_owned());
        self
    }

    fn paused(self) -> Self {
        self.annotated(PAUSED_ANNOTATION, "true")
    }

    fn deleted(mut self) -> Self {
        self.object.metadata.deletion_timestamp = Some(Time(self.now));
        self
    }

    fn at(mut self, seconds: i64) -> Self {
        self.now = at(seconds);
        self
    }

    fn extends(mut self) -> Self {
        self.observed.abilities.extends = true;
        self
    }

    /// The record of a send at this moment.
    fn recorded(mut self, earlier: Option<Timestamp>) -> Self {
        let (nonce, hash) = (Nonce(self.nonce), self.hash);
        let sending = protocol::Sending { nonce, hash, duration_seconds: 3600, longest_grant: 3600, earlier };
        let attempt = protocol::attempt(&sending, self.now, &self.observed.margins, Rules::ALL);
        let record = AttemptRecord {
            sink_until: None,
            v: VERSION,
            uid: "u1".to_owned(),
            nonce: nonce.text(),
            at: attempt.at,
            lands_by: attempt.lands_by,
            dead_by: attempt.dead_by,
            provider: provider(),
            device: self.object.spec.device.clone(),
            device_hash: None,
            duration_seconds: 3600,
            hash: hash.text(),
            client: None,
            sink: false,
            extends: self.observed.abilities.extends,
            earlier,
        };
        self.object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        self.annotated(ATTEMPT_ANNOTATION, &record.text().unwrap())
    }

    fn bar(mut self, bar: Bar, reason: Reason, message: &str) -> Self {
        self.observed.bar = Some(bar);
        self.bar = Some(BarWords { reason, message: message.to_owned() });
        self
    }

    fn peer(mut self, words: PeerWords) -> Self {
        self.observed.peer = true;
        self.peer = Some(words);
        self
    }

    fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    fn created(self, word: &str, expires: i64) -> Self {
        let (nonce, hash, arrived_at) = (Nonce(self.nonce), self.hash, self.now);
        let info = Box::new(answer(word, expires));
        self.effect(Effect::Created { nonce, hash, provider: provider(), client: None, info, arrived_at })
    }

    fn refused(self, fault: Fault) -> Self {
        let (nonce, hash) = (Nonce(self.nonce), self.hash);
        self.effect(Effect::NotCreated { nonce, hash, provider: provider(), client: None, fault: Some(fault) })
    }

    /// A session lives, as the fold itself has told it at the start.
    fn living(self, word: &str) -> Self {
        let mut world = self.created(word, 3600);
        world.go_on();
        world
    }

    /// The read of this pass brings an answer.
    fn sees(mut self, word: &str, expires: i64) -> Self {
        let info = answer(word, expires);
        self.observed.look = Look::Held(Got::Session(past::said(&info)));
        self.found = Some(info);
        self
    }

    /// The read of this pass fails, or says that there is no such session.
    fn fails(mut self, got: Got) -> Self {
        self.observed.look = Look::Held(got);
        self.look_fault = (got == Got::Error).then(silent);
        self
    }

    fn decision(&self) -> Decision {
        let (past, _) = past::read(&self.object);
        decide(&self.goal(), &past, &self.observed, self.now)
    }

    fn goal(&self) -> Goal {
        Goal { hash: Some(self.hash), ..Desired::parse(&self.object).goal }
    }

    /// What this pass tells. A send's outcome is told on the object with the send's record, after the decision without it.
    fn next(&self) -> Next {
        let decision = self.decision();
        let sent = match decision.step {
            Step::Send { earlier, .. } if !matches!(self.effect, Effect::None | Effect::AdmissionDenied(_)) => {
                self.clone().recorded(earlier).object
            }
            _ => self.object.clone(),
        };
        let (past, parsed) = past::read(&sent);
        next(&Pass {
            object: &sent,
            goal: &self.goal(),
            past: &past,
            observed: &self.observed,
            decision: &decision,
            effect: &self.effect,
            look_fault: self.look_fault.as_ref(),
            found: self.found.as_ref(),
            bar: self.bar.as_ref(),
            peer: self.peer.as_ref(),
            provider: Some(&provider()),
            device_mask: &flow::mask(&sent.spec.device),
            sent_record: parsed.record(),
            unreadable_version: match parsed {
                crate::session::record::Parsed::Unreadable(version) => version,
                _ => None,
            },
            other_client: self.other_client,
            now: self.now,
        })
    }

    /// Writes what this pass tells, and comes to the next one, which neither reads nor does anything.
    fn go_on(&mut self) -> Next {
        let next = self.next();
        if let (Step::Send { earlier, .. }, Effect::Created { .. } | Effect::NotCreated { .. }) =
            (self.decision().step, &self.effect)
        {
            *self = self.clone().recorded(earlier);
        }
        self.object.status = Some(next.status.clone());
        self.effect = Effect::None;
        (self.observed.look, self.found, self.look_fault) = (Look::None, None, None);
        self.nonce += 1;
        next
    }

    fn go_on_at(&mut self, seconds: i64) -> Next {
        self.now = at(seconds);
        self.go_on()
    }
}

fn shown(note: &Note) -> String {
    format!("{} {} / {}", if note.warning { "Warning" } else { "Normal" }, note.reason, note.action)
}

/// Status and reason of a condition; `-` where it is not there.
fn condition(status: &QosSessionStatus, kind: ConditionType) -> String {
    find(status, kind).map_or("-".to_owned(), |condition| format!("{} {}", condition.status, condition.reason))
}

/// The session ends as `ended` says, and the next one is REQUESTED before it is AVAILABLE.
fn back_after(mut ended: World, at_seconds: i64) -> Vec<String> {
    ended.go_on();
    let requested = ended.at(at_seconds).created("REQUESTED", at_seconds + 3600);
    let mut world = requested;
    assert!(world.go_on().notes.is_empty());
    assert_eq!(world.object.status.as_ref().map(|status| condition(status, ConditionType::Ready)).unwrap(), "False Requested");
    let mut available = world.at(at_seconds + 5).sees("AVAILABLE", at_seconds + 3600);
    let notes = available.go_on().notes;
    let again = available.next();
    assert!(again.notes.is_empty());
    notes.iter().map(|note| format!("{}: {}", shown(note), note.note)).collect()
}

#[test]
fn a_session_that_is_back_by_way_of_requested_says_how_it_was_gone() {
    let living = || World::new().living("AVAILABLE");
    let renewed = living().at(3595).sees("AVAILABLE", 3600).effect(Effect::Released(Ending::Deleted));
    assert_eq!(back_after(renewed, 3600), ["Warning RenewedWithGap / Renew: AVAILABLE again after a gap of 10 s"]);
    let terminated = living().at(1000).sees("UNAVAILABLE", 3600).effect(Effect::Released(Ending::GoneAtDelete));
    assert_eq!(back_after(terminated, 1010), ["Normal Recovered / Create: AVAILABLE again"]);
    let vanished = living().at(1000).fails(Got::Gone);
    assert_eq!(back_after(vanished, 1010), ["Normal Recovered / Create: AVAILABLE again"]);
}

#[test]
fn a_first_session_and_one_that_was_suspended_come_without_an_event() {
    let mut refused = World::new().refused(silent());
    refused.go_on();
    assert!(refused.at(10).created("AVAILABLE", 3610).next().notes.is_empty());
    let mut suspended =
        World::new().living("AVAILABLE").spec(&json!({"suspend": true})).at(100).effect(Effect::Released(Ending::Deleted));
    suspended.go_on();
    assert!(suspended.spec(&json!({"suspend": false})).at(200).created("AVAILABLE", 3800).next().notes.is_empty());
}

#[test]
fn a_spec_that_is_taken_back_before_anything_was_done_is_no_gap() {
    let mut world = World::new().living("AVAILABLE").at(100).bar(Bar::Spec, Reason::InvalidSpec, "the cause");
    world.hash = OTHER;
    world.go_on();
    world.hash = HASH;
    (world.observed.bar, world.bar) = (None, None);
    assert!(world.sees("AVAILABLE", 3600).next().notes.is_empty());
}

#[test]
fn a_provider_that_does_not_come_is_told_as_an_event_once_and_only_after_a_minute() {
    let mut world = World::new().bar(Bar::ProviderNotFound, Reason::ProviderNotFound, "the cause");
    let notes: Vec<_> = [-3600, -3550, -3540, -3000].map(|now| world.go_on_at(now).notes.len()).into();
    assert_eq!(notes, [0, 0, 1, 0]);
}

#[test]
fn once_a_session_has_run_out_it_stays_told_so_until_the_provider_answers() {
    let mut world = World::new().living("AVAILABLE").at(3610).fails(Got::Error).effect(Effect::NotReleased(silent()));
    let first = world.go_on();
    let second = world.clone().at(3620).effect(Effect::NotReleased(silent())).go_on();
    assert!(same(&first.status, &second.status) && second.notes.is_empty());
    let confirmed = world.at(3630).effect(Effect::Released(Ending::GoneAtDelete)).go_on();
    assert_eq!(condition(&confirmed.status, ConditionType::Ready), "False Renewing");
}
