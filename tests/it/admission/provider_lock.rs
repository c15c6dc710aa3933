//! The rules that look at the status: while sessions live on a provider, its address and version stay.

use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use qos_operator::api::QosProvider;
use serde_json::{Value, json};

use crate::support::cluster;

#[tokio::test]
async fn address_and_version_are_locked_while_sessions_live_on_the_provider() {
    let providers: Api<QosProvider> = Api::all(cluster().await.client());
    let mut object: QosProvider = serde_json::from_value(super::provider(json!({}))).unwrap();
    object.metadata.name = Some("locked".to_owned());
    providers.create(&PostParams::default(), &object).await.unwrap();
    let version = json!({"spec": {"api": {"version": "v0.11"}}});
    let address = json!({"spec": {"api": {"baseURL": "https://qod.example.org/qod/v0"}}});
    let other = json!({"spec": {"limits": {"maxInFlight": 4}}, "metadata": {"annotations": {"note": "a"}}});

    // Nobody has looked at it yet.
    change(&providers, &version).await.unwrap();
    for (sessions, locked) in [(json!(1), true), (json!(200), true), (json!(0), false), (json!(null), false)] {
        let status = json!({ "status": { "sessions": sessions } });
        providers.patch_status("locked", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
        change(&providers, &other).await.unwrap();
        for (changes, field) in [(&version, "version"), (&address, "baseURL")] {
            let mut back = changes.clone();
            back["spec"]["api"][field] = json!(if field == "version" { "v1.0" } else { "https://qod.example.net/qod/v0" });
            let answer = change(&providers, &back).await;
            assert_eq!(answer.is_err(), locked, "{field} with {sessions} sessions: {answer:?}");
            let Err(refusal) = answer else { continue };
            let [cause] = refusal.details.as_ref().unwrap().causes.as_slice() else { panic!("{refusal}") };
            assert_eq!(cause.field, format!("spec.api.{field}"));
            assert_eq!(cause.reason, "FieldValueForbidden");
            assert_eq!(
                cause.message,
                format!(
                    "Forbidden: {field} cannot change while sessions live on this provider: make a second QosProvider and point \
                     the sessions' providerRef at it"
                )
            );
        }
    }
    providers.delete("locked", &DeleteParams::default()).await.unwrap();
}

async fn change(providers: &Api<QosProvider>, changes: &Value) -> Result<QosProvider, Box<kube::core::Status>> {
    match providers.patch("locked", &PatchParams::default(), &Patch::Merge(changes)).await {
        Ok(provider) => Ok(provider),
        Err(kube::Error::Api(status)) => Err(status),
        Err(other) => panic!("the API server does not answer: {other}"),
    }
}
