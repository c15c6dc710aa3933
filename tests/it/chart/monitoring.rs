//! Alerts and dashboard: each alert has its runbook, each panel says what it shows, and both name metrics that there are.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{chart, list, render};
use crate::support::in_repository;

fn rules() -> Vec<Value> {
    let yaml = render(&[
        "--show-only",
        "templates/prometheusrule.yaml",
        "--set",
        "prometheusRule.enabled=true",
        "--set",
        "prometheusRule.renderMode=alwaysRender",
    ]);
    let objects = super::documents(&yaml);
    let rules: Vec<_> = list(&objects[0]["spec"]["groups"]).flat_map(|group| list(&group["rules"])).cloned().collect();
    assert!(rules.len() > 10, "{} alerts", rules.len());
    rules
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(chart().join("dashboards/qos-operator.json")).unwrap()).unwrap()
}

fn panels(dashboard: &Value) -> Vec<Value> {
    let all: Vec<_> = list(&dashboard["panels"]).cloned().collect();
    assert!(all.len() > 10, "{} panels", all.len());
    all
}

/// The names of metrics in an expression.
fn metrics(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("qos_operator_") || word.starts_with("process_")).map(str::to_owned).collect()
}

#[test]
fn every_alert_has_a_severity_a_summary_and_a_runbook_that_is_there() {
    let page = fs::read_to_string(in_repository("docs/runbooks.md")).unwrap();
    let sections: BTreeSet<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut names = BTreeSet::new();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} is there twice");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| text.len() > 20), "{name} has no {text}");
        }
        assert!(sections.contains(name), "docs/runbooks.md has no section {name}");
        let anchor = format!("docs/runbooks.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook_url"].as_str(), Some(anchor.as_str()));
    }
    let strangers: Vec<_> = sections.iter().filter(|section| !names.contains(**section)).collect();
    assert!(strangers.is_empty(), "sections without an alert: {strangers:?}");
}

#[test]
fn every_panel_has_an_id_a_title_and_a_unit_of_its_own_and_says_what_it_shows() {
    let dashboard = dashboard();
    assert!(dashboard["__inputs"].is_null() && dashboard["id"].is_null());
    let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is another's");
        assert!(titles.insert(title.to_owned()), "{title} is there twice");
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 20), "{title} has no description");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        assert!(list(&panel["targets"]).next().is_some(), "{title} asks for nothing");
    }
}

#[test]
fn alerts_and_dashboard_name_only_metrics_that_are_documented() {
    let dashboard = dashboard();
    let panels = panels(&dashboard);
    let asked = panels.iter().flat_map(|panel| list(&panel["targets"])).map(|target| target["expr"].as_str().unwrap().to_owned());
    let expressions: Vec<_> = asked.chain(rules().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned())).collect();
    let named: BTreeSet<_> = expressions.iter().flat_map(|expression| metrics(expression)).collect();
    assert!(named.len() > 10, "{named:?}");
    let page = in_repository("docs/metrics.md");
    // The page comes with the metrics.
    assert_eq!(page.is_file(), in_repository("src/metrics").is_dir(), "metrics without docs/metrics.md");
    let Ok(page) = fs::read_to_string(page) else { return };
    for metric in named {
        let stem = ["_bucket", "_sum", "_count"].iter().find_map(|end| metric.strip_suffix(end)).unwrap_or(&metric);
        assert!(page.contains(&format!("`{stem}`")), "docs/metrics.md does not tell of {stem}");
    }
}
