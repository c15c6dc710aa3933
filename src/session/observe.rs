//! Observe: reads only. The caches of providers and claims, at most one read of the provider, and the phone number's Secret where a
//! create is ahead.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::Api;

use super::bars;
use super::bounds::{self, Kind};
use super::claims::{Object, Stance};
use super::context::{Context, limited};
use super::decide;
use super::desired::{self, Desired};
use super::facts::{Abilities, Bar, Goal, Got, Held, Look, Observed, Past, Reach, Read};
use super::flow::{self, DeviceKey, Flow};
use super::memory::Periods;
use super::outcome::{BarWords, PeerWords};
use super::past;
use super::record::Parsed;
use super::rules::Rules;
use crate::api::{OverlappingSessions, QosSession, Reason, SessionProvider};
use crate::private::Private;
use crate::provider::{Provider, Readiness};
use crate::qod::{Fault, FaultClass, Operation, SessionId, SessionInfo};

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
    /// What the read of this pass brought.
    pub found: Option<SessionInfo>,
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
    let key = context.key_of(object);
    let (past, parsed) = past::read(object);
    let status_provider = object.status.as_ref().and_then(|status| status.provider.as_ref());
    let open = bounds::open(&past, now);
    let home_ref = match (past.held, open) {
        (Some(_), _) => status_provider,
        (None, Some(_)) => parsed.record().map(|record| &record.provider),
        (None, None) => None,
    };
    let home = home_ref.and_then(|home| context.providers.by_uid(&home.uid));
    let pinned = home_ref.map(|home| home.name.clone());
    let name = desired.provider.clone().or(pinned).or_else(|| context.providers.default_name());
    let provider = name.as_deref().and_then(|name| context.providers.get(name));
    let goal = Goal { hash: provider.as_ref().and_then(|provider| desired.hash(object, &provider.uid)), ..desired.goal };

    let subject = if past.held.is_some() || open.is_some() { home.as_ref() } else { provider.as_ref() };
    let periods = subject.map_or(Periods { requested: 5, available: 300 }, |provider| Periods {
        requested: i64::from(provider.spec.polling.requested_period_seconds),
        available: i64::from(provider.spec.polling.available_period_seconds),
    });
    let jitter = context.jitter();
    let memory = context.memories.with(&key.uid, |remembered| {
        remembered.begin(object, &past, periods, now, jitter);
        remembered.memory
    });

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
        abilities: abilities(subject.map(AsRef::as_ref)),
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
        .max()
        .unwrap_or(0);

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
        found: None,
        periods,
        other_client: false,
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

fn abilities(provider: Option<&Provider>) -> Abilities {
    let has = |operation| provider.is_some_and(|provider| provider.generation.has(operation));
    Abilities {
        rejects: provider.is_none_or(|provider| provider.spec.api.overlapping_sessions == OverlappingSessions::Rejected),
        lists: has(Operation::RetrieveSessions),
        sink: false,
        extends: has(Operation::ExtendQosSessionDuration),
    }
}

fn reach(provider: &Provider, now: Timestamp) -> Reach {
    if provider.client.is_none() || provider.token.is_none() || provider.gate.closed(now).is_some() {
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

    /// Reads the phone number's Secret where a create may follow; a missing or unusable one bars it.
    async fn read_number(&mut self, context: &Context, object: &QosSession, bar: &mut Option<(Bar, BarWords)>) {
        let Some(source) = &object.spec.device.phone_number_from else { return };
        let kind = bounds::kind(&self.goal, &self.past, &self.observed.margins, self.now);
        let pausing = self.observed.memory.pause_until.is_some_and(|until| until > self.now);
        if kind != Kind::Want || self.past.held.is_some() || bar.is_some() || pausing {
            return;
        }
        let (name, entry) = (&source.secret_key_ref.name, &source.secret_key_ref.key);
        let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &self.key.namespace);
        let found = limited(secrets.get_opt(name)).await;
        let value = match &found {
            Ok(Some(secret)) => secret.data.as_ref().and_then(|data| data.get(entry)),
            Ok(None) | Err(_) => None,
        };
        let (reason, message) = match (found.as_ref(), value.map(|bytes| std::str::from_utf8(&bytes.0).map(str::trim))) {
            (_, Some(Ok(number))) if is_e164(number) => {
                self.number = Some(number.into());
                return;
            }
            (_, Some(_)) => (
                Reason::InvalidSpec,
                format!(
                    "Secret {name}, key {entry}: write one phone number in E.164 form: a plus sign, the country code, the number, no spaces"
                ),
            ),
            (Ok(Some(_)), None) => (Reason::SecretNotFound, format!("Secret {name} has no key {entry}")),
            (Ok(None), _) => (Reason::SecretNotFound, format!("Secret {name} does not exist")),
            (Err(_), _) => (
                Reason::SecretNotFound,
                format!("Secret {name} cannot be read: let the operator's ServiceAccount get it in this namespace"),
            ),
        };
        let kind = if reason == Reason::InvalidSpec { Bar::Spec } else { Bar::Secret };
        self.observed.bar = Some(kind);
        *bar = Some((kind, BarWords { reason, message }));
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
            PeerWords::Named { name: peer.object.name, older: peer.older }
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

    /// The read of the provider that the decision rests on, at most one.
    async fn look(&mut self, context: &Context, object: &QosSession) {
        let read = decide::due_read(&self.goal, &self.past, &self.observed, false, self.now);
        if read != Read::Held {
            return;
        }
        let id = object.status.as_ref().and_then(|status| status.session_id.as_deref()).map(SessionId::new);
        let Some((home, id)) = self.home.clone().zip(id) else { return };
        let (Some(client), Some(token)) = (&home.client, &home.token) else { return };
        let permit = home.limits.permit().await;
        let answer = client.get_session(token, &id).await;
        drop(permit);
        let now = context.clock.now();
        context.told(&home, answer.as_ref().map(|_| ()));
        let answer = answer.and_then(|info| if self.is_ours(object, &id, &info) { Ok(info) } else { Err(FOREIGN) });
        let jitter = context.jitter();
        context.memories.with(&self.key.uid, |remembered| {
            remembered.looked(answer.as_ref(), self.periods, now, jitter);
            self.observed.memory = remembered.memory;
        });
        self.observed.look = Look::Held(match &answer {
            Ok(info) => Got::Session(past::said(info)),
            Err(fault) if fault.class == FaultClass::Gone => Got::Gone,
            Err(fault) if fault.class == FaultClass::NotSupported => Got::NotSupported,
            Err(_) => Got::Error,
        });
        // `self.now` stays at the time before the look: what the look shows is not newer than that.
        match answer {
            Ok(info) => self.found = Some(info),
            Err(fault) => self.look_fault = Some(fault).filter(|fault| fault.class != FaultClass::Gone),
        }
    }

    /// A provider's mock answers any id: the id, and while the spec is what was sent, the fields must be ours.
    fn is_ours(&self, object: &QosSession, id: &SessionId, info: &SessionInfo) -> bool {
        let same_request = self.past.held.is_some_and(|held| held.hash.is_some() && held.hash == self.goal.hash);
        let request = same_request.then(|| desired::request(object, self.number.as_ref(), 1).ok()).flatten();
        info.session_id == *id && request.is_none_or(|request| info.flow_matches(&request.flow()))
    }
}

/// A 200 whose fields are not ours says nothing about our session.
const FOREIGN: Fault =
    Fault { class: FaultClass::Unparseable, status: Some(200), code: None, retry_after: None, generation: None };

fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}
