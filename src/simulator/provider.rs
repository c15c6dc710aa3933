//! The provider as a whole: settings, tokens, sessions, and what the API answers. It does no input or output; the time is an argument.

use std::collections::BTreeMap;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::device::{self, Unresolved};
use super::faults::Faults;
use super::flow::Flow;
use super::generation::Generation;
use super::ledger::{self, Entry, Leaked, Ledger, Outages};
use super::mock;
use super::requests::{Number, Requests};
use super::session::{Order, Session};
use super::sessions::{Refused, Sessions};
use super::settings::{Mode, Operation, Outage, Overlap, ProfileStatus, Settings};
use super::tokens::Tokens;
use super::transition::{NotifyTarget, Transition};
use super::wire::{Fault, Problem, v0_10};
use crate::private::Private;

/// A request to the API, as far as it matters.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// What it asks for.
    pub(super) operation: Operation,
    /// The session's id, or the profile's name, from the path.
    pub(super) name: Option<String>,
    /// The query (`name`, `status`).
    pub(super) query: BTreeMap<String, String>,
    /// The bearer token.
    pub(super) token: Option<Private<String>>,
    /// Whether the body claims to be JSON.
    pub(super) json: bool,
    /// The body.
    pub(super) body: Private<Vec<u8>>,
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
    sessions: Sessions,
    outages: Outages,
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
            sessions: Sessions::default(),
            outages,
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
    }

    /// Lets `call` take effect at `at`.
    pub(super) fn perform_later(&mut self, call: Call, number: Number, at: Timestamp) {
        self.late.insert((at, number), call);
    }

    /// Notes that the answer to a creation went out.
    pub(super) fn answered(&mut self, id: Uuid) {
        self.sessions.answered(id);
    }

    /// What clients that gave a callback are to be told, oldest first; each is given once.
    pub(super) fn take_transitions(&mut self) -> Vec<Transition> {
        self.sessions.take_transitions()
    }

    /// Where the client of this session wants to be told of its changes.
    pub(super) fn notify_target(&self, id: Uuid) -> Option<NotifyTarget> {
        self.sessions.target(id)
    }

    /// When something next changes by itself.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        let late = self.late.keys().next().map(|(at, _)| *at);
        late.into_iter().chain(self.sessions.next_change()).min()
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
        self.sessions.terminate(now, &self.settings, which)
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
        let done = self.authenticated(call, now);
        done.unwrap_or_else(|problem| {
            let (status, body) = v0_10::problem(&problem, call.operation, self.settings.flavour);
            let session = call.name.as_deref().and_then(|name| v0_10::session_id(name).ok());
            Answer { status, body: Some(body), session }
        })
    }

    fn authenticated(&mut self, call: &Call, now: Timestamp) -> Result<Answer, Problem> {
        let grant = self.tokens.grant(call.token.as_ref(), now);
        let unauthenticated = |_| Problem::new(Fault::Unauthenticated, "Authorization failed: no valid bearer token");
        let client = grant.map_err(unauthenticated)?.client.clone();
        match call.operation {
            Operation::Create => self.create(call, client, now),
            Operation::Get => self.get(id_of(call)?, &client, now),
            Operation::Delete => self.delete(id_of(call)?, &client, now),
            Operation::Extend => self.extend(call, &client, now),
            Operation::Profiles => self.profiles(call),
            Operation::Unknown => Err(not_found("Session Id does not exist")),
        }
    }

    /// Checks in the order: schema, ports, device, profile, duration, callback, overlap.
    fn create(&mut self, call: &Call, client: String, now: Timestamp) -> Result<Answer, Problem> {
        let create = v0_10::create(body_of(call)?)?;
        let settings = &self.settings;
        let mock = settings.mode == Mode::Mock;
        let device = device::resolve(&create.device, &settings.subscribers, settings.known_devices_only && !mock);
        let device = device.map_err(|why| {
            let message = match why {
                Unresolved::Mismatch => "Multiple inconsistent parameters specified: device",
                Unresolved::Unknown => "Unable to identify device from specified parameters: device",
            };
            Problem::new(Fault::Invalid, message)
        })?;
        let profile = settings.profiles.iter().find(|profile| profile.name == create.profile);
        if !mock && profile.is_none_or(|profile| profile.status != ProfileStatus::Active) {
            return Err(Problem::new(Fault::Invalid, "The QoS profile is not available: qosProfile"));
        }
        let duration = create.duration.unwrap_or(v0_10::MAX_DURATION);
        if !(1..=v0_10::MAX_DURATION).contains(&duration) {
            return Err(Problem::new(Fault::Invalid, "Schema validation failed at duration"));
        }
        if let Some(profile) = profile.filter(|_| !mock && create.duration.is_some()) {
            let (min, max) = (profile.min_duration_seconds.unwrap_or(1), profile.max_duration_seconds.unwrap_or(i64::MAX));
            if duration < min || duration > max {
                let message = "The requested duration is out of the allowed range for the specific QoS profile";
                return Err(Problem::new(Fault::OutOfRange, message));
            }
        }
        if !create.callback_token_fits {
            return Err(Problem::new(Fault::Invalid, "Schema validation failed at webhook.notificationAuthToken"));
        }
        let overlap = if mock { Overlap::Off } else { settings.overlap };
        if mock {
            mock::create(&create)?;
        }
        let v0_10::Create { servers, device_ports, server_ports, profile, callback, callback_token, echo, .. } = create;
        let notify = callback.clone().map(|url| NotifyTarget {
            url,
            token: callback_token,
            token_expires: None,
            key: None,
            generation: Generation::V0_10,
            flavour: settings.flavour,
        });
        let flow = Flow { device, servers, device_ports, server_ports };
        let order = Order { client, flow, profile, duration, callback, notify, echo };
        let session = self.sessions.create(order, now, settings, overlap);
        let session = session.map_err(|_| Problem::new(Fault::Conflict, "Another session is created for the same device"))?;
        let info = v0_10::session_info(session, settings);
        Ok(Answer { status: 201, session: Some(session.id), body: Some(if mock { mock::created(info) } else { info }) })
    }

    fn get(&mut self, id: Uuid, client: &str, now: Timestamp) -> Result<Answer, Problem> {
        let found = self.sessions.get(id, client, now);
        let settings = &self.settings;
        let body = match found {
            _ if settings.mode == Mode::Mock => mock::some_session(id, 3600, now, settings),
            Ok(session) => v0_10::session_info(session, settings),
            Err(Refused::NotFound) if settings.any_id_found => mock::some_session(id, 3600, now, settings),
            Err(refused) => return Err(self.refusal(refused)),
        };
        Ok(Answer { status: 200, body: Some(body), session: Some(id) })
    }

    fn delete(&mut self, id: Uuid, client: &str, now: Timestamp) -> Result<Answer, Problem> {
        let deleted = self.sessions.delete(id, client, now, &self.settings);
        if self.settings.mode != Mode::Mock {
            deleted.map_err(|refused| self.refusal(refused))?;
        }
        Ok(Answer { status: 204, body: None, session: Some(id) })
    }

    fn extend(&mut self, call: &Call, client: &str, now: Timestamp) -> Result<Answer, Problem> {
        let id = id_of(call)?;
        let seconds = v0_10::extend(body_of(call)?)?;
        let extended = self.sessions.extend(id, client, seconds, now, &self.settings);
        let body = match extended {
            _ if self.settings.mode == Mode::Mock => mock::some_session(id, 3600 + seconds, now, &self.settings),
            Ok(session) => v0_10::session_info(session, &self.settings),
            Err(refused) => return Err(self.refusal(refused)),
        };
        Ok(Answer { status: 200, body: Some(body), session: Some(id) })
    }

    fn profiles(&self, call: &Call) -> Result<Answer, Problem> {
        let settings = &self.settings;
        let body = if let Some(name) = &call.name {
            if !v0_10::profile_name(name) {
                return Err(Problem::new(Fault::Invalid, "Schema validation failed at name"));
            }
            let profile = settings.profiles.iter().find(|profile| profile.name == *name);
            v0_10::profile(profile.ok_or_else(|| not_found("QosProfile Id does not exist"))?, settings)
        } else {
            let asked = |field: &str, value: Value| call.query.get(field).is_none_or(|asked| value == *asked);
            let fits = |profile: &&_| {
                let super::settings::Profile { name, status, .. } = profile;
                asked("name", json!(name)) && asked("status", json!(status))
            };
            let fitting: Vec<Value> =
                settings.profiles.iter().filter(fits).map(|profile| v0_10::profile(profile, settings)).collect();
            if fitting.is_empty() {
                return Err(not_found("No QoS Profiles found"));
            }
            Value::Array(fitting)
        };
        Ok(Answer { status: 200, body: Some(body), session: None })
    }

    fn refusal(&self, refused: Refused) -> Problem {
        match refused {
            Refused::Foreign if self.settings.foreign_session_status == 403 => {
                Problem::new(Fault::PermissionDenied, "Operation not allowed: the session belongs to another client")
            }
            Refused::NotFound | Refused::Foreign => not_found("Session Id does not exist"),
            Refused::Inactive => Problem::new(Fault::Invalid, "The target session is inactive"),
        }
    }
}

fn not_found(message: &str) -> Problem {
    Problem::new(Fault::NotFound, message)
}

fn id_of(call: &Call) -> Result<Uuid, Problem> {
    v0_10::session_id(call.name.as_deref().unwrap_or_default())
}

fn body_of(call: &Call) -> Result<&[u8], Problem> {
    if call.json { Ok(call.body.expose()) } else { Err(Problem::new(Fault::Invalid, "Content-Type must be application/json")) }
}
