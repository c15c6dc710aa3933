//! Helm's commands, run against a cluster where the release of the pages is installed: as dry runs, and an install as a rendering.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::shell::Call;
use super::world::World;
use crate::support::in_repository;

/// Runs a command as far as it changes nothing.
pub(super) fn check(call: &Call, world: &World, folder: &Path) {
    let at = call.shown();
    let (verb, rest) = match call.arguments.split_first() {
        // `helm --wait`, in whichever verb.
        Some((flag, _)) if flag.starts_with('-') => ("install".to_owned(), call.arguments.clone()),
        Some((verb, rest)) => (verb.clone(), rest.to_vec()),
        None => panic!("{at}: no command"),
    };
    let help = help(world, &verb);
    assert!(help.contains(&format!("  helm {verb} ")), "{at}: helm knows no {verb}");
    for flag in rest.iter().filter(|word| word.starts_with('-')) {
        let name = flag.split('=').next().unwrap();
        let forms = [format!(" {name} "), format!(" {name}["), format!(" {name}, ")];
        assert!(forms.iter().any(|form| help.contains(form)), "{at}: helm {verb} has no {name}");
    }
    settings(&rest, &at);
    // A mention of the verb, or of a flag of it.
    if !rest.iter().any(|word| !word.starts_with('-')) {
        return;
    }
    let rest = rest.iter().map(|word| match word.as_str() {
        "NAME" => "qos".to_owned(),
        "N" => "1".to_owned(),
        other => other.to_owned(),
    });
    let mut helm = world.helm();
    match verb.as_str() {
        // The name is taken in the cluster; a rendering reads chart, values and flags all the same.
        "install" => helm.arg("template").args(rest).args(["--kube-version", "1.37.2"]),
        "upgrade" => helm.arg("upgrade").args(rest).arg("--dry-run=server"),
        "rollback" | "uninstall" => helm.arg(&verb).args(rest).arg("--dry-run"),
        "history" | "template" | "package" => helm.arg(&verb).args(rest),
        // Its Pod needs a node; `make e2e` runs it.
        "test" => helm.arg("status").args(rest),
        other => panic!("{at}: this test does not know how to check helm {other}"),
    };
    let named = call.arguments.iter().any(|word| word == "--namespace" || word == "-n");
    if !named && verb != "package" {
        helm.args(["--namespace", "qos-operator"]);
    }
    let output = helm.current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{at}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// What is set by `--set` is a value of the chart, also where its schema would not mind.
fn settings(words: &[String], at: &str) {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(in_repository("charts/qos-operator/values.schema.json")).unwrap()).unwrap();
    let given = words.iter().zip(words.iter().skip(1)).filter(|(flag, _)| *flag == "--set").map(|(_, given)| given);
    for setting in given.flat_map(|given| given.split(',')) {
        let path = setting.split('=').next().unwrap();
        let found = path.split('.').try_fold(&schema, |schema, key| schema["properties"].get(key));
        assert!(found.is_some(), "{at}: {setting} is no value of the chart");
    }
}

/// What helm prints of a verb.
pub(super) fn help(world: &World, verb: &str) -> String {
    let output = world.helm().args([verb, "--help"]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
