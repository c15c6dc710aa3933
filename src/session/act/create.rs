//! The create: record, request, and the record of its answer.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::{Acted, delete};
use crate::api::{QosSession, SessionProvider};
use crate::auth::Subject;
use crate::clock::later;
use crate::provider::{Provider, Ticket};
use crate::qod::{AccessToken, Client, CreateSession, FaultClass, Generation, Operation, SessionId};
use crate::session::context::Context;
use crate::session::decide::Decision;
use crate::session::desired;
use crate::session::facts::{AppliedHash, Attempt, Nonce, Record};
use crate::session::flow;
use crate::session::observe::Observation;
use crate::session::outcome::Effect;
use crate::session::past;
use crate::session::protocol::{self, Recording, Sending};
use crate::session::record::{self, AttemptRecord};
use crate::session::rules::Rules;
use crate::session::sink::{self, Mark, ObjectKey};
use crate::session::write::{self, WriteError};
use crate::trace::Cause;

/// The record of a send to `provider`.
pub(super) fn record_of(
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
        sink_until: None,
        extends: false,
        earlier: attempt.earlier,
    }
}

/// Finalizer and record in one guarded patch, then the POST, once. Permits are in hand before the record is written; the flow is
/// taken in the claim table before that. From the record on, a task that nothing cancels carries it to its end.
pub(super) async fn send(
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
    let extends = provider.has(Operation::ExtendQosSessionDuration);
    let ends = sink::bearer_ends(&attempt, observation.goal.renewal, extends, observation.observed.limits.max_seconds);
    let mark = Mark { object: ObjectKey::of(&context.operator_key, &observation.key.uid), nonce: attempt.nonce };
    request.callback = provider.callback_url().map(|base| sink::callback(&context.operator_key, &base, &mark, ends));
    let sink = request.callback.is_some();
    // Before 0.11 a bearer has no end.
    let sink_until = Some(ends).filter(|_| sink && provider.generation >= Generation::V0_11);
    // Its notifications may overtake the answer.
    context.memories.with(&observation.key.uid, |remembered| {
        (remembered.attempt, remembered.api) = (Some(attempt.nonce), Some(provider.generation));
    });
    let record = AttemptRecord { sink, sink_until, ..record_of(context, &object, observation, provider, &attempt) };
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
    let carried = context.tasks.spawn(Cause::now().of(async move {
        let effect = task.post(attempt_at, ticket).await;
        let object = task.record(object, &effect).await;
        (effect, object)
    }));
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
            hash: self.observation.goal.hash.unwrap_or(AppliedHash(0)),
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
                    hash: self.observation.goal.hash.unwrap_or(AppliedHash(0)),
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
