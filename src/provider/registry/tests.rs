//! What the registry promises to those who use it.

use k8s_openapi::jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::provider::connection::{generation, tests::spec};
use crate::provider::gate::Gate;
use crate::provider::limits::Limits;
use crate::provider::readiness::Readiness;

fn provider(providers: &Providers, name: &str, change: serde_json::Value) -> Provider {
    let uid = format!("uid-of-{name}");
    let (file, spec, clock) = (providers.file(&uid), spec(change), providers.clock().clone());
    Provider {
        name: name.to_owned(),
        generation: generation(&spec),
        readiness: Readiness::Ready,
        access: None,
        profiles: None,
        marked: false,
        deleting: false,
        paused: false,
        limits: Arc::new(Limits::new(spec.limits.clone(), clock.clone())),
        gate: Arc::new(Gate::new(file.wake.clone())),
        is_default: false,
        created: None,
        uid,
        spec,
        file,
        clock,
    }
}

/// As the task that looks after it does.
fn publish(providers: &Providers, provider: &Arc<Provider>) {
    let tenure = providers.0.state.lock().tenures.get(&provider.name).copied();
    providers.publish(tenure.unwrap_or_else(|| providers.begin(&provider.name)), provider);
}

fn registry() -> Providers {
    Providers::new(Clock::system())
}

#[test]
fn of_several_defaults_the_newest_wins_and_of_equally_old_ones_the_first_by_name() {
    let providers = registry();
    assert_eq!(providers.default_name(), None);
    for (name, is_default, second) in [("a", true, 100), ("c", true, 200), ("b", true, 200), ("d", false, 300)] {
        let created = Timestamp::from_second(second).ok();
        publish(&providers, &Arc::new(Provider { is_default, created, ..provider(&providers, name, json!({})) }));
    }
    assert_eq!(providers.default_name().as_deref(), Some("b"));
    providers.remove("b", "uid-of-b");
    assert_eq!(providers.default_name().as_deref(), Some("c"));
}

#[test]
fn a_changed_label_admits_a_namespace_and_tells_only_the_providers_that_select_by_it() {
    let providers = registry();
    let gold = json!({"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"tier": "gold"}}}});
    let none = json!({"allowedNamespaces": {"from": "None"}});
    for (name, change) in [("selects", gold), ("all", json!({})), ("none", none)] {
        publish(&providers, &Arc::new(provider(&providers, name, change)));
    }
    let admits = |name| providers.admits(&providers.get(name).unwrap(), "stadium");
    assert_eq!((admits("all"), admits("none"), admits("selects")), (true, false, false));
    let mut changes = providers.changes();
    let label = |tier: &str| BTreeMap::from([("tier".to_owned(), tier.to_owned())]);
    providers.update_namespaces(|known| known.0.extend([("stadium".to_owned(), label("gold"))]));
    assert!(admits("selects"));
    assert_eq!(changes.try_recv(), Ok(Change::Other("selects".to_owned())));
    assert!(changes.try_recv().is_err());
    providers.update_namespaces(|known| known.0.extend([("stadium".to_owned(), label("silver"))]));
    assert!(!admits("selects"));
}

#[test]
fn a_mark_is_not_taken_away_while_somebody_holds_or_is_about_to_or_may_not_have_been_told_of() {
    let providers = registry();
    let told = Arc::new(Provider { marked: true, ..provider(&providers, "x", json!({})) });
    let file = told.file.clone();
    publish(&providers, &told);
    assert!(!providers.unmark("x", &file), "before all objects were told of");
    assert_eq!(providers.sessions(&file, 7).0, 7);
    providers.set_occupancy("uid-1", Some("uid-of-x"));
    providers.occupancy_complete();
    assert_eq!(providers.sessions(&file, 7).0, 1);
    assert!(!providers.unmark("x", &file), "while an object holds");
    providers.set_occupancy("uid-1", None);
    providers.want_marked("uid-of-x");
    assert!(!providers.unmark("x", &file), "while an object is about to");
    assert_eq!(providers.sessions(&file, 0).0, 1);
    providers.clock().advance(WISH + SignedDuration::from_secs(1));
    assert!(providers.unmark("x", &file));
    assert!(!providers.get("x").unwrap().marked);
}

#[test]
fn an_object_that_moves_counts_at_one_provider_and_a_freed_place_tells_who_waits() {
    let providers = registry();
    for name in ["x", "y"] {
        publish(&providers, &Arc::new(provider(&providers, name, json!({"budget": {"maxSessions": 1}}))));
    }
    providers.set_occupancy("uid-1", Some("uid-of-x"));
    assert!(providers.get("x").unwrap().over_budget(false).is_some());
    assert!(providers.get("x").unwrap().over_budget(true).is_none());
    let mut changes = providers.changes();
    providers.set_occupancy("uid-1", Some("uid-of-y"));
    assert_eq!(changes.try_recv(), Ok(Change::Other("x".to_owned())));
    assert!(providers.get("x").unwrap().over_budget(false).is_none());
    assert!(providers.get("y").unwrap().over_budget(false).is_some());
    providers.set_occupancy("uid-1", None);
    assert!(providers.get("y").unwrap().over_budget(false).is_none());
}

#[test]
fn an_unchanged_provider_wakes_nobody_and_a_changed_one_does() {
    let providers = registry();
    let first = Arc::new(provider(&providers, "x", json!({})));
    publish(&providers, &first);
    let mut changes = providers.changes();
    publish(&providers, &first);
    assert!(changes.try_recv().is_err());
    publish(&providers, &Arc::new(Provider { marked: true, ..Provider::clone(&first) }));
    assert_eq!(changes.try_recv(), Ok(Change::Marked("x".to_owned())));
    publish(&providers, &Arc::new(Provider { marked: true, paused: true, ..Provider::clone(&first) }));
    assert_eq!(changes.try_recv(), Ok(Change::Other("x".to_owned())));
    publish(&providers, &Arc::new(Provider { paused: true, ..Provider::clone(&first) }));
    assert!(changes.try_recv().is_err(), "a mark that goes is nobody's business");
}

#[test]
fn what_a_task_says_after_its_provider_has_gone_or_is_another_ones_counts_no_more() {
    let providers = registry();
    let first = Arc::new(provider(&providers, "x", json!({})));
    let tenure = providers.begin("x");
    providers.publish(tenure, &first);
    providers.remove("x", &first.uid);
    providers.publish(tenure, &first);
    assert!(providers.get("x").is_none(), "gone is gone");

    let second = Arc::new(Provider { uid: "uid-of-another".to_owned(), marked: true, ..provider(&providers, "x", json!({})) });
    let file = providers.file(&second.uid);
    let second = Arc::new(Provider { file, ..Provider::clone(&second) });
    providers.publish(providers.begin("x"), &second);
    providers.publish(tenure, &first);
    providers.occupancy_complete();
    assert!(providers.unmark("x", &first.file), "nobody holds there");
    let found = providers.get("x").unwrap();
    assert_eq!((found.uid.as_str(), found.marked), ("uid-of-another", true));
}
