//! The provider as a whole: settings, tokens, sessions, and what the API answers. It does no input or output; the time is an argument.

mod admit;
mod create;
mod identify;
mod lookup;

use std::collections::{BTreeMap, HashMap, VecDeque};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::faults::Faults;
use super::generation::Dialect;
use super::ledger::{self, Entry, Leaked, Ledger, Outages};
use super::mock;
use super::oauth;
use super::requests::{Number, Requests};
use super::session::Session;
use super::sessions::{Refused, Sessions, Viewer};
use super::settings::{Mode, Operation, Outage, Quirk, Settings};
use super::tokens::{Grant, Tokens};
use super::transition::{self, NotifyTarget, Transition};
use super::wire::{Fault, Problem, Wire, answer, request};
use crate::private::Private;

/// A request to the API, as far as it matters.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// What the path speaks.
    pub(super) wire: &'static Wire,
    /// The path itself.
    pub(super) path: String,
    /// What it asks for.
    pub(super) operation: Operation,
    /// The session's id, or the profile's name, from the path.
    pub(super) name: Option<String>,
    /// The query (`name`, `status`).
    pub(super) query: BTreeMap<String, String>,
    /// The bearer token.
    pub(super) token: Option<Private<String>>,
    /// The header `x-correlator`; one that is no text is empty.
    pub(super) correlator: Option<String>,
    /// Whether the body claims to be JSON.
    pub(super) json: bool,
    /// The body.
    pub(super) body: Private<Vec<u8>>,
    /// What else there is of a call to an OAuth endpoint.
    pub(super) oauth: Option<oauth::Request>,
}

impl Call {
    /// A call to an OAuth endpoint. Its answers have a form of their own: `wire` is for what every call has.
    pub(super) fn oauth(wire: &'static Wire, operation: Operation, request: oauth::Request, body: Vec<u8>) -> Self {
        let (path, body, oauth) = (request.path.clone(), Private::new(body), Some(request));
        Self {
            wire,
            path,
            operation,
            name: None,
            query: BTreeMap::new(),
            token: None,
            correlator: None,
            json: false,
            body,
            oauth,
        }
    }
}

/// An answer of the API.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The JSON body; none: no body.
    pub(super) body: Option<Value>,
    /// The session that it speaks of.
    pub(super) session: Option<Uuid>,
    /// The header `Location`.
    pub(super) location: Option<String>,
}

impl Answer {
    /// An answer about `session`.
    const fn of(status: u16, body: Option<Value>, session: Option<Uuid>) -> Self {
        Self { status, body, session, location: None }
    }
}

/// The state behind the API.
#[derive(Debug)]
pub(super) struct Provider {
    /// The settings.
    pub(super) settings: Settings,
    /// The tokens that are taken.
    pub(super) tokens: Tokens,
    /// The faults between client and API.
    pub(super) faults: Faults,
    /// The log of requests.
    pub(super) requests: Requests,
    /// What the OAuth endpoints remember.
    pub(super) oauth: oauth::State,
    /// What clients that gave a callback are to be told, oldest first; the sender of notifications takes it (bounded).
    transitions: Vec<Transition>,
    sessions: Sessions,
    outages: Outages,
    /// When each client's latest requests came, where that matters.
    paces: HashMap<String, VecDeque<Timestamp>>,
    /// Calls that take effect later, by their time and then in order of arrival.
    late: BTreeMap<(Timestamp, Number), Call>,
}

impl Provider {
    /// A provider without sessions.
    pub(super) fn new(settings: Settings, tokens: Tokens, now: Timestamp) -> Self {
        let mut outages = Outages::default();
        outages.note(settings.outage != Outage::None, now);
        Self {
            settings,
            tokens,
            faults: Faults::default(),
            requests: Requests::default(),
            oauth: oauth::State::default(),
            transitions: Vec::new(),
            sessions: Sessions::default(),
            outages,
            paces: HashMap::new(),
            late: BTreeMap::new(),
        }
    }

    /// Lets time pass up to `now`: sessions change and late calls take effect, each at its own time and in that order.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.late.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, number), call) = entry.remove_entry();
            self.sessions.advance(at, &self.settings);
            let answer = self.perform(&call, at);
            self.requests.took_effect(number, answer.status, answer.session);
        }
        self.sessions.advance(now, &self.settings);
        self.collect();
    }

    /// What clients that gave a callback are to be told, oldest first, with where to; each is given once.
    pub(super) fn take_transitions(&mut self) -> Vec<(Transition, NotifyTarget)> {
        let waiting = std::mem::take(&mut self.transitions);
        let target = |transition: &Transition| self.sessions.notify_target(transition.session_id).cloned();
        waiting.into_iter().filter_map(|transition| Some((transition, target(&transition)?))).collect()
    }

    /// When something next happens by itself: a session changes, or a late call takes effect.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        let late = self.late.keys().next().map(|(at, _)| *at);
        self.sessions.next_change().into_iter().chain(late).min()
    }

    /// What the API speaks under its own base path.
    pub(super) const fn dialect(&self) -> Dialect {
        Dialect { generation: self.settings.generation, flavour: self.settings.flavour }
    }

    fn collect(&mut self) {
        transition::collect(&mut self.transitions, self.sessions.transitions());
    }

    /// Lets `call` take effect at `at`.
    pub(super) fn perform_later(&mut self, call: Call, number: Number, at: Timestamp) {
        self.late.insert((at, number), call);
    }

    /// Notes that the answer to a creation went out.
    pub(super) fn answered(&mut self, id: Uuid) {
        self.sessions.answered(id);
    }

    /// Replaces the settings.
    pub(super) fn set(&mut self, settings: Settings, now: Timestamp) {
        self.outages.note(settings.outage != Outage::None, now);
        self.settings = settings;
    }

    /// The ledger; the provider must have been advanced to `now`.
    pub(super) fn ledger(&self, at_end: bool, now: Timestamp) -> Ledger {
        ledger::count(&self.sessions, &self.outages, self.leaked(at_end), now)
    }

    /// All sessions as the admin API shows them; the provider must have been advanced to `now`.
    pub(super) fn entries(&self, at_end: bool, now: Timestamp) -> Vec<Entry> {
        ledger::entries(&self.sessions, &self.outages, self.leaked(at_end), now)
    }

    /// Every session, in order of creation.
    pub(super) fn sessions(&self) -> &[Session] {
        self.sessions.all()
    }

    /// The network ends the sessions in effect that `which` picks; says how many.
    pub(super) fn terminate(&mut self, now: Timestamp, which: impl FnMut(&Session) -> bool) -> usize {
        let terminated = self.sessions.terminate(now, &self.settings, which);
        self.collect();
        terminated
    }

    /// Loses the sessions that `which` picks; says how many.
    pub(super) fn lose(&mut self, now: Timestamp, which: impl FnMut(&Session) -> bool) -> usize {
        self.sessions.lose(now, which)
    }

    fn leaked(&self, at_end: bool) -> Leaked {
        if at_end { Leaked::AtEnd } else { Leaked::After(SignedDuration::from_secs(self.settings.leak_grace_seconds)) }
    }

    /// What the API does with `call` and answers to it; the provider must have been advanced to `now`.
    pub(super) fn perform(&mut self, call: &Call, now: Timestamp) -> Answer {
        if let Some(request) = &call.oauth {
            let Self { oauth, tokens, settings, .. } = self;
            let (status, body) = oauth::perform(request, call.body.expose(), oauth, tokens, settings, now);
            return Answer::of(status, Some(body), None);
        }
        let done = self.admitted(call, now);
        self.collect();
        done.unwrap_or_else(|problem| {
            let (status, body) = call.wire.problem(&problem, call.operation, &self.settings);
            let session = call.name.as_deref().and_then(request::session_id);
            Answer::of(status, Some(body), session)
        })
    }

    /// Checks in the order: token, scope, rate, then what the operation asks for.
    fn admitted(&mut self, call: &Call, now: Timestamp) -> Result<Answer, Problem> {
        let grant = self.admit(call, now)?;
        match call.operation {
            Operation::Create => self.create(call, &grant, now),
            Operation::Get => self.get(call, &grant, now),
            Operation::Delete => self.delete(call, &grant, now),
            Operation::Extend => self.extend(call, &grant, now),
            Operation::RetrieveSessions => self.retrieve_sessions(call, &grant, now),
            Operation::Profiles => self.profiles(call),
            Operation::RetrieveProfiles => self.retrieve_profiles(call, &grant),
            Operation::Authorize | Operation::Token | Operation::Unknown => Err(not_found("Session Id does not exist")),
        }
    }

    fn get(&mut self, call: &Call, grant: &Grant, now: Timestamp) -> Result<Answer, Problem> {
        let id = id_of(call)?;
        let found = self.sessions.get(id, &viewer(call, grant), now);
        let settings = &self.settings;
        let some = |settings| mock::some_session(call.wire, id, 3600, now, settings);
        let body = match found {
            _ if settings.mode == Mode::Mock || settings.has(Quirk::ForeignFields) => some(settings),
            Ok(session) => answer::session_info(call.wire, session, settings),
            Err(Refused::NotFound) if settings.any_id_found => some(settings),
            Err(refused) => return Err(self.refusal(refused)),
        };
        Ok(Answer::of(200, Some(body), Some(id)))
    }

    fn delete(&mut self, call: &Call, grant: &Grant, now: Timestamp) -> Result<Answer, Problem> {
        let id = id_of(call)?;
        let deleted = self.sessions.delete(id, &viewer(call, grant), now, &self.settings);
        if self.settings.mode != Mode::Mock {
            deleted.map_err(|refused| self.refusal(refused))?;
        }
        if self.settings.has(Quirk::DeletedAsOk) {
            return Ok(Answer::of(200, Some(serde_json::json!({})), Some(id)));
        }
        Ok(Answer::of(204, None, Some(id)))
    }

    fn extend(&mut self, call: &Call, grant: &Grant, now: Timestamp) -> Result<Answer, Problem> {
        let seconds = request::extend(call.wire, body_of(call)?)?;
        let id = id_of(call)?;
        let extended = self.sessions.extend(id, &viewer(call, grant), seconds, now, &self.settings);
        let settings = &self.settings;
        let body = match extended {
            _ if settings.mode == Mode::Mock => mock::some_session(call.wire, id, 3600 + seconds, now, settings),
            Ok(session) => answer::session_info(call.wire, session, settings),
            Err(refused) => return Err(self.refusal(refused)),
        };
        Ok(Answer::of(200, Some(body), Some(id)))
    }

    fn refusal(&self, refused: Refused) -> Problem {
        match refused {
            Refused::Foreign if self.settings.foreign_session_status == 403 => {
                Problem::new(Fault::Foreign, "Operation not allowed: the session belongs to another client or end user")
            }
            Refused::NotFound | Refused::Foreign => not_found("Session Id does not exist"),
            Refused::Inactive => Problem::new(Fault::Inactive, "The target session is inactive"),
            Refused::AtMaximum => Problem::new(Fault::OutOfRange, "The session has its longest duration already"),
        }
    }
}

fn not_found(message: &str) -> Problem {
    Problem::new(Fault::NotFound, message)
}

/// Who asks, as far as sessions are concerned.
fn viewer<'a>(call: &Call, grant: &'a Grant) -> Viewer<'a> {
    Viewer { client: &grant.client, subject: grant.subject.as_ref(), generation: call.wire.generation() }
}

fn id_of(call: &Call) -> Result<Uuid, Problem> {
    let id = request::session_id(call.name.as_deref().unwrap_or_default());
    id.ok_or_else(|| Problem::new(Fault::MalformedId, "Schema validation failed at sessionId"))
}

fn body_of(call: &Call) -> Result<&[u8], Problem> {
    if call.json { Ok(call.body.expose()) } else { Err(Problem::new(Fault::Invalid, "Content-Type must be application/json")) }
}
