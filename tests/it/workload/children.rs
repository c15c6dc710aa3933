//! What becomes of children when annotations, owners, namespaces or the children themselves change.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams, PropagationPolicy};
use qos_operator::simulator::settings::Operation;
use serde_json::{Value, json};

use super::{USUAL, Workloads, annotations, owners, unclaimed};
use crate::support::stage::condition;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_has_its_owner_and_none_of_the_labels_by_which_others_track_their_objects() {
    let workloads = Workloads::new("tracking").await;
    let mut all = annotations(USUAL);
    all["argocd.argoproj.io/tracking-id"] = "media:/Service:stadium/media".into();
    let service = json!({
        "metadata": {
            "name": "media", "annotations": all,
            "labels": {
                "argocd.argoproj.io/instance": "media", "app.kubernetes.io/instance": "media",
                "kustomize.toolkit.fluxcd.io/name": "media",
            },
        },
        "spec": { "ports": [{ "port": 8554 }] },
    });
    let service: Service = workloads.create(service).await;
    let child = workloads.one().await;
    let stage = (crate::support::stage::LABEL.to_owned(), workloads.stage.namespace.clone());
    let labels: Vec<_> = child.labels().clone().into_iter().collect();
    let expected = [
        ("app.kubernetes.io/managed-by".to_owned(), "qos-operator".to_owned()),
        ("qos-operator.io/source".to_owned(), "workload".to_owned()),
        stage,
    ];
    assert_eq!(labels, expected);
    let annotations: Vec<_> = child.annotations().keys().map(String::as_str).collect();
    assert_eq!(annotations, ["qos-operator.io/attempt"]);
    let reference = serde_json::to_value(child.owner_references()).unwrap();
    let expected = json!([{
        "apiVersion": "v1", "kind": "Service", "name": "media", "uid": service.uid(),
        "controller": false, "blockOwnerDeletion": false,
    }]);
    assert_eq!(reference, expected);
    let there = workloads.api::<Service>().get("media").await.unwrap();
    assert_eq!(
        (there.finalizers(), there.resource_version()),
        (&[][..], service.resource_version()),
        "nobody writes to the Service"
    );
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_provider_is_a_delete_at_the_first_and_then_a_post_at_the_second() {
    let workloads = Workloads::new("provider").await;
    let second = format!("{}-p2", workloads.stage.namespace);
    workloads.stage.provider_named(&second, json!({})).await;
    workloads.service("media", USUAL, "ClusterIP").await;
    let first = workloads.one().await;
    workloads.annotate::<Service>("media", &[("provider", Some(&second))]).await;
    workloads.until("another child", |all| all.len() == 1 && all[0].uid() != first.uid()).await;
    let child = workloads.one().await;
    assert_eq!(child.status.unwrap().provider.unwrap().name, second);
    let effects: Vec<_> = workloads
        .stage
        .admin
        .requests()
        .into_iter()
        .filter_map(|request| match request.operation {
            // As in `Stage::releases`.
            Operation::Create | Operation::Delete if request.status != Some(404) => Some((request.operation, request.status)),
            _ => None,
        })
        .collect();
    // The 409 of a create that came too early would stand here.
    assert_eq!(effects, [(Operation::Create, Some(201)), (Operation::Delete, Some(204)), (Operation::Create, Some(201))]);

    workloads
        .annotate::<Service>("media", &[("profile", None), ("device", None), ("application-server", None), ("provider", None)])
        .await;
    let at = tokio::time::Instant::now();
    workloads.api::<Service>().delete("media", &DeleteParams::default()).await.unwrap();
    assert!(
        workloads.api::<Service>().get_opt("media").await.unwrap().is_none(),
        "the Service is not held up ({:?})",
        at.elapsed()
    );
    workloads.none().await;
    assert_eq!(workloads.calls(), [2, 2]);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_profile_duration_or_suspend_edits_the_child_in_place() {
    let workloads = Workloads::new("edit").await;
    workloads.service("media", USUAL, "ClusterIP").await;
    let first = workloads.one().await;
    workloads.annotate::<Service>("media", &[("profile", Some("QOS_S")), ("duration", Some("30m"))]).await;
    workloads.until("edited", |all| all[0].spec.qos_profile == "QOS_S" && all[0].spec.duration_seconds == Some(1800)).await;
    let edited = workloads.one().await;
    assert_eq!(edited.uid(), first.uid());
    workloads.annotate::<Service>("media", &[("duration", None), ("suspend", Some("true"))]).await;
    workloads.until("suspended", |all| all[0].spec.suspend && all[0].spec.duration_seconds.is_none()).await;
    workloads.stage.ready(&first.name_any(), "True", "Suspended").await;
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_made_object_of_the_childs_name_is_never_touched() {
    let workloads = Workloads::new("taken").await;
    workloads.service("media", USUAL, "ClusterIP").await;
    let name = workloads.one().await.name_any();
    workloads.annotate::<Service>("media", &[("profile", None), ("device", None), ("application-server", None)]).await;
    workloads.none().await;

    let mine = workloads.stage.create(&name, json!({ "device": { "phoneNumber": "+447700900177" }, "suspend": true })).await;
    workloads.stage.ready(&name, "True", "Suspended").await;
    let asked: Vec<_> = USUAL.iter().map(|(key, value)| (*key, Some(*value))).collect();
    workloads.annotate::<Service>("media", &asked).await;
    let note = workloads.warned("media", "NameTaken").await;
    assert!(note.contains(&name) && !note.contains("447700900112"), "{note}");
    workloads.stage.quiet().await;
    let there = workloads.stage.get(&name).await.unwrap();
    assert_eq!((there.uid(), there.metadata.generation, &there.spec), (mine.uid(), Some(1), &mine.spec));
    assert_eq!((there.labels().len(), there.owner_references().len()), (1, 0));
    workloads.stage.delete(&name).await;
    workloads.stage.gone(&name).await;
    workloads.pass(72).await;
    workloads.one().await;
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_is_deleted_or_edited_by_hand_comes_back_as_it_was() {
    let workloads = Workloads::new("by-hand").await;
    workloads.service("media", USUAL, "ClusterIP").await;
    let first = workloads.one().await;
    let name = first.name_any();
    let edit = json!({
        "metadata": { "labels": { "app.kubernetes.io/managed-by": "me" }, "ownerReferences": null },
        "spec": { "qosProfile": "QOS_L", "durationSeconds": 60 },
    });
    workloads.stage.patch(&name, edit).await;
    workloads
        .until("as it was", |all| {
            let spec = all[0].spec.qos_profile == "QOS_E" && all[0].spec.duration_seconds.is_none();
            spec && owners(&all[0]) == ["Service media"] && all[0].labels()["app.kubernetes.io/managed-by"] == "qos-operator"
        })
        .await;
    workloads.stage.available(&name).await;
    workloads.stage.delete(&name).await;
    workloads.until("another one", |all| all.len() == 1 && all[0].uid() != first.uid()).await;
    workloads.one().await;

    // What others hold cannot be undone, and is not fought over.
    let other = workloads.controller("ReplicaSet", "somebody").await;
    let mut reference = other.clone();
    reference["controller"] = false.into();
    let theirs = json!({
        "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession",
        "metadata": { "name": name, "ownerReferences": [reference] },
    });
    workloads.stage.sessions().patch(&name, &PatchParams::apply("somebody"), &Patch::Apply(theirs)).await.unwrap();
    let tries = || {
        let events = workloads.stage.cluster.audit_events();
        let ours = |event: &control_plane::AuditEvent| {
            event.namespace == workloads.stage.namespace && event.request_uri.contains("fieldManager=qos-operator-workload")
        };
        events.iter().filter(|event| event.name == name && ours(event)).count()
    };
    workloads.stage.quiet().await;
    let before = tries();
    workloads.stage.quiet().await;
    assert_eq!(tries(), before, "an apply that changes nothing is not repeated");
    assert_eq!(owners(&workloads.one().await), ["ReplicaSet somebody", "Service media"]);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_opt_in_taken_away_releases_at_once_and_given_again_buys_again() {
    let workloads = Workloads::new("opt-out").await;
    let set = workloads.controller("ReplicaSet", "encoder").await;
    workloads.pod("encoder-0", USUAL, Some(&set), Some("edge")).await;
    workloads.one().await;
    workloads.opt_in("disabled").await;
    workloads.none().await;
    assert_eq!(workloads.calls(), [1, 1]);
    let note = workloads.warned("encoder-0", "NamespaceNotEnabled").await;
    assert!(note.contains("in a namespace without the label qos-operator.io/workloads=enabled"), "{note}");
    workloads.opt_in("enabled").await;
    workloads.one().await;
    assert_eq!(workloads.calls(), [2, 1]);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_goes_takes_the_child_along_at_once_unless_another_one_stays() {
    let workloads = Workloads::new("owners").await;
    let [a, b] = [workloads.controller("ReplicaSet", "a").await, workloads.controller("ReplicaSet", "b").await];
    workloads.pod("a-0", USUAL, Some(&a), Some("edge")).await;
    workloads.pod("b-0", USUAL, Some(&b), Some("edge")).await;
    let both = |all: &[qos_operator::api::QosSession]| all.len() == 1 && owners(&all[0]).len() == 2;
    let child = workloads.until("owned by both", both).await.remove(0);
    workloads.one().await;
    let sets = workloads.api::<ReplicaSet>();
    sets.delete("a", &DeleteParams::background()).await.unwrap();
    workloads.until("owned by one", |all| owners(&all[0]) == ["ReplicaSet b"]).await;
    // The garbage collector has asked for the Pod's end; without a kubelet it stays, and still sends.
    let pod = workloads.api::<Pod>().get("a-0").await.unwrap();
    assert!(pod.metadata.deletion_timestamp.is_some());
    workloads.stage.quiet().await;
    let now = workloads.one().await;
    assert_eq!((now.uid(), owners(&now)), (child.uid(), vec!["ReplicaSet b".to_owned()]));
    workloads.pod_gone("a-0").await;

    sets.delete("b", &DeleteParams::background()).await.unwrap();
    workloads.none().await;
    let pod = workloads.api::<Pod>().get("b-0").await.unwrap();
    assert!(pod.metadata.deletion_timestamp.is_some(), "a Pod that is being deleted makes no child");
    workloads.pass(20).await;
    assert_eq!((workloads.children().await.len(), workloads.calls()), (0, [1, 1]));
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_without_owner_or_claim_is_deleted_after_the_linger() {
    let workloads = Workloads::new("orphan").await;
    let set = workloads.controller("ReplicaSet", "encoder").await;
    workloads.pod("encoder-0", USUAL, Some(&set), Some("edge")).await;
    let child = workloads.one().await;
    let orphan = DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() };
    workloads.api::<ReplicaSet>().delete("encoder", &orphan).await.unwrap();
    // The Pod is its own now.
    workloads.until("the Pod's", |all| owners(&all[0]) == ["Pod encoder-0"]).await;
    assert_eq!(workloads.one().await.uid(), child.uid());
    let nobody = json!({
        "metadata": { "name": "qos-0000000000000000", "labels": {
            "app.kubernetes.io/managed-by": "qos-operator", "qos-operator.io/source": "workload",
            crate::support::stage::LABEL: workloads.stage.namespace,
        } },
        "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession",
        "spec": { "device": { "phoneNumber": "+447700900178" }, "applicationServer": { "ipv4Address": "198.51.100.7" }, "qosProfile": "QOS_E" },
    });
    workloads.create::<qos_operator::api::QosSession>(nobody).await;
    workloads.until("unclaimed", |all| all.len() == 2 && all.iter().filter(|child| unclaimed(child)).count() == 1).await;
    workloads.pass(64).await;
    assert_eq!(workloads.one().await.uid(), child.uid());
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_a_child_that_is_being_released_gets_one_of_its_own_when_that_is_gone() {
    let workloads = Workloads::new("late").await;
    workloads.pod("first", USUAL, None, Some("edge")).await;
    let before = workloads.one().await;
    workloads
        .stage
        .patch(&before.name_any(), json!({ "metadata": { "annotations": { "qos-operator.io/paused": "true" } } }))
        .await;
    workloads.pod_gone("first").await;
    workloads.until("being deleted", |all| all.len() == 1 && all[0].metadata.deletion_timestamp.is_some()).await;
    workloads.pod("second", USUAL, None, Some("edge")).await;
    workloads.stage.quiet().await;
    let going = workloads.children().await;
    assert_eq!((going.len(), going[0].uid(), owners(&going[0])), (1, before.uid(), vec!["Pod first".to_owned()]));
    workloads.stage.patch(&before.name_any(), json!({ "metadata": { "annotations": { "qos-operator.io/paused": null } } })).await;
    workloads.until("another one", |all| all.len() == 1 && all[0].uid() != before.uid()).await;
    assert_eq!(owners(&workloads.one().await), ["Pod second"]);
    assert_eq!(workloads.calls(), [2, 1]);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_lingers_while_another_object_waits_for_the_flow() {
    let workloads = Workloads::new("awaited").await;
    let set = workloads.controller("StatefulSet", "recorder").await;
    workloads.pod("recorder-0", USUAL, Some(&set), Some("edge")).await;
    workloads.one().await;
    workloads.stage.create("by-hand", json!({ "applicationServer": { "ipv4Address": "198.51.100.0/24" } })).await;
    workloads.stage.ready("by-hand", "False", "DeviceBusy").await;
    workloads.pod_gone("recorder-0").await;
    workloads.none().await;
    workloads.stage.available("by-hand").await;
    workloads.pod("recorder-0", USUAL, Some(&set), Some("edge")).await;
    let child = workloads.until("one", |all| all.len() == 1).await.remove(0);
    let child = workloads.stage.ready(&child.name_any(), "False", "DeviceBusy").await;
    assert_eq!(condition(&child, "Reconciling").0, "True");
    workloads.stage.delete("by-hand").await;
    workloads.one().await;
    // Who begins to wait ends a linger that has begun.
    workloads.pod_gone("recorder-0").await;
    workloads.until("unclaimed", |all| unclaimed(&all[0])).await;
    workloads.stage.create("again", json!({})).await;
    workloads.pass(4).await;
    workloads.stage.available("again").await;
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_annotation_edited_on_a_pod_ends_its_claim_without_linger() {
    let workloads = Workloads::new("edited-pod").await;
    let set = workloads.controller("ReplicaSet", "encoder").await;
    workloads.pod("encoder-0", USUAL, Some(&set), Some("edge")).await;
    let first = workloads.one().await;
    workloads.annotate::<Pod>("encoder-0", &[("device", Some("tel:+447700900113"))]).await;
    workloads.until("another one", |all| all.len() == 1 && all[0].uid() != first.uid()).await;
    workloads.one().await;
    workloads.annotate::<Pod>("encoder-0", &[("device", Some("tel:"))]).await;
    let note = workloads.warned("encoder-0", "InvalidAnnotation").await;
    assert!(note.starts_with("qos-operator.io/device: entry 1: a number is written tel:+"), "{note}");
    workloads.stage.quiet().await;
    assert_eq!(workloads.calls(), [2, 1], "what stands stays");
    workloads.annotate::<Pod>("encoder-0", &[("profile", None), ("device", None), ("application-server", None)]).await;
    workloads.none().await;
    assert_eq!(workloads.calls(), [2, 2]);
    let pod = serde_json::to_value(workloads.api::<Pod>().get("encoder-0").await.unwrap()).unwrap();
    assert_eq!(pod["metadata"]["finalizers"], Value::Null);
    workloads.finish().await;
}
