//! Observe: reads only. The caches of providers and claims, at most one read of the provider, and the phone number's Secret where a
//! call needs the number.

mod look;
mod number;

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use tokio::sync::OnceCell;

use super::bars;
use super::bounds;
use super::claims::{Object, Stance};
use super::context::Context;
use super::decide;
use super::desired::Desired;
use super::facts::{Abilities, Bar, Goal, Held, Look, Observed, Past, Reach};
use super::flow::{self, DeviceKey, Flow};
use super::inbox;
use super::memory::Periods;
use super::outcome::{BarWords, PeerWords};
use super::past;
use super::record::{AttemptRecord, Parsed};
use super::rules::Rules;
use crate::api::{OverlappingSessions, QosSession, SessionProvider};
use crate::private::Private;
use crate::provider::{Provider, Readiness};
use crate::qod::{Fault, Operation, SessionId, SessionInfo};

/// All that a pass knows before it decides.
#[derive(Debug)]
pub struct Observation {
    /// The object.
    pub key: Object,
    /// The goal, with its hash.
    pub goal: Goal,
    /// The object's past.
    pub past: Past,
    /// Its attempt record.
    pub parsed: Parsed,
    /// The facts.
    pub observed: Observed,
    /// What stands against a create, in words.
    pub bar: Option<BarWords>,
    /// Who holds the flow, in words.
    pub peer: Option<PeerWords>,
    /// Where a create would go.
    pub provider: Option<Arc<Provider>>,
    /// The name under which this object waits for its provider; empty for the default.
    pub provider_name: String,
    /// Where the recorded session lives, or the open attempt was sent.
    pub home: Option<Arc<Provider>>,
    /// What the object wants to occupy, where its spec can be used.
    pub flow: Option<Flow>,
    /// The phone number that its Secret reference leads to.
    pub number: Option<Private<String>>,
    /// Why the read of this pass failed.
    pub look_fault: Option<Fault>,
    /// Whether a create names the device.
    pub sends_device: bool,
    /// What the read of this pass brought: the session that was read, or of a list the one that is this object's.
    pub found: Option<SessionInfo>,
    /// The list that the read of this pass brought.
    pub listed: Vec<SessionInfo>,
    /// The number by which the recorded device is named, once it was looked for.
    home_number: OnceCell<Option<Private<String>>>,
    /// The session that a notification named for the open attempt.
    pub event: Option<SessionId>,
    /// The polling periods of the provider.
    pub periods: Periods,
    /// The recorded session was made by a client that the provider's credentials are not.
    pub other_client: bool,
    /// When it began to be observed, before the read of the provider: decisions go by this time.
    pub now: Timestamp,
}

/// Observes `object`.
pub async fn observe(context: &Context, object: &QosSession, desired: &Desired) -> Observation {
    let now = context.clock.now();
    let key = Object::of(object);
    let (past, parsed) = past::read(object);
    let status_provider = object.status.as_ref().and_then(|status| status.provider.as_ref());
    let open = bounds::open(&past, now);
    let home_ref = match (past.held, open) {
        (Some(_), _) => status_provider,
        (None, Some(_)) => parsed.record().map(|record| &record.provider),
        (None, None) => None,
    };
    // Before the look at them: one that becomes ready right after it wakes this object again.
    let waits = desired.provider.as_deref().unwrap_or_default();
    context.looks_at_providers(&key, [waits].into_iter().chain(home_ref.map(|home| home.name.as_str())));
    let home = home_ref.and_then(|home| context.providers.by_uid(&home.uid));
    let pinned = home_ref.map(|home| home.name.clone());
    let name = desired.provider.clone().or(pinned).or_else(|| context.providers.default_name());
    let provider = name.as_deref().and_then(|name| context.providers.get(name));
    let goal = Goal { hash: provider.as_ref().and_then(|provider| desired.hash(object, &provider.uid)), ..desired.goal };

    let subject = if past.held.is_some() || open.is_some() { home.as_ref() } else { provider.as_ref() };
    let periods = periods(subject.map(AsRef::as_ref), parsed.record(), now);
    let hints = context.inbox.take(&key.uid);
    if let Some(provider) = subject.filter(|_| !hints.is_empty()) {
        provider.heard();
    }
    let held_id = object.status.as_ref().and_then(|status| status.session_id.as_deref());
    let weighed = inbox::weigh(&hints, &past, held_id, open.map(|attempt| attempt.nonce));
    let attempt = parsed.attempt().map(|attempt| attempt.nonce);
    let jitter = context.jitter();
    let (mut memory, event) = context.memories.with(&key.uid, |remembered| {
        remembered.begin(object, &past, periods, now, jitter);
        remembered.hinted(weighed, attempt, subject.map(|provider| provider.generation));
        (remembered.memory, inbox::of_open(remembered.event.as_ref(), &past, now))
    });
    if let Some(home) = &home {
        memory.get_unsupported |= !home.has(Operation::GetSession);
        memory.delete_unsupported |= !home.has(Operation::DeleteSession);
    }

    let mut bar = bars::bar(context, object, desired, provider.as_deref(), name.as_deref(), past.held.is_some(), now);
    // Who is not about to attempt anything needs no mark, and must not ask for one.
    let rests = goal.paused || memory.pause_until.is_some_and(|until| until > now);
    bar = bar.filter(|(bar, _)| *bar != Bar::ProviderUnmarked || !rests);
    let mut margins = context.margins;
    if let Some(provider) = subject {
        margins.late_effect += bounds::seconds(i64::from(provider.spec.limits.request_timeout_seconds));
    }
    let limits = bars::limits(object, provider.as_deref());
    let home_missing = home_ref.is_some() && home.is_none();
    let mut observed = Observed {
        look: Look::None,
        abilities: abilities(subject.map(AsRef::as_ref), parsed.record().filter(|_| open.is_some())),
        reach: if home_missing { Reach::Gone } else { subject.map_or(Reach::Ready, |provider| reach(provider, now)) },
        bar: bar.as_ref().map(|(bar, _)| *bar),
        peer: false,
        limits,
        memory,
        margins,
        longest_grant: 0,
        rules: Rules::ALL,
    };
    observed.longest_grant = bounds::seconds_to_ask(&goal, &past, &observed, now)
        .into_iter()
        .chain(parsed.record().map(|record| record.duration_seconds))
        .chain(bars::longest_grant(object, provider.as_deref()))
        .max()
        .unwrap_or(0);

    let other_client = made_by_another(home.as_deref(), object, &parsed, past.held.is_some());
    let mut observation = Observation {
        flow: None,
        key,
        goal,
        past,
        observed,
        bar: None,
        peer: None,
        provider_name: desired.provider.clone().unwrap_or_default(),
        number: None,
        look_fault: None,
        sends_device: provider.as_ref().is_none_or(|provider| provider.sends_device()),
        found: None,
        listed: Vec::new(),
        home_number: OnceCell::new(),
        event,
        periods,
        other_client,
        now,
        provider,
        home,
        parsed,
    };
    observation.read_number(context, object, &mut bar).await;
    observation.flow = observation.wanted_flow(context, object, desired);
    observation.find_peer(context, object);
    observation.bar = bar.map(|(_, words)| words);
    observation.look(context, object).await;
    observation
}

/// Whether the session, or the open attempt, was made by a client that the provider's credentials are not: the API does not show it
/// to this one, and its 404 says nothing.
fn made_by_another(home: Option<&Provider>, object: &QosSession, parsed: &Parsed, held: bool) -> bool {
    let Some((home, access)) = home.and_then(|home| Some((home, home.access.as_ref()?))) else { return false };
    let settled = object.status.as_ref().and_then(|status| status.attempt.as_ref()).filter(|_| held);
    let made_by = match (settled, parsed.record()) {
        (Some(attempt), _) => attempt.client.clone(),
        (None, Some(record)) => record.client.clone(),
        (None, None) => return false,
    };
    made_by != access.client_hash(&home.uid)
}

fn abilities(provider: Option<&Provider>, open: Option<&AttemptRecord>) -> Abilities {
    let has = |operation| provider.is_some_and(|provider| provider.has(operation));
    Abilities {
        rejects: provider.is_none_or(|provider| provider.spec.api.overlapping_sessions == OverlappingSessions::Rejected),
        lists: has(Operation::RetrieveSessions),
        // Of a send that is open, what it carried counts.
        sink: match open {
            Some(record) => record.sink,
            None => provider.is_some_and(Provider::is_asked_to_notify),
        },
        extends: has(Operation::ExtendQosSessionDuration),
    }
}

/// How often a session is asked after. Where notifications are known not to arrive, or their bearer has ended, the period of an
/// AVAILABLE one is short.
fn periods(provider: Option<&Provider>, record: Option<&AttemptRecord>, now: Timestamp) -> Periods {
    let Some(provider) = provider else { return Periods { requested: 5, available: 300, unheard: None } };
    let polling = &provider.spec.polling;
    let (requested, long) = (i64::from(polling.requested_period_seconds), i64::from(polling.available_period_seconds));
    let Some(record) = record.filter(|record| record.sink) else { return Periods { requested, available: long, unheard: None } };
    let short = provider.short_period_seconds();
    let ended = record.sink_until.is_some_and(|until| until <= now);
    let available = if ended || provider.is_silent() { short } else { long };
    Periods { requested, available, unheard: record.sink_until.map(|until| (until, short)) }
}

fn reach(provider: &Provider, now: Timestamp) -> Reach {
    if provider.access.is_none() || provider.gate.closed(now).is_some() {
        Reach::Closed
    } else if matches!(provider.readiness, Readiness::Ready) {
        Reach::Ready
    } else {
        Reach::NotReady
    }
}

impl Observation {
    /// The provider that the recorded session, or the next create, belongs to.
    pub fn session_provider(&self) -> Option<SessionProvider> {
        self.provider.as_ref().map(|provider| SessionProvider { name: provider.name.clone(), uid: provider.uid.clone() })
    }

    fn wanted_flow(&self, context: &Context, object: &QosSession, desired: &Desired) -> Option<Flow> {
        let parts = desired.parts.as_ref().ok()?;
        let number = self.number.as_ref().map(|number| flow::number_key(&context.operator_key, number.expose()));
        let number = number.or_else(|| self.recorded_number(object));
        Some(Flow {
            device: flow::device_keys(&context.operator_key, &self.key.namespace, &object.spec.device, number),
            servers: Some(parts.servers.clone()),
            device_ports: parts.device_ports.clone(),
            server_ports: parts.server_ports.clone(),
        })
    }

    /// The keyed hash of the number that the recorded attempt used, while the spec still names the same Secret.
    fn recorded_number(&self, object: &QosSession) -> Option<DeviceKey> {
        let record = self.parsed.record()?;
        let same = record.device.phone_number_from == object.spec.device.phone_number_from;
        record.device_hash.as_deref().filter(|_| same).and_then(DeviceKey::parse)
    }

    /// What the object occupies now: the flow of its spec while that is what was sent, else anything of the recorded device.
    pub fn occupied_flow(&self, context: &Context, object: &QosSession) -> Option<Flow> {
        let sent = match (self.past.held, bounds::open(&self.past, self.now)) {
            (Some(Held { hash, .. }), _) => hash,
            (None, Some(attempt)) => Some(attempt.hash),
            (None, None) => return self.flow.clone(),
        };
        match (&self.flow, sent) {
            (Some(flow), Some(hash)) if self.goal.hash == Some(hash) => Some(flow.clone()),
            _ => {
                let device = self.parsed.record().map_or(&object.spec.device, |record| &record.device);
                let number = self.parsed.record().and_then(|record| record.device_hash.as_deref()).and_then(DeviceKey::parse);
                Some(Flow::anything(flow::device_keys(&context.operator_key, &self.key.namespace, device, number)))
            }
        }
    }

    fn find_peer(&mut self, context: &Context, object: &QosSession) {
        let Some(flow) = &self.flow else { return };
        let Some(peer) = context.claims.blocker(&self.key, context.created(object), flow) else { return };
        self.observed.peer = true;
        self.peer = Some(if peer.object.namespace == self.key.namespace {
            PeerWords::Named { name: peer.object.name.clone(), older: peer.older }
        } else {
            PeerWords::Elsewhere
        });
    }

    /// How this object competes for its flow from now on.
    pub fn stance(&self) -> Stance {
        if self.past.held.is_some() || bounds::open(&self.past, self.now).is_some() {
            return Stance::Holds;
        }
        let decision = decide::decide(&self.goal, &self.past, &Observed { peer: false, ..self.observed }, self.now);
        let rests = self.observed.memory.refused && self.observed.memory.pause_until.is_some_and(|until| until > self.now);
        let wants = decision.row == decide::Row::R27 && !self.goal.paused && !rests;
        if wants { Stance::Wants } else { Stance::Rests }
    }
}
