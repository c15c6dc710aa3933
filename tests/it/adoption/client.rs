//! Credentials that change to those of another client (field case 15): the API shows a session to the client that made it and to
//! no other (CAMARA API Design Guide, section 6.7), so what it answers to another says nothing about the session.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use qos_operator::api::QosSession;
use qos_operator::clock::later;
use qos_operator::simulator::faults::{Fault, Target};
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::oauth::settings::Client;
use qos_operator::simulator::settings::Operation;
use qos_operator::simulator::tokens::Grant;
use serde_json::{Value, json};

use super::{Elsewhere, NAME, called, id, living, lose_answer, status, told};
use crate::support::stage::{Stage, condition, message};

in_generations! {
    another_clients_403_is_not_gone_and_nothing_is_made_before_the_session_can_block_no_more,
    another_clients_404_is_not_gone_and_nothing_is_made_before_the_session_can_block_no_more,
    a_deletion_waits_for_the_old_credentials_and_is_done_when_they_are_back,
    a_deletion_waits_for_the_old_credentials_also_where_the_other_client_is_told_404,
    an_orphan_goes_although_another_client_made_its_session,
    an_empty_list_for_another_client_does_not_settle_an_open_attempt,
}

const FIRST: &str = "client-a";
const SECOND: &str = "client-b";
/// A token of the first client that the test uses itself.
const OWN_TOKEN: &str = "a-token-of-client-a";

/// The scopes of the operations that are used, as the documents of 0.11 and 1.1 name them (`security` of each operation).
const SCOPES: &str = "quality-on-demand:sessions:create quality-on-demand:sessions:read quality-on-demand:sessions:delete \
                      quality-on-demand:sessions:update quality-on-demand:sessions:retrieve-by-device qos-profiles:read";

/// The Secret has the credentials of this client from now on.
async fn log_in_as(stage: &Stage, client: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "provider-client", "namespace": stage.namespace },
        "stringData": { "client-id": client, "client-secret": format!("secret-of-{client}") },
    });
    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), &stage.namespace);
    secrets.patch("provider-client", &PatchParams::apply("test").force(), &Patch::Apply(secret)).await.unwrap();
}

/// A provider with two clients; the operator logs in as the first.
async fn with_two_clients(prefix: &str, generation: Generation, version: &str) -> Stage {
    let mut stage = Stage::of_generation(prefix, generation, version).await;
    let clients = [FIRST, SECOND].map(|id| Client { secret: Some(format!("secret-of-{id}").into()), ..Client::new(id) });
    stage.admin.change(|settings| settings.oauth.clients = clients.to_vec()).await.unwrap();
    stage.admin.accept_grant(OWN_TOKEN, Grant::of(FIRST));
    log_in_as(&stage, FIRST).await;
    let simulator = stage.simulator();
    let spec = json!({
        "api": { "version": version, "baseURL": simulator.url_of(generation), "profilesURL": simulator.profiles_url_of(generation) },
        "auth": { "staticToken": null, "clientCredentials": {
            "tokenURL": format!("{}/token", simulator.oauth_url()),
            "scope": SCOPES,
            "clientSecretRef": { "name": "provider-client" },
        } },
        "polling": { "availablePeriodSeconds": 10 },
    });
    stage.provider(spec).await;
    stage.start().await;
    stage
}

/// The session of [`NAME`] is AVAILABLE, made by the first client, and the operator has the credentials of the second.
async fn rotated(prefix: &str, generation: Generation, version: &str, spec: Value) -> (Stage, QosSession) {
    let stage = with_two_clients(prefix, generation, version).await;
    stage.create(NAME, spec).await;
    let object = stage.available(NAME).await;
    assert_eq!(stage.admin.sessions()[0].order.client, FIRST);
    log_in_as(&stage, SECOND).await;
    (stage, object)
}

/// When the second create came.
fn second_create(stage: &Stage) -> Timestamp {
    let requests = stage.admin.requests();
    let second = requests.iter().filter(|request| request.operation == Operation::Create).nth(1);
    second.expect("a second create").time.parse().unwrap()
}

async fn another_clients_403_is_not_gone_and_nothing_is_made_before_the_session_can_block_no_more(
    generation: Generation,
    version: &'static str,
) {
    not_gone(generation, version, 403).await;
}

async fn another_clients_404_is_not_gone_and_nothing_is_made_before_the_session_can_block_no_more(
    generation: Generation,
    version: &'static str,
) {
    not_gone(generation, version, 404).await;
}

async fn not_gone(generation: Generation, version: &str, foreign: u16) {
    let (stage, object) =
        rotated("rotated", generation, version, json!({ "durationSeconds": 600, "renewalPolicy": "Always" })).await;
    stage.admin.change(|settings| settings.foreign_session_status = foreign).await.unwrap();
    let (first, expires) = (id(&object), status(&object).expires_at.unwrap().0);
    stage.let_pass(60, 5).await;
    let object = stage.ready(NAME, "True", "CredentialsRejected").await;
    assert_eq!(
        (condition(&object, "Available"), condition(&object, "Stalled")),
        (("True", "Available"), ("True", "CredentialsRejected"))
    );
    let bound = later(expires, stage.margins.clock_skew);
    let told_so = format!("another client made this session: its credentials are needed to renew or release it before {bound}");
    assert_eq!((message(&object, "Ready"), id(&object)), (told_so.as_str(), first.clone()));

    // Near its end it is neither extended nor released; after its end it is kept in mind until it can block nothing.
    stage.let_pass(700, 10).await;
    let object = stage.ready(NAME, "False", "CredentialsRejected").await;
    assert_eq!((id(&object), message(&object, "Ready")), (first.clone(), told_so.as_str()));
    assert_eq!(condition(&object, "Stalled").0, "True");
    assert_eq!(stage.calls(Operation::Create), 1);
    stage.pass_until(600, 10, NAME, |object| condition(object, "Ready") == ("True", "Available")).await;
    let clear = later(bound, stage.margins.retention);
    assert!(second_create(&stage) >= clear, "{} is before {clear}", second_create(&stage));
    assert_ne!(id(&stage.available(NAME).await), first);
    assert_eq!(stage.calls(Operation::Create), 2);
    assert_eq!(told(&stage, ["CredentialsRejected", "Vanished"]).await, [1, 0]);
    // Only the client that made it can ask for it; then nobody has lost sight of it.
    let status = Elsewhere::new(&stage, generation, OWN_TOKEN).get(&first.unwrap()).await;
    assert_eq!(status, 404);
    stage.finish().await;
}

async fn a_deletion_waits_for_the_old_credentials_and_is_done_when_they_are_back(generation: Generation, version: &'static str) {
    blocked(generation, version, 403).await;
}

async fn a_deletion_waits_for_the_old_credentials_also_where_the_other_client_is_told_404(
    generation: Generation,
    version: &'static str,
) {
    blocked(generation, version, 404).await;
}

async fn blocked(generation: Generation, version: &str, foreign: u16) {
    let (stage, object) = rotated("rotdel", generation, version, json!({ "durationSeconds": 3600 })).await;
    stage.admin.change(|settings| settings.foreign_session_status = foreign).await.unwrap();
    stage.let_pass(30, 5).await;
    stage.ready(NAME, "True", "CredentialsRejected").await;
    stage.delete(NAME).await;
    let waiting = stage.ready(NAME, "False", "ReleaseBlocked").await;
    let bound = later(status(&object).expires_at.unwrap().0, stage.margins.clock_skew);
    let told_so = format!(
        "another client made this session, and its credentials are needed to release it; at {bound} nothing can be left to release \
         and the object goes"
    );
    assert_eq!(message(&waiting, "Ready"), told_so);
    stage.let_pass(300, 10).await;
    let waiting = stage.ready(NAME, "False", "ReleaseBlocked").await;
    assert_eq!((id(&waiting), living(&stage).len()), (id(&object), 1));
    assert_eq!(message(&waiting, "Ready"), told_so);
    assert_eq!(told(&stage, ["ReleaseBlocked"]).await, [1]);
    let tries = stage.calls(Operation::Delete);
    assert!((2..=8).contains(&tries), "{tries} tries in five minutes");
    log_in_as(&stage, FIRST).await;
    stage.gone(NAME).await;
    assert_eq!((stage.admin.ledger().released, stage.calls(Operation::Create)), (1, 1));
    stage.finish().await;
}

async fn an_orphan_goes_although_another_client_made_its_session(generation: Generation, version: &'static str) {
    let (stage, object) = rotated("rotorphan", generation, version, json!({ "deletionPolicy": "Orphan" })).await;
    stage.let_pass(30, 5).await;
    stage.ready(NAME, "True", "CredentialsRejected").await;
    stage.delete(NAME).await;
    stage.gone(NAME).await;
    assert_eq!((stage.calls(Operation::Delete), living(&stage).len()), (0, 1));
    // The Event comes after the object has gone.
    stage.quiet().await;
    assert_eq!(told(&stage, ["Orphaned"]).await, [1]);
    assert_eq!(Elsewhere::new(&stage, generation, OWN_TOKEN).delete(&id(&object).unwrap()).await, 204);
    stage.finish().await;
}

async fn an_empty_list_for_another_client_does_not_settle_an_open_attempt(generation: Generation, version: &'static str) {
    let stage = with_two_clients("rotopen", generation, version).await;
    let unreadable = Fault { skip: 1, ..Fault::new(Target::RetrieveSessions, Fault::status(503, "UNAVAILABLE")) };
    stage.admin.add_fault(unreadable).unwrap();
    lose_answer(&stage);
    stage.create(NAME, json!({})).await;
    stage.ready(NAME, "Unknown", "OutcomeUnknown").await;
    called(&stage, Operation::RetrieveSessions, 2).await;
    log_in_as(&stage, SECOND).await;
    stage.quiet().await;
    stage.admin.clear_faults();
    let lists = stage.calls(Operation::RetrieveSessions);
    stage.let_pass(600, 20).await;
    let object = stage.ready(NAME, "Unknown", "OutcomeUnknown").await;
    assert_eq!((id(&object), stage.calls(Operation::Create)), (None, 1));
    let answered = stage.admin.request_counts()[&Operation::RetrieveSessions].get("200").copied().unwrap_or(0);
    assert!(
        stage.calls(Operation::RetrieveSessions) > lists && answered > 1,
        "the second client's lists are read, and are empty"
    );
    log_in_as(&stage, FIRST).await;
    let object = stage.available(NAME).await;
    assert_eq!(id(&object), Some(stage.admin.sessions()[0].id.to_string()));
    assert_eq!((stage.calls(Operation::Create), told(&stage, ["Adopted"]).await), (1, [1]));
    stage.finish().await;
}
