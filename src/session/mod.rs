//! The `QosSession` controller: parse, observe, decide, act, record.
//!
//! One pass makes at most one effect at the provider, so that crash safety is a property of each arrow of the decision table
//! ([`decide`]). What is pure: [`desired`], [`past`], [`decide`], [`bounds`], [`protocol`], [`status`], [`flow`], [`backoff`]. What
//! may touch the network: [`observe`] (reads only), [`act`] and [`write`].

pub mod act;
pub mod backoff;
pub mod bars;
pub mod bounds;
pub mod claims;
pub mod context;
pub mod decide;
pub mod departure;
pub mod desired;
pub mod facts;
pub mod flow;
pub mod inbox;
pub mod joined;
pub mod key;
pub mod memory;
#[cfg(test)]
#[allow(
    clippy::pedantic,
    clippy::unnecessary_lazy_evaluations,
    reason = "a world of small states, copied by value on purpose and full of flags"
)]
mod model;
pub mod observe;
pub mod outcome;
pub mod past;
pub mod protocol;
pub mod record;
pub mod rules;
pub mod salvage;
pub mod sink;
pub mod status;
pub mod timers;
pub mod turns;
pub mod watch;
pub mod write;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube_runtime::controller::{Action, Config, Controller};
use kube_runtime::reflector::ObjectRef;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use self::claims::{Claim, Object};
pub use self::context::Context;
use self::decide::{Barred, Decision, HeldBack, Row, Step};
use self::desired::Desired;
use self::facts::Bar;
use self::observe::Observation;
use self::outcome::Effect;
use self::turns::Urgency;
use self::write::WriteError;
use crate::api::QosSession;
use crate::clock::later;
use crate::metrics::PassResult;
use crate::qod::FaultClass;
use crate::scope::Namespaces;
use crate::trace;

/// How long shutdown waits for passes to end, and then for creates whose answer is not recorded yet: together longer than a
/// provider's request time-out by default.
pub(crate) const GRACE: Duration = Duration::from_secs(20);

/// Which objects the controller sees.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// In these namespaces.
    pub namespaces: Namespaces,
    /// Label selector.
    pub selector: Option<String>,
}

/// A pass did not come to its end; it is begun again.
#[derive(Debug, thiserror::Error)]
#[error("the pass is begun again: {0}")]
pub struct Error(#[from] WriteError);

/// Runs until `shutdown`; returns when nothing is under way any more, or after a grace period.
pub async fn run(
    context: Arc<Context>,
    settings: Settings,
    mut wakes: mpsc::UnboundedReceiver<Object>,
    shutdown: CancellationToken,
) {
    let (store, objects, listed) = watch::objects(&context, &settings);
    context.vitals.metrics.watch_sessions(store.clone());
    let timers = tokio::spawn({
        let context = Arc::clone(&context);
        async move {
            loop {
                let object = context.timers.next(&context.clock).await;
                context.wake([object]);
            }
        }
    });
    let changes = tokio::spawn(watch::provider_changes(Arc::clone(&context), context.providers.changes()));
    let woken = futures::stream::poll_fn(move |cx| wakes.poll_recv(cx))
        .map(|object| ObjectRef::<QosSession>::new(&object.name).within(&object.namespace));
    let (ending, stopping, first_list) = (shutdown.clone(), shutdown.clone(), listed.clone());
    let passes = Controller::for_stream(objects, store)
        .with_config(Config::default().concurrency(0))
        .reconcile_on(woken)
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(
            move |object, context| {
                let (listed, ending) = (listed.clone(), ending.clone());
                async move {
                    let ready = async {
                        listed.wait().await;
                        context.providers_loaded().await;
                    };
                    // At the end neither the list nor the providers may ever come.
                    match ending.run_until_cancelled(ready).await {
                        Some(()) => Box::pin(reconcile(object, context)).await,
                        None => Ok(Action::await_change()),
                    }
                }
            },
            |_, _, _| Action::await_change(),
            Arc::clone(&context),
        );
    // A pass that hangs must not keep the process: what it has under way is a task of its own, which is waited for below.
    let overdue = async {
        stopping.cancelled().await;
        // Before the first list is complete no pass has begun, and kube's runner waits for that list without end.
        if first_list.is_complete() {
            tokio::time::sleep(GRACE).await;
        }
    };
    tokio::select! {
        () = passes.for_each(|_| std::future::ready(())) => {}
        () = overdue => tracing::warn!("a pass did not end in time; its object is looked at again at the next start"),
    }
    timers.abort();
    changes.abort();
    context.tasks.close();
    if tokio::time::timeout(GRACE, context.tasks.wait()).await.is_err() {
        tracing::warn!("a create is still unanswered; its record stands, and the next start settles it");
    }
}

/// Waits for a turn, and has a pass. At a start every object waits here, so that waiting must take little memory: what a pass needs is
/// allocated when its turn has come.
async fn reconcile(watched: Arc<QosSession>, context: Arc<Context>) -> Result<Action, Error> {
    let _turn = context.turns.take(urgency(&context, &watched)).await;
    Box::pin(in_turn(watched, context)).await
}

/// One pass; its end sets the object's timer.
async fn in_turn(watched: Arc<QosSession>, context: Arc<Context>) -> Result<Action, Error> {
    let key = Object::of(&watched);
    let counted = context.vitals.metrics.pass();
    let object = context.memories.newest(&key.uid, QosSession::clone(&watched));
    drop(watched);
    let object = if context.undecodable.lock().contains(&key.uid) {
        match salvage::read(&context, &object).await {
            Some(object) => object,
            None => return Ok(Action::await_change()),
        }
    } else {
        object
    };
    let span = trace::pass(&key.namespace, &key.name, &key.uid);
    let result = pass(&context, object).instrument(span.clone()).await;
    let ended = PassResult::of(&result);
    trace::ended(&span, ended);
    counted.ended(ended);
    match result {
        Ok(()) => {}
        Err(WriteError::Gone) => context.vanished(&key),
        Err(ref error) => {
            tracing::debug!(namespace = %key.namespace, name = %key.name, %error, "the pass is begun again");
            let jitter = context.jitter();
            let pause = if matches!(error, WriteError::Conflict) { bounds::seconds(1) } else { backoff::growing(1, jitter) };
            context.timers.set(&key, Some(later(context.clock.now(), pause)));
        }
    }
    Ok(Action::await_change())
}

fn urgency(context: &Context, object: &QosSession) -> Urgency {
    let seen = object.status.as_ref().map(|status| status.observed_generation);
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    if object.metadata.deletion_timestamp.is_some() {
        Urgency::Deletion
    } else if seen != object.metadata.generation {
        Urgency::Change
    } else if context.memories.with(uid, |remembered| remembered.failures > 0) {
        Urgency::Retry
    } else {
        Urgency::Resync
    }
}

/// Parse, observe, decide, act, record.
async fn pass(context: &Arc<Context>, object: QosSession) -> Result<(), WriteError> {
    let desired = Desired::parse(&object);
    let observation = Arc::new(observe::observe(context, &object, &desired).await);
    let decision = decide::decide(&observation.goal, &observation.past, &observation.observed, observation.now);
    tracing::debug!(namespace = %observation.key.namespace, name = %observation.key.name, row = ?decision.row, "decided");
    context.vitals.metrics.decided(decision.row);
    trace::decided(
        decision.row,
        observation.home.as_ref().or(observation.provider.as_ref()).map(|provider| provider.name.as_str()),
    );
    tell_others(context, &object, &observation, &decision);

    let acted = act::act(context, object, &observation, &decision).await?;
    if decision.step == Step::RemoveFinalizer {
        note_departure(context, &acted.object, &decision, &observation).await;
        context.vanished(&observation.key);
        return Ok(());
    }
    if let Effect::Released(ending) = acted.effect
        && decide::after_release(&observation.goal, &observation.past, ending, context.clock.now()) == Step::RemoveFinalizer
    {
        write::remove_finalizer(context, &acted.object).await?;
        context.vanished(&observation.key);
        return Ok(());
    }
    let mut wrote = acted.wrote;
    let mut object = acted.object;
    if !acted.recorded && !wrote {
        let next =
            observation.fold(&object, &observation.past, &observation.parsed, &decision, &acted.effect, context.clock.now());
        let before = object.status.clone().unwrap_or_default();
        if !status::same(&before, &next.status) {
            object = write::status(context, &object, &next.status).await?;
            wrote = true;
        }
        write::events(context, &object, next.notes).await;
    }
    remember(context, &observation, &decision, &acted.effect, &object, wrote);
    if let Some(Ok(reason)) = object.status.as_ref().map(|status| status::ready_reason(status).parse()) {
        trace::told(reason);
    }
    Ok(())
}

/// What this pass means for others: the claim on the flow, the provider's occupancy, and who wakes this object.
fn tell_others(context: &Context, object: &QosSession, observation: &Observation, decision: &Decision) {
    let key = &observation.key;
    let resolved = observation.provider.as_ref().map_or("", |provider| provider.name.as_str());
    let home = observation.home.as_ref().map_or(resolved, |home| home.name.as_str());
    let waits = if observation.provider_name.is_empty() { resolved } else { observation.provider_name.as_str() };
    context.uses_provider(key, [waits, home]);
    let stance = observation.stance();
    let home_uid = observation.home.as_ref().map(|home| home.uid.as_str());
    let recorded = object.status.as_ref().and_then(|status| status.provider.as_ref()).map(|provider| provider.uid.as_str());
    let occupies = (stance == claims::Stance::Holds).then(|| home_uid.or(recorded)).flatten();
    context.providers.set_occupancy(&key.uid, occupies);
    let flow = observation.occupied_flow(context, object);
    context.claim(key, flow.map(|flow| Claim { created: context.created(object), flow, stance }));
    if decision.barred == Some(Barred::By(Bar::ProviderUnmarked))
        && let Some(provider) = &observation.provider
    {
        context.providers.want_marked(&provider.uid);
    }
}

/// The Event of an object that goes without a confirmed release.
async fn note_departure(context: &Context, object: &QosSession, decision: &Decision, observation: &Observation) {
    if let Some(note) = departure::note(object, decision, &observation.past) {
        write::events(context, object, vec![note]).await;
    }
}

/// Memory and timer.
fn remember(
    context: &Context,
    observation: &Observation,
    decision: &Decision,
    effect: &Effect,
    object: &QosSession,
    wrote: bool,
) {
    let now = context.clock.now();
    let jitter = context.jitter();
    let status = object.status.as_ref();
    let failures =
        status.and_then(|status| status.attempt.as_ref()).map_or(0, |attempt| u32::try_from(attempt.failures).unwrap_or(0));
    let pause = context.memories.with(&observation.key.uid, |remembered| {
        remembered.acted(decision, effect, failures, now, jitter);
        match effect {
            Effect::Created { info, .. } => remembered.began(info, observation.periods, now, jitter),
            Effect::Extended(info) => {
                let before = observation.past.held.and_then(|held| held.seen.expires_at);
                if past::said(info).expires_at <= before {
                    remembered.no_gain();
                }
                remembered.looked(Ok(info), observation.periods, now, jitter);
                remembered.granted(info, now);
            }
            Effect::None if matches!(decision.step, Step::AdoptListed(_) | Step::AdoptEvent(_)) => {
                if let Some(info) = &observation.found {
                    remembered.began(info, observation.periods, now, jitter);
                }
            }
            _ => {}
        }
        // The provider has just taught how it wants the device: that refusal is none of the object's.
        if observation.provider.as_ref().is_some_and(|provider| provider.sends_device() != observation.sends_device) {
            remembered.forget_pause();
        }
        remembered.memory.pause_until.filter(|until| *until > now)
    });
    let wake = if wrote {
        Some(now)
    } else if matches!(effect, Effect::None) {
        decision.wake
    } else {
        [pause.or(Some(now)), decision.wake].into_iter().flatten().min()
    };
    let at_its_end =
        decision.row == Row::R25 && matches!(decision.barred, Some(Barred::Suspended | Barred::RunOver | Barred::RecoveryEnded));
    let waits_for_people = decision.held_back == Some(HeldBack::Paused);
    let safety = (!at_its_end && !waits_for_people).then(|| later(now, backoff::slow(jitter)));
    let lost = matches!(effect, Effect::Ambiguous(fault) if fault.class == FaultClass::Ambiguous).then_some(now);
    // A provider that does not come is told as an Event once it can no longer be a matter of order.
    let ordering = status::words::ordering_ends(object)
        .filter(|end| decision.barred == Some(Barred::By(Bar::ProviderNotFound)) && *end > now);
    let times = [ordering, wake, pause.filter(|_| decision.backoff), safety, lost];
    context.timers.set(&observation.key, times.into_iter().flatten().min());
}

impl Context {
    /// For tests: the timer of an object by its name.
    pub fn timer_of(&self, object: &QosSession) -> Option<k8s_openapi::jiff::Timestamp> {
        self.timers.get(&Object::of(object))
    }
}
