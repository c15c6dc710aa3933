//! The paths of the simulator's admin API: those that the pages name are there, and those that are there are named.

use std::collections::BTreeSet;

use qos_operator::clock::Clock;
use qos_operator::simulator::Simulator;
use serde_json::Value;

use super::pages;

/// Method and path, without what may follow.
fn route(text: &str) -> Option<String> {
    let (method, rest) = text.split_once(' ')?;
    let known = ["GET", "POST", "DELETE"].contains(&method) && (rest == "/admin" || rest.starts_with("/admin/"));
    known.then(|| format!("{method} {}", rest.split(['?', '[', ' ']).next().unwrap_or_default()))
}

#[tokio::test]
async fn the_pages_name_every_path_of_the_admin_api_and_no_other() {
    let simulator = Simulator::builder(Clock::system()).admin_listen("127.0.0.1:0".parse().unwrap()).start().await.unwrap();
    let url = format!("{}/admin", simulator.admin_url().unwrap().trim_end_matches("/admin"));
    let index: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let paths: BTreeSet<_> =
        index["paths"].as_array().unwrap().iter().map(|path| route(path.as_str().unwrap()).unwrap()).collect();
    assert!(paths.len() >= 15, "{paths:?}");
    let mut named = 0;
    let pages = pages();
    for page in &pages {
        for span in page.spans() {
            if let Some(route) = route(&span.text) {
                assert!(paths.contains(&route), "{} names {route}, which is not there", page.at(span.line));
                named += 1;
            }
        }
    }
    assert!(named >= 12, "{named} paths");
    let page = pages.iter().find(|page| page.path == "docs/simulator.md").unwrap();
    for path in &paths {
        // Of two that differ in their last part, a table names the second as `…/vanish`.
        let (_, path) = path.split_once(' ').unwrap();
        let short = format!("…/{}`", path.rsplit('/').next().unwrap());
        let told = page.spans().iter().any(|span| format!("{}`", span.text).contains(&short) || span.text.contains(path));
        assert!(told, "docs/simulator.md does not name {path}");
    }
    simulator.shutdown().await;
}
