//! Asks for the Lease and keeps it, until it is lost or given back. What to do is [`Election`]'s to say.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, PostParams};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::drain::{Drain, Mandate, draining_until};
use super::election::{Election, Leader, Loss, Step, Written};
use super::fence::Fence;
use super::pace::{Pace, RELEASE_TRIES};
use super::record::{self, Record};
use crate::clock::Clock;

/// Which lease, and for whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's own namespace.
    pub namespace: String,
    /// `--lease-name`.
    pub lease: String,
    /// `--pod-name`: another one for each replica.
    pub identity: String,
    /// `address:port` where this replica takes notifications from the others; none: it cannot.
    pub address: Option<String>,
    /// The times.
    pub pace: Pace,
}

/// Where this process stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Others may act. Who does, where that is known.
    Standby(Option<Leader>),
    /// This process acts.
    Leading(Leader),
    /// It did, and must not any more.
    Lost(Loss),
}

/// A process in the election.
#[derive(Debug)]
pub struct Campaign {
    fence: Fence,
    place: watch::Receiver<Place>,
    drain: Drain,
    ending: CancellationToken,
    resigned: CancellationToken,
    task: JoinHandle<()>,
}

impl Campaign {
    /// Enters the election. `client` must be nobody else's, so that no other call is in the way of the Lease's.
    pub fn start(client: kube::Client, settings: Settings, clock: Clock) -> Self {
        let (sender, place) = watch::channel(Place::Standby(None));
        let (drains, told) = watch::channel(None);
        let (fence, ending, resigned) = (Fence::closed(), CancellationToken::new(), CancellationToken::new());
        let replica = Replica {
            leases: Api::namespaced(client, &settings.namespace),
            election: Election::new(&settings.identity, settings.pace, Instant::now()),
            lease: None,
            place: sender,
            drains,
            fence: fence.clone(),
            failing: false,
            settings,
            clock,
        };
        let task = tokio::spawn(replica.run(ending.clone(), resigned.clone()));
        Self { fence, place, drain: Drain::told_by(told), ending, resigned, task }
    }

    /// What a deposed leader is stopped by.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// What the leader may do, and what the Lease says that it is to leave undone.
    pub fn mandate(&self) -> Mandate {
        Mandate { fence: self.fence(), drain: self.drain.clone() }
    }

    /// Where this process stands, now and from now on.
    pub fn place(&self) -> watch::Receiver<Place> {
        self.place.clone()
    }

    /// Returns once this process leads: its own term.
    pub async fn won(&self) -> Leader {
        match self.place.clone().wait_for(|place| matches!(place, Place::Leading(_))).await.as_deref() {
            Ok(Place::Leading(leader)) => leader.clone(),
            // The task is gone: nobody tells any more.
            _ => std::future::pending().await,
        }
    }

    /// Returns once this process leads no longer, with the reason.
    pub async fn lost(&self) -> Loss {
        match self.place.clone().wait_for(|place| matches!(place, Place::Lost(_))).await.as_deref() {
            Ok(Place::Lost(loss)) => loss.clone(),
            // The task is gone, and with it the renewals.
            _ => Loss::Deadline,
        }
    }

    /// Stands for election no longer; a lease that is held is given back. What it protects must have ended before. From then on
    /// the place tells who else leads.
    pub async fn resign(&self) {
        self.ending.cancel();
        self.resigned.cancelled().await;
    }
}

impl Drop for Campaign {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Replica {
    leases: Api<Lease>,
    settings: Settings,
    clock: Clock,
    election: Election,
    /// As it was last read or written; none: it is not there, or nothing is known.
    lease: Option<Lease>,
    place: watch::Sender<Place>,
    drains: watch::Sender<Option<Timestamp>>,
    fence: Fence,
    /// The last call failed: the next failure is no news.
    failing: bool,
}

impl Replica {
    async fn run(mut self, ending: CancellationToken, resigned: CancellationToken) {
        // Also when this ends by a panic.
        let resigned = resigned.drop_guard();
        self.stand(&ending).await;
        if self.election.held_until().is_some() {
            self.release().await;
        }
        drop(resigned);
        self.look_on().await;
    }

    /// Until the end, stands for election.
    async fn stand(&mut self, ending: &CancellationToken) {
        while !ending.is_cancelled() {
            match self.election.step(Instant::now()) {
                Step::Look => self.look().await,
                Step::Take => self.take().await,
                Step::Renew => self.renew().await,
                Step::Rest(until) => {
                    ending.run_until_cancelled(sleep_until(until)).await;
                }
                Step::Lost(loss) => {
                    self.fence.close();
                    self.place.send_replace(Place::Lost(loss));
                    return ending.cancelled().await;
                }
            }
        }
    }

    /// Tells who leads, without a wish to.
    async fn look_on(&mut self) {
        self.place.send_replace(Place::Standby(None));
        loop {
            let read = timeout(self.settings.pace.try_limit(), self.leases.get_opt(&self.settings.lease)).await;
            if let Ok(Ok(lease)) = read {
                self.tell_standby(lease.as_ref().map(Record::of));
            }
            sleep(self.settings.pace.look(rand::random())).await;
        }
    }

    fn record(&self) -> Record {
        self.lease.as_ref().map(Record::of).unwrap_or_default()
    }

    async fn look(&mut self) {
        let sent = Instant::now();
        let name = &self.settings.lease;
        match timeout(self.election.patience(sent), self.leases.get_opt(name)).await {
            Ok(Ok(lease)) => {
                self.failing = false;
                self.lease = lease;
                self.tell_drain();
                let record = self.lease.as_ref().map(Record::of);
                self.election.looked(record.as_ref(), Instant::now(), rand::random());
                self.tell_standby(record);
            }
            failure => {
                self.report("read", failure.ok().and_then(Result::err));
                self.election.not_looked(sent, Instant::now(), rand::random());
            }
        }
    }

    /// Tells until when the Lease says to drain. It is known before the renewal that follows: the uninstall guard counts on that.
    fn tell_drain(&self) {
        let until = self.lease.as_ref().and_then(draining_until);
        let is_news = |before: &mut Option<Timestamp>| std::mem::replace(before, until) != until;
        if self.drains.send_if_modified(is_news)
            && let Some(until) = until
        {
            tracing::info!(lease = %self.settings.lease, %until, "nothing is made for workloads: the operator is being uninstalled");
        }
    }

    /// Tells who leads, as long as this process does not.
    fn tell_standby(&self, record: Option<Record>) {
        let leader = record.and_then(|record| {
            record.holder.map(|identity| Leader { identity, acquired: record.acquired, address: record.address })
        });
        self.place.send_if_modified(|place| {
            let news = Place::Standby(leader.filter(|leader| leader.identity != self.settings.identity));
            let changed = matches!(place, Place::Standby(_)) && *place != news;
            if changed {
                *place = news;
            }
            changed
        });
    }

    async fn take(&mut self) {
        let Settings { identity, pace, address, .. } = &self.settings;
        let record = self.record().taken(identity, pace.lease_duration, address.as_deref(), self.clock.now());
        let leader = Leader { identity: identity.clone(), acquired: record.acquired, address: address.clone() };
        if self.write(&record).await == Written::Done {
            tracing::info!(identity = %leader.identity, lease = %self.settings.lease, "this replica leads");
            self.place.send_replace(Place::Leading(leader));
        }
    }

    async fn renew(&mut self) {
        let record = self.record().renewed(self.clock.now());
        self.write(&record).await;
    }

    /// Writes `record` under the `resourceVersion` that was read last.
    async fn write(&mut self, record: &Record) -> Written {
        let Settings { namespace, lease: name, .. } = &self.settings;
        let body = record.write_into(self.lease.clone().unwrap_or_else(|| record::fresh(namespace, name)));
        let parameters = PostParams { field_manager: Some(crate::session::write::MANAGER.to_owned()), ..PostParams::default() };
        let sent = Instant::now();
        let call = async {
            match self.lease {
                Some(_) => self.leases.replace(name, &parameters, &body).await,
                None => self.leases.create(&parameters, &body).await,
            }
        };
        let written = match timeout(self.election.patience(sent), call).await {
            Ok(Ok(lease)) => {
                self.failing = false;
                self.lease = Some(lease);
                Written::Done
            }
            // 409: changed, or made by another. 404: deleted. Either way a look tells.
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => Written::Conflict,
            failure => {
                self.report("written", failure.ok().and_then(Result::err));
                Written::Failed
            }
        };
        self.election.wrote(record, written, sent, Instant::now(), rand::random());
        if let Some(until) = self.election.held_until() {
            self.fence.hold_until(until);
        }
        written
    }

    async fn release(&mut self) {
        self.fence.close();
        for _ in 0..RELEASE_TRIES {
            let record = self.record();
            let released = record.released(self.clock.now());
            let Some(lease) = self.lease.as_ref().filter(|_| record.holder.as_ref() == Some(&self.settings.identity)) else {
                return;
            };
            let (name, body) = (&self.settings.lease, released.write_into(lease.clone()));
            let limit = self.settings.pace.try_limit();
            let parameters =
                PostParams { field_manager: Some(crate::session::write::MANAGER.to_owned()), ..PostParams::default() };
            match timeout(limit, self.leases.replace(name, &parameters, &body)).await {
                Ok(Ok(_)) => {
                    tracing::info!(lease = %self.settings.lease, "the lease is given back");
                    return;
                }
                Ok(Err(kube::Error::Api(status))) if status.code == 409 => {
                    let read = timeout(limit, self.leases.get_opt(name)).await;
                    self.lease = read.ok().and_then(Result::ok).flatten();
                }
                failure => self.report("given back", failure.ok().and_then(Result::err)),
            }
        }
        tracing::warn!(lease = %self.settings.lease, "the lease is not given back; it ends by its own time");
    }

    /// The first failure of a row is told.
    fn report(&mut self, what: &str, error: Option<kube::Error>) {
        if std::mem::replace(&mut self.failing, true) {
            return;
        }
        let cause = error.map_or_else(|| "no answer in time".to_owned(), |error| error.to_string());
        tracing::warn!(lease = %self.settings.lease, %cause, "the lease cannot be {what}; it is tried again");
    }
}
