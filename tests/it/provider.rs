//! The provider controller against a real API server and the simulator.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests may panic as the tests do")]

use std::time::Duration;

use control_plane::ControlPlane;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::SignedDuration;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, CustomResourceExt as _, ResourceExt as _};
use qos_operator::api::{
    IN_USE_FINALIZER, IS_DEFAULT_PROVIDER_ANNOTATION, QosProvider, QosProviderStatus, RECONCILE_REQUESTED_AT_ANNOTATION,
};
use qos_operator::clock::Clock;
use qos_operator::provider::{self, Change, ProfileAnswer, Providers, Readiness};
use qos_operator::qod::{Fault, FaultClass, Reason};
use qos_operator::simulator::Simulator;
use qos_operator::simulator::settings::{Operation, ProfileBodies, Settings};
use serde_json::json;
use tokio_util::sync::CancellationToken;

const NAMESPACE: &str = "default";
const SOON: Duration = Duration::from_secs(20);

struct World {
    // Field order is drop order: the controller stops before its API server.
    _stop: tokio_util::sync::DropGuard,
    providers: Providers,
    objects: Api<QosProvider>,
    secrets: Api<Secret>,
    simulator: Simulator,
    clock: Clock,
    _plane: ControlPlane,
}

async fn world() -> World {
    let plane = tokio::task::spawn_blocking(ControlPlane::start).await.unwrap().unwrap();
    let kubeconfig = Kubeconfig::read_from(plane.kubeconfig_path()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    crds.create(&PostParams::default(), &QosProvider::crd()).await.unwrap();
    let established = kube_runtime::wait::conditions::is_crd_established();
    let name = QosProvider::crd().name_any();
    tokio::time::timeout(SOON, kube_runtime::wait::await_condition(crds, &name, established)).await.unwrap().unwrap();

    let clock = Clock::system();
    let documented = Settings { profile_bodies: ProfileBodies::Objects, ..Settings::default() };
    let simulator = Simulator::builder(clock.clone()).settings(documented).token("abc", "sandbox").start().await.unwrap();
    let (providers, shutdown) = (Providers::new(clock.clone()), CancellationToken::new());
    let settings = provider::Settings::new(NAMESPACE, clock.clone());
    tokio::spawn(provider::run(client.clone(), settings, providers.clone(), shutdown.clone()));
    let (objects, secrets) = (Api::all(client.clone()), Api::namespaced(client, NAMESPACE));
    World { _stop: shutdown.drop_guard(), providers, objects, secrets, simulator, clock, _plane: plane }
}

impl World {
    async fn create(&self, name: &str) -> QosProvider {
        let object = serde_json::from_value(json!({
            "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosProvider", "metadata": {"name": name},
            "spec": {
                "api": {"version": "v0.10", "baseURL": self.simulator.url()},
                "auth": {"staticToken": {"tokenSecretRef": {"name": "telefonica"}}},
            },
        }));
        self.objects.create(&PostParams::default(), &object.unwrap()).await.unwrap()
    }

    async fn set_token(&self, token: &str) {
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "telefonica"}, "stringData": {"token": token}});
        self.secrets.patch("telefonica", &PatchParams::apply("test").force(), &Patch::Apply(secret)).await.unwrap();
    }

    async fn eventually(&self, name: &str, what: &str, holds: impl Fn(&QosProvider) -> bool) -> QosProvider {
        let mut last = None;
        let wait = async {
            loop {
                let object = self.objects.get(name).await.unwrap();
                if holds(&object) {
                    return object;
                }
                last = Some(object);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let found = tokio::time::timeout(SOON, wait).await;
        found.unwrap_or_else(|_| panic!("not within {SOON:?}: {what}: {last:#?}"))
    }
}

fn status(object: &QosProvider) -> QosProviderStatus {
    object.status.clone().unwrap_or_default()
}

fn ready(object: &QosProvider) -> Option<(String, String)> {
    let status = status(object);
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready")?;
    Some((ready.status.clone(), ready.reason.clone()))
}

fn is(object: &QosProvider, status: &str, reason: &str) -> bool {
    ready(object) == Some((status.to_owned(), reason.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_becomes_ready_when_its_secret_comes_and_is_marked_before_the_first_attempt_until_nothing_lives_there() {
    let world = world().await;
    let uid = world.create("telefonica").await.uid().unwrap();
    let object = world.eventually("telefonica", "the Secret is missed", |object| is(object, "False", "SecretNotFound")).await;
    assert!(status(&object).conditions.iter().any(|c| c.type_ == "Reconciling" && c.status == "True"));

    // White space inside is refused, and the value not shown; at the end it is trimmed.
    world.set_token("a bc").await;
    let object =
        world.eventually("telefonica", "the token is refused", |object| is(object, "False", "CredentialsRejected")).await;
    let message = status(&object).conditions[0].message.clone();
    assert_eq!(message, "key token of Secret default/telefonica has white space inside");
    world.set_token("wrong").await;
    let refused = |object: &QosProvider| status(object).conditions.first().is_some_and(|c| c.message.contains("401"));
    world.eventually("telefonica", "the provider refuses the token", refused).await;
    world.set_token("abc\n").await;
    let object = world.eventually("telefonica", "the token works", |object| is(object, "True", "Verified")).await;
    let status_now = status(&object);
    assert_eq!((status_now.observed_generation, status_now.conditions.len()), (object.metadata.generation.unwrap(), 1));
    let limits: Vec<_> = status_now.profiles.iter().map(|p| (p.min_duration_seconds, p.max_duration_seconds)).collect();
    assert!(!limits.is_empty() && limits.iter().all(|(min, max)| min.is_some() && max.is_some()), "{limits:?}");
    let known = world.providers.by_uid(&uid).unwrap();
    assert_eq!(known.readiness, Readiness::Ready);
    let (first, (min, max)) = (&status_now.profiles[0], limits[0]);
    assert_eq!(known.profile(&first.name), ProfileAnswer::Limits { min, max });
    assert!(!known.marked);

    // At rest nothing is written.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.objects.get("telefonica").await.unwrap().resource_version(), object.resource_version());

    // Asked again on request; a provider that lists only names, as Telefónica documents it, offers these without limits.
    world.simulator.admin().change(|settings| settings.profile_bodies = ProfileBodies::Names).await.unwrap();
    let again = json!({"metadata": {"annotations": {RECONCILE_REQUESTED_AT_ANNOTATION: "now"}}});
    world.objects.patch("telefonica", &PatchParams::default(), &Patch::Merge(again)).await.unwrap();
    let handled = |object: &QosProvider| status(object).last_handled_reconcile_at.as_deref() == Some("now");
    let object = world.eventually("telefonica", "it is asked again", handled).await;
    assert!(status(&object).profiles.iter().all(|profile| profile.max_duration_seconds.is_none()));
    let active = status(&object).profiles.into_iter().map(|profile| profile.name).collect();
    assert_eq!(world.providers.by_uid(&uid).unwrap().profile("QOS_X"), ProfileAnswer::NotOffered { active });

    world.providers.occupancy_complete();
    let mut changes = world.providers.changes();
    world.providers.want_marked(&uid);
    let marked = async {
        while !world.providers.by_uid(&uid).unwrap().marked {
            changes.recv().await.unwrap();
        }
    };
    tokio::time::timeout(SOON, marked).await.unwrap();
    let object = world.objects.get("telefonica").await.unwrap();
    assert_eq!((object.finalizers(), status(&object).sessions), (&[IN_USE_FINALIZER.to_owned()][..], Some(1)));
    let moved = json!({"spec": {"api": {"baseURL": "https://api.example.com/qod/v0"}}});
    let refusal = world.objects.patch("telefonica", &PatchParams::default(), &Patch::Merge(moved)).await.unwrap_err();
    assert!(refusal.to_string().contains("baseURL cannot change while"), "{refusal}");

    // Further counts are written once in 30 s, and the mark counts no more as soon as nothing is held.
    for session in ["uid-1", "uid-2"] {
        world.providers.set_occupancy(session, Some(&uid));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(status(&world.objects.get("telefonica").await.unwrap()).sessions, Some(1));
    world.clock.advance(SignedDuration::from_secs(31));
    world.eventually("telefonica", "two sessions are shown", |object| status(object).sessions == Some(2)).await;
    for session in ["uid-1", "uid-2"] {
        world.providers.set_occupancy(session, None);
    }
    let unmarked = async {
        while world.providers.by_uid(&uid).unwrap().marked {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, unmarked).await.unwrap();
    assert_eq!(status(&world.objects.get("telefonica").await.unwrap()).sessions, Some(2));
    world.clock.advance(SignedDuration::from_secs(31));
    world.eventually("telefonica", "no session is shown", |object| status(object).sessions == Some(0)).await;

    world.providers.set_occupancy("uid-of-a-session", Some(&uid));
    world.eventually("telefonica", "it is marked again", |object| status(object).sessions == Some(1)).await;
    world.objects.delete("telefonica", &DeleteParams::default()).await.unwrap();
    let object = world.eventually("telefonica", "it says that it is in use", |object| is(object, "True", "InUse")).await;
    assert_eq!(status(&object).conditions[0].message, "1 session still lives here");
    assert!(world.providers.by_uid(&uid).unwrap().deleting);
    world.providers.set_occupancy("uid-of-a-session", None);
    let gone = async {
        while world.objects.get_opt("telefonica").await.unwrap().is_some() || world.providers.get("telefonica").is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_gate_opens_by_time_or_by_a_probe_and_wakes_who_waits_and_of_two_defaults_the_older_one_is_warned() {
    let world = world().await;
    world.set_token("abc").await;
    let uid = world.create("telefonica").await.uid().unwrap();
    world.eventually("telefonica", "the token works", |object| is(object, "True", "Verified")).await;
    let (known, clock) = (world.providers.by_uid(&uid).unwrap(), world.clock.clone());
    let open = async || {
        let mut changes = world.providers.changes();
        while known.gate.closed(clock.now()).is_some() {
            assert_eq!(changes.recv().await.unwrap(), Change::Other("telefonica".to_owned()));
        }
    };

    let limited = Fault { retry_after: Some(Duration::from_secs(1)), ..Fault::new(FaultClass::RateLimited) };
    assert!(known.gate.report(Err(&limited), clock.now()));
    assert!(known.gate.closed(clock.now()).is_some_and(|closed| closed.until.is_some()));
    tokio::time::timeout(SOON, open()).await.unwrap();

    let asked = world.simulator.admin().calls(Operation::Get);
    assert!(known.gate.report(Err(&Fault::new(FaultClass::Refused(Reason::Credentials))), clock.now()));
    tokio::time::timeout(SOON, open()).await.unwrap();
    assert_eq!(world.simulator.admin().calls(Operation::Get), asked + 1, "one probe opens it");

    let is_default = json!({"metadata": {"annotations": {IS_DEFAULT_PROVIDER_ANNOTATION: "true"}}});
    world.objects.patch("telefonica", &PatchParams::default(), &Patch::Merge(&is_default)).await.unwrap();
    // Ages are whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    world.create("newer").await;
    world.objects.patch("newer", &PatchParams::default(), &Patch::Merge(&is_default)).await.unwrap();
    let events: Api<Event> = Api::namespaced(world.objects.clone().into_client(), "default");
    let warned = async {
        loop {
            let all = events.list(&ListParams::default()).await.unwrap().items;
            let ambiguous: Vec<_> = all.into_iter().filter(|event| event.reason.as_deref() == Some("DefaultAmbiguous")).collect();
            if let [event] = &ambiguous[..] {
                return event.clone();
            }
            assert!(ambiguous.is_empty());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let event = tokio::time::timeout(SOON, warned).await.unwrap();
    assert_eq!(event.regarding.and_then(|object| object.name).as_deref(), Some("telefonica"));
    assert_eq!(world.providers.default_name().as_deref(), Some("newer"));
}
