//! One replica: it receives notifications from its start to its end, and between them it stands by, leads and leaves.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::admin::Admin;
use crate::args::RunArguments;
use crate::clock::Clock;
use crate::leader::{self, Campaign, Fence, Leader, Loss, Pace};
use crate::notify::front::{Deliver, Front, listener};
use crate::notify::receiver::{self, Receiver};
use crate::operator::{self, Operator, Settings};
use crate::run::Error;
use crate::trace::Traces;
use crate::vitals::Vitals;
use crate::{check, metrics};

/// How long a replica that leaves waits for another one to take the notifications that it still has.
const HAND_OVER: Duration = Duration::from_secs(3);

/// Runs until a signal, or until the lease is lost. What becomes of `traces` is shown in the metrics.
pub async fn serve(arguments: &RunArguments, traces: Option<&Traces>) -> Result<(), Error> {
    let pace = arguments.leader.pace(arguments.margins.send_window)?;
    let mut signals = Signals::new()?;
    let config = config().await?;
    let client = |config: &kube::Config| operator::client(config.clone()).map_err(|error| Error::Client(Box::new(error)));
    // Lease traffic has connections of its own: it must not wait behind other calls.
    let (of_objects, of_lease) = (client(&config)?, client(&config)?);
    let (settings, clock) = (Settings::from(arguments), Clock::system());
    let vitals = Vitals::new(clock.clone());
    if let Some(traces) = traces {
        vitals.metrics.watch_traces(traces.counts());
    }
    let _admin = admin(arguments, &of_objects, &vitals).await?;
    tokio::select! {
        served = check::at_start(&of_objects) => served?,
        () = signals.received() => return Ok(()),
    }
    let key = operator::load_key(&of_objects, &settings).await?;

    vitals.health.key_loaded();
    if pace.is_some() {
        vitals.leading(false);
    }

    let front = Front::new(key.clone(), clock.clone(), pace.map(|pace| pace.lease_duration));
    let receiving = CancellationToken::new();
    let receiver = receive(arguments, &front, &receiving).await?;
    if let Some(receiver) = &receiver {
        vitals.metrics.watch_receiver(receiver.counters());
    }
    let address = hand_over_address(arguments, pace, &front, &receiving).await?;
    let campaign = pace.map(|pace| {
        let settings = leader::Settings {
            namespace: settings.namespace.clone(),
            lease: arguments.leader.lease_name.clone(),
            identity: arguments.leader.identity(),
            address,
            pace,
        };
        Campaign::start(metrics::counted(of_lease, &vitals), settings, clock.clone())
    });
    tokio::spawn(front.clone().run());
    if let Some(campaign) = &campaign {
        tokio::spawn(front.clone().follow(campaign.place()));
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespace = %arguments.namespace, "qos-operator runs");

    let result = tokio::select! {
        () = signals.received() => Ok(()),
        leader = won(campaign.as_ref()) => {
            let mandate = campaign.as_ref().map_or_else(|| Fence::absent().into(), Campaign::mandate);
            vitals.leading(true);
            let operator = operator::start(of_objects, key, mandate, settings, vitals.clone());
            lead(operator, leader, &front, campaign.as_ref(), &mut signals).await
        }
    };
    vitals.health.ending();

    // The lease is given back when nothing of this replica acts any more, and notifications are received until then.
    if let Some(campaign) = &campaign {
        campaign.resign().await;
    }
    receiving.cancel();
    if let Some(receiver) = receiver
        && receiver.ended().await.is_err()
    {
        tracing::warn!("the receiver of notifications had ended by itself");
    }
    if campaign.is_some() && timeout(HAND_OVER, front.handed_over()).await.is_err() {
        tracing::info!("nobody has taken the last notifications; what they tell is found at the next poll");
    }
    result
}

/// Acts until a signal, or until the lease is lost; then nothing new is begun, and what is under way is recorded.
async fn lead(
    mut operator: Operator,
    leader: Leader,
    front: &Front,
    campaign: Option<&Campaign>,
    signals: &mut Signals,
) -> Result<(), Error> {
    front.lead(leader, Arc::clone(&operator.context) as Arc<dyn Deliver>);
    let result = tokio::select! {
        () = signals.received() => Ok(()),
        () = operator.ended() => Err(Error::Ended),
        loss = lost(campaign) => Err(Error::Lost(loss)),
    };
    tracing::info!("ending: what is under way is recorded first");
    operator.context.vitals.health.ending();
    front.stand_down();
    operator.stop().await;
    result
}

/// A client of the cluster that this process is in, or that the kubeconfig names.
pub(crate) async fn client() -> Result<kube::Client, Error> {
    operator::client(config().await?).map_err(|error| Error::Client(Box::new(error)))
}

/// Metrics and health, where they are asked for: served from the start on, whoever leads.
async fn admin(arguments: &RunArguments, client: &kube::Client, vitals: &Vitals) -> Result<Option<Admin>, Error> {
    let Some(listen) = arguments.admin.listen.0 else { return Ok(None) };
    let admin = Admin::start(listen, vitals.clone()).await;
    let admin = admin.map_err(|source| Error::Listen { flag: "--admin-listen", source })?;
    tracing::info!(address = %admin.address(), "metrics and health are served");
    Ok(Some(admin.asking(metrics::counted(client.clone(), vitals))))
}

async fn config() -> Result<kube::Config, Error> {
    let mut config = kube::Config::infer().await.map_err(|error| Error::Config(Box::new(error)))?;
    // The environment's proxy is for providers. In a Pod kube does not look at it; with a kubeconfig it does, and then refuses to
    // start.
    if config.proxy_url.take().is_some() {
        tracing::info!("the API server is called directly: a proxy is used for providers only");
    }
    Ok(config)
}

/// The receiver of notifications, if there is to be one. It listens from the start on, whoever leads.
async fn receive(arguments: &RunArguments, front: &Front, receiving: &CancellationToken) -> Result<Option<Receiver>, Error> {
    let Some(settings) = arguments.notify.clone().settings() else { return Ok(None) };
    let receiver = receiver::start(settings, Arc::new(front.clone()), receiving.clone()).await;
    receiver.map(Some).map_err(|source| Error::Listen { flag: "--notify-listen", source })
}

/// Where other replicas hand notifications over to this one, if there are other ones.
async fn hand_over_address(
    arguments: &RunArguments,
    pace: Option<Pace>,
    front: &Front,
    receiving: &CancellationToken,
) -> Result<Option<String>, Error> {
    if pace.is_none() || arguments.notify.notify_listen.is_none() {
        return Ok(None);
    }
    let listen = arguments.leader.hand_over_listen;
    let bound = listener::start(listen, front.clone(), receiving.clone()).await;
    let bound = bound.map_err(|source| Error::Listen { flag: "--hand-over-listen", source })?;
    let address = arguments.leader.advertised(bound);
    if address.is_none() {
        tracing::warn!("other replicas cannot hand notifications over to this one: set --advertise-address (POD_IP)");
    }
    Ok(address.map(|address| address.to_string()))
}

/// Returns once this replica is to act.
async fn won(campaign: Option<&Campaign>) -> Leader {
    match campaign {
        Some(campaign) => campaign.won().await,
        None => Leader { identity: String::new(), acquired: None, address: None },
    }
}

async fn lost(campaign: Option<&Campaign>) -> Loss {
    match campaign {
        Some(campaign) => campaign.lost().await,
        None => std::future::pending().await,
    }
}

/// What ends the process in order.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::Value;

    use super::HAND_OVER;
    use crate::args::Arguments;
    use crate::session::GRACE;

    /// What `docs/operations.md` says of the end, summed up.
    #[test]
    fn the_chart_gives_a_pod_longer_than_its_end_can_take() {
        let values: Value = serde_saphyr::from_str(include_str!("../charts/qos-operator/values.yaml")).unwrap();
        let election =
            ["leaseDuration", "renewDeadline", "retryPeriod"].map(|key| values["leaderElection"][key].as_str().unwrap());
        let [duration, deadline, retry] = election;
        let arguments = Arguments::parse_from([
            "qos-operator",
            "--leader-election",
            "--lease-duration",
            duration,
            "--lease-renew-deadline",
            deadline,
            "--lease-retry-period",
            retry,
        ]);
        let pace = arguments.run.leader.pace(arguments.run.margins.send_window).unwrap().unwrap();
        let receiver = crate::notify::receiver::Settings::default().shutdown_grace;
        let longest = 2 * GRACE + pace.longest_resignation() + receiver + HAND_OVER;
        let given = values["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(given > longest.as_secs(), "{given} s for an end of up to {longest:?}");
        assert_eq!(longest.as_secs(), 69, "docs/operations.md and the chart's values say this");
    }
}
