//! Operations with scopes of their own.

use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::{SCOPE, basic, has_event, provider_ready};
use crate::support::stage::{condition, message};

const LIST: &str = "quality-on-demand:sessions:retrieve-by-device";
const PROFILES: &str = "qos-profiles:read";

fn without(scopes: &[&str]) -> String {
    SCOPE.split(' ').filter(|scope| !scopes.contains(scope)).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_with_a_scope_of_its_own_has_a_token_of_its_own() {
    let mut way = basic();
    way.scope = without(&[LIST, PROFILES]);
    way.operation_scopes = Some(json!({ "retrieveSessionsByDevice": LIST, "retrieveQoSProfiles": PROFILES }));
    let stage = way.started("scopes").await;
    stage.create("camera-12", json!({})).await;
    stage.available("camera-12").await;
    assert!(stage.calls(Operation::RetrieveSessions) >= 1 && stage.calls(Operation::RetrieveProfiles) >= 1);
    assert_eq!(stage.calls(Operation::Token), 3);
    let refused: Vec<_> = stage.admin.requests().into_iter().filter(|r| matches!(r.status, Some(401 | 403))).collect();
    assert_eq!(refused.len(), 0, "{refused:?}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_that_scope_the_session_says_that_it_lacks_and_an_edit_mends_it() {
    let mut way = basic();
    way.scope = without(&[LIST]);
    let stage = way.started("lacks").await;
    provider_ready(&stage, "True", "Verified").await;
    stage.create("camera-12", json!({})).await;
    let object = stage.ready("camera-12", "False", "CredentialsRejected").await;
    assert!(message(&object, "Ready").contains("(403 PERMISSION_DENIED)"), "{}", message(&object, "Ready"));
    assert_eq!(stage.calls(Operation::Create), 0);
    way.operation_scopes = Some(json!({ "retrieveSessionsByDevice": LIST }));
    way.apply_provider(&stage).await;
    stage.available("camera-12").await;
    stage.finish().await;
}

/// Row 26.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_is_not_permitted_stalls_the_session_with_the_code_and_an_event() {
    let mut way = basic();
    way.scope = without(&["quality-on-demand:sessions:create"]);
    let stage = way.started("create").await;
    stage.create("camera-12", json!({})).await;
    let object = stage.ready("camera-12", "False", "CredentialsRejected").await;
    assert_eq!(condition(&object, "Stalled"), ("True", "CredentialsRejected"));
    assert_eq!(condition(&object, "Available"), ("False", "CredentialsRejected"));
    assert!(message(&object, "Ready").contains("(403 PERMISSION_DENIED)"), "{}", message(&object, "Ready"));
    has_event(&stage, "camera-12", ("Warning", "CredentialsRejected", "Create")).await;
    stage.let_pass(500, 20).await;
    assert_eq!(stage.calls(Operation::Create), 1, "calm");
    SCOPE.clone_into(&mut way.scope);
    way.apply_provider(&stage).await;
    stage.available("camera-12").await;
    stage.finish().await;
}
