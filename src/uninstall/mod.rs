//! The uninstall guard: `qos-operator uninstall-guard`, which the chart runs before it deletes the operator.
//!
//! Without the operator nobody releases sessions, which then cost money, and nobody takes its finalizers off, so that objects and
//! namespaces cannot be deleted. So the guard looks on while the operator still runs: it waits until no session lives ([`Mode::Wait`]),
//! deletes all QosSessions ([`Mode::Delete`]), or lets them go without a release ([`Mode::Orphan`]). When nothing lives any more it takes
//! the finalizers off what stays. Where it deletes, it has the operator make nothing for workloads meanwhile ([`mod@drain`]).
//! [`plan`](mod@plan) decides, purely; [`guard`] looks and does, again and again. It keeps nothing between two rounds, so one that was
//! killed is simply started again.

pub mod args;
pub mod drain;
pub mod plan;

use std::io::{self, Write};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::SignedDuration;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::DeserializeGuard;
use kube::{Client, Resource as _};
use serde_json::{Value, json};

pub use self::args::{GuardArguments, Mode};
use self::drain::Drained;
use self::plan::{Kept, Order, Provider, Session, Settings};
use crate::api::{FINALIZER, IN_USE_FINALIZER, QosProvider, QosSession};
use crate::clock::{Clock, later};
use crate::scope;
use crate::session::context::{ApiError, limited};
use crate::session::write::MANAGER;

/// Between two looks.
const PERIOD: SignedDuration = SignedDuration::from_secs(1);

/// How many names a message holds.
const NAMED: usize = 20;

/// Why the guard does not let the uninstall go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The time is over; the text is the whole report.
    #[error("{0}")]
    Time(String),
    /// The API server forbids what must be done.
    #[error("the API server forbids it: {0}; the guard runs with the operator's ServiceAccount and roles (rbac.create)")]
    Forbidden(String),
    /// Standard output.
    #[error("the report cannot be written")]
    Output(#[from] io::Error),
}

/// The command.
pub async fn run(client: &Client, arguments: &GuardArguments) -> Result<(), Error> {
    guard(client, &Settings::from(arguments), &Clock::system(), &mut io::stdout()).await
}

/// Looks and does until nothing is left to do, at most for the settings' time-out.
pub async fn guard(client: &Client, settings: &Settings, clock: &Clock, out: &mut impl Write) -> Result<(), Error> {
    let deadline = later(clock.now(), settings.timeout);
    let mut told = String::new();
    loop {
        let mut trouble = None;
        match round(client, settings, clock, out).await {
            Ok(waiting) if waiting.is_empty() => {
                writeln!(out, "no session of this operator is left, and no finalizer of its: it can be uninstalled")?;
                return Ok(());
            }
            Ok(waiting) => {
                let text = listed(&waiting);
                if text != told {
                    writeln!(out, "waits for {text}")?;
                }
                told = text;
            }
            Err(Round::Output(error)) => return Err(error.into()),
            Err(Round::Api(error)) => match forbidden(&error) {
                Some(message) => return Err(Error::Forbidden(message)),
                None => trouble = Some("the API server does not answer, or refuses".to_owned()),
            },
        }
        if clock.now() >= deadline {
            return Err(Error::Time(report(settings, &told, trouble.as_deref())));
        }
        clock.sleep(PERIOD).await;
    }
}

/// Why a round could not be ended.
enum Round {
    Api(ApiError),
    Output(io::Error),
}

impl From<ApiError> for Round {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

/// One look and what follows from it. What is still waited for; empty: nothing is left to do.
async fn round(client: &Client, settings: &Settings, clock: &Clock, out: &mut impl Write) -> Result<Vec<Kept>, Round> {
    // Before the sessions are looked at: one that is made meanwhile is then seen, or made by nobody.
    let drained = drain(client, settings, clock).await?;
    let sessions = sessions(client, settings, clock).await?;
    let providers = providers(client, settings).await?;
    let plan = plan::plan(settings, &sessions, &providers, drained);
    for order in &plan.orders {
        if done(carry_out(client, order).await)? {
            writeln!(out, "{order}").map_err(Round::Output)?;
        }
    }
    // What was just done shows in the next look.
    let doing = plan.orders.iter().map(Order::kept);
    Ok(plan.waits.into_iter().chain(doing).collect())
}

/// Whether a write was made; one that met a change (404, 409) is decided anew in the next round.
fn done(answer: Result<(), ApiError>) -> Result<bool, ApiError> {
    match answer {
        Ok(()) => Ok(true),
        Err(ApiError::Kube(error)) if matches!(&*error, kube::Error::Api(status) if matches!(status.code, 404 | 409)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Has the operator make nothing for workloads; whether it is known to do so.
async fn drain(client: &Client, settings: &Settings, clock: &Clock) -> Result<bool, ApiError> {
    let Some(lease) = settings.lease.as_ref().filter(|_| settings.workloads && settings.mode != Mode::Wait) else {
        return Ok(false);
    };
    let leases: Api<Lease> = Api::namespaced(client.clone(), &lease.namespace);
    // Without a Lease there is no leader that reads it.
    let Some(read) = limited(leases.get_opt(&lease.name)).await? else { return Ok(false) };
    let Drained { is_known, write } = drain::drained(&read, clock.now());
    if let Some(write) = write {
        // One that met a renewal is made again in the next round.
        done(limited(leases.replace(&lease.name, &PostParams::default(), &write)).await.map(drop))?;
    }
    Ok(is_known)
}

async fn sessions(client: &Client, settings: &Settings, clock: &Clock) -> Result<Vec<Session>, ApiError> {
    let mut sessions = Vec::new();
    for reach in settings.namespaces.reaches() {
        let api: Api<DeserializeGuard<QosSession>> = reach.api(client);
        let answer = scope::watch::list(client, &reach, limited(api.list(&selected(settings))).await);
        let Some(list) = known(answer.await)?.flatten() else { continue };
        let now = clock.now();
        sessions.extend(list.into_iter().map(|object| Session::read(object.0.map_err(|invalid| invalid.metadata), now)));
    }
    Ok(sessions)
}

async fn providers(client: &Client, settings: &Settings) -> Result<Vec<Provider>, ApiError> {
    let api: Api<DeserializeGuard<QosProvider>> = Api::all(client.clone());
    let Some(list) = known(limited(api.list(&selected(settings))).await)? else { return Ok(Vec::new()) };
    Ok(list.into_iter().map(|object| Provider::read(object.meta())).collect())
}

fn selected(settings: &Settings) -> ListParams {
    settings.selector.as_deref().map_or_else(ListParams::default, |selector| ListParams::default().labels(selector))
}

/// Nothing where the kind is not known: without definitions there are no objects.
fn known<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(list) => Ok(Some(list)),
        Err(ApiError::Kube(error)) if matches!(&*error, kube::Error::Api(status) if status.code == 404) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn carry_out(client: &Client, order: &Order) -> Result<(), ApiError> {
    let api = |session: &Session| Api::<DeserializeGuard<QosSession>>::namespaced(client.clone(), &session.namespace);
    let providers = || Api::<DeserializeGuard<QosProvider>>::all(client.clone());
    match order {
        Order::Orphan(session) => {
            let patch = json!({ "metadata": { "uid": session.uid }, "spec": { "deletionPolicy": "Orphan" } });
            limited(api(session).patch(&session.name, &written(), &Patch::Merge(patch))).await.map(drop)
        }
        Order::Delete(session) => limited(api(session).delete(&session.name, &of_uid(&session.uid))).await.map(drop),
        Order::ReleaseSession(session) => {
            let patch = without(FINALIZER, &session.finalizers, &session.uid, &session.version);
            limited(api(session).patch(&session.name, &written(), &Patch::Merge(patch))).await.map(drop)
        }
        Order::ReleaseProvider(provider) => {
            let patch = without(IN_USE_FINALIZER, &provider.finalizers, &provider.uid, &provider.version);
            limited(providers().patch(&provider.name, &written(), &Patch::Merge(patch))).await.map(drop)
        }
        Order::DeleteProvider(provider) => limited(providers().delete(&provider.name, &of_uid(&provider.uid))).await.map(drop),
    }
}

fn written() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

fn of_uid(uid: &str) -> DeleteParams {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }
}

/// Takes one finalizer off the object as it was read: one that changed meanwhile is looked at again.
fn without(finalizer: &str, all: &[String], uid: &str, version: &str) -> Value {
    let kept: Vec<_> = all.iter().filter(|one| *one != finalizer).collect();
    json!({ "metadata": { "uid": uid, "resourceVersion": version, "finalizers": kept } })
}

/// The message of a refusal that no waiting mends.
fn forbidden(error: &ApiError) -> Option<String> {
    match error {
        ApiError::Kube(error) => match &**error {
            kube::Error::Api(status) if status.code == 403 => Some(status.message.clone()),
            _ => None,
        },
        ApiError::Timeout => None,
    }
}

fn listed(waiting: &[Kept]) -> String {
    let mut names: Vec<_> = waiting.iter().take(NAMED).map(ToString::to_string).collect();
    if waiting.len() > NAMED {
        names.push(format!("{} more", waiting.len() - NAMED));
    }
    format!("{} of the objects: {}", waiting.len(), names.join(", "))
}

fn report(settings: &Settings, told: &str, trouble: Option<&str>) -> String {
    let release = &settings.release;
    let what = match trouble {
        Some(trouble) => trouble.to_owned(),
        None => format!("still waits for {told}"),
    };
    let changed = match settings.mode {
        Mode::Wait => "Nothing was changed.",
        Mode::Delete | Mode::Orphan => "What was deleted stays so, and can be gone on with.",
    };
    format!(
        "the uninstall is stopped: after {timeout} the guard {what}. {changed} The operator still runs.\n\
         The order: first delete the sessions while it runs (kubectl delete qos --all -A --wait), or suspend them; then helm uninstall {release} again.\n\
         Those that the operator makes for annotated Pods and Services it would make again, in the mode Wait or where no leader has read \
         in its Lease that it must not: then helm upgrade {release} --reuse-values --set workloads.enabled=false first.\n\
         uninstallGuard.mode=Delete deletes all QosSessions, Orphan leaves what lives to its expiry, unreleased and paid.\n\
         Helm now calls the release uninstalling. helm rollback {release} N, with the last number that helm history {release} shows, takes \
         the uninstall back (without a number it would go back to older values). helm uninstall --no-hooks goes \
         on all the same: sessions run on, and their objects cannot be deleted until the operator is installed again.",
        timeout = format_args!("{:#}", settings.timeout),
    )
}
