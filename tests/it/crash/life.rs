//! One short life of a session with the real operator process, faults on both of its sides, and the wait for the end.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use kube::ResourceExt as _;
use qos_operator::api::{QosSession, RECONCILE_REQUESTED_AT_ANNOTATION};
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::ledger::Ledger;
use qos_operator::simulator::session::Session;
use qos_operator::simulator::{Admin, Selection};
use serde_json::{Value, json};

use super::setup::{Scene, Setup, Step};
use crate::support::fault::{Entry, Faults, Kind, Named, Side};
use crate::support::process::{self, OperatorProcess};
use crate::support::proxy::{Call, Proxy, Upstream};
use crate::support::stage::{Stage, TOKEN, condition};

const NAME: &str = "camera-12";
/// Without a mutating call for this long, a step of the life is over.
const QUIET: Duration = Duration::from_millis(500);

/// A fault at a call of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) setup: Setup,
    pub(crate) step: Step,
    pub(crate) side: Side,
    /// Of the side's mutating calls in the step, from 1.
    pub(crate) number: usize,
    pub(crate) kind: Kind,
}

/// What a life came to.
pub(crate) struct Lived {
    /// The mutating calls of both sides.
    pub(crate) journal: Vec<Entry>,
    /// Which of them belong to which step.
    pub(crate) steps: Vec<(Step, Range<usize>)>,
    /// The call that was struck, and how long after it the session was as wanted again (or the object gone).
    pub(crate) struck: Option<(usize, Duration)>,
    /// At the moment at which the object was gone.
    pub(crate) at_gone: Ledger,
    /// When all is over.
    pub(crate) at_end: Ledger,
    pub(crate) starts: u32,
    pub(crate) panicked: bool,
}

/// A life that came to no end; what there is to see of it.
#[derive(Debug)]
pub(crate) struct Stuck(pub(crate) String);

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

struct Life {
    setup: Setup,
    stage: Stage,
    faults: Faults,
    process: OperatorProcess,
    // They run until they are dropped.
    _proxies: [Proxy; 2],
}

/// Lives through the scene of `setup` with at most one fault. `folder` gets the operator's log.
pub(crate) async fn live(setup: Setup, point: Option<Point>, folder: &Path) -> Result<Lived, Stuck> {
    let life = Life::prepare(setup, folder).await;
    let supervisor = tokio::spawn(supervise(life.process.clone()));
    let lived = life.through(point).await;
    supervisor.abort();
    // The task may be in the middle of a start: only when it has ended is the process ours alone.
    let _ = supervisor.await;
    life.process.kill();
    lived
}

/// Starts the operator whenever it has ended, as a kubelet would.
async fn supervise(process: OperatorProcess) {
    loop {
        if process.ended() {
            tokio::time::sleep(Duration::from_millis(200)).await;
            process.start();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Life {
    async fn prepare(setup: Setup, folder: &Path) -> Self {
        let stage = Stage::bare("crash").await;
        stage.admin.change(|settings| setup.change(settings)).await.unwrap();
        // The process needs the proxies' addresses, and the proxies' faults need the process.
        let process = Arc::new(OnceLock::<OperatorProcess>::new());
        let faults = Faults::new({
            let process = Arc::clone(&process);
            move || process.get().unwrap().kill()
        });
        let config = stage.account().await;
        let authorities = config.root_cert.clone().unwrap_or_default();
        let api_server = Upstream::new(&config.cluster_url.to_string(), &authorities);
        let api_server = Proxy::start(api_server, faults.hook(Side::ApiServer, of_api_server)).await;
        let provider = Upstream::new(&stage.url(), &[]);
        let provider = Proxy::start(provider, faults.hook(Side::Provider, of_provider)).await;

        stage.secret(TOKEN).await;
        let behind = |url: String| format!("{}{}", provider.url(), url::Url::parse(&url).unwrap().path());
        let generation = setup.generation;
        let mut api = match generation {
            // In the form in which the simulator speaks by default: Telefónica's.
            Generation::V0_10 => json!({ "baseURL": behind(stage.url()) }),
            _ => json!({
                "baseURL": behind(stage.url_of(generation)),
                "profilesURL": behind(stage.profiles_url_of(generation)),
            }),
        };
        api["version"] = json!(generation.name());
        api["overlappingSessions"] = json!(if setup.scene == Scene::Accepting { "Accepted" } else { "Rejected" });
        let spec = json!({
            "api": api,
            "limits": { "requestTimeoutSeconds": 1 },
            "polling": { "requestedPeriodSeconds": 1, "availablePeriodSeconds": 10 },
        });
        stage.provider(spec).await;
        let kubeconfig = process::kubeconfig(&config, &api_server.url());
        let started = OperatorProcess::new(folder, &kubeconfig, setup.arguments(&stage.namespace));
        assert!(process.set(started.clone()).is_ok());
        Self { setup, stage, faults, process: started, _proxies: [api_server, provider] }
    }

    async fn through(&self, point: Option<Point>) -> Result<Lived, Stuck> {
        let (mut steps, mut after) = (Vec::new(), None);
        for step in self.setup.scene.steps() {
            if let Some(point) = point.filter(|point| point.step == *step) {
                self.faults.arm(point.side, point.number, point.kind);
            }
            let from = self.faults.journal().len();
            self.step(*step).await?;
            if let (None, Some((place, at))) = (after, self.faults.struck()) {
                after = Some((place, at.elapsed()));
            }
            if *step == Step::Delete {
                break;
            }
            self.quiet().await;
            self.faults.disarm();
            steps.push((*step, from..self.faults.journal().len()));
        }
        let at_gone = self.admin().ledger();
        let from = steps.last().map_or(0, |(_, calls): &(_, Range<usize>)| calls.end);
        self.quiet().await;
        let journal = self.faults.journal();
        steps.push((Step::Delete, from..journal.len()));
        let panicked = self.process.log().contains("panicked");
        let (at_end, starts) = (self.admin().ledger_at_end(), self.process.starts());
        Ok(Lived { journal, steps, struck: after, at_gone, at_end, starts, panicked })
    }

    async fn step(&self, step: Step) -> Result<(), Stuck> {
        match (step, self.setup.scene) {
            (Step::Create, _) => {
                let spec = json!({ "durationSeconds": self.setup.lease(), "renewalPolicy": "Always" });
                self.stage.create(NAME, spec).await;
                self.until("AVAILABLE", serves).await
            }
            (Step::Change, Scene::Plain) => Ok(()),
            (Step::Change, Scene::Extended | Scene::Reissued) => {
                let before = self.now().await;
                let renewed = |object: &QosSession, live: &Session| {
                    serves(object, live) && (expiry(object) > expiry(&before) || id(object) != id(&before))
                };
                self.until("renewed", renewed).await
            }
            (Step::Change, Scene::Edited | Scene::Accepting) => {
                self.stage.patch(NAME, json!({ "spec": { "qosProfile": "QOS_S" } })).await;
                self.until("AVAILABLE with the other profile", serves).await
            }
            (Step::Change, Scene::Terminated) => {
                let before = self.now().await;
                self.admin().terminate(&Selection::default());
                // Without this the operator would find out at its next poll.
                let look = json!({ "metadata": { "annotations": { RECONCILE_REQUESTED_AT_ANNOTATION: "now" } } });
                self.stage.patch(NAME, look).await;
                self.until("AVAILABLE again", |object, live| serves(object, live) && id(object) != id(&before)).await
            }
            (Step::Delete, _) => {
                self.stage.delete(NAME).await;
                let deadline = Instant::now() + self.setup.patience();
                while let Some(object) = self.stage.get(NAME).await {
                    self.in_time(deadline, "gone", Some(&object))?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Ok(())
            }
        }
    }

    fn admin(&self) -> &Admin {
        &self.stage.admin
    }

    async fn now(&self) -> QosSession {
        self.stage.get(NAME).await.unwrap()
    }

    /// Waits until the object, and the one session that lives for it, are as `holds` says.
    async fn until(&self, what: &str, holds: impl Fn(&QosSession, &Session) -> bool) -> Result<(), Stuck> {
        let deadline = Instant::now() + self.setup.patience();
        loop {
            let object = self.stage.get(NAME).await;
            let live: Vec<_> = self.admin().sessions().into_iter().filter(Session::serves).collect();
            match (&object, live.as_slice()) {
                (Some(object), [live]) if holds(object, live) => return Ok(()),
                _ => self.in_time(deadline, what, object.as_ref())?,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn in_time(&self, deadline: Instant, what: &str, object: Option<&QosSession>) -> Result<(), Stuck> {
        if Instant::now() < deadline {
            return Ok(());
        }
        let status = object.map(|object| serde_json::to_string(&(&object.status, object.annotations())).unwrap());
        let entries = serde_json::to_string(&self.admin().entries()).unwrap();
        Err(Stuck(format!(
            "not {what} after {:?}; object {status:?}; sessions {entries}\n{}",
            self.setup.patience(),
            trace(&self.faults.journal())
        )))
    }

    /// Waits until the operator has made no mutating call for a while.
    async fn quiet(&self) {
        loop {
            let Some(last) = self.faults.journal().last().map(|entry| entry.at.elapsed()) else { return };
            if last >= QUIET {
                return;
            }
            tokio::time::sleep(QUIET.saturating_sub(last)).await;
        }
    }
}

/// The calls as lines.
pub(crate) fn trace(journal: &[Entry]) -> String {
    let Some(start) = journal.first().map(|entry| entry.at) else { return String::new() };
    let line = |entry: &Entry| format!("      {:6.2}s {entry}\n", entry.at.duration_since(start).as_secs_f64());
    journal.iter().map(line).collect()
}

/// What the operator writes about: sessions, providers and its key. Events do not count.
fn of_api_server(call: &Call) -> Option<Named> {
    let mut parts = call.path().split('/').skip_while(|part| !["qossessions", "qosproviders", "secrets"].contains(part));
    let resource = parts.next()?;
    let sub = parts.nth(1).map_or_else(String::new, |sub| format!("/{sub}"));
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let status = &body["status"];
    let ready = status["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
    let detail = ready
        .map(|ready| format!("{} {} {} {}", status["qosStatus"], ready["status"], ready["reason"], status["attempt"]["outcome"]));
    Some(Named { what: format!("{} {resource}{sub}", call.method), detail: detail.unwrap_or_default() })
}

/// What the provider is asked to change. A look at its list or its profiles is a POST too, but changes nothing.
fn of_provider(call: &Call) -> Option<Named> {
    let last = call.path().rsplit('/').next().unwrap_or_default();
    let what = match last {
        "retrieve-sessions" | "retrieve-qos-profiles" => return None,
        "sessions" => "/sessions",
        "extend" => "/sessions/{id}/extend",
        _ => "/sessions/{id}",
    };
    Some(Named { what: format!("{} {what}", call.method), detail: String::new() })
}

/// The object says that it has what its spec asks for, and `live` is that.
fn serves(object: &QosSession, live: &Session) -> bool {
    let status = object.status.clone().unwrap_or_default();
    condition(object, "Ready") == ("True", "Available")
        && Some(status.observed_generation) == object.metadata.generation
        && status.qos_status.as_deref() == Some("AVAILABLE")
        && status.session_id == Some(live.id.to_string())
        && live.order.profile == object.spec.qos_profile
}

fn id(object: &QosSession) -> Option<&str> {
    object.status.as_ref()?.session_id.as_deref()
}

fn expiry(object: &QosSession) -> Option<k8s_openapi::jiff::Timestamp> {
    object.status.as_ref()?.expires_at.as_ref().map(|at| at.0)
}
