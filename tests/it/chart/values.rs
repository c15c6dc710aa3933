//! values.yaml, values.schema.json and the table in the chart's README are of one mind.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use super::chart;

const BEGIN: &str = "<!-- values: written by UPDATE=1 cargo test --test it chart::values -->\n";
const END: &str = "<!-- end of values -->\n";

#[expect(clippy::disallowed_methods, reason = "a switch of this test, not a setting of the program")]
pub(super) fn updating() -> bool {
    std::env::var("UPDATE").is_ok_and(|value| value == "1")
}

fn values() -> (String, Value) {
    let text = fs::read_to_string(chart().join("values.yaml")).unwrap();
    let value = serde_saphyr::from_str(&text).unwrap();
    (text, value)
}

fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(chart().join("values.schema.json")).unwrap()).unwrap()
}

/// Calls `visit` with the path, the default and the schema of every value that is not a group of values.
fn each(path: &str, value: &Value, schema: &Value, visit: &mut impl FnMut(&str, &Value, &Value)) {
    let Some(properties) = schema["properties"].as_object() else {
        return visit(path, value, schema);
    };
    for (name, schema) in properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let value = value.get(name).unwrap_or_else(|| panic!("{path} is in the schema and has no default"));
        each(&path, value, schema, visit);
    }
}

/// The comments that begin with `# --`, with the path of the value, in their order.
fn comments(text: &str) -> Vec<(String, String)> {
    let (mut found, mut comment) = (Vec::new(), None::<String>);
    let mut stack: Vec<(usize, String)> = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if let Some(begun) = trimmed.strip_prefix("# -- ") {
            comment = Some(begun.to_owned());
        } else if let Some((comment, more)) = comment.as_mut().zip(trimmed.strip_prefix("# ")) {
            write!(comment, " {more}").unwrap();
        } else if let Some((key, _)) =
            trimmed.split_once(':').filter(|(key, _)| !key.contains(' ') && !key.starts_with(['#', '-']))
        {
            stack.retain(|(outer, _)| *outer < indent);
            stack.push((indent, key.trim_matches('"').to_owned()));
            if let Some(comment) = comment.take() {
                let path = stack.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>().join(".");
                found.push((path, comment));
            }
        } else {
            comment = None;
        }
    }
    found
}

#[test]
fn every_default_is_in_the_schema_and_every_property_of_the_schema_has_a_default_and_a_comment() {
    let ((text, values), schema) = (values(), schema());
    let comments = comments(&text);
    let mut paths = Vec::new();
    each("", &values, &schema, &mut |path, _, _| {
        assert!(comments.iter().any(|(documented, _)| documented == path), "{path} has no comment that begins with `# --`");
        paths.push(path.to_owned());
    });
    assert!(paths.len() > 100, "{} values", paths.len());
    let strangers: Vec<_> = comments.iter().map(|(path, _)| path).filter(|path| !paths.contains(path)).collect();
    assert!(strangers.is_empty(), "documented, and not a value of the schema: {strangers:?}");
    every_key("", &values, &schema);
}

fn every_key(path: &str, values: &Value, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, value) in values.as_object().unwrap() {
        let schema = properties.get(name).unwrap_or_else(|| panic!("{path}.{name} is not in the schema"));
        every_key(&format!("{path}.{name}"), value, schema);
    }
}

/// Helm gives `global` to subcharts as it is; a parent may put anything there.
#[test]
fn a_misspelt_value_is_refused_at_every_level_that_is_ours() {
    fn closed(path: &str, schema: &Value) {
        let Some(properties) = schema["properties"].as_object() else { return };
        assert_eq!(schema["additionalProperties"], path == ".global", "{path}");
        for (name, schema) in properties {
            closed(&format!("{path}.{name}"), schema);
        }
    }
    closed("", &schema());
}

#[test]
fn the_table_in_the_readme_is_that_of_the_values() {
    let ((text, values), schema) = (values(), schema());
    let mut defaults = BTreeMap::new();
    each("", &values, &schema, &mut |path, default, _| {
        defaults.insert(path.to_owned(), default.to_string());
    });
    let cell = |text: &str| text.replace('|', "\\|");
    let mut table = String::new();
    for (path, comment) in comments(&text) {
        writeln!(table, "| `{path}` | `{}` | {} |", cell(&defaults[&path]), cell(&comment)).unwrap();
    }
    let table = format!("{BEGIN}\n| value | default | meaning |\n|---|---|---|\n{table}\n{END}");
    let path = chart().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the table's begin");
    let (_, after) = rest.split_once(END).expect("the table's end");
    let whole = format!("{before}{table}{after}");
    if updating() {
        fs::write(&path, &whole).unwrap();
    }
    let now = fs::read_to_string(&path).unwrap();
    assert!(now == whole, "charts/qos-operator/README.md is out of date: UPDATE=1 cargo test --test it chart::values");
}
