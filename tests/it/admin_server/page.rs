//! docs/metrics.md and what is really scraped, held against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use qos_operator::simulator::oauth::settings::Client;
use serde_json::json;

use super::scrape::Scrape;
use super::{Serving, flags};
use crate::support::process::OperatorProcess;
use crate::support::stage::Stage;

const PAGE: &str = include_str!("../../../docs/metrics.md");
const ACCEPT: &str =
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5";

/// A stage with a provider that logs in by OAuth and has a budget, one that does not work, and a session that is AVAILABLE: all
/// series are there.
async fn busy(prefix: &str) -> Busy {
    let stage = Stage::bare(prefix).await;
    let mut client = Client::new("app-7");
    client.secret = Some("s3cret".into());
    stage.admin.change(|settings| settings.oauth.clients.push(client)).await.unwrap();
    stage.secret_of("credentials", &[("client-id", "app-7"), ("client-secret", "s3cret")]).await;
    let login = json!({
        "tokenURL": format!("{}/token", stage.oauth_url()), "scope": "qod", "clientSecretRef": { "name": "credentials" },
    });
    let spec = json!({
        "auth": { "staticToken": null, "clientCredentials": login },
        "budget": { "maxSessions": 10, "maxSessionSecondsPerDay": 100_000 },
    });
    stage.provider(spec).await;
    let other = format!("{}-other", stage.namespace);
    stage.provider_named(&other, json!({ "auth": { "staticToken": { "tokenSecretRef": { "name": "missing" } } } })).await;
    let folder = tempfile::tempdir().unwrap();
    let more = [
        ["--admin-listen", "127.0.0.1:0"],
        ["--notify-listen", "127.0.0.1:0"],
        ["--callback-url", "https://qos.example.com/notify"],
        // Nobody is there: what becomes of spans is counted all the same.
        ["--otlp-endpoint", "http://127.0.0.1:9"],
    ];
    let flags = flags(&stage).into_iter().chain(more.into_iter().flatten().map(str::to_owned)).collect();
    let process = OperatorProcess::new(folder.path(), &stage.cluster.kubeconfig_of(stage.account_token().await), flags);
    process.start();
    let serving = Serving::of_process(&process).await;
    stage.create("camera-12", json!({ "durationSeconds": 600 })).await;
    stage.available("camera-12").await;
    let waits = |scrape: &Scrape| scrape.sum("qos_operator_sessions", &[("qos_status", "AVAILABLE")]).is_some();
    serving.scrape_until("the session", waits).await;
    Busy { stage, serving, process, _folder: folder }
}

/// An operator's process with something to show.
struct Busy {
    stage: Stage,
    serving: Serving,
    process: OperatorProcess,
    _folder: tempfile::TempDir,
}

impl Busy {
    async fn finish(self) {
        self.stage.delete("camera-12").await;
        self.stage.gone("camera-12").await;
        self.process.kill();
        self.stage.finish().await;
    }
}

/// Type and labels by name, as the page's table has them.
fn table() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let rows = PAGE.lines().skip_while(|line| *line != "| name | type | labels | meaning |").skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let mut table = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, kind, labels, meaning, _] = cells.as_slice() else { panic!("{row} has no four cells") };
        assert!(meaning.len() > 5, "{name} says nothing");
        let words = |cell: &str| cell.split_whitespace().map(|word| word.trim_matches('`').to_owned()).collect::<BTreeSet<_>>();
        let name = name.trim_matches('`').to_owned();
        assert!(table.insert(name.clone(), ((*kind).to_owned(), words(labels))).is_none(), "{name} is there twice");
    }
    assert!(table.len() > 20, "only {} rows were read", table.len());
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_of_the_page_is_scraped_and_every_scraped_one_is_on_the_page_with_its_type_and_labels() {
    let busy = busy("page").await;
    let scrape = busy.serving.scrape().await;
    let scraped: BTreeMap<_, _> = scrape
        .families()
        .into_iter()
        .map(|(name, labels)| (name.clone(), (scrape.types.get(&name).cloned().unwrap_or_default(), labels)))
        .collect();
    assert_eq!(scraped, table());
    for name in scraped.keys() {
        let help = scrape.helps.get(name).unwrap_or_else(|| panic!("{name} has no HELP"));
        assert!(help.len() > 5 && help.ends_with('.') && !help.ends_with(".."), "{name}: {help}");
    }
    busy.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_accepts_openmetrics_gets_it_and_promtool_finds_no_fault_with_the_other_form() {
    let busy = busy("forms").await;
    let serving = &busy.serving;
    let response = reqwest::Client::new().get(serving.url("/metrics")).header("Accept", ACCEPT).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = response.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(text.contains("# TYPE qos_operator_provider_calls counter\n"), "{text}");
    let response = reqwest::get(serving.url("/metrics")).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    match promtool(&text) {
        Some((well, said)) => {
            assert!(well && said.is_empty(), "promtool check metrics: {said}");
            say("promtool check metrics: no fault");
            let (well, _) = promtool("# TYPE qos_operator_fault counter\nqos_operator_fault 1\n").unwrap();
            assert!(!well, "promtool finds a fault where there is one");
        }
        None => say("promtool is not there: its check is left out (Debian: apt-get install prometheus)"),
    }
    busy.finish().await;
}

/// Whether `promtool check metrics` is content with `text`, and what it says; none: there is no promtool.
fn promtool(text: &str) -> Option<(bool, String)> {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("promtool does not start: {error}"),
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some((
        output.status.success(),
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
    ))
}

fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}
