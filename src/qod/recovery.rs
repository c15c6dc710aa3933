//! Which of the sessions that a look-up found was made by a create whose answer was lost. Pure: it decides nothing but whose a
//! session is.
//!
//! The proof is the callback URL: it holds a nonce that was made for this attempt alone, and the provider echoes it. Without one,
//! nothing that an answer says tells our session from a foreign one with the same flow, so that such a session is taken only where
//! the caller asks for it, which the operator never does.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;

use super::fault::Fault;
use super::flow::Flow;
use super::session::{SessionId, SessionInfo, SessionList};
use super::sink;
use crate::private::Private;

/// The create whose answer was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The callback URL that it named, with its nonce; none where it named none.
    pub callback: Option<Private<String>>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// The flow that it asked for.
    pub flow: Flow,
}

/// What a look-up proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// All sessions were seen: what is not among them is not there.
    Complete,
    /// There was no answer of use: it says nothing.
    Failed,
    /// Sessions were seen, but ours may be among those that were not, or could not be told apart.
    Inconclusive,
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// What it proves; only [`Lookup::Complete`] proves that a session is not there.
    pub lookup: Lookup,
    /// The sessions that the attempt made, of which exactly one is to be adopted: the first, where nothing speaks for another.
    pub adopt_one_of: Vec<SessionId>,
    /// Those to delete once the first of [`adopt_one_of`](Self::adopt_one_of) is adopted. All of them are proven ours.
    pub release_others: Vec<SessionId>,
}

/// Reads what a look-up found. `claimed_by_others` are sessions that belong to other objects, whatever they look like.
///
/// `adopt_by_flow` also takes a session that has the whole flow of the attempt, echoes no callback and began after the attempt was
/// sent, where the attempt itself named no callback. That may be somebody else's: the operator passes false.
pub fn recover(
    found: Result<&SessionList, &Fault>,
    attempt: &Attempt,
    claimed_by_others: &[SessionId],
    adopt_by_flow: bool,
) -> Recovery {
    let Ok(list) = found else {
        return Recovery { lookup: Lookup::Failed, adopt_one_of: Vec::new(), release_others: Vec::new() };
    };
    // Each session once, however often the list names it: one that is adopted must not be among those to release.
    let mut seen = BTreeSet::new();
    let free = list
        .sessions
        .iter()
        .filter(|session| !claimed_by_others.contains(&session.session_id) && seen.insert(session.session_id.clone()));
    let mut lookup = if list.complete { Lookup::Complete } else { Lookup::Inconclusive };
    let id = |session: &SessionInfo| session.session_id.clone();
    if let Some(callback) = &attempt.callback {
        let echoes = |session: &&SessionInfo| session.callback.as_ref().is_some_and(|echoed| same_callback(echoed, callback));
        let ours: Vec<SessionId> = free.filter(echoes).map(id).collect();
        let release_others = ours.iter().skip(1).cloned().collect();
        return Recovery { lookup, adopt_one_of: ours, release_others };
    }
    let mut ours = Vec::new();
    if adopt_by_flow {
        for session in free.filter(|session| session.callback.is_none() && session.has_whole_flow(&attempt.flow)) {
            match session.started_at {
                Some(started) if started >= attempt.sent_at => ours.push(id(session)),
                Some(_) => {}
                // REQUESTED sessions have no start (0.11 and later): it may be ours, and it may be older.
                None => lookup = Lookup::Inconclusive,
            }
        }
    }
    // A flow proves nothing, so none of them is deleted.
    Recovery { lookup, adopt_one_of: ours, release_others: Vec::new() }
}

/// Whether two callback URLs hold the same nonce, or are the same text.
fn same_callback(echoed: &Private<String>, sent: &Private<String>) -> bool {
    let nonce = sink::nonce_of(sent.expose());
    echoed == sent || (nonce.is_some() && nonce == sink::nonce_of(echoed.expose()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::qod::session::{ApplicationServer, Device, PortsSpec};
    use crate::qod::{FaultClass, wire::Shape};

    const CALLBACK: &str = "https://qos.example.org/notify/4f0c2a9e6b7d4c1fa3e58d20b9c7e611";

    fn attempt(callback: Option<&str>) -> Attempt {
        let flow = Flow {
            device: Device::default(),
            application_server: ApplicationServer { ipv4_address: Some("198.51.100.10".into()), ..ApplicationServer::default() },
            device_ports: None,
            application_server_ports: None,
            qos_profile: "QOS_E".into(),
        };
        Attempt { callback: callback.map(Private::from), sent_at: "2026-01-02T03:00:00Z".parse().unwrap(), flow }
    }

    fn session(id: &str, change: &Value) -> Value {
        let mut session = json!({
            "sessionId": id, "qosProfile": "QOS_E", "applicationServer": {"ipv4Address": "198.51.100.10"},
            "qosStatus": "AVAILABLE", "startedAt": "2026-01-02T03:00:01Z",
        });
        session.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        session
    }

    fn list(sessions: Vec<Value>) -> SessionList {
        Shape::V0_11.sessions(Value::Array(sessions).to_string().as_bytes()).unwrap()
    }

    fn ids(ids: &[SessionId]) -> Vec<&str> {
        ids.iter().map(SessionId::as_str).collect()
    }

    #[test]
    fn of_several_sessions_with_our_nonce_one_is_adopted_and_the_others_are_released() {
        let elsewhere = "https://QOS.example.org:443/notify/4F0C2A9E6B7D4C1FA3E58D20B9C7E611";
        let list = list(vec![
            session("s-1", &json!({"sink": CALLBACK})),
            session("s-2", &json!({})),
            session("s-3", &json!({"sink": elsewhere, "qosProfile": "QOS_L"})),
        ]);
        let found = recover(Ok(&list), &attempt(Some(CALLBACK)), &[], false);
        assert_eq!((ids(&found.adopt_one_of), ids(&found.release_others)), (vec!["s-1", "s-3"], vec!["s-3"]));
        let found = recover(Ok(&list), &attempt(Some(CALLBACK)), &[SessionId::new("s-1")], true);
        assert_eq!((ids(&found.adopt_one_of), ids(&found.release_others)), (vec!["s-3"], vec![]));
    }

    #[test]
    fn a_session_that_the_list_names_twice_is_not_adopted_and_released() {
        let ours = || session("s-1", &json!({"sink": CALLBACK}));
        let list = list(vec![ours(), session("s-2", &json!({})), ours()]);
        let found = recover(Ok(&list), &attempt(Some(CALLBACK)), &[], false);
        assert_eq!((ids(&found.adopt_one_of), ids(&found.release_others)), (vec!["s-1"], vec![]));
    }

    #[test]
    fn without_a_callback_nothing_is_adopted_unless_it_is_asked_for() {
        let list = list(vec![session("s-1", &json!({})), session("s-2", &json!({"sink": CALLBACK}))]);
        assert_eq!(recover(Ok(&list), &attempt(None), &[], false).adopt_one_of, []);
        let found = recover(Ok(&list), &attempt(None), &[], true);
        assert_eq!((found.lookup, ids(&found.adopt_one_of)), (Lookup::Complete, vec!["s-1"]));
    }

    #[test]
    fn a_flow_is_whole_only_where_server_profile_and_ports_are_said_and_equal() {
        let adopted = |change: &Value| {
            let list = list(vec![session("s-1", change)]);
            !recover(Ok(&list), &attempt(None), &[], true).adopt_one_of.is_empty()
        };
        assert!(adopted(&json!({"device": {"phoneNumber": "+447700900123"}})));
        assert!(!adopted(&json!({"applicationServer": null})));
        assert!(!adopted(&json!({"applicationServer": {"ipv4Address": "198.51.100.0/24"}})));
        assert!(!adopted(&json!({"qosProfile": null})));
        assert!(!adopted(&json!({"devicePorts": {"ports": [5060]}})));
        let mut narrow = attempt(None);
        narrow.flow.device_ports = Some(PortsSpec { ports: vec![5060], ranges: vec![] });
        let all_ports = list(vec![session("s-1", &json!({}))]);
        assert_eq!(recover(Ok(&all_ports), &narrow, &[], true).adopt_one_of, []);
    }

    #[test]
    fn a_session_whose_start_is_not_said_can_neither_be_taken_nor_ruled_out_by_its_flow() {
        let list = list(vec![session("s-1", &json!({"qosStatus": "REQUESTED", "startedAt": null}))]);
        let found = recover(Ok(&list), &attempt(None), &[], true);
        assert_eq!((found.lookup, found.adopt_one_of), (Lookup::Inconclusive, vec![]));
    }

    #[test]
    fn a_nonce_is_a_proof_in_a_list_that_proves_no_absence_too() {
        let list = list(vec![session("s-1", &json!({"sink": CALLBACK})), json!({"qosStatus": "AVAILABLE"})]);
        let found = recover(Ok(&list), &attempt(Some(CALLBACK)), &[], false);
        assert_eq!((found.lookup, ids(&found.adopt_one_of)), (Lookup::Inconclusive, vec!["s-1"]));
    }

    #[test]
    fn an_error_is_not_an_empty_list() {
        let fault = Fault::new(FaultClass::Unavailable);
        assert_eq!(recover(Err(&fault), &attempt(None), &[], true).lookup, Lookup::Failed);
    }
}
