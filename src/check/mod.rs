//! `qos-operator check`: whether the operator could do its work here, a line for each thing that it needs.

pub mod rights;
pub mod schema;
mod served;

use std::fmt;
use std::process::ExitCode;

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{ListParams, PostParams};
use kube::core::DeserializeGuard;
use kube::{Api, Client, ResourceExt as _};

use self::rights::{Need, RIGHTS, Right, Scope};
use self::schema::Comparison;
use self::served::REMEDY;
use crate::api::{IS_DEFAULT_PROVIDER_ANNOTATION, QosProvider};
use crate::args::RunArguments;
use crate::scope::Reach;
use crate::scope::watch::is_absent;
use crate::session::context::limited;

pub(crate) use served::missing_kinds;
pub use served::{NotServed, at_start};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is as it must be; what it is.
    Well(String),
    /// It is not, and the operator can run all the same; the cause and the remedy.
    Warning(String),
    /// It is not; the cause and the remedy.
    Failed(String),
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What was looked at.
    pub name: String,
    /// What was found.
    pub finding: Finding,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, text) = match &self.finding {
            Finding::Well(text) => ("ok", text),
            Finding::Warning(text) => ("warning", text),
            Finding::Failed(text) => ("FAILED", text),
        };
        write!(f, "{word}: {}: {text}", self.name)
    }
}

impl Line {
    fn new(name: impl Into<String>, finding: Finding) -> Self {
        Self { name: name.into(), finding }
    }
}

/// Looks at everything, prints a line for each, and fails if one of them has failed.
pub async fn run(client: &Client, arguments: &RunArguments) -> ExitCode {
    let lines = look(client, arguments).await;
    for line in &lines {
        println!("{line}");
    }
    let failed = lines.iter().filter(|line| matches!(line.finding, Finding::Failed(_))).count();
    println!("{} of {} checks failed", failed, lines.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All checks; where the API server does not answer, that is the only one.
pub async fn look(client: &Client, arguments: &RunArguments) -> Vec<Line> {
    let mut lines = vec![match limited(client.apiserver_version()).await {
        Ok(version) => Line::new("api-server", Finding::Well(format!("{} answers", version.git_version))),
        Err(error) => {
            let text =
                format!("{}: look at the kubeconfig or ServiceAccount, the network policy and the API server", told(&error));
            return vec![Line::new("api-server", Finding::Failed(text))];
        }
    }];
    lines.extend(definitions(client).await);
    let needed = |right: &&Right| match right.need {
        Need::Always | Need::Optional => true,
        Need::Election => arguments.leader.leader_election,
        Need::Workloads => arguments.workloads.workloads,
        Need::NodeDevices => arguments.workloads.workloads && arguments.workloads.workload_node_devices,
    };
    let (watched, absent) = watched(client, arguments).await;
    lines.extend(absent);
    let mut asked = Vec::new();
    for right in RIGHTS.iter().filter(needed) {
        let places = match right.scope {
            Scope::Cluster => vec![Reach::Everywhere],
            Scope::Watched => watched.clone(),
            Scope::Own => vec![Reach::Namespace(arguments.namespace.clone())],
        };
        asked.extend(places.into_iter().flat_map(|place| right.verbs.iter().map(move |verb| (right, *verb, place.clone()))));
    }
    lines.extend(join_all(asked.into_iter().map(|(right, verb, place)| may(client, right, verb, place))).await);
    lines.push(default_provider(client, arguments).await);
    lines
}

/// The error with its causes; of what the API server said its message alone.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let of_kube = cause.downcast_ref::<Box<kube::Error>>().map(AsRef::as_ref).or_else(|| cause.downcast_ref::<kube::Error>());
        if let Some(kube::Error::Api(status)) = of_kube {
            return format!("{text}: {}", status.message);
        }
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

async fn definitions(client: &Client) -> Vec<Line> {
    let compared = match served::comparisons(client).await {
        Ok(compared) => compared,
        Err(error) => return vec![Line::new("definitions", Finding::Failed(told(&error)))],
    };
    let finding = |comparison: Comparison| match comparison {
        Comparison::Equal => Finding::Well("the CustomResourceDefinition is that of this release".to_owned()),
        Comparison::Newer => {
            Finding::Well("the CustomResourceDefinition is of a later release and has all that this one needs".to_owned())
        }
        Comparison::OtherRules(lack) => {
            Finding::Failed(format!("the CustomResourceDefinition has other rules than this release, it lacks {lack}: {REMEDY}"))
        }
        Comparison::Older(lack) => {
            Finding::Failed(format!("the CustomResourceDefinition is older than this release, it lacks {lack}: {REMEDY}"))
        }
        Comparison::NotServed => Finding::Failed(format!("the CustomResourceDefinition is missing: {REMEDY}")),
    };
    compared.into_iter().map(|(kind, comparison)| Line::new(format!("definition {kind}"), finding(comparison))).collect()
}

/// Where sessions are kept, and a line for each namespace of those that does not exist: no rights are needed there.
async fn watched(client: &Client, arguments: &RunArguments) -> (Vec<Reach>, Vec<Line>) {
    let (mut there, mut absent) = (Vec::new(), Vec::new());
    for reach in arguments.watch_namespaces.reaches() {
        if is_absent(client, &reach).await {
            let text = "it does not exist; what is made there later is kept once the operator has its rights there".to_owned();
            absent.push(Line::new(format!("watched {reach}"), Finding::Warning(text)));
        } else {
            there.push(reach);
        }
    }
    (there, absent)
}

/// Whether this client may do that.
async fn may(client: &Client, right: &Right, verb: &str, place: Reach) -> Line {
    let name = format!("may {verb} {} in {place}", right.resource);
    let (resource, subresource) = match right.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (right.resource, None),
    };
    let asked = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(right.group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(verb.to_owned()),
                namespace: place.namespace().map(str::to_owned),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let finding = match limited(reviews.create(&PostParams::default(), &asked)).await {
        Ok(review) if review.status.as_ref().is_some_and(|status| status.allowed) => Finding::Well(right.why.to_owned()),
        Ok(_) if right.need != Need::Optional => Finding::Failed(format!(
            "not allowed, and needed {}: let a {} grant it to this ServiceAccount",
            right.why,
            if place.namespace().is_some() { "Role" } else { "ClusterRole" }
        )),
        Ok(_) => Finding::Warning(format!("not allowed everywhere; needed {}", right.why)),
        Err(error) => Finding::Failed(format!("the API server does not say: {}", told(&error))),
    };
    Line::new(name, finding)
}

/// Whether sessions that name no provider have one. Not having one is no fault of the installation.
async fn default_provider(client: &Client, arguments: &RunArguments) -> Line {
    let providers: Api<DeserializeGuard<QosProvider>> = Api::all(client.clone());
    let listed = ListParams { label_selector: arguments.session_selector.clone(), ..ListParams::default() };
    let finding = match limited(providers.list(&listed)).await {
        Err(error) => Finding::Warning(format!("the QosProviders cannot be listed: {}", told(&error))),
        Ok(all) => {
            let is_default = |object: &QosProvider| {
                object.annotations().get(IS_DEFAULT_PROVIDER_ANNOTATION).is_some_and(|value| value == "true")
            };
            let marked = all.into_iter().filter_map(|object| object.0.ok()).filter(is_default);
            let newest = marked.max_by_key(|object| (object.creation_timestamp(), std::cmp::Reverse(object.name_any())));
            newest.map_or_else(
                || {
                    Finding::Warning(format!(
                        "no QosProvider is the default, so each QosSession must name one in providerRef: annotate one with \
                     {IS_DEFAULT_PROVIDER_ANNOTATION}: \"true\""
                    ))
                },
                |object| readiness(&object),
            )
        }
    };
    Line::new("default provider", finding)
}

fn readiness(object: &QosProvider) -> Finding {
    let name = object.name_any();
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    match conditions.iter().find(|condition| condition.type_ == "Ready") {
        Some(ready) if ready.status == "True" => Finding::Well(format!("QosProvider {name} is Ready")),
        Some(ready) => Finding::Warning(format!("QosProvider {name} is not Ready: {}: {}", ready.reason, ready.message)),
        None => Finding::Warning(format!("QosProvider {name} has no status yet: no operator has looked at it")),
    }
}
