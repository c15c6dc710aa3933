//! The task of one `QosProvider`: a loop that looks, publishes, writes and waits. Each provider has its own, so that one that does
//! not answer holds up no other.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use kube_runtime::events::EventType;
use tokio::sync::watch;

use super::Context;
use super::access::Access;
use super::backoff::Backoff;
use super::budget::next_day;
use super::callbacks::Target;
use super::connection::{self, Basis};
use super::gate::{Closed, Gate};
use super::learned::Learned;
use super::limits::Limits;
use super::object::Notice;
use super::probe::{Discovery, Probed, probe};
use super::readiness::{Finding, Verdict, not_checked};
use super::record::Record;
use super::registry::{File, Tenure};
use super::snapshot::Provider;
use crate::api::{
    ConditionType, EventReason, IS_DEFAULT_PROVIDER_ANNOTATION, PAUSED_ANNOTATION, QosProvider, RECONCILE_REQUESTED_AT_ANNOTATION,
};
use crate::clock::later;
use crate::metrics::OfProvider;
use crate::qod::{FaultClass, QosProfile};

/// Everything that is known of one provider between two passes.
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
pub(super) struct Upkeep {
    context: Arc<Context>,
    tenure: Tenure,
    objects: watch::Receiver<QosProvider>,
    name: String,
    file: Arc<File>,
    gate: Arc<Gate>,
    limits: Arc<Limits>,
    counts: Arc<OfProvider>,
    /// What the last probe rests on; another one asks for a new probe.
    basis: Option<Basis>,
    access: Option<Arc<Access>>,
    probing: Option<BoxFuture<'static, Probed>>,
    next_probe: Option<Timestamp>,
    backoff: Backoff,
    verdict: Option<Verdict>,
    /// The verdict is about the basis as it is now.
    verdict_holds: bool,
    profiles: Option<Vec<QosProfile>>,
    record: Record,
    /// A request to reconcile that the next verdict answers.
    requested: Option<String>,
    /// As last seen, to tell of changes.
    closed: Option<Closed>,
    spent: bool,
    told_ambiguous: bool,
    /// When the next conclusion on notifications is due.
    unheard_until: Option<Timestamp>,
    silent: bool,
}

impl Upkeep {
    /// Takes the provider up and publishes what is known of it so far.
    pub(super) fn new(context: Arc<Context>, objects: watch::Receiver<QosProvider>) -> Self {
        let object = objects.borrow().clone();
        let file = context.providers.file(&object.uid().unwrap_or_default());
        let clock = context.providers.clock();
        if let Some(budget) = object.status.as_ref().and_then(|status| status.budget.as_ref()) {
            file.usage.lock().restore(budget, clock.now());
        }
        let mut upkeep = Self {
            tenure: context.providers.begin(&object.name_any()),
            name: object.name_any(),
            gate: Arc::new(Gate::new(file.wake.clone())),
            limits: Arc::new(Limits::new(object.spec.limits.clone(), clock.clone())),
            counts: context.settings.vitals.metrics.provider(&object.name_any()),
            basis: None,
            access: None,
            probing: None,
            next_probe: None,
            backoff: Backoff::default(),
            verdict: None,
            verdict_holds: false,
            profiles: None,
            record: Record::new(object),
            requested: None,
            closed: None,
            spent: false,
            told_ambiguous: false,
            unheard_until: None,
            silent: false,
            context,
            objects,
            file,
        };
        upkeep.look();
        upkeep.publish();
        upkeep
    }

    /// Runs until the object's watch lets go of it.
    pub(super) async fn run(mut self) {
        loop {
            self.look();
            self.publish();
            let verdict = self.verdict.as_ref().map(|verdict| verdict.told(self.gate.doubt()));
            let written = self.record.write(&self.context, &self.file, verdict.as_ref(), self.profiles.as_deref()).await;
            if written.marks_changed {
                self.publish();
            }
            let now = self.now();
            let pause = self.gate.paused_until(now);
            let midnight = self.spent.then(|| next_day(now));
            // While a probe runs, or there is nothing to probe with, its time wakes nobody; and it waits for the end of a pause.
            let can_probe = self.probing.is_none() && self.access.is_some();
            let next_probe = self.next_probe.filter(|_| can_probe).map(|at| pause.map_or(at, |pause| at.max(pause)));
            let wake_at = [next_probe, pause, midnight, written.again_at, self.unheard_until].into_iter().flatten().min();
            let clock = self.context.providers.clock().clone();
            let wake = self.file.wake.clone();
            tokio::select! {
                changed = self.objects.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let object = self.objects.borrow_and_update().clone();
                    self.record.take(object);
                }
                () = wake.notified() => {}
                () = async { match wake_at { Some(at) => clock.sleep_until(at).await, None => std::future::pending().await } } => {}
                probed = async { match &mut self.probing { Some(probing) => probing.await, None => std::future::pending().await } } => {
                    self.probing = None;
                    self.conclude(probed);
                }
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.context.providers.clock().now()
    }

    /// Looks at the object, the Secrets, the gate and the budget, and begins a probe where one is due.
    fn look(&mut self) {
        let now = self.now();
        if !self.limits.is_for(&self.record.object.spec.limits) {
            self.limits = Arc::new(Limits::new(self.record.object.spec.limits.clone(), self.context.providers.clock().clone()));
        }
        if self.look_at_basis() {
            self.next_probe = Some(now);
        }
        let requested = self.record.object.annotations().get(RECONCILE_REQUESTED_AT_ANNOTATION).cloned();
        if requested.is_some() && requested != self.record.handled && requested != self.requested {
            self.requested = requested;
            self.next_probe = Some(now);
        }
        if self.access.is_none() && self.basis.is_some() {
            // There is nothing to ask with: looking at the spec and the Secrets was all.
            self.next_probe = None;
            self.record.handled = self.requested.take().or(self.record.handled.take());
        }
        if self.verdict.as_ref().is_some_and(|verdict| verdict.ready)
            && let Some(wait) = self.gate.probe_wanted_after()
        {
            let at = later(now, wait);
            self.next_probe = Some(self.next_probe.map_or(at, |next| next.min(at)));
        }
        let due = self.next_probe.is_some_and(|at| at <= now) && self.gate.paused_until(now).is_none();
        if let Some(access) = self.access.clone().filter(|_| due && self.probing.is_none()) {
            self.probing = Some(probe(access, self.limits.clone(), self.context.providers.clock().clone()).boxed());
        }
        let closed = self.gate.closed(now);
        let spent = {
            let most = self.record.object.spec.budget.as_ref().and_then(|budget| budget.max_session_seconds_per_day);
            most.is_some_and(|most| self.file.usage.lock().seconds(now) >= most)
        };
        if closed != self.closed || self.spent && !spent {
            self.context.providers.tell(&self.name);
        }
        (self.closed, self.spent) = (closed, spent);
        self.tell_if_ambiguous();
        self.listen(now);
    }

    /// Draws the conclusions on notifications that are due.
    fn listen(&mut self, now: Timestamp) {
        let object = &self.record.object;
        let generation = connection::generation(&object.spec);
        let target = Target::of(&object.spec, generation, self.context.settings.callback.as_ref());
        let kind = ConditionType::NotificationsReceived.as_str();
        let conditions = object.status.iter().flat_map(|status| &status.conditions);
        let shown = conditions.into_iter().find(|condition| condition.type_ == kind);
        let silent = {
            let mut callbacks = self.file.callbacks.lock();
            callbacks.aim(target, shown.map(|shown| (shown.status.as_str(), shown.message.as_str())));
            self.unheard_until = callbacks.conclude(now);
            callbacks.silent()
        };
        if silent != self.silent {
            self.silent = silent;
            self.context.providers.tell_notifications(&self.name);
        }
    }

    /// Makes the connection anew where the spec or a Secret changed; returns whether a probe is needed for it.
    fn look_at_basis(&mut self) -> bool {
        let spec = self.record.object.spec.clone();
        let Some(basis) = self.context.basis(&spec) else { return false };
        if self.basis.as_ref() == Some(&basis) {
            if self.verdict_holds {
                self.record.seen();
            }
            return false;
        }
        let moved = self.basis.as_ref().is_some_and(|before| !before.same_api(&basis));
        let made = basis.connect(&spec, &self.context.settings.namespace, self.context.providers.clock(), &self.counts);
        if self.basis.replace(basis).is_some() {
            self.gate.credentials_changed();
            *self.file.learned.lock() = Learned::default();
        } else {
            // After a restart: what Auto has come to is kept, the rest is seen anew.
            let shown = self.record.object.status.as_ref().and_then(|status| status.device_in_request.as_deref());
            self.file.learned.lock().device_in_request = shown.map(|shown| shown == "Always");
        }
        // A probe of what was before says nothing any more.
        self.probing = None;
        self.backoff.reset();
        if moved {
            self.profiles = None;
        }
        match made {
            Ok(access) => {
                self.access = Some(Arc::new(access));
                self.verdict_holds = false;
                true
            }
            Err(finding) => {
                self.access = None;
                self.next_probe = None;
                self.hold(Verdict::of(&finding));
                false
            }
        }
    }

    /// Takes what a probe found.
    fn conclude(&mut self, probed: Probed) {
        let now = self.now();
        self.file.learned.lock().lack(probed.lacking);
        match probed.profiles {
            Discovery::Profiles(profiles) => self.profiles = Some(profiles),
            Discovery::NotTold => self.profiles = None,
            Discovery::AsBefore => {}
        }
        if let Finding::Failed(fault) = &probed.finding
            && fault.class == FaultClass::RateLimited
        {
            // A limit is no verdict on the provider: what was known stays, and the gate says when to ask again.
            self.gate.report(Err(fault), now);
            self.next_probe = self.gate.paused_until(now).or(Some(now));
            if self.verdict.is_none() {
                self.hold(Verdict::of(&probed.finding));
            }
            return;
        }
        let verdict = Verdict::of(&probed.finding);
        self.next_probe = Some(if verdict.ready {
            self.backoff.reset();
            self.gate.credentials_work();
            later(now, Backoff::jitter(self.context.settings.profile_refresh))
        } else {
            later(now, self.backoff.next().max(SignedDuration::from_secs(1)))
        });
        self.hold(verdict);
    }

    /// The verdict on the object as it is now.
    fn hold(&mut self, verdict: Verdict) {
        self.record.handled = self.requested.take().or(self.record.handled.take());
        self.verdict = Some(verdict);
        self.verdict_holds = true;
        self.record.seen();
    }

    fn publish(&self) {
        let object = &self.record.object;
        let annotated = |key: &str| object.annotations().get(key).is_some_and(|value| value == "true");
        let provider = Arc::new(Provider {
            name: self.name.clone(),
            uid: object.uid().unwrap_or_default(),
            generation: connection::generation(&object.spec),
            spec: object.spec.clone(),
            readiness: self.verdict.as_ref().map_or_else(not_checked, Verdict::readiness),
            access: self.access.clone(),
            profiles: self.profiles.clone(),
            marked: self.record.marked(),
            deleting: object.metadata.deletion_timestamp.is_some(),
            paused: annotated(PAUSED_ANNOTATION),
            limits: self.limits.clone(),
            gate: self.gate.clone(),
            is_default: annotated(IS_DEFAULT_PROVIDER_ANNOTATION),
            created: object.creation_timestamp().map(|time| time.0),
            file: self.file.clone(),
            clock: self.context.providers.clock().clone(),
        });
        self.context.providers.publish(self.tenure, &provider);
    }

    /// Warns, once, that another provider is the default though this one is annotated too.
    fn tell_if_ambiguous(&mut self) {
        let providers = &self.context.providers;
        let annotated = providers.get(&self.name).is_some_and(|provider| provider.is_default);
        let other = providers.default_name().filter(|name| annotated && providers.loaded() && *name != self.name);
        if let Some(other) = other.as_deref().filter(|_| !self.told_ambiguous) {
            self.context.objects.tell(
                &self.record.object,
                Notice {
                    type_: EventType::Warning,
                    reason: EventReason::DefaultAmbiguous.as_str(),
                    action: "Resolve",
                    note: format!(
                        "several QosProviders are marked as default; QosSessions without providerRef use {other}, the newest"
                    ),
                },
            );
        }
        self.told_ambiguous = other.is_some();
    }
}
