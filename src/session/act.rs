//! Act: at most one effect, chosen by the decision; nothing is decided here that `decide` or `protocol` could decide.

mod create;

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use super::bounds;
use super::context::Context;
use super::decide::{Decision, Ending, Step};
use super::flow;
use super::observe::Observation;
use super::outcome::Effect;
use super::protocol::{self, Sending};
use super::record::{self, AttemptRecord};
use super::rules::Rules;
use super::sink;
use super::status;
use super::write::{self, WriteError};
use crate::api::QosSession;
use crate::auth::Subject;
use crate::provider::Provider;
use crate::qod::{AccessToken, Client, Fault, FaultClass, Operation, SessionId};

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
        Step::Send { seconds, earlier } => create::send(context, object, observation, decision, seconds, earlier).await,
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
    let record =
        AttemptRecord { sink: true, extends: true, ..create::record_of(context, &object, observation, provider, &attempt) };
    Ok(Acted { wrote: true, ..Acted::of(Effect::None, write::intent(context, &object, &record).await?) })
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
