//! What is wrong with a life, if anything.

use std::time::Duration;

use super::life::Lived;
use super::setup::{Scene, Setup};
use crate::support::fault::{Entry, Kind, Side};

/// For what comes on top of the protocol's times: one pause after a refusal or an error (5 s ± 10 %), and a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// Whether the fault took the only knowledge of a session's id with it: the answer to a create, or its first record.
fn loses_an_id(journal: &[Entry], place: usize) -> bool {
    let is_create = |entry: &Entry| entry.side == Side::Provider && entry.what == "POST /sessions";
    let struck = &journal[place];
    match struck.side {
        Side::Provider => is_create(struck) && struck.fault != Some(Kind::Before),
        Side::ApiServer => struck.fault == Some(Kind::Before) && place > 0 && is_create(&journal[place - 1]),
    }
}

/// Whether the fault left open whether a create was, or will be, received.
fn leaves_a_create_open(scene: Scene, journal: &[Entry], place: usize) -> bool {
    let struck = &journal[place];
    // In the scene that asks this, each patch of the object itself is the record that goes before a create.
    let is_record = struck.what == "PATCH qossessions" && struck.fault != Some(Kind::Before);
    scene == Scene::Accepting && (is_record || struck.what == "POST /sessions")
}

/// How many sessions may have been outlived instead of released.
///
/// Without a list a session whose id is lost cannot be released, only outlived: it ends by time before the next one begins, and
/// before the object goes. The simulator counts it as leaked, since nobody could ask for it. With a list there is none.
pub(crate) fn outlived(setup: Setup, lived: &Lived) -> u64 {
    u64::from(!setup.lists() && lived.struck.is_some_and(|(place, _)| loses_an_id(&lived.journal, place)))
}

/// Within which time after the fault all must be as wanted again.
///
/// With a list nothing is waited for but the time in which a create may still land and show. Each look before that may come too
/// early; the one right after it, which no pause of the others puts off, tells.
fn limit(setup: Setup, lived: &Lived) -> Duration {
    let open = |place| leaves_a_create_open(setup.scene, &lived.journal, place);
    // At a provider that accepts doubles nothing is sent again before the first create is dead, whether it was received or not.
    let waits = outlived(setup, lived) > 0 || (!setup.lists() && lived.struck.is_some_and(|(place, _)| open(place)));
    SLACK + if waits { setup.death() } else { setup.settle() }
}

/// Every rule that the life broke.
pub(crate) fn fault_of(setup: Setup, lived: &Lived) -> Option<String> {
    let (gone, end) = (&lived.at_gone, &lived.at_end);
    let limit = limit(setup, lived);
    // What the network has ended is released as soon as it is known; only what is lost blocks until it is over.
    let blocked = if setup.lists() { setup.settle() } else { setup.death() };
    let rules = [
        (end.doubled == 0, "doubled"),
        (end.overlapping == 0, "overlapping"),
        (gone.live == 0, "lives after its object"),
        (end.live == 0, "lives at the end"),
        (end.created == gone.created, "created after its object"),
        (end.leaked <= outlived(setup, lived), "leaked"),
        (end.lost == 0, "lost by the simulator"),
        (end.blocked_seconds <= blocked.as_secs().cast_signed(), "blocked"),
        (lived.struck.is_none_or(|(_, after)| after <= limit), "took too long"),
        (!lived.panicked, "the operator panicked"),
    ];
    let broken: Vec<_> = rules.iter().filter(|(holds, _)| !holds).map(|(_, name)| *name).collect();
    (!broken.is_empty()).then(|| broken.join(", "))
}
