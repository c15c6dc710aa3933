//! Act: at most one effect, chosen by the decision; nothing is decided here that `decide` or `protocol` could decide.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::bounds;
use super::context::Context;
use super::decide::{Decision, Ending, Step};
use super::desired;
use super::facts::{Attempt, Nonce, Record};
use super::flow;
use super::observe::Observation;
use super::outcome::Effect;
use super::past;
use super::protocol::{self, Recording, Sending};
use super::record::{self, AttemptRecord};
use super::rules::Rules;
use super::sink;
use super::status;
use super::write::{self, WriteError};
use crate::api::{QosSession, SessionProvider};
use crate::auth::Subject;
use crate::clock::later;
use crate::provider::{Provider, Ticket};
use crate::qod::{AccessToken, Client, CreateSession, Fault, FaultClass, Operation, SessionId};

/// What acting brought.
#[derive(Debug)]
pub struct Acted {
    /// The effect.
    pub effect: Effect,
    /// The object as the last write left it.
    pub object: QosSession,
    /// The effect is recorded already.
    pub recorded: bool,
    /// Something was written, so that the next pass comes at once.
    pub wrote: bool,
}

impl Acted {
    const fn of(effect: Effect, object: QosSession) -> Self {
        Self { effect, object, recorded: false, wrote: false }
    }
}

/// Takes the step.
pub async fn act(
    context: &Arc<Context>,
    object: QosSession,
    observation: &Arc<Observation>,
    decision: &Decision,
) -> Result<Acted, WriteError> {
    let wrote = |object| Acted { wrote: true, ..Acted::of(Effect::None, object) };
    match decision.step {
        Step::RemoveFinalizer => {
            write::remove_finalizer(context, &object).await?;
            Ok(wrote(object))
        }
        Step::RestoreFinalizer => Ok(wrote(write::restore_finalizer(context, &object).await?)),
        Step::MarkExtends => amend(context, &object, observation, |record| record.extends = true).await.map(wrote),
        Step::DeferDeath { dead_by } => amend(context, &object, observation, |record| record.dead_by = dead_by).await.map(wrote),
        Step::Release => Ok(Acted::of(release(context, &object, observation).await, object)),
        Step::Extend { seconds } => Ok(Acted::of(extend(context, &object, observation, seconds).await, object)),
        Step::Send { seconds, earlier } => send(context, object, observation, decision, seconds, earlier).await,
        Step::ReleaseListed(index) => Ok(Acted::of(release_listed(context, &object, observation, index).await, object)),
        Step::RecordListed(index) => record_listed(context, object, observation, index).await,
        // These write status only (`status::next`).
        Step::None
        | Step::RecordReleased(_)
        | Step::RecordSeen(_)
        | Step::RecordAbsent
        | Step::AdoptEvent(_)
        | Step::SettleEvent
        | Step::AdoptListed(_) => Ok(Acted::of(Effect::None, object)),
    }
}

/// Changes the attempt record in place.
async fn amend(
    context: &Context,
    object: &QosSession,
    observation: &Observation,
    change: impl FnOnce(&mut AttemptRecord),
) -> Result<QosSession, WriteError> {
    let Some(record) = observation.parsed.record() else { return Err(WriteError::Conflict) };
    let mut record = record.clone();
    change(&mut record);
    write::intent(context, object, &record).await
}

fn held_session(object: &QosSession) -> Option<SessionId> {
    object.status.as_ref().and_then(|status| status.session_id.as_deref()).map(SessionId::new)
}

/// DELETE of the recorded session where it lives.
async fn release(context: &Context, object: &QosSession, observation: &Observation) -> Effect {
    let Some((home, id)) = observation.home.as_ref().zip(held_session(object)) else { return Effect::None };
    let subject = observation.home_subject(context, object).await;
    match delete(home, subject.as_ref(), &id).await {
        Ok(()) => Effect::Released(Ending::Deleted),
        // Only the client that made it is told whether it is there.
        Err(fault) if fault.class == FaultClass::Gone && !observation.other_client => Effect::Released(Ending::GoneAtDelete),
        Err(fault) => Effect::NotReleased(fault),
    }
}

async fn delete(home: &Provider, subject: Option<&Subject>, id: &SessionId) -> Result<(), Fault> {
    let delete = |client: Client, token: AccessToken| {
        let id = id.clone();
        async move { client.delete_session(&token, &id).await }
    };
    home.call(subject, Operation::DeleteSession, delete).await
}

/// DELETE of a session of this object that its status does not know, as the list showed it.
async fn release_listed(context: &Context, object: &QosSession, observation: &Observation, index: usize) -> Effect {
    let Some(info) = observation.listed.get(index) else { return Effect::None };
    let open = bounds::open(&observation.past, observation.now).is_some();
    let (provider, subject) = if open {
        (&observation.home, observation.home_subject(context, object).await)
    } else {
        (&observation.provider, observation.subject(object))
    };
    let Some(provider) = provider else { return Effect::None };
    match delete(provider, subject.as_ref(), &info.session_id).await {
        Ok(()) => Effect::ReleasedListed(Ending::Deleted),
        Err(fault) if fault.class == FaultClass::Gone => Effect::ReleasedListed(Ending::GoneAtDelete),
        Err(fault) => Effect::NotReleased(fault),
    }
}

/// Writes down a session of this object that neither annotation nor status knows, as if its create had just been sent: the next
/// pass finds it in the list by its nonce and adopts it.
async fn record_listed(
    context: &Context,
    object: QosSession,
    observation: &Observation,
    index: usize,
) -> Result<Acted, WriteError> {
    let found = observation.listed.get(index);
    let mark = found.and_then(|info| info.callback.as_ref()).and_then(sink::read);
    let (Some(info), Some(mark), Some(provider), Some(hash)) = (found, mark, &observation.provider, observation.goal.hash) else {
        return Ok(Acted::of(Effect::None, object));
    };
    let granted = info.granted_duration.unwrap_or(observation.observed.longest_grant);
    let sending = Sending {
        nonce: mark.nonce,
        hash,
        duration_seconds: granted,
        longest_grant: observation.observed.longest_grant.max(granted),
        earlier: None,
    };
    let attempt = protocol::attempt(&sending, context.clock.now(), &observation.observed.margins, Rules::ALL);
    let record = AttemptRecord { sink: true, extends: true, ..record_of(context, &object, observation, provider, &attempt) };
    Ok(Acted { wrote: true, ..Acted::of(Effect::None, write::intent(context, &object, &record).await?) })
}

/// The record of a send to `provider`.
fn record_of(
    context: &Context,
    object: &QosSession,
    observation: &Observation,
    provider: &Provider,
    attempt: &Attempt,
) -> AttemptRecord {
    let number = observation.number.as_ref().map(|number| flow::number_key(&context.operator_key, number.expose()).text());
    AttemptRecord {
        v: record::VERSION,
        uid: observation.key.uid.clone(),
        nonce: attempt.nonce.text(),
        at: attempt.at,
        lands_by: attempt.lands_by,
        dead_by: attempt.dead_by,
        provider: SessionProvider { name: provider.name.clone(), uid: provider.uid.clone() },
        device: object.spec.device.clone(),
        device_hash: number,
        duration_seconds: attempt.duration_seconds,
        hash: attempt.hash.text(),
        client: provider.access.as_ref().and_then(|access| access.client_hash(&provider.uid)),
        sink: false,
        extends: false,
        earlier: attempt.earlier,
    }
}

/// One extend, right after the look that it rests on.
async fn extend(context: &Context, object: &QosSession, observation: &Observation, seconds: i64) -> Effect {
    let Some((home, id)) = observation.home.as_ref().zip(held_session(object)) else { return Effect::None };
    let subject = observation.home_subject(context, object).await;
    let ticket = match home.ticket(subject.as_ref(), Operation::ExtendQosSessionDuration).await {
        Ok(ticket) => ticket,
        Err(fault) => return Effect::NotExtended(fault),
    };
    let margins = &observation.observed.margins;
    let in_time = || protocol::may_send(observation.now, context.clock.now(), margins, Rules::ALL);
    let may_send = || in_time() && context.fence.allows(margins.send_window);
    if !may_send() {
        return Effect::None;
    }
    let ask = |client: Client, token: AccessToken| {
        let id = id.clone();
        async move { client.extend_qos_session_duration(&token, &id, seconds).await }
    };
    match home.spend(ticket, may_send, ask).await {
        Ok(info) => {
            context.providers.charge(&home.uid, seconds);
            Effect::Extended(Box::new(home.understood(info)))
        }
        Err(fault) => Effect::NotExtended(fault),
    }
}

/// Finalizer and record in one guarded patch, then the POST, once. Permits are in hand before the record is written; the flow is
/// taken in the claim table before that. From the record on, a task that nothing cancels carries it to its end.
async fn send(
    context: &Arc<Context>,
    object: QosSession,
    observation: &Arc<Observation>,
    decision: &Decision,
    seconds: i64,
    earlier: Option<Timestamp>,
) -> Result<Acted, WriteError> {
    let idle = |object| Ok(Acted::of(Effect::None, object));
    let (Some(provider), Some(flow), Some(hash)) = (&observation.provider, &observation.flow, observation.goal.hash) else {
        return idle(object);
    };
    let Ok(mut request) = desired::request(&object, observation.number.as_ref(), seconds) else { return idle(object) };
    let subject = observation.subject(&object);
    let ticket = match provider.ticket(subject.as_ref(), Operation::CreateSession).await {
        Ok(ticket) => ticket,
        Err(fault) => return Ok(Acted::of(Effect::NotSent(fault), object)),
    };
    match context.claims.take(&observation.key, context.created(&object), flow) {
        Ok(woken) => context.wake(woken),
        Err(_) => return Ok(Acted { wrote: true, ..Acted::of(Effect::None, object) }),
    }
    context.providers.set_occupancy(&observation.key.uid, Some(&provider.uid));
    // In this order the mark cannot be taken off between the look and the send.
    if !context.providers.by_uid(&provider.uid).is_some_and(|provider| provider.marked) {
        return Ok(Acted { wrote: true, ..Acted::of(Effect::None, object) });
    }
    let sending = Sending {
        nonce: Nonce::fresh(),
        hash,
        duration_seconds: seconds,
        longest_grant: observation.observed.longest_grant.max(seconds),
        earlier,
    };
    let attempt = protocol::attempt(&sending, context.clock.now(), &observation.observed.margins, Rules::ALL);
    if !provider.sends_device() {
        request.device = None;
    }
    // The bearer must outlive every extension: what the profile allows in all, where that is known.
    let longest = observation.observed.limits.max_seconds.unwrap_or(0).max(sending.longest_grant);
    let expires = later(attempt.dead_by, bounds::seconds(longest));
    request.callback = context
        .callback_at(provider)
        .map(|base| sink::callback(&context.operator_key, base, &observation.key.uid, attempt.nonce, expires));
    let sink = request.callback.is_some();
    let record = AttemptRecord { sink, ..record_of(context, &object, observation, provider, &attempt) };
    let object = match write::intent(context, &object, &record).await {
        Ok(object) => object,
        Err(WriteError::Denied(message)) => return Ok(Acted::of(Effect::AdmissionDenied(message), object)),
        Err(error) => return Err(error),
    };
    let attempt_at = attempt.at;
    let task = Create {
        context: Arc::clone(context),
        observation: Arc::clone(observation),
        decision: *decision,
        provider: Arc::clone(provider),
        record,
        nonce: sending.nonce,
        subject,
        request,
    };
    let carried = context.tasks.spawn(async move {
        let effect = task.post(attempt_at, ticket).await;
        let object = task.record(object, &effect).await;
        (effect, object)
    });
    match carried.await {
        Ok((effect, object)) => {
            let recorded = matches!(effect, Effect::Created { .. } | Effect::NotCreated { .. });
            Ok(Acted { effect, object, recorded, wrote: recorded })
        }
        Err(_) => Err(WriteError::Lost),
    }
}

/// A create under way, from its record to its answer's record.
struct Create {
    context: Arc<Context>,
    observation: Arc<Observation>,
    decision: Decision,
    provider: Arc<Provider>,
    record: AttemptRecord,
    nonce: Nonce,
    subject: Option<Subject>,
    request: CreateSession,
}

impl Create {
    async fn post(&self, attempt_at: Timestamp, ticket: Ticket) -> Effect {
        let not_created = |fault| Effect::NotCreated {
            nonce: self.nonce,
            hash: self.observation.goal.hash.unwrap_or(super::facts::AppliedHash(0)),
            provider: self.record.provider.clone(),
            client: self.record.client.clone(),
            fault,
        };
        let margins = &self.observation.observed.margins;
        let in_time = || protocol::may_send(attempt_at, self.context.clock.now(), margins, Rules::ALL);
        let may_send = || in_time() && self.context.fence.allows(margins.send_window);
        // Nothing is awaited between this check and the first byte.
        if !may_send() {
            return not_created(None);
        }
        let ask = |client: Client, token: AccessToken| {
            let request = self.request.clone();
            async move { client.create_session(&token, &request).await }
        };
        let answer = self.provider.spend(ticket, may_send, ask).await.map(|info| self.provider.understood(info));
        match answer {
            Ok(info) => {
                self.context.providers.charge(&self.provider.uid, info.granted_duration.unwrap_or(self.request.duration_seconds));
                Effect::Created {
                    nonce: self.nonce,
                    hash: self.observation.goal.hash.unwrap_or(super::facts::AppliedHash(0)),
                    provider: self.record.provider.clone(),
                    client: self.record.client.clone(),
                    info: Box::new(info),
                    arrived_at: self.context.clock.now(),
                }
            }
            Err(fault) if fault.class == FaultClass::Ambiguous || fault.class == FaultClass::Unparseable => {
                Effect::Ambiguous(fault)
            }
            Err(fault) => not_created(Some(fault)),
        }
    }

    /// Records the outcome on the object as it is now, until that succeeds or nothing of the session can be left.
    async fn record(&self, mut object: QosSession, effect: &Effect) -> QosSession {
        let id = match effect {
            Effect::Created { info, .. } => Some(&info.session_id),
            Effect::NotCreated { .. } => None,
            _ => return object,
        };
        let mut pause = Duration::from_millis(200);
        while self.context.clock.now() < later(self.record.dead_by, self.observation.observed.margins.clock_skew) {
            let (past, parsed) = past::read(&object);
            let same = object.metadata.uid.as_deref() == Some(self.observation.key.uid.as_str());
            match protocol::recording(same, &past, self.nonce, Rules::ALL) {
                Recording::Known => return object,
                Recording::Superseded => {
                    if let Some(id) = id {
                        self.abandon(id).await;
                    }
                    return object;
                }
                Recording::Write => {}
            }
            debug_assert!(matches!(past.record, Record::Of(_)), "a record of this nonce is readable");
            let next = self.observation.fold(&object, &past, &parsed, &self.decision, effect, self.context.clock.now());
            match write::status(&self.context, &object, &next.status).await {
                Ok(written) => {
                    write::events(&self.context, &written, next.notes).await;
                    return written;
                }
                Err(WriteError::Conflict) => {}
                Err(error) => {
                    tracing::warn!(namespace = %self.observation.key.namespace, name = %self.observation.key.name, %error, "the outcome of a create is not recorded yet");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(10));
                }
            }
            match write::read(&self.context, &object).await {
                Ok(Some(now)) => object = now,
                Ok(None) => {
                    if let Some(id) = id {
                        self.abandon(id).await;
                    }
                    return object;
                }
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(10));
                }
            }
        }
        object
    }

    /// The object has moved on without this session: release it, so that it blocks nobody until its expiry.
    async fn abandon(&self, id: &SessionId) {
        for seconds in [0, 1, 5, 15] {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            match delete(&self.provider, self.subject.as_ref(), id).await {
                Ok(()) => return,
                Err(fault) if fault.class == FaultClass::Gone => return,
                Err(_) => {}
            }
        }
        tracing::warn!(namespace = %self.observation.key.namespace, name = %self.observation.key.name, "a superseded session was not released; it ends by its own time");
    }
}

impl Observation {
    /// The status that follows from this pass and `effect`.
    pub fn fold(
        &self,
        object: &QosSession,
        past: &super::facts::Past,
        parsed: &record::Parsed,
        decision: &Decision,
        effect: &Effect,
        now: Timestamp,
    ) -> status::Next {
        let provider = self.session_provider();
        status::next(&status::Pass {
            object,
            goal: &self.goal,
            past,
            observed: &self.observed,
            decision,
            effect,
            look_fault: self.look_fault.as_ref(),
            found: self.found.as_ref(),
            bar: self.bar.as_ref(),
            peer: self.peer.as_ref(),
            provider: provider.as_ref(),
            device_mask: &flow::mask(&object.spec.device),
            sent_record: parsed.record(),
            unreadable_version: match parsed {
                record::Parsed::Unreadable(version) => *version,
                _ => None,
            },
            other_client: self.other_client,
            now,
        })
    }
}
