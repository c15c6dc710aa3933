//! Every YAML block of every page goes to what reads it: the API server, or Helm.

use std::fs;

use serde_json::Value;

use super::world::{World, documents, world};
use super::{Block, Page, pages};
use crate::support::in_repository;

/// Part of a manifest, marked by its first line: `# QosProvider, spec.auth`.
const PART: &str = "# QosProvider, ";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_yaml_block_is_taken_by_what_it_is_for() {
    let world = world().await;
    let (mut manifests, mut values, mut parts) = (0, 0, 0);
    for page in pages() {
        for block in page.blocks().iter().filter(|block| block.language == "yaml") {
            if block.text.starts_with("# values") {
                rendered(world, &page, block);
                values += 1;
            } else if let Some(path) = block.text.lines().next().and_then(|line| line.strip_prefix(PART)) {
                let whole = completed(path.split(' ').next().unwrap(), &block.text, &page.at(block.line));
                admitted(world, &page, block, &[whole]).await;
                parts += 1;
            } else {
                admitted(world, &page, block, &documents(&block.text)).await;
                manifests += 1;
            }
        }
    }
    assert!(manifests >= 3 && values >= 8 && parts >= 8, "{manifests} manifests, {values} sets of values, {parts} parts");
}

fn rendered(world: &World, page: &Page, block: &Block) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.yaml");
    fs::write(&file, &block.text).unwrap();
    assert!(!documents(&block.text).is_empty(), "{}: no values", page.at(block.line));
    let mut template = world.helm();
    template.args(["template", "demo"]).arg(in_repository("charts/qos-operator")).arg("--values").arg(&file);
    let output = template.args(["--kube-version", "1.37.2"]).output().unwrap();
    assert!(output.status.success(), "{}\n{}{}", page.at(block.line), block.text, String::from_utf8_lossy(&output.stderr));
}

async fn admitted(world: &World, page: &Page, block: &Block, objects: &[Value]) {
    let at = page.at(block.line);
    assert!(!objects.is_empty(), "{at}: nothing is in it");
    for object in objects {
        assert!(object["apiVersion"].is_string(), "{at}: neither a manifest, nor `# values`, nor `{PART}`");
        assert!(object["kind"].is_string() && object["metadata"]["name"].is_string(), "{at}: no kind, or no name");
        world.namespace_of(object).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("object.json");
        fs::write(&file, object.to_string()).unwrap();
        let mut apply = world.kubectl();
        apply.args(["apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f"]).arg(file);
        let output = apply.output().unwrap();
        assert!(output.status.success(), "{at}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A whole provider with this part at `path`. Of several ways to log in, the part's is taken, completed by the example that has it.
fn completed(path: &str, part: &str, at: &str) -> Value {
    let part: Value = serde_saphyr::from_str(part).unwrap();
    let mut nested = part.clone();
    for key in path.split('.').rev() {
        nested = serde_json::json!({ key: nested });
    }
    let login = nested["spec"]["auth"].as_object().and_then(|auth| auth.keys().next().cloned());
    let mut whole = example(login.as_deref().unwrap_or("clientCredentials"));
    merge(&mut whole, &nested);
    whole["metadata"]["name"] = "of-a-page".into();
    assert!(part.is_object(), "{at}: the part is no object");
    whole
}

fn example(login: &str) -> Value {
    let folder = in_repository("examples/providers");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut all = files.iter().flat_map(|file| documents(&fs::read_to_string(file).unwrap()));
    all.find(|object| object["spec"]["auth"][login].is_object()).unwrap_or_else(|| panic!("no example has {login}"))
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
