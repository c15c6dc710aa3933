//! Each fault, as a client and the ledger see it.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::super::faults::{Effect, Fault, Target, What};
use super::super::settings::{Operation, Settings};
use super::{PHONE, Stage, code, order, told};

fn fault(fault: Value) -> Fault {
    serde_json::from_value(fault).unwrap()
}

async fn lost_create(stage: &Stage) {
    let sent = told(stage.call(Method::POST, "/sessions").json(&order(PHONE))).await;
    assert!(sent.is_err(), "answered: {sent:?}");
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_holds_its_flow_and_leaks_unless_it_is_found() {
    let stage = Stage::new(Settings::default()).await;
    stage.admin.add_fault(Fault::once(Target::Create, What::DropAfter)).unwrap();
    lost_create(&stage).await;
    assert!(!stage.admin.sessions()[0].answered);
    assert_eq!(code(&stage.create(order(PHONE)).await), (409, "CONFLICT"));
    stage.pass(600);
    stage.session(order(PHONE)).await;
    let ledger = stage.admin.ledger_at_end();
    assert_eq!(ledger.to_string(), "ledger: created=2 released=0 expired=0 live=1 leaked=1 doubled=0");
    assert!(!ledger.clean());
}

#[tokio::test]
async fn a_late_create_takes_effect_when_its_time_comes_and_only_if_nothing_is_in_the_way_then() {
    let stage = Stage::new(Settings::default()).await;
    stage.admin.add_fault(Fault::once(Target::Create, What::Late { seconds: 30 })).unwrap();
    lost_create(&stage).await;
    stage.pass(29);
    assert_eq!(stage.admin.ledger().created, 0);
    let before = stage.admin.now();
    stage.pass(100);
    let session = &stage.admin.sessions()[0];
    let late = session.created.duration_since(before).as_secs();
    assert!((0..=1).contains(&late), "created at its own time, not when it is looked at: {late}");
    assert_eq!(code(&stage.create(order(PHONE)).await), (409, "CONFLICT"));

    let stage = Stage::new(Settings::default()).await;
    stage.admin.add_fault(Fault::once(Target::Create, What::Late { seconds: 30 })).unwrap();
    lost_create(&stage).await;
    stage.session(order(PHONE)).await;
    stage.pass(31);
    assert_eq!(stage.admin.ledger().created, 1, "the second one was in the way of the late one");
    let effects: Vec<_> = stage.admin.requests().iter().map(|request| (request.status, request.effect)).collect();
    assert_eq!(effects, [(None, Some(409)), (Some(201), Some(201))]);
}

#[tokio::test]
async fn a_late_create_behind_a_new_session_doubles_where_the_provider_does_not_look() {
    let settings = Settings::default().merged(json!({"overlap": "off"})).unwrap();
    let stage = Stage::new(settings).await;
    stage.admin.add_fault(Fault::once(Target::Create, What::Late { seconds: 30 })).unwrap();
    lost_create(&stage).await;
    stage.session(order(PHONE)).await;
    stage.pass(30);
    assert_eq!((stage.admin.ledger().live, stage.admin.ledger().doubled), (2, 1));
}

#[tokio::test]
async fn a_delete_and_an_extend_take_effect_although_their_answers_are_lost() {
    let stage = Stage::new(Settings::default()).await;
    let id = stage.session(order(PHONE)).await;
    stage.admin.add_fault(Fault::once(Target::Extend, What::DropAfter)).unwrap();
    let body = json!({"requestedAdditionalDuration": 60});
    told(stage.call(Method::POST, &format!("/sessions/{id}/extend")).json(&body)).await.unwrap_err();
    assert_eq!(stage.get(id).await.1["duration"], json!(660));
    stage
        .admin
        .add_fault(fault(json!({"operation": "delete", "what": {"status": {"status": 500, "effect": "before"}}, "times": 1})))
        .unwrap();
    assert_eq!(stage.delete(id).await, (500, Value::Null));
    assert_eq!(code(&stage.delete(id).await), (404, "NOT_FOUND"));
    assert_eq!((stage.admin.ledger_at_end().released, stage.admin.ledger_at_end().clean()), (1, true));
}

#[tokio::test]
async fn a_status_can_have_an_effect_before_after_or_none() {
    for (effect, created) in [(Effect::None, 0), (Effect::Before, 1), (Effect::After, 1)] {
        let stage = Stage::new(Settings::default()).await;
        let what = What::Status {
            status: 503,
            code: Some("SERVICE_UNAVAILABLE".to_owned()),
            body: None,
            headers: BTreeMap::new(),
            effect,
        };
        stage.admin.add_fault(Fault::once(Target::Any, what)).unwrap();
        assert_eq!(code(&stage.create(order(PHONE)).await), (503, "SERVICE_UNAVAILABLE"));
        assert_eq!(stage.admin.ledger().created, created, "{effect:?}");
    }
}

#[tokio::test]
async fn field_cases_a_gateways_404_a_busy_spell_a_revoked_token_and_a_limit_can_be_played() {
    let stage = Stage::new(Settings::default()).await;
    let id = stage.session(order(PHONE)).await;
    stage.admin.add_fault(fault(json!({"operation": "get", "what": {"status": {"status": 404, "body": {"code": 60, "message": "x"}}}, "forSeconds": 120}))).unwrap();
    assert_eq!(stage.get(id).await, (404, json!({"code": 60, "message": "x"})));
    stage.pass(120);
    assert_eq!(stage.get(id).await.0, 200);

    stage.delete(id).await;
    stage
        .admin
        .add_fault(fault(
            json!({"operation": "create", "what": {"status": {"status": 409, "code": "CONFLICT"}}, "forSeconds": 600}),
        ))
        .unwrap();
    assert_eq!(code(&stage.create(order(PHONE)).await), (409, "CONFLICT"));
    stage.pass(600);
    let id = stage.session(order(PHONE)).await;

    stage.admin.add_fault(Fault::once(Target::Any, Fault::status(401, "UNAUTHORIZED"))).unwrap();
    assert_eq!(code(&stage.get(id).await), (401, "UNAUTHORIZED"));
    assert_eq!(stage.get(id).await.0, 200);

    stage.admin.add_fault(fault(json!({"what": {"status": {"status": 429, "code": "TOO_MANY_REQUESTS", "headers": {"Retry-After": "30"}}}, "times": 1}))).unwrap();
    let response = stage.call(Method::GET, &format!("/sessions/{id}")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"30".parse().unwrap()));

    stage
        .admin
        .add_fault(fault(json!({"what": {"status": {"status": 200, "body": "<html>log in</html>"}}, "times": 1})))
        .unwrap();
    let response = stage.call(Method::GET, &format!("/sessions/{id}")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(response.text().await.unwrap(), "<html>log in</html>");
}

#[tokio::test]
async fn a_delay_before_the_effect_does_not_stop_it_when_the_client_hangs_up() {
    let stage = Stage::new(Settings::default()).await;
    stage.admin.add_fault(Fault::once(Target::Create, What::Delay { before_seconds: 30.0, after_seconds: 0.0 })).unwrap();
    let impatient = stage.call(Method::POST, "/sessions").json(&order(PHONE)).timeout(Duration::from_millis(200));
    assert!(told(impatient).await.unwrap_err().is_timeout());
    assert_eq!(stage.admin.ledger().created, 0, "the effect is still to come");
    stage.pass(30);
    for _ in 0..200 {
        if stage.admin.ledger().created == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the effect never came");
}

#[tokio::test]
async fn a_delay_runs_on_the_simulators_clock() {
    let stage = Stage::new(Settings::default()).await;
    stage.admin.add_fault(Fault::once(Target::Create, What::Delay { before_seconds: 0.0, after_seconds: 3600.0 })).unwrap();
    let create = tokio::spawn(told(stage.call(Method::POST, "/sessions").json(&order(PHONE))));
    while stage.admin.ledger().created == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!create.is_finished());
    stage.pass(3600);
    let (status, _) = tokio::time::timeout(Duration::from_secs(5), create).await.unwrap().unwrap().unwrap();
    assert_eq!(status, 201);
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_status_with_the_faults_they_met() {
    let stage = Stage::new(Settings::default()).await;
    let id = stage.session(order(PHONE)).await;
    stage.create(order(PHONE)).await;
    stage.admin.add_fault(Fault::once(Target::Get, What::DropBefore)).unwrap();
    told(stage.call(Method::GET, &format!("/sessions/{id}"))).await.unwrap_err();
    stage.get(id).await;
    let counts = serde_json::to_value(stage.admin.request_counts()).unwrap();
    assert_eq!(counts, json!({"create": {"201": 1, "409": 1}, "get": {"200": 1, "cut": 1}}));
    assert_eq!((stage.admin.calls(Operation::Get), stage.admin.calls(Operation::Delete)), (2, 0));
    let log = stage.admin.requests();
    assert_eq!((log[0].session_id, log[2].session_id), (Some(id), Some(id)));
    assert_eq!((log[2].fault, log[2].status, log[2].effect), (Some("dropBefore"), None, None));
}
