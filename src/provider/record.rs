//! What stands on the object: the in-use finalizer and the status, written when they should be otherwise.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use kube_runtime::events::EventType;

use super::Context;
use super::connection;
use super::object::{NotWritten, Notice};
use super::readiness::Verdict;
use super::registry::File;
use super::status::{self, Difference};
use crate::api::{ConditionType, IN_USE_FINALIZER, QosProvider, QosProviderStatus, Reason};
use crate::clock::later;
use crate::qod::QosProfile;

/// Counts are written no more often.
const COUNTS: SignedDuration = SignedDuration::from_secs(30);

/// After a write that failed.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// The object as it was last read or written.
pub(super) struct Record {
    pub(super) object: QosProvider,
    /// The last request to reconcile that was acted on.
    pub(super) handled: Option<String>,
    /// The generation that the verdict is about.
    generation: i64,
    counts_written: Option<Timestamp>,
    /// No write before, since the last one failed; where it was stale, a newer object ends the wait.
    not_before: Option<Timestamp>,
    stale: bool,
    /// The mark was taken away in the registry; the write follows.
    unmarked: bool,
}

/// What a round of writes came to.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) marks_changed: bool,
    pub(super) again_at: Option<Timestamp>,
}

impl Record {
    pub(super) fn new(object: QosProvider) -> Self {
        let handled = object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.clone());
        Self { object, handled, generation: -1, counts_written: None, not_before: None, stale: false, unmarked: false }
    }

    /// Takes a newer object; one that is older than what was written stays out.
    pub(super) fn take(&mut self, object: QosProvider) {
        let version = |object: &QosProvider| object.resource_version().and_then(|version| version.parse::<u64>().ok());
        if version(&object).zip(version(&self.object)).is_none_or(|(new, known)| new >= known) {
            self.object = object;
            if self.stale {
                (self.stale, self.not_before) = (false, None);
            }
        }
    }

    /// The spec has been looked at: what is said from now on is about its generation.
    pub(super) fn seen(&mut self) {
        self.generation = self.object.metadata.generation.unwrap_or(0);
    }

    /// The finalizer and a count of at least 1 are on the object.
    pub(super) fn marked(&self) -> bool {
        !self.unmarked && self.has_finalizer() && self.shown_sessions() > 0
    }

    fn has_finalizer(&self) -> bool {
        self.object.finalizers().iter().any(|finalizer| finalizer == IN_USE_FINALIZER)
    }

    fn shown_sessions(&self) -> i32 {
        self.object.status.as_ref().and_then(|status| status.sessions).unwrap_or(0)
    }

    /// Writes what should be otherwise, in the order finalizer, then count.
    pub(super) async fn write(
        &mut self,
        context: &Context,
        file: &File,
        verdict: Option<&Verdict>,
        profiles: Option<&[QosProfile]>,
    ) -> Written {
        let now = context.providers.clock().now();
        if let Some(at) = self.not_before.filter(|at| *at > now) {
            return Written { again_at: Some(at), ..Written::default() };
        }
        self.not_before = None;
        let before = self.marked();
        let result = self.bring_up_to_date(context, file, verdict, profiles, now).await;
        let again_at = result.unwrap_or_else(|problem| {
            self.stale = problem == NotWritten::Stale;
            self.not_before = Some(later(now, AGAIN));
            self.not_before
        });
        Written { marks_changed: self.marked() != before, again_at }
    }

    async fn bring_up_to_date(
        &mut self,
        context: &Context,
        file: &File,
        verdict: Option<&Verdict>,
        profiles: Option<&[QosProfile]>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, NotWritten> {
        let deleting = self.object.metadata.deletion_timestamp.is_some();
        let (mut sessions, wished_until) = context.providers.sessions(file, self.shown_sessions());
        self.unmarked = false;
        if sessions == 0 && (self.shown_sessions() > 0 || deleting) {
            // From 1 to 0 nobody may rely on the mark any more, before the write.
            self.unmarked = context.providers.unmark(&self.object.name_any(), file);
            sessions = i32::from(!self.unmarked && context.providers.occupancy_known());
        }
        if deleting && self.unmarked && self.has_finalizer() {
            self.object = context.objects.remove_finalizer(&self.object).await?;
            return Ok(None);
        }
        if sessions > 0 && !deleting && !self.has_finalizer() {
            self.object = context.objects.put_finalizer(&self.object).await?;
        }
        let Some(verdict) = verdict else { return Ok(wished_until) };
        let wanted = self.wanted(context, file, verdict, profiles, sessions, now);
        let shown = self.object.status.clone().unwrap_or_default();
        let counts_from = self.counts_written.map(|at| later(at, COUNTS)).filter(|at| *at > now);
        match (status::difference(&shown, &wanted), counts_from) {
            (Difference::None, _) => return Ok(wished_until),
            (Difference::Counts, Some(at)) => return Ok(wished_until.into_iter().chain([at]).min()),
            (Difference::Counts, None) | (Difference::Urgent, _) => {}
        }
        self.object = context.objects.put_status(&self.object, &wanted).await?;
        self.counts_written = Some(now);
        self.tell(context, &shown, &wanted);
        Ok(wished_until)
    }

    fn wanted(
        &self,
        context: &Context,
        file: &File,
        verdict: &Verdict,
        profiles: Option<&[QosProfile]>,
        sessions: i32,
        now: Timestamp,
    ) -> QosProviderStatus {
        let shown = self.object.status.as_ref();
        let in_use = self.object.metadata.deletion_timestamp.as_ref().map(|_| sessions).filter(|sessions| *sessions > 0);
        let limited = self.object.spec.budget.as_ref().is_some_and(|budget| budget.max_session_seconds_per_day.is_some());
        let learned = file.learned.lock().clone();
        // Until the occupancy is known, a count that was never written says nothing yet.
        let unknown = shown.and_then(|status| status.sessions).is_none() && sessions == 0 && !context.providers.occupancy_known();
        QosProviderStatus {
            observed_generation: self.generation,
            sessions: (!unknown).then_some(sessions),
            device_in_request: learned.device_in_request.map(|sent| if sent { "Always" } else { "Never" }.to_owned()),
            capabilities: learned.capabilities(connection::generation(&self.object.spec)),
            budget: limited.then(|| file.usage.lock().status(now)),
            profiles: profiles.map(status::profiles).unwrap_or_default(),
            last_handled_reconcile_at: self.handled.clone(),
            conditions: self.conditions(file, verdict, in_use, now),
        }
    }

    fn conditions(&self, file: &File, verdict: &Verdict, in_use: Option<i32>, now: Timestamp) -> Vec<Condition> {
        let before = self.object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let mut conditions = status::conditions(verdict, self.generation, in_use, before, now);
        let notified = file.callbacks.lock().condition();
        conditions.extend(notified.map(|notified| status::notifications(notified, self.generation, before, now)));
        conditions
    }

    /// Tells Events of what changed: that the provider cannot be used, that it is kept by its sessions, that it is not heard.
    fn tell(&self, context: &Context, before: &QosProviderStatus, after: &QosProviderStatus) {
        for kind in [ConditionType::Ready, ConditionType::NotificationsReceived] {
            let of =
                |status: &QosProviderStatus| status.conditions.iter().find(|condition| condition.type_ == kind.as_str()).cloned();
            let Some(now) = of(after) else { continue };
            if of(before).is_some_and(|before| before.reason == now.reason) {
                continue;
            }
            let Ok(reason) = now.reason.parse::<Reason>() else { continue };
            let (type_, action) = match reason {
                Reason::InUse => (EventType::Normal, "Delete"),
                _ if now.status != "False" => continue,
                _ if kind == ConditionType::Ready => (EventType::Warning, "Probe"),
                _ => (EventType::Warning, "Notify"),
            };
            context.objects.tell(&self.object, Notice { type_, reason: reason.as_str(), action, note: now.message });
        }
    }
}
