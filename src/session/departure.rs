//! The Event of an object that goes while something of it may still live. Pure.

use super::decide::{Decision, Row, Step};
use super::facts::Past;
use super::outcome::Note;
use crate::api::{EventReason, QosSession};

/// What to say when the finalizer comes off; nothing on the usual way.
pub fn note(object: &QosSession, decision: &Decision, past: &Past) -> Option<Note> {
    if decision.step != Step::RemoveFinalizer {
        return None;
    }
    let id = object.status.as_ref().and_then(|status| status.session_id.as_deref());
    let say = |warning, reason: EventReason, note| Some(Note { warning, reason: reason.as_str(), action: "Release", note });
    match (decision.row, id) {
        (Row::R1, Some(id)) => {
            let note = format!("deletionPolicy is Orphan: session {id} is left to the provider until it expires");
            say(false, EventReason::Orphaned, note)
        }
        (Row::R1, None) if matches!(past.record, super::facts::Record::Of(_)) && past.settled.is_none() => {
            let note =
                "deletionPolicy is Orphan: a session whose create was not answered may be left until it expires".to_owned();
            say(false, EventReason::Orphaned, note)
        }
        (Row::R4, _) => {
            let note = "the release was never confirmed; by now nothing can be left to release".to_owned();
            say(true, EventReason::ReleaseAbandoned, note)
        }
        _ => None,
    }
}
