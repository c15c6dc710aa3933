//! The admin API over HTTP, and the command line.

use clap::Parser;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::args::Args;
use super::super::settings::{Flavour, Mode, Settings};
use super::super::{DEFAULT_TOKEN, Simulator};
use super::{PHONE, Stage, order, told};
use crate::clock::Clock;

/// A stage with the admin API, and its URL.
async fn stage() -> (Stage, String) {
    let mut stage = Stage::new(Settings::default()).await;
    let listen = "127.0.0.1:0".parse().unwrap();
    stage.simulator = Simulator::builder(Clock::system()).admin_listen(listen).start().await.unwrap();
    stage.admin = stage.simulator.admin();
    let url = stage.simulator.admin_url().unwrap();
    (stage, url)
}

async fn admin(stage: &Stage, method: Method, url: &str, body: Value) -> (u16, Value) {
    let request = stage.http.request(method, url);
    told(if body.is_null() { request } else { request.body(body.to_string()) }).await.unwrap()
}

#[tokio::test]
async fn the_ledger_is_told_as_json_and_as_exactly_one_line() {
    let (stage, url) = stage().await;
    let id = stage.session(order(PHONE)).await;
    let (status, ledger) = admin(&stage, Method::GET, &format!("{url}/ledger"), Value::Null).await;
    assert_eq!((status, &ledger["live"], &ledger["clean"]), (200, &json!(1), &json!(false)));
    assert_eq!(ledger["requests"], json!({"create": {"201": 1}}));
    stage.delete(id).await;
    let line = stage.http.get(format!("{url}/ledger?format=line")).send().await.unwrap().text().await.unwrap();
    assert_eq!(line, "ledger: created=1 released=1 expired=0 live=0 leaked=0 doubled=0\n");
    assert_eq!(admin(&stage, Method::GET, &format!("{url}/ledger?format=xml"), Value::Null).await.0, 400);
}

#[tokio::test]
async fn the_line_counts_what_nobody_asked_for_as_leaked_and_the_json_waits_for_the_grace() {
    let (stage, url) = stage().await;
    stage.session(order(PHONE)).await;
    admin(&stage, Method::POST, &format!("{url}/clock"), json!({"advanceSeconds": 601})).await;
    let (_, running) = admin(&stage, Method::GET, &format!("{url}/ledger"), Value::Null).await;
    assert_eq!((&running["unasked"], &running["leaked"]), (&json!(1), &json!(0)));
    let (_, at_end) = admin(&stage, Method::GET, &format!("{url}/ledger?atEnd=true"), Value::Null).await;
    assert_eq!((&at_end["unasked"], &at_end["leaked"]), (&json!(0), &json!(1)));
    let line = stage.http.get(format!("{url}/ledger?format=line")).send().await.unwrap().text().await.unwrap();
    assert_eq!(line, "ledger: created=1 released=0 expired=0 live=0 leaked=1 doubled=0\n");
}

#[tokio::test]
async fn sessions_are_terminated_made_to_vanish_and_forgotten() {
    let (stage, url) = stage().await;
    let mut ids = Vec::new();
    for last in 1..=4 {
        ids.push(stage.session(order(&format!("+44770090010{last}"))).await);
    }
    let post = async |path: &str, body: Value| admin(&stage, Method::POST, &format!("{url}{path}"), body).await;
    assert_eq!(post(&format!("/sessions/{}/terminate", ids[0]), Value::Null).await, (200, json!({"terminated": 1})));
    assert_eq!(post(&format!("/sessions/{}/terminate", ids[0]), Value::Null).await.0, 404, "it has ended");
    assert_eq!(post("/terminate", json!({"device": "phone …102"})).await.1, json!({"terminated": 1}));
    assert_eq!(post("/terminate", json!({"share": 0})).await.1, json!({"terminated": 0}));
    assert_eq!(post("/terminate", json!({"client": "nobody"})).await.1, json!({"terminated": 0}));
    assert_eq!(post("/terminate", json!({"clint": "x"})).await.0, 400);
    assert_eq!(post(&format!("/sessions/{}/vanish", ids[2]), Value::Null).await, (200, json!({"lost": 1})));
    assert_eq!(post(&format!("/sessions/{}/vanish", Uuid::nil()), Value::Null).await.0, 404);
    let states = async || {
        let (_, sessions) = admin(&stage, Method::GET, &format!("{url}/sessions"), Value::Null).await;
        sessions.as_array().unwrap().iter().map(|session| session["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states().await, ["UNAVAILABLE", "UNAVAILABLE", "OVER", "AVAILABLE"]);
    assert_eq!(post("/terminate", Value::Null).await.1, json!({"terminated": 1}), "all that are left");
    assert_eq!(post("/forget", Value::Null).await.1, json!({"lost": 3}));
    assert_eq!(states().await, ["OVER"; 4]);
    assert_eq!(stage.get(ids[3]).await.0, 404);
}

#[tokio::test]
async fn settings_faults_and_tokens_are_changed_checked_and_reset() {
    let (mut stage, url) = stage().await;
    let post = async |path: &str, body: Value| admin(&stage, Method::POST, &format!("{url}{path}"), body).await;
    let (status, settings) = post("/settings", json!({"retentionSeconds": 5, "subscribers": [{"phoneNumber": PHONE}]})).await;
    assert_eq!((status, &settings["retentionSeconds"]), (200, &json!(5)));
    assert!(!settings.to_string().contains(&PHONE[1..]), "{settings}");
    assert_eq!(stage.admin.settings().subscribers.len(), 1);
    let (status, again) = post("/settings", settings).await;
    assert_eq!((status, &again["retentionSeconds"]), (200, &json!(5)), "what is shown can be sent");
    assert_eq!(post("/settings", json!({"retention": 5})).await.0, 400);
    let (status, faults) =
        post("/faults", json!([{"operation": "get", "what": "dropAfter"}, {"what": {"late": {"seconds": 5}}}])).await;
    assert_eq!((status, faults.as_array().unwrap().len()), (200, 2));
    assert_eq!(post("/faults", json!([{"what": "refuse"}, {"what": "refuse", "rate": 7}])).await.0, 400);
    assert_eq!(stage.admin.faults().len(), 2, "all or none");
    assert_eq!(post("/faults", json!({"what": "refuse"})).await.0, 200, "one alone needs no list");
    assert_eq!(admin(&stage, Method::DELETE, &format!("{url}/faults"), Value::Null).await.0, 204);
    assert!(stage.admin.faults().is_empty());
    assert_eq!(post("/tokens", json!({"revokeAll": true, "accept": {"new-token": "sandbox"}})).await.0, 204);
    assert_eq!(stage.create(order(PHONE)).await.0, 401);
    stage.token = "new-token";
    stage.session(order(PHONE)).await;
    assert_eq!(admin(&stage, Method::POST, &format!("{url}/reset"), Value::Null).await.0, 204);
    assert_eq!((stage.admin.ledger().created, stage.admin.settings().retention_seconds), (0, 360));
    stage.token = DEFAULT_TOKEN;
    stage.session(order(PHONE)).await;
    let (status, index) = admin(&stage, Method::GET, &url, Value::Null).await;
    assert_eq!((status, index["paths"].is_array()), (200, true));
    assert_eq!(admin(&stage, Method::GET, &format!("{url}/ledgers"), Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_clients_sessions_stay_its_own_when_its_token_is_rotated() {
    let mut stage = Stage::new(Settings::default()).await;
    let id = stage.session(order(PHONE)).await;
    stage.admin.accept_token("rotated-token", super::super::DEFAULT_CLIENT);
    assert!(stage.admin.revoke_token(DEFAULT_TOKEN));
    assert_eq!(stage.get(id).await.0, 401);
    stage.token = "rotated-token";
    assert_eq!(stage.get(id).await.0, 200);
}

#[test]
fn a_settings_file_is_read_and_flags_win_over_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("settings.yaml");
    std::fs::write(&file, "mode: mock\nflavour: camara\nprofiles:\n  - name: TI_B2C\n").unwrap();
    let args = |more: &[&str]| Args::try_parse_from([&["qod-simulator", "--settings", file.to_str().unwrap()], more].concat());
    let settings = args(&["--mode", "life", "--retention", "400"]).unwrap().settings().unwrap();
    assert_eq!((settings.mode, settings.flavour, settings.retention_seconds), (Mode::Life, Flavour::Camara, 400));
    assert_eq!(settings.profiles[0].name, "TI_B2C");
    std::fs::write(&file, "mod: mock\n").unwrap();
    assert!(args(&[]).unwrap().settings().unwrap_err().to_string().contains("`mod`"));
    std::fs::write(&file, "{").unwrap();
    assert!(args(&[]).unwrap().settings().unwrap_err().to_string().contains("neither JSON nor YAML"));
}

#[test]
fn a_bad_flag_is_explained_and_a_token_is_never_repeated() {
    let error = |flags: &[&str]| Args::try_parse_from([&["qod-simulator"], flags].concat()).unwrap_err().to_string();
    assert!(error(&["--time-factor", "0"]).contains("must be a number between"));
    let args = |token: &str| Args::try_parse_from(["qod-simulator", "--token", token]).unwrap();
    assert_eq!(args("secret-token").builder().unwrap_err().to_string(), "--token must be TOKEN=CLIENT");
    assert!(!format!("{:?}", args("secret-token=client")).contains("secret-token"));
    assert_eq!(args("dG9rZW4==client").builder().unwrap().1.expose(), "dG9rZW4=");
}

#[tokio::test]
async fn a_base_path_that_is_none_is_refused_and_an_empty_one_is_the_root() {
    for path in ["qod", "/qod/", "/{id}", "/a b"] {
        assert!(Simulator::builder(Clock::system()).base_path(path).start().await.is_err(), "{path}");
    }
    let root = Simulator::builder(Clock::system()).base_path("").start().await.unwrap();
    let mut stage = Stage::new(Settings::default()).await;
    stage.simulator = root;
    stage.session(order(PHONE)).await;
}
