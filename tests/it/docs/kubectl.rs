//! kubectl's commands, run against a real API server: what would change more than the page means is a dry run.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use qos_operator::api::ConditionType;
use qos_operator::crds;
use serde_json::Value;

use super::shell::Call;
use super::world::{World, documents};

/// Verbs that are dry runs here.
const DRY: [&str; 7] = ["delete", "create", "label", "annotate", "scale", "patch", "replace"];
/// Verbs that run as they are.
const READ: [&str; 7] = ["get", "describe", "explain", "events", "auth", "kustomize", "version"];
/// Verbs that need a node: only their object and their flags are looked at.
const ON_NODES: [&str; 2] = ["logs", "port-forward"];
/// Flags before the verb that have a value.
const GLOBAL: [&str; 2] = ["-n", "--namespace"];

/// Runs a command. `folder` is where its paths are valid.
pub(super) async fn check(call: &Call, world: &World, folder: &Path) {
    let at = call.shown();
    let Some(verb_at) = verb(&call.arguments) else {
        // `kubectl -n qos-operator` alone, which a page abbreviates.
        return;
    };
    let verb = call.arguments[verb_at].as_str();
    let mut words = stand_ins(&call.arguments);
    if verb_at == words.len() - 1 {
        // A mention of the verb.
        return known(world, verb, &at);
    }
    templates(&words, &at);
    match verb {
        "apply" => {
            let given = call.input.iter().flat_map(|input| documents(input)).collect::<Vec<_>>();
            for object in &given {
                world.namespace_of(object).await;
            }
            words.extend(["--validate=strict", "--warnings-as-errors"].map(ToOwned::to_owned));
            succeeds(&run(world, folder, &words, call.input.as_deref()), &at);
        }
        verb if DRY.contains(&verb) => {
            if !words.iter().any(|word| word.starts_with("--dry-run")) {
                words.push("--dry-run=server".to_owned());
            }
            if matches!(verb, "label" | "annotate") {
                // Here Helm has done so already.
                words.push("--overwrite".to_owned());
            }
            parties(world, &words, &at);
            succeeds(&run(world, folder, &words, None), &at);
        }
        verb if READ.contains(&verb) => {
            words.retain(|word| word != "--watch" && word != "-w");
            succeeds(&run(world, folder, &words, None), &at);
        }
        "wait" => wait(world, folder, words, &at),
        verb if ON_NODES.contains(&verb) => {
            flags(world, verb, &call.arguments[verb_at + 1..], &at);
            let object =
                words[verb_at + 1..].iter().find(|word| !word.starts_with('-')).unwrap_or_else(|| panic!("{at}: of what?"));
            // The guard's Job is there only while an uninstall runs.
            if !object.ends_with("-uninstall-guard") {
                let mut get = words[..verb_at].to_vec();
                get.extend(["get".to_owned(), object.clone()]);
                succeeds(&run(world, folder, &get, None), &at);
            }
        }
        other => panic!("{at}: this test does not know how to check {other}"),
    }
}

/// Where the verb is; none where there are only flags.
fn verb(words: &[String]) -> Option<usize> {
    let mut at = 0;
    while words.get(at)?.starts_with('-') {
        at += if GLOBAL.contains(&words[at].as_str()) { 2 } else { 1 };
    }
    Some(at)
}

/// Names that stand for the reader's own, replaced by ones that are there.
fn stand_ins(words: &[String]) -> Vec<String> {
    let session = words.iter().any(|word| word == "qos");
    let replaced = |word: &String| match word.as_str() {
        "NAME" if session => "camera-12".to_owned(),
        "NAME" => "telefonica-sandbox".to_owned(),
        "RESOURCE" => "qossessions".to_owned(),
        other => other.to_owned(),
    };
    words.iter().map(replaced).collect()
}

/// Whom a binding binds, and to what: the API server does not mind if they are not there.
fn parties(world: &World, words: &[String], at: &str) {
    for (flag, kind) in [("--clusterrole", "clusterrole"), ("--serviceaccount", "serviceaccount")] {
        let Some(place) = words.iter().position(|word| word == flag) else { continue };
        let mut get = world.kubectl();
        match words[place + 1].split_once(':') {
            Some((namespace, name)) => get.args(["--namespace", namespace, "get", kind, name]),
            None => get.args(["get", kind, &words[place + 1]]),
        };
        succeeds(&get.output().unwrap(), at);
    }
}

fn run(world: &World, folder: &Path, words: &[String], input: Option<&str>) -> Output {
    let mut kubectl = world.kubectl();
    kubectl.args(words).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = kubectl.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(input.unwrap_or_default().as_bytes()).unwrap();
    drop(pipe);
    child.wait_with_output().unwrap()
}

fn succeeds(output: &Output, at: &str) {
    assert!(output.status.success(), "{at}\n{}{}", text(&output.stdout), text(&output.stderr));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// No operator runs here, so nothing comes true. That it was waited for is enough: the object is there, and the condition is one.
fn wait(world: &World, folder: &Path, mut words: Vec<String>, at: &str) {
    let condition = words.iter().find_map(|word| word.strip_prefix("--for=condition="));
    if let Some(condition) = condition {
        let of_ours = words.iter().any(|word| word.starts_with("qos"));
        let name = condition.split('=').next().unwrap();
        assert!(!of_ours || is_condition(name), "{at}: there is no condition {name}");
    }
    words.retain(|word| !word.starts_with("--timeout"));
    words.push("--timeout=1s".to_owned());
    let output = run(world, folder, &words, None);
    let errors = text(&output.stderr);
    assert!(output.status.success() || errors.contains("timed out waiting for the condition"), "{at}\n{errors}");
}

fn is_condition(name: &str) -> bool {
    use ConditionType::{Available, NotificationsReceived, Ready, Reconciling, Stalled};
    [Available, NotificationsReceived, Ready, Reconciling, Stalled].iter().any(|known| known.as_str() == name)
}

/// Paths into an object of ours, in JSONPath or custom columns, are fields of its schema.
fn templates(words: &[String], at: &str) {
    for (kind, names) in
        [("QosSession", ["qos", "qossession", "qossessions"]), ("QosProvider", ["qosp", "qosprovider", "qosproviders"])]
    {
        let of_kind = words.iter().any(|word| names.contains(&word.split('/').next().unwrap()));
        if !of_kind {
            continue;
        }
        let schemas = crds::schemas().unwrap();
        let (_, schema) = schemas.iter().find(|(name, _)| *name == kind).unwrap();
        let output = words.iter().filter(|word| word.contains("jsonpath=") || word.contains("custom-columns="));
        for path in output.flat_map(|word| paths(word)) {
            assert!(is_field(schema, &path), "{at}: a {kind} has no {path}");
            for name in path.split("@.type==\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(is_condition(name), "{at}: there is no condition {name}");
            }
        }
    }
}

/// The paths that begin at the spec or the status.
fn paths(template: &str) -> Vec<String> {
    let mut found = Vec::new();
    for top in [".spec", ".status"] {
        for (start, _) in template.match_indices(top) {
            // `{.name} {.status}` in a range is about its entries.
            let rest = &template[start..];
            let end = rest.find([',', '}', ' ']).unwrap_or(rest.len());
            if !template[..start].contains("{range") || template[..start].ends_with("{range ") {
                found.push(rest[..end].to_owned());
            }
        }
    }
    found
}

fn is_field(schema: &Value, path: &str) -> bool {
    let plain: String = path
        .split('[')
        .enumerate()
        .map(|(part, text)| if part == 0 { text } else { text.split(']').nth(1).unwrap_or_default() })
        .collect();
    let mut schema = schema;
    for name in plain.split('.').skip(1).filter(|name| !name.is_empty()) {
        let object = schema.get("items").unwrap_or(schema);
        match object["properties"].get(name) {
            Some(field) => schema = field,
            None => return false,
        }
    }
    true
}

/// What kubectl prints of a verb.
pub(super) fn help(world: &World, verb: &str) -> String {
    let mut help = world.kubectl();
    text(&help.args(verb.split(' ')).arg("--help").output().unwrap().stdout)
}

fn known(world: &World, verb: &str, at: &str) {
    assert!(help(world, verb).contains(&format!("  kubectl {verb} ")), "{at}: kubectl knows no {verb}");
}

/// Flags of a verb that is not run are ones that it has.
fn flags(world: &World, verb: &str, words: &[String], at: &str) {
    let text = format!("{}{}", help(world, verb), options(&mut world.kubectl()));
    for flag in words.iter().filter(|word| word.starts_with('-')) {
        let name = flag.split('=').next().unwrap();
        assert!(text.contains(&format!(" {name}=")) || text.contains(&format!(" {name},")), "{at}: {verb} has no {name}");
    }
}

/// The flags of every verb.
pub(super) fn options(kubectl: &mut Command) -> String {
    text(&kubectl.arg("options").output().unwrap().stdout)
}
