use serde_json::{Value, json};

use super::*;

fn settings(mode: Mode) -> Settings {
    Settings {
        mode,
        timeout: SignedDuration::from_mins(4),
        namespaces: Namespaces::default(),
        selector: None,
        workloads: false,
        lease: None,
        delete_provider: None,
        release: "qos".to_owned(),
    }
}

fn session(standing: Standing) -> Session {
    Session {
        namespace: "stadium".to_owned(),
        name: "camera-12".to_owned(),
        uid: "uid".to_owned(),
        version: "7".to_owned(),
        finalizers: vec!["example.com/other".to_owned(), FINALIZER.to_owned()],
        standing,
        deleting: false,
        paused: false,
        orphan: false,
        of_workload: false,
    }
}

fn provider() -> Provider {
    let finalizers = vec![IN_USE_FINALIZER.to_owned()];
    Provider { name: "p1".to_owned(), uid: "p".to_owned(), version: "3".to_owned(), finalizers, deleting: false }
}

fn object(metadata: &Value, status: &Value) -> QosSession {
    let mut whole = json!({
        "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession",
        "metadata": { "name": "camera-12", "namespace": "stadium", "uid": "u", "generation": 2 },
        "spec": { "device": { "phoneNumber": "+447700900112" }, "applicationServer": { "ipv4Address": "198.51.100.10" }, "qosProfile": "QOS_E" },
        "status": status,
    });
    for (key, value) in metadata.as_object().unwrap() {
        whole["metadata"][key] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

fn said(kind: &str, reason: &str, generation: i64) -> Value {
    let condition = json!({
        "type": kind, "status": "True", "reason": reason, "message": "", "observedGeneration": generation,
        "lastTransitionTime": "2026-11-24T13:06:00Z",
    });
    json!({ "observedGeneration": generation, "conditions": [condition] })
}

#[expect(clippy::needless_pass_by_value, reason = "so that the cases read well")]
fn stands(metadata: Value, status: Value) -> Standing {
    standing(&object(&metadata, &status), "2026-11-24T13:06:00Z".parse().unwrap())
}

#[test]
fn what_stands_on_an_object_says_whether_a_session_of_it_can_live() {
    assert_eq!(stands(json!({}), json!({ "observedGeneration": 2, "sessionId": "s1" })), Standing::Lives);
    let record = json!({
        "v": 1, "uid": "u", "nonce": "58d16303565649f5ad20d74ca034e8aa", "at": "2026-11-24T13:05:00Z",
        "landsBy": "2026-11-24T13:07:00Z", "deadBy": "2026-11-24T14:12:00Z", "provider": { "name": "p1", "uid": "p" },
        "device": { "phoneNumber": "+447700900112" }, "durationSeconds": 3600, "hash": "v1:a1d45a34e97cb80d",
    });
    let annotated = |record: &Value| json!({ "annotations": { "qos-operator.io/attempt": record.to_string() } });
    assert_eq!(stands(annotated(&record), said("Stalled", "InvalidSpec", 2)), Standing::MayLive);
    let newer = json!({ "v": 2, "uid": "u" });
    assert_eq!(stands(annotated(&newer), said("Stalled", "OutcomeUnknown", 2)), Standing::MayLive);
    let mut settled = said("Ready", "Expired", 2);
    settled["attempt"] = json!({ "nonce": "58d16303565649f5ad20d74ca034e8aa", "outcome": "Created", "failures": 0 });
    assert_eq!(stands(annotated(&record), settled), Standing::AtRest);
    assert_eq!(stands(json!({}), said("Ready", "Suspended", 2)), Standing::AtRest);
    assert_eq!(stands(json!({}), said("Stalled", "InvalidSpec", 2)), Standing::AtRest);
    // An edit that was not looked at yet may ask for a session, and so may what waits for something.
    assert_eq!(stands(json!({}), said("Ready", "Suspended", 1)), Standing::Wanted);
    assert_eq!(stands(json!({}), said("Reconciling", "DeviceBusy", 2)), Standing::Wanted);
    assert_eq!(stands(json!({}), json!({ "observedGeneration": -1 })), Standing::Wanted);
}

#[test]
fn an_object_that_cannot_be_decoded_may_hold_a_session() {
    let metadata = ObjectMeta { name: Some("odd".to_owned()), ..ObjectMeta::default() };
    assert_eq!(Session::read(Err(metadata), Timestamp::UNIX_EPOCH).standing, Standing::MayLive);
}

#[test]
fn wait_changes_nothing_while_anything_lives_may_live_or_is_wanted() {
    for standing in [Standing::Lives, Standing::MayLive, Standing::Wanted] {
        let plan = plan(&settings(Mode::Wait), &[session(Standing::AtRest), session(standing)], &[provider()], false);
        assert_eq!(plan.orders, [], "{standing:?}");
        assert_eq!(plan.waits.len(), 1);
    }
    let going = Session { deleting: true, ..session(Standing::AtRest) };
    let plan = plan(&settings(Mode::Wait), &[going], &[provider()], false);
    assert_eq!((plan.orders.len(), plan.waits.len()), (0, 1), "what is being deleted is the operator's to let go");
}

#[test]
fn wait_takes_the_finalizers_off_when_all_is_at_rest() {
    let resting = session(Standing::AtRest);
    let first = plan(&settings(Mode::Wait), std::slice::from_ref(&resting), &[provider()], false);
    assert_eq!(first.orders, [Order::ReleaseSession(resting.clone()), Order::ReleaseProvider(provider())]);
    let bare = Session { finalizers: vec!["example.com/other".to_owned()], ..resting };
    let free = Provider { finalizers: Vec::new(), ..provider() };
    assert_eq!(plan(&settings(Mode::Wait), &[bare], &[free], false), Plan::default());
}

#[test]
fn delete_deletes_each_once_and_waits_until_all_are_gone() {
    let going = Session { deleting: true, ..session(Standing::Lives) };
    let plan = plan(&settings(Mode::Delete), &[session(Standing::Lives), session(Standing::AtRest), going], &[provider()], false);
    assert!(matches!(&plan.orders[..], [Order::Delete(_), Order::Delete(_)]), "{plan:?}");
    assert_eq!(plan.waits.len(), 1);
}

#[test]
fn orphan_sets_the_policy_before_it_deletes_and_for_what_is_already_being_deleted() {
    let set = Session { orphan: true, ..session(Standing::Lives) };
    let stuck = Session { deleting: true, ..session(Standing::Lives) };
    let plan = plan(&settings(Mode::Orphan), &[session(Standing::Lives), set.clone(), stuck.clone()], &[], false);
    assert_eq!(plan.orders, [Order::Orphan(session(Standing::Lives)), Order::Delete(set), Order::Orphan(stuck)]);
}

#[test]
fn what_the_operator_would_make_again_for_a_workload_is_waited_for() {
    let child = Session { of_workload: true, ..session(Standing::Lives) };
    for mode in [Mode::Delete, Mode::Orphan] {
        let with = plan(&Settings { workloads: true, ..settings(mode) }, std::slice::from_ref(&child), &[], false);
        assert_eq!((with.orders.len(), with.waits.len()), (0, 1), "{mode:?}");
        let without = plan(&settings(mode), std::slice::from_ref(&child), &[], false);
        assert_eq!(without.orders.len(), 1, "{mode:?}: without the workloads' part nobody makes it again");
        let drained = plan(&Settings { workloads: true, ..settings(mode) }, std::slice::from_ref(&child), &[], true);
        assert_eq!(drained.orders, without.orders, "{mode:?}: nor does an operator that is known to drain");
    }
}

#[test]
fn the_simulators_provider_is_deleted_when_nothing_lives_on_it() {
    let settings = Settings { delete_provider: Some("p1".to_owned()), ..settings(Mode::Wait) };
    assert_eq!(plan(&settings, &[session(Standing::Lives)], &[provider()], false).orders, []);
    assert_eq!(plan(&settings, &[], &[provider()], false).orders, [Order::DeleteProvider(provider())]);
    let going = Provider { deleting: true, ..provider() };
    assert_eq!(plan(&settings, &[], std::slice::from_ref(&going), false).orders, [Order::ReleaseProvider(going.clone())]);
    let free = Provider { finalizers: Vec::new(), ..going };
    assert_eq!(plan(&settings, &[], &[free], false).waits.len(), 1);
}
