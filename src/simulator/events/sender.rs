//! Sends the events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::plan::{Counts, Notice, Plan, Sent, Told};
use super::settings::{Quirk, Settings};
use super::shape;
use crate::clock::{Clock, later};
use crate::simulator::Error;
use crate::simulator::generation::Dialect;
use crate::simulator::provider::Provider;
use crate::simulator::routes::beside;
use crate::simulator::server::Api;
use crate::simulator::transition::NotifyTarget;

/// How long a receiver has to answer, in real time.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long an event that a request caused waits, in real time, so that the request's own answer usually comes first.
const HEAD_START: Duration = Duration::from_millis(20);
/// How many notifications are under way at the same time at most.
const AT_ONCE: usize = 64;

/// The sender's part of the simulator.
#[derive(Debug)]
pub(in crate::simulator) struct Events {
    http: reqwest::Client,
    permits: Semaphore,
    wake: Notify,
    state: Mutex<State>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    plan: Plan,
    /// The end of each session's latest notification: the next one waits for it, so that events arrive in their order.
    under_way: HashMap<Uuid, oneshot::Receiver<()>>,
    /// Which reset this is the state since: what was sent before it does not count in it.
    epoch: u64,
}

impl Events {
    /// A sender. `ca` are further certificates in PEM that receivers' are checked against.
    pub(in crate::simulator) fn new(ca: Option<&[u8]>, shutdown: CancellationToken) -> Result<Arc<Self>, Error> {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("qod-simulator/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .timeout(TIMEOUT)
            // A kept connection that the receiver closed meanwhile would lose an event that no provider loses.
            .pool_max_idle_per_host(0);
        if let Some(bundle) = ca {
            let certificates = reqwest::Certificate::from_pem_bundle(bundle).map_err(|_| Error::NotificationCa)?;
            if certificates.is_empty() {
                return Err(Error::NotificationCa);
            }
            http = http.tls_certs_merge(certificates);
        }
        Ok(Arc::new(Self {
            http: http.build().map_err(|_| Error::NotificationCa)?,
            permits: Semaphore::new(AT_ONCE),
            wake: Notify::new(),
            state: Mutex::new(State::default()),
            tasks: TaskTracker::new(),
            shutdown,
        }))
    }

    /// Makes the sender look for changes that are to be told.
    pub(in crate::simulator) fn wake(&self) {
        self.wake.notify_one();
    }

    /// What became of the events so far.
    pub(in crate::simulator) fn counts(&self) -> Counts {
        self.state.lock().plan.counts
    }

    /// Back to the start. Events under way are still sent, and no longer counted.
    pub(in crate::simulator) fn reset(&self) {
        let mut state = self.state.lock();
        *state = State { epoch: state.epoch + 1, ..State::default() };
    }

    /// Sends the events of the changes that the provider has to tell. What comes back is done at once, or, with the setting
    /// `beforeAnswer`, when all of them are answered. They are sent whether or not somebody waits for that.
    pub(in crate::simulator) fn tell(self: &Arc<Self>, provider: &mut Provider, api: &Api) -> impl Future<Output = ()> + use<> {
        let mut notices = Vec::new();
        let own = provider.dialect();
        for (transition, target) in provider.take_transitions() {
            let source = api.session_url(&target, own, transition.session_id);
            let told = Told { target, transition, source };
            let mut state = self.state.lock();
            notices.extend(state.plan.notices(told, &mut provider.settings.notifications, rand::random));
        }
        let (settings, skew) = (&provider.settings.notifications, provider.settings.clock_skew_seconds);
        let ends = self.send(notices, (settings, skew), &api.clock);
        let wait = settings.has(Quirk::BeforeAnswer);
        async move {
            if wait {
                join_all(ends).await;
            }
        }
    }

    /// Sends `notices`, each session's in their order; what comes back tells when each is done with.
    fn send(
        self: &Arc<Self>,
        notices: Vec<Notice>,
        (settings, skew): (&Settings, i64),
        clock: &Clock,
    ) -> Vec<oneshot::Receiver<()>> {
        let mut ends = Vec::new();
        for notice in notices {
            let (done, end) = oneshot::channel();
            let (told, ended) = oneshot::channel();
            let (previous, epoch) = {
                let mut state = self.state.lock();
                state.under_way.retain(|_, end| !over(end));
                (state.under_way.insert(notice.told.transition.session_id, end), state.epoch)
            };
            let (events, settings, clock) = (Arc::clone(self), settings.clone(), clock.clone());
            self.tasks.spawn(async move {
                let delivery = events.deliver(notice, previous, epoch, (&settings, skew), &clock);
                events.shutdown.run_until_cancelled(delivery).await;
                // Nobody may be waiting.
                let _ = (done.send(()), told.send(()));
            });
            ends.push(ended);
        }
        ends
    }

    async fn deliver(
        &self,
        notice: Notice,
        previous: Option<oneshot::Receiver<()>>,
        epoch: u64,
        (settings, skew): (&Settings, i64),
        clock: &Clock,
    ) {
        clock.sleep_until(notice.due).await;
        if !settings.has(Quirk::BeforeAnswer) {
            tokio::time::sleep(HEAD_START).await;
        }
        if let Some(previous) = previous {
            // An error: the one before it was given up.
            let _ = previous.await;
        }
        let Ok(_permit) = self.permits.acquire().await else { return };
        if !self.note(epoch, |plan| plan.admits(&notice.told.target, clock.now())).unwrap_or(true) {
            return;
        }
        let sent = self.post(&notice, (settings, skew)).await;
        self.note(epoch, |plan| plan.sent(&notice.told.target, sent));
        let (session, generation) = (notice.told.transition.session_id, notice.told.target.generation);
        match sent {
            Sent::Answered(status) => tracing::info!(%session, ?generation, status, "notification"),
            Sent::Unanswered => tracing::info!(%session, ?generation, "notification without an answer"),
        }
    }

    /// One attempt.
    async fn post(&self, notice: &Notice, (settings, skew): (&Settings, i64)) -> Sent {
        let Notice { told: Told { target, transition, source }, id, .. } = notice;
        let time = later(transition.at, SignedDuration::from_secs(skew));
        let Some(notification) = shape::notification(target, transition, (*id, source, time), target.token.as_ref(), settings)
        else {
            return Sent::Unanswered;
        };
        let request = self.http.post(notification.url.expose().as_str()).headers(notification.headers);
        match request.body(notification.body.to_string()).send().await {
            Ok(answer) => Sent::Answered(answer.status().as_u16()),
            // Its text would hold the URL.
            Err(_) => Sent::Unanswered,
        }
    }

    /// Does something to the plan, unless there was a reset since `epoch`.
    fn note<T>(&self, epoch: u64, act: impl FnOnce(&mut Plan) -> T) -> Option<T> {
        let mut state = self.state.lock();
        (state.epoch == epoch).then(|| act(&mut state.plan))
    }
}

/// Whether the notification whose end this is has ended.
fn over(end: &mut oneshot::Receiver<()>) -> bool {
    !matches!(end.try_recv(), Err(oneshot::error::TryRecvError::Empty))
}

/// Sends the events of changes, those that time brings about at their time, until the shutdown.
pub(in crate::simulator) async fn run(api: Arc<Api>, shutdown: CancellationToken) {
    let events = &api.events;
    while !shutdown.is_cancelled() {
        let next = api.send_events();
        let due = async {
            match next {
                Some(at) => api.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = events.wake.notified() => {}
            () = due => {}
        }
    }
    events.tasks.close();
    events.tasks.wait().await;
}

impl Api {
    /// The URL of a session as its client knows it: in the API's own place where that speaks the client's form of the API, otherwise in
    /// the place beside it.
    fn session_url(&self, target: &NotifyTarget, own: Dialect, id: Uuid) -> String {
        let dialect = Dialect { generation: target.generation, flavour: target.flavour };
        let path = if dialect == own { self.mounts.sessions().to_owned() } else { beside(dialect).0 };
        format!("http://{}{path}/sessions/{id}", self.address)
    }

    /// Lets time pass up to now and sends the events of it; says when the next change is due.
    fn send_events(&self) -> Option<Timestamp> {
        let mut provider = self.provider.lock();
        let now = self.clock.now();
        provider.advance(now);
        drop(self.events.tell(&mut provider, self));
        provider.next_change()
    }
}
