//! The same life of sessions with every generation of the API: the differences are a row of a table each.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

use qos_operator::api::{Capability, QosSession, QosSessionStatus};
use qos_operator::simulator::Selection;
use qos_operator::simulator::device::{Device, Identifier};
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::Operation;
use qos_operator::simulator::tokens::Grant;
use serde_json::json;

use crate::support::stage::{Stage, TOKEN, condition};

fn status(object: &QosSession) -> QosSessionStatus {
    object.status.clone().unwrap_or_default()
}

/// What a generation has, as far as a life shows it.
#[expect(clippy::struct_excessive_bools, reason = "a row of a table")]
struct Row {
    generation: Generation,
    version: &'static str,
    /// `qosStatus` is there, so that REQUESTED can be seen.
    says_status: bool,
    extends: bool,
    lists: bool,
    /// A session that the network ended is kept, and blocks its flow until it is deleted.
    retains: bool,
}

const PHONES: [&str; 3] = ["+447700900112", "+447700900113", "+447700900114"];

async fn life(row: Row) {
    let mut stage = Stage::of_generation("gen", row.generation, row.version).await;
    stage.start().await;
    let spec = |phone: usize, more: serde_json::Value| {
        let mut spec = json!({ "device": { "phoneNumber": PHONES[phone] }, "durationSeconds": 3600 });
        spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        spec
    };

    // AVAILABLE at once, and what it costs: with a list and a sink the look-up at first sight too.
    stage.create("at-once", spec(0, json!({ "renewalPolicy": "Always" }))).await;
    let object = stage.available("at-once").await;
    let first = status(&object);
    assert_eq!(first.granted_duration_seconds, Some(3600));
    assert!(first.session_id.is_some() && first.expires_at.is_some(), "{first:?}");
    assert_eq!((stage.calls(Operation::Create), stage.calls(Operation::RetrieveSessions)), (1, u64::from(row.lists)));

    // REQUESTED first.
    stage.admin.change(|settings| settings.requested_delay_seconds = 20).await.unwrap();
    stage.create("requested", spec(1, json!({ "renewalPolicy": "Never", "durationSeconds": 120 }))).await;
    if row.says_status {
        stage.ready("requested", "False", "Requested").await;
        stage.let_pass(40, 5).await;
    }
    let object = stage.available("requested").await;
    assert!(status(&object).expires_at.is_some());
    stage.admin.change(|settings| settings.requested_delay_seconds = 0).await.unwrap();

    // Expiry.
    stage.let_pass(150, 10).await;
    let object = stage.ready("requested", "True", "Expired").await;
    assert_eq!((status(&object).session_id, status(&object).status_info.as_deref()), (None, Some("DURATION_EXPIRED")));

    // The network ends it: released, so that nothing is blocked, and created again.
    stage.admin.terminate(&Selection::default());
    stage.let_pass(320, 20).await;
    let again =
        stage.until("at-once", "created again", |o| status(o).session_id.is_some_and(|id| Some(id) != first.session_id)).await;
    stage.available("at-once").await;
    let deletes = stage.calls(Operation::Delete);
    assert_eq!(deletes > 0, row.retains, "{deletes} releases of what the network ended");

    // Renewal: by an extend, or by release and create where there is none.
    let before = status(&again).expires_at;
    stage.let_pass(3600, 60).await;
    let renewed = stage.until("at-once", "renewed", |o| {
        condition(o, "Ready") == ("True", "Available")
            && status(o).expires_at.as_ref().map(|at| at.0) > before.as_ref().map(|at| at.0)
    });
    renewed.await;
    assert_eq!(stage.calls(Operation::Extend) > 0, row.extends);

    // What the provider can do is said on it.
    let capabilities = stage.provider_status().await.capabilities;
    assert_eq!(capabilities.contains(&Capability::Extend), row.extends, "{capabilities:?}");
    assert_eq!(capabilities.contains(&Capability::List), row.lists, "{capabilities:?}");
    stage.finish().await;
}

macro_rules! lives {
    ($($name:ident: $generation:ident, $version:literal, $status:literal, $extends:literal, $lists:literal, $retains:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                life(Row {
                    generation: Generation::$generation,
                    version: $version,
                    says_status: $status,
                    extends: $extends,
                    lists: $lists,
                    retains: $retains,
                })
                .await;
            }
        )*
    };
}

lives! {
    // name: generation, version, says qosStatus, extends, lists, keeps what the network ended
    a_session_lives_with_v0_8: V0_8, "v0.8", false, false, false, false;
    a_session_lives_with_v0_9: V0_9, "v0.9", true, false, false, false;
    a_session_lives_with_v0_10: V0_10, "v0.10", true, true, false, true;
    a_session_lives_with_v0_11: V0_11, "v0.11", true, true, true, true;
    a_session_lives_with_v1_0: V1_0, "v1.0", true, true, true, true;
    a_session_lives_with_v1_1: V1_1, "v1.1", true, true, true, true;
    a_session_lives_with_v1_2: V1_2, "v1.2", true, true, true, true;
}

/// `deviceInRequest: Auto`: a static token may be one for a device, which only a refusal tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_the_provider_wants_the_device_is_learned_by_one_refusal_and_kept() {
    let mut stage = Stage::of_generation("learn", Generation::V1_1, "v1.1").await;
    stage.callback = None;
    let subject = Device::new([Identifier::phone(PHONES[0])]);
    stage.admin.accept_grant(TOKEN, Grant { subject: Some(subject), ..Grant::of("sandbox") });
    stage.start().await;
    stage.create("camera-12", json!({ "device": { "phoneNumber": PHONES[0] }, "durationSeconds": 600 })).await;
    stage.available("camera-12").await;
    assert_eq!(stage.calls(Operation::Create), 2, "refused with the device, then without it");
    let kept = async {
        while stage.provider_status().await.device_in_request.as_deref() != Some("Never") {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), kept).await.expect("status.deviceInRequest becomes Never");
    stage.stop().await;
    stage.start().await;
    stage.patch("camera-12", json!({ "spec": { "qosProfile": "QOS_S" } })).await;
    stage.available("camera-12").await;
    assert_eq!(stage.calls(Operation::Create), 3, "a restart does not forget it");
    stage.finish().await;
}
