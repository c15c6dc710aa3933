//! What of the chart is a copy of something else, and its versions.

use std::collections::BTreeSet;
use std::fs;

use qos_operator::api::QosSession;
use qos_operator::crds;
use serde_json::Value;

use super::{chart, documents, list, rendered, sets, values};

#[test]
fn the_definitions_in_the_chart_are_those_of_the_types() {
    let folder = chart().join("files/crds");
    let documents = crds::documents().unwrap();
    if values::updating() {
        for document in &documents {
            fs::write(folder.join(&document.file), &document.yaml).unwrap();
        }
    }
    let files: BTreeSet<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, documents.iter().map(|document| document.file.clone()).collect());
    for document in documents {
        let kept = fs::read_to_string(folder.join(&document.file)).unwrap();
        assert!(
            kept == document.yaml,
            "{} in the chart is out of date: UPDATE=1 cargo test --test it chart::shape",
            document.file
        );
    }
}

#[test]
fn what_helm_renders_of_a_definition_is_the_definition() {
    let of_types: Vec<Value> = crds::documents().unwrap().iter().flat_map(|document| self::documents(&document.yaml)).collect();
    let (_, defaults) = sets().into_iter().find(|(name, _)| name == "default").unwrap();
    for ours in of_types {
        let objects = rendered(&defaults);
        let theirs = objects.iter().find(|object| {
            object["kind"] == "CustomResourceDefinition" && object["metadata"]["name"] == ours["metadata"]["name"]
        });
        // Numbers may be written as 1e+06, which is the same.
        assert_eq!(plain(&theirs.unwrap()["spec"]), plain(&ours["spec"]), "{}", ours["metadata"]["name"]);
    }
}

/// Every number as a float.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn the_chart_and_the_operator_have_one_version() {
    let text = fs::read_to_string(chart().join("Chart.yaml")).unwrap();
    let chart: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(chart["version"].as_str(), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(chart["appVersion"].as_str(), Some(env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_the_chart_tells_a_catalogue_is_true() {
    let text = fs::read_to_string(chart().join("Chart.yaml")).unwrap();
    let chart: Value = serde_saphyr::from_str(&text).unwrap();
    let annotation = |name: &str| -> Value { serde_saphyr::from_str(chart["annotations"][name].as_str().unwrap()).unwrap() };
    let told: BTreeSet<_> = list(&annotation("artifacthub.io/crds"))
        .map(|one| [&one["kind"], &one["name"], &one["version"]].map(|value| value.as_str().unwrap().to_owned()))
        .collect();
    let ours: Vec<Value> = crds::documents().unwrap().iter().flat_map(|document| documents(&document.yaml)).collect();
    let ours: BTreeSet<_> = ours
        .iter()
        .map(|one| [&one["spec"]["names"]["kind"], &one["metadata"]["name"], &one["spec"]["versions"][0]["name"]])
        .map(|all| all.map(|value| value.as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(told, ours);
    for example in list(&annotation("artifacthub.io/crdsExamples")) {
        assert_eq!(example["kind"], "QosSession");
        serde_json::from_value::<QosSession>(example.clone()).unwrap().validate_cel().unwrap();
    }
}
