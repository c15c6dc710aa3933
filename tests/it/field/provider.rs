//! What the provider does, and what the operator makes of it.

use std::time::Duration;

use qos_operator::simulator::Selection;
use qos_operator::simulator::faults::{Effect, Fault, Target, What};
use qos_operator::simulator::settings::{Extend, Operation, Outage, Profile, ProfileBodies, ProfileStatus};
use serde_json::json;

use super::status;
use crate::support::stage::{Stage, TOKEN, condition, message};

/// A fault for each call that it meets.
fn always(operation: Target, what: What) -> Fault {
    Fault { times: None, ..Fault::once(operation, what) }
}

fn gateway_404() -> What {
    What::Status {
        status: 404,
        code: None,
        body: Some(json!({ "code": 60, "message": "Resource not found" })),
        headers: std::collections::BTreeMap::new(),
        effect: Effect::default(),
    }
}

/// 2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_with_a_session_from_elsewhere_is_waited_out_with_growing_pauses() {
    let stage = Stage::new("foreign").await;
    stage.admin.add_fault(always(Target::Create, Fault::status(409, "CONFLICT"))).unwrap();
    stage.create("camera-12", json!({})).await;
    let object = stage.ready("camera-12", "False", "DeviceBusy").await;
    assert!(message(&object, "Ready").contains("no QosSession of this cluster holds it"), "{}", message(&object, "Ready"));
    assert_eq!(condition(&object, "Reconciling").0, "True");
    stage.let_pass(600, 5).await;
    let tries = stage.calls(Operation::Create);
    assert!((2..=9).contains(&tries), "at most 8 tries in ten minutes, and the first: {tries}");
    assert_eq!(stage.calls(Operation::Delete), 0);
    stage.admin.clear_faults();
    stage.let_pass(720, 30).await;
    stage.available("camera-12").await;
    stage.finish().await;
}

/// 2. The provider is no longer marked as in use once the conflict is known; that it is marked again is no reason to try early.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_during_the_pause_after_a_conflict_does_not_end_it() {
    let stage = Stage::new("calm").await;
    stage.admin.add_fault(always(Target::Create, Fault::status(409, "CONFLICT"))).unwrap();
    stage.create("camera-12", json!({})).await;
    stage.ready("camera-12", "False", "DeviceBusy").await;
    stage.let_pass(120, 5).await;
    let tries = stage.calls(Operation::Create);
    assert!(tries > 1);
    for look in 0..5 {
        stage.patch("camera-12", json!({ "metadata": { "labels": { "look": look.to_string() } } })).await;
        stage.quiet().await;
    }
    // The pause is 80 s by now: at most one of its ends fell into the looks.
    let more = stage.calls(Operation::Create) - tries;
    assert!(more <= 1, "{more} tries during the pause");
    stage.admin.clear_faults();
    stage.finish().await;
}

/// 3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_terminated_near_its_end_buys_no_more_than_what_is_left() {
    let stage = Stage::bare("nearend").await;
    let profile = Profile {
        name: "QOS_E".to_owned(),
        status: ProfileStatus::Active,
        min_duration_seconds: Some(30),
        max_duration_seconds: Some(86_400),
    };
    stage
        .admin
        .change(|settings| {
            settings.profiles = vec![profile];
            settings.profile_bodies = ProfileBodies::Objects;
        })
        .await
        .unwrap();
    let mut stage = stage;
    stage.secret(TOKEN).await;
    stage.provider(json!({ "polling": { "availablePeriodSeconds": 10 } })).await;
    stage.start().await;
    stage.create("once", json!({ "durationSeconds": 40 })).await;
    stage
        .create(
            "always",
            json!({ "durationSeconds": 40, "renewalPolicy": "Always", "device": { "phoneNumber": "+447700900113" } }),
        )
        .await;
    stage.available("once").await;
    let first = status(&stage.available("always").await).session_id;
    stage.pass(20).await;
    stage.admin.terminate(&Selection::default());
    stage.let_pass(12, 3).await;
    let object = stage.ready("once", "True", "Expired").await;
    assert_eq!(status(&object).session_id, None);
    let again = stage.until("always", "served again", |o| status(o).session_id.is_some_and(|id| Some(id) != first)).await;
    assert_eq!(status(&again).granted_duration_seconds, Some(40));
    assert_eq!(stage.calls(Operation::Create), 3, "once each, and once more for the standing one");
    stage.finish().await;
}

/// 4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_told_as_granted_and_an_extend_without_gain_is_not_repeated() {
    let stage = Stage::new("grant").await;
    stage
        .admin
        .change(|settings| {
            settings.granted_seconds = Some(1200);
            settings.extend = Extend::NoGain;
        })
        .await
        .unwrap();
    stage.create("camera-12", json!({ "durationSeconds": 7200 })).await;
    let object = stage.available("camera-12").await;
    assert_eq!(status(&object).granted_duration_seconds, Some(1200));
    let first = status(&object).session_id;
    stage.let_pass(1000, 50).await;
    assert_eq!(stage.calls(Operation::Extend), 1, "one extend");
    assert_eq!(stage.calls(Operation::Create), 1);
    stage.let_pass(220, 10).await;
    stage.until("camera-12", "created again", |o| status(o).session_id.is_some_and(|id| Some(id) != first)).await;
    assert_eq!(stage.calls(Operation::Extend), 1, "not again for that session");
    let events = stage.events("camera-12").await;
    assert!(events.iter().any(|event| event.1 == "RenewedWithGap" && event.2.contains(" s")), "{events:?}");
    stage.finish().await;
}

/// 7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_stays_requested_is_visible_cheap_and_not_bought_twice() {
    let stage = Stage::new("stuck").await;
    stage.admin.change(|settings| settings.requested_delay_seconds = 100_000).await.unwrap();
    stage.create("camera-12", json!({})).await;
    stage.ready("camera-12", "False", "Requested").await;
    stage.let_pass(1800, 10).await;
    let object = stage.ready("camera-12", "False", "Requested").await;
    assert!(message(&object, "Ready").contains("since 20"), "{}", message(&object, "Ready"));
    assert_eq!(stage.calls(Operation::Create), 1);
    let polls = stage.calls(Operation::Get);
    assert!(polls < 60, "the poll slows down: {polls} in 30 min");
    let late = stage.events("camera-12").await.into_iter().filter(|event| event.1 == "Requested").count();
    assert_eq!(late, 1, "one Warning");
    stage.finish().await;
}

/// 11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateways_404_is_not_gone_and_camaras_own_is() {
    let mut stage = Stage::bare("gateway").await;
    stage.secret(TOKEN).await;
    stage.provider(json!({ "polling": { "availablePeriodSeconds": 10 } })).await;
    stage.start().await;
    stage.create("camera-12", json!({})).await;
    let first = status(&stage.available("camera-12").await).session_id;
    stage.admin.add_fault(always(Target::Get, gateway_404())).unwrap();
    stage.admin.add_fault(always(Target::Delete, gateway_404())).unwrap();
    stage.let_pass(120, 6).await;
    let object = stage.get("camera-12").await.unwrap();
    assert_eq!(status(&object).session_id, first);
    assert_eq!(stage.calls(Operation::Create), 1, "no second POST");
    stage.delete("camera-12").await;
    let object = stage.ready("camera-12", "False", "ReleaseBlocked").await;
    assert!(!object.metadata.finalizers.unwrap_or_default().is_empty());
    stage.admin.clear_faults();
    stage.let_pass(720, 30).await;
    stage.gone("camera-12").await;
    stage.create("camera-13", json!({})).await;
    let second = status(&stage.available("camera-13").await).session_id;
    stage.admin.vanish(&Selection::default());
    stage.let_pass(24, 6).await;
    stage.until("camera-13", "bought again", |o| status(o).session_id.is_some_and(|id| Some(id) != second)).await;
    let events = stage.events("camera-13").await;
    assert!(events.iter().any(|event| event.1 == "Vanished"), "{events:?}");
    stage.finish().await;
}

/// 12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_connection_breaks_is_never_sent_again_by_itself() {
    for (effect, landed) in [(What::DropBefore, false), (What::DropAfter, true)] {
        let stage = Stage::new("broken").await;
        stage.admin.add_fault(Fault::once(Target::Create, effect)).unwrap();
        stage.create("camera-12", json!({ "durationSeconds": 600 })).await;
        let object = stage.ready("camera-12", "Unknown", "OutcomeUnknown").await;
        assert_eq!(condition(&object, "Available").0, "Unknown");
        stage.quiet().await;
        assert_eq!(stage.calls(Operation::Create), 1, "no layer sends it again");
        // After the settling time one more send finds out, where the provider refuses overlaps.
        stage.pass(140).await;
        if landed {
            let object = stage.ready("camera-12", "False", "DeviceBusy").await;
            assert!(
                message(&object, "Ready").contains("whose answer was lost may hold this device until"),
                "{}",
                message(&object, "Ready")
            );
            stage.pass_until(1800, 20, "camera-12", |object| condition(object, "Ready") == ("True", "Available")).await;
        } else {
            stage.available("camera-12").await;
            assert_eq!(stage.calls(Operation::Create), 2);
        }
        assert_eq!(stage.admin.ledger().doubled, 0);
        stage.delete("camera-12").await;
        stage.gone("camera-12").await;
        let ledger = stage.admin.ledger_at_end();
        assert_eq!([ledger.live, ledger.doubled], [0, 0], "{ledger}");
        stage.stop_without_ledger().await;
    }
}

/// 14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_closes_the_provider_and_a_new_secret_opens_it() {
    let stage = Stage::new("token").await;
    stage.create("camera-12", json!({})).await;
    let first = status(&stage.available("camera-12").await).session_id;
    stage.admin.revoke_all_tokens();
    stage.let_pass(660, 60).await;
    let object = stage.get("camera-12").await.unwrap();
    assert_eq!(status(&object).session_id, first, "a 401 never means gone");
    stage.create("camera-13", json!({ "device": { "phoneNumber": "+447700900113" } })).await;
    let object = stage.ready("camera-13", "False", "ProviderNotReady").await;
    assert!(message(&object, "Ready").contains("CredentialsRejected"), "{}", message(&object, "Ready"));
    stage.admin.accept_token("another-token", "client");
    let creates = stage.calls(Operation::Create);
    stage.secret("another-token").await;
    stage.available("camera-13").await;
    assert_eq!(stage.calls(Operation::Create), creates + 1);
    stage.stop_without_ledger().await;
}

/// 17, and the bound of a release that stays blocked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_release_is_calm_says_until_when_and_ends_at_its_bound() {
    let stage = Stage::new("blocked").await;
    stage.create("camera-12", json!({ "durationSeconds": 3600 })).await;
    let expires = status(&stage.available("camera-12").await).expires_at.unwrap();
    stage.admin.change(|settings| settings.outage = Outage::Refused).await.unwrap();
    stage.delete("camera-12").await;
    let object = stage.ready("camera-12", "False", "ReleaseBlocked").await;
    let until = qos_operator::clock::later(expires.0, stage.margins.clock_skew);
    assert!(message(&object, "Ready").contains(&format!("at {until} nothing can be left")), "{}", message(&object, "Ready"));
    stage.let_pass(600, 10).await;
    assert!(stage.get("camera-12").await.is_some());
    let blocked = stage.events("camera-12").await.into_iter().filter(|event| event.1 == "ReleaseBlocked").count();
    assert_eq!(blocked, 1, "one Event");
    stage.let_pass(3200, 200).await;
    stage.gone("camera-12").await;
    let events = stage.events("camera-12").await;
    assert!(events.iter().any(|event| event.1 == "ReleaseAbandoned"), "{events:?}");
    stage.stop_without_ledger().await;
}

/// 17: gone again when the provider answers again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_release_is_done_when_the_provider_answers_again() {
    let stage = Stage::new("answers").await;
    stage.create("camera-12", json!({ "durationSeconds": 3600 })).await;
    stage.available("camera-12").await;
    stage.admin.change(|settings| settings.outage = Outage::Unavailable).await.unwrap();
    stage.delete("camera-12").await;
    stage.ready("camera-12", "False", "ReleaseBlocked").await;
    stage.let_pass(600, 10).await;
    let tries = stage.calls(Operation::Delete);
    assert!((2..=11).contains(&tries), "at most 10 tries in ten minutes, and the first: {tries}");
    stage.admin.change(|settings| settings.outage = Outage::None).await.unwrap();
    stage.let_pass(720, 30).await;
    stage.gone("camera-12").await;
    assert_eq!(stage.admin.ledger().released, 1);
    stage.finish().await;
}

/// 18.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_needs_may_come_later_and_in_any_order() {
    let mut stage = Stage::bare("order").await;
    stage.start().await;
    stage.create("camera-12", json!({})).await;
    stage.create("camera-13", json!({ "device": { "phoneNumber": "+447700900113" } })).await;
    let object = stage.ready("camera-12", "False", "ProviderNotFound").await;
    assert_eq!(condition(&object, "Reconciling").0, "True");
    stage.delete("camera-13").await;
    stage.gone("camera-13").await;
    stage.provider(json!({})).await;
    stage.ready("camera-12", "False", "ProviderNotReady").await;
    stage.secret(TOKEN).await;
    stage.available("camera-12").await;
    assert_eq!(stage.calls(Operation::Create), 1);
    stage.finish().await;
}

/// 19.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_that_failed_and_then_finds_nothing_is_done() {
    let stage = Stage::new("delete").await;
    stage.create("camera-12", json!({})).await;
    stage.available("camera-12").await;
    let failed = What::Status {
        status: 500,
        code: Some("INTERNAL".to_owned()),
        body: None,
        headers: std::collections::BTreeMap::new(),
        effect: Effect::Before,
    };
    stage.admin.add_fault(Fault::once(Target::Delete, failed)).unwrap();
    stage.delete("camera-12").await;
    stage.let_pass(12, 3).await;
    stage.gone("camera-12").await;
    assert_eq!(stage.calls(Operation::Delete), 2);
    stage.finish().await;
}

/// 20.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_made_again_under_its_name_gets_its_own_session_after_the_old_one_is_released() {
    let stage = Stage::new("again").await;
    for round in 1..=5_u64 {
        stage.create("camera-12", json!({})).await;
        stage.available("camera-12").await;
        stage.delete("camera-12").await;
        stage.gone("camera-12").await;
        assert_eq!([stage.calls(Operation::Create), stage.calls(Operation::Delete)], [round, round]);
    }
    assert!(!stage.admin.request_counts()[&Operation::Create].contains_key("409"));
    stage.finish().await;
}

/// 21, for the stage's own length: create, delete and restart at any moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_number_of_restarts_every_object_reaches_its_end_state() {
    let mut stage = Stage::new("restarts").await;
    for round in 0..6 {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        stage.create(&a, json!({ "device": { "phoneNumber": format!("+4477009001{round:02}") } })).await;
        stage.create(&b, json!({ "device": { "phoneNumber": format!("+4477009002{round:02}") } })).await;
        tokio::time::sleep(Duration::from_millis(60 * round)).await;
        stage.stop().await;
        stage.delete(&a).await;
        stage.start().await;
    }
    for round in 0..6 {
        stage.gone(&format!("a{round}")).await;
        stage.available(&format!("b{round}")).await;
    }
    let ledger = stage.admin.ledger();
    assert_eq!((ledger.live, ledger.doubled), (6, 0), "{ledger}");
    stage.finish().await;
}
