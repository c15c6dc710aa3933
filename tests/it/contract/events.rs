//! Every notification that the simulator sends agrees with the documents of the generation in which the session was ordered.

use std::time::Duration;

use qos_operator::qod::Generation;
use qos_operator::simulator::Selection;
use qos_operator::simulator::settings::Quirk;
use serde_json::json;

use super::divergence::Side;
use super::proxy::{Proxy, Requests};
use super::script::Script;
use super::specs::FORMS;
use super::tally::Summary;

const SECRET: &str = "n3mZ0q2Jr8vK5tYx1LwB7dPfHs4GcUaE";
/// How long, in real time, a notification may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `expected` have come, and a little for one too many.
async fn came(receiver: &Proxy, expected: usize, what: &str) {
    let begun = tokio::time::Instant::now();
    while receiver.tally().notifications < expected {
        assert!(begun.elapsed() < PATIENCE, "{what}: {} of {expected} notifications came", receiver.tally().notifications);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(receiver.tally().notifications, expected, "{what}: one too many");
}

/// What a generation tells of: AVAILABLE beside the 201, AVAILABLE after it, the end by time, by the network, by a deletion.
fn told(generation: Generation) -> [usize; 5] {
    match generation {
        Generation::V0_8 => [0, 0, 1, 1, 0],
        Generation::V0_9 => [0, 1, 1, 1, 0],
        _ => [1, 1, 1, 1, 1],
    }
}

#[tokio::test]
async fn every_notification_that_the_simulator_sends_agrees_with_its_generations_document() {
    let mut summary = Summary::new(Side::Events);
    for form in FORMS {
        let Some(script) = Script::start(form, Requests::MayDisagree).await else { return };
        let receiver = Proxy::receiver(script.contract.clone()).await;
        let [beside, after, expired, terminated, deleted] = told(form.generation);
        let callback = script.words.callback(&format!("{}/object/nonce", receiver.url()), SECRET);
        let order = || {
            let mut changes = callback.clone();
            changes["duration"] = json!(30);
            script.words.order(&script.phone(), &changes)
        };
        let mut expected = 0;
        // A receiver on this machine is not https, which later generations ask for.
        script.set(|settings| settings.quirks = [Quirk::HttpSinks].into()).await;
        let id = script.session_past_the_proxy(&order()).await;
        expected += beside;
        came(&receiver, expected, &format!("{form}: a session that is AVAILABLE at once")).await;
        assert_eq!(script.delete(&id).await, 204);
        expected += deleted;
        came(&receiver, expected, &format!("{form}: a deletion")).await;
        script.session_past_the_proxy(&order()).await;
        script.pass(40);
        expected += beside + expired;
        came(&receiver, expected, &format!("{form}: the end of the duration")).await;
        script
            .set(|settings| {
                settings.quirks = [Quirk::HttpSinks].into();
                settings.requested_delay_seconds = 2;
            })
            .await;
        script.session_past_the_proxy(&order()).await;
        script.pass(3);
        expected += after;
        came(&receiver, expected, &format!("{form}: a session that becomes AVAILABLE")).await;
        script.admin.terminate(&Selection::default());
        expected += terminated;
        came(&receiver, expected, &format!("{form}: a termination by the network")).await;
        summary.add(script.contract.clone(), receiver.tally());
    }
    summary.judge();
}
