//! Each state of the table as an object in tests/gitops/objects/, for the health rules of GitOps tools. What those are to say stands
//! in each file's first line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::table::rows;
use super::*;
use crate::api::QosProvider;

/// What kstatus (Flux, `helm --wait`) and Argo CD's script are to say of a row of the table of states.
fn health(row: &str, status: &QosSessionStatus) -> (&'static str, &'static str) {
    const WAITS: (&str, &str) = ("InProgress", "Progressing");
    const RESTS: (&str, &str) = ("Current", "Healthy");
    const FAILED: (&str, &str) = ("Failed", "Degraded");
    let number = row.split(',').next().unwrap_or_default();
    match number.parse::<u32>().unwrap() {
        12 | 15 | 20 | 21 | 24 | 34 => RESTS,
        3 | 6 | 19 | 26 | 27 | 29 | 30 | 38 | 39 | 41 | 43 => FAILED,
        32 | 33 => ("Terminating", "Progressing"),
        35 => ("Failed", "Suspended"),
        // As their reason: for good only where a person must act.
        37 | 42 if find(status, ConditionType::Stalled).is_some() => FAILED,
        1 | 2 | 4 | 5 | 7..=11 | 13 | 14 | 16..=18 | 22 | 23 | 25 | 28 | 31 | 37 | 40 | 42 => WAITS,
        other => panic!("row {other} is in no column"),
    }
}

fn sessions() -> Vec<(String, QosSession)> {
    let living = || World::new().living("AVAILABLE");
    let mut never_seen = World::new().object;
    never_seen.status = Some(QosSessionStatus::default());
    let mut edited = living().object;
    edited.metadata.generation = Some(4);
    // A deletion counts as a generation of its own.
    let mut going = living().deleted().object;
    going.metadata.generation = Some(4);
    let special = [("1", never_seen), ("13", edited), ("32", going)].map(|(row, object)| (row.to_owned(), object));
    // In the table of tests 13 is the look that finds nothing new.
    let told = rows().into_iter().filter(|(row, ..)| *row != "13").map(|(row, mut world, _)| {
        world.go_on();
        (row.to_owned(), world.object)
    });
    special.into_iter().chain(told).collect()
}

fn providers() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "the cause", "observedGeneration": 3,
            "lastTransitionTime": at(0).to_string(),
        })
    };
    let told = |conditions: Vec<Value>| json!({ "observedGeneration": 3, "sessions": 0, "conditions": conditions });
    let waits = |reason| told(vec![condition("Ready", "False", reason), condition("Reconciling", "True", reason)]);
    let stalled = |reason| told(vec![condition("Ready", "False", reason), condition("Stalled", "True", reason)]);
    vec![
        ("never-seen", "InProgress", "Progressing", json!({ "observedGeneration": -1 })),
        ("verified", "Current", "Healthy", told(vec![condition("Ready", "True", "Verified")])),
        ("unverified", "Current", "Healthy", told(vec![condition("Ready", "True", "Unverified")])),
        ("no-secret", "InProgress", "Progressing", waits("SecretNotFound")),
        ("rejected", "Failed", "Degraded", stalled("CredentialsRejected")),
        ("unreachable", "InProgress", "Progressing", waits("ProviderUnreachable")),
        ("in-use", "Terminating", "Progressing", told(vec![condition("Ready", "True", "InUse")])),
    ]
}

fn written() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for (row, object) in sessions() {
        let (kstatus, argo) = health(&row, object.status.as_ref().unwrap());
        let name = row.replace(", ", "-").replace(' ', "-");
        let width = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
        let file = format!("session-{}{name}.yaml", "0".repeat(2_usize.saturating_sub(width)));
        files.push((file, text(&serde_json::to_value(&object).unwrap(), kstatus, argo)));
    }
    for (name, kstatus, argo, status) in providers() {
        let mut object = json!({
            "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosProvider",
            "metadata": { "name": "telefonica", "generation": 3, "uid": "p1" },
            "spec": {
                "api": { "version": "v1.0", "baseURL": "https://api.example.com/quality-on-demand/v1" },
                "auth": { "staticToken": { "tokenSecretRef": { "name": "telefonica" } } },
            },
            "status": status,
        });
        if kstatus == "Terminating" {
            object["metadata"]["deletionTimestamp"] = at(0).to_string().into();
            object["metadata"]["finalizers"] = json!(["qos-operator.io/in-use"]);
        }
        // It must be one that the operator reads.
        drop(serde_json::from_value::<QosProvider>(object.clone()).unwrap());
        files.push((format!("provider-{name}.yaml"), text(&object, kstatus, argo)));
    }
    files
}

fn text(object: &Value, kstatus: &str, argo: &str) -> String {
    format!("# expect: kstatus {kstatus}, argocd {argo}\n{}", serde_saphyr::to_string(object).unwrap())
}

#[expect(clippy::disallowed_methods, reason = "a switch of this test, not a setting of the program")]
fn updating() -> bool {
    std::env::var("UPDATE").is_ok_and(|value| value == "1")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gitops/objects")
}

#[test]
fn the_objects_for_gitops_tools_are_those_that_the_table_makes() {
    let (folder, files) = (folder(), written());
    if updating() {
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in &files {
            fs::write(folder.join(file), text).unwrap();
        }
    }
    let names: BTreeSet<_> = files.iter().map(|(file, _)| file.clone()).collect();
    assert_eq!(names.len(), files.len(), "each row has a file of its own");
    let there: BTreeSet<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, names, "the folder holds a file for each row and nothing else");
    for (file, text) in files {
        let kept = fs::read_to_string(folder.join(&file)).unwrap();
        assert!(
            kept == text,
            "tests/gitops/objects/{file} is out of date; write it again with: UPDATE=1 cargo test --lib objects_for_gitops"
        );
    }
}
