//! An object that the API server keeps and this version of the operator cannot decode, as after a downgrade.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use qos_operator::api::QosSession;
use qos_operator::simulator::settings::Operation;
use serde_json::{Value, json};

use crate::support::Cluster;
use crate::support::stage::{Stage, TOKEN};

/// A stage on a cluster whose definition of QosSession admits anything.
async fn relaxed() -> Stage {
    let cluster = Cluster::of_its_own().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(cluster.client());
    let mut definition = definitions.get("qossessions.qos-operator.io").await.unwrap();
    let anything = JSONSchemaProps {
        type_: Some("object".to_owned()),
        x_kubernetes_preserve_unknown_fields: Some(true),
        ..JSONSchemaProps::default()
    };
    for version in &mut definition.spec.versions {
        version.schema.as_mut().unwrap().open_api_v3_schema = Some(anything.clone());
        // They must be in the schema.
        version.selectable_fields = None;
    }
    definitions.replace("qossessions.qos-operator.io", &PostParams::default(), &definition).await.unwrap();
    let stage = Stage::on(cluster, "relaxed").await;
    stage.secret(TOKEN).await;
    stage.provider(json!({})).await;
    stage
}

fn raw(stage: &Stage) -> Api<DynamicObject> {
    Api::namespaced_with(stage.client.clone(), &stage.namespace, &ApiResource::erase::<QosSession>(&()))
}

/// Writes what the Rust types do not take. The API server may need a moment for its new definition.
async fn spoil(stage: &Stage, name: &str, spec: &Value) {
    for _ in 0..100 {
        let patch = Patch::Merge(json!({ "spec": spec }));
        if let Ok(object) = raw(stage).patch(name, &PatchParams::default(), &patch).await {
            let undecodable = serde_json::from_value::<QosSession>(serde_json::to_value(object).unwrap());
            assert!(undecodable.is_err(), "{spec} can be decoded");
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the API server refuses {spec}");
}

async fn gone(stage: &Stage, name: &str) {
    for _ in 0..600 {
        if raw(stage).get_opt(name).await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{name} does not go: {}", serde_json::to_string(&raw(stage).get(name).await.unwrap().data).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_cannot_be_decoded_stops_no_other_and_is_released_when_it_is_deleted() {
    let mut stage = relaxed().await;
    stage.start().await;
    let spoilt = [json!({ "durationSeconds": "x" }), json!({ "qosProfile": 7 }), json!({ "device": "none", "suspend": "no" })];
    for (index, spec) in spoilt.iter().enumerate() {
        let (broken, other) = (format!("broken{index}"), format!("other{index}"));
        stage.create(&broken, json!({ "device": { "phoneNumber": format!("+44770090014{index}") } })).await;
        stage.available(&broken).await;
        let deletes = stage.calls(Operation::Delete);
        spoil(&stage, &broken, spec).await;
        stage.create(&other, json!({ "device": { "phoneNumber": format!("+44770090015{index}") } })).await;
        stage.available(&other).await;
        if index == 1 {
            // The first list holds it.
            stage.stop().await;
            stage.start().await;
            stage.create("listed", json!({ "device": { "phoneNumber": "+447700900149" } })).await;
            stage.available("listed").await;
        }
        assert_eq!(stage.calls(Operation::Delete), deletes, "the session of {broken} is left alone");
        raw(&stage).delete(&broken, &kube::api::DeleteParams::default()).await.unwrap();
        gone(&stage, &broken).await;
        assert_eq!(stage.calls(Operation::Delete), deletes + 1, "the session of {broken} is released");
    }
    stage.finish().await;
}
