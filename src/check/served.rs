//! What the API server serves, asked for in time.

use std::time::Duration;

use kube::Client;
use serde_json::Value;

use super::schema::{Comparison, compare};
use crate::api::{GROUP, VERSION};
use crate::crds;
use crate::session::context::{ApiError, limited};

/// How long the start waits for definitions that are missing or old: they may be on their way beside it.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);
/// How long a served definition may take until the API server describes it.
const PUBLICATION: Duration = Duration::from_secs(20);

/// What to do about it.
pub(super) const REMEDY: &str = "apply those of this release: with the chart (crds.enabled), or qos-operator crds | kubectl apply \
                                 --server-side -f -";

/// The operator cannot run with what is served.
#[derive(Debug, thiserror::Error)]
pub enum NotServed {
    /// There is none.
    #[error("the API server does not serve {0} in {GROUP}/{VERSION}: the CustomResourceDefinitions are missing; {REMEDY}")]
    Missing(&'static str),
    /// It is of an earlier release.
    #[error(
        "the CustomResourceDefinition of {0} is older than this operator, which would lose what it writes: it lacks {1}; {REMEDY}"
    )]
    Older(&'static str, String),
    /// It cannot be asked.
    #[error("the API server does not say what it serves")]
    Unanswered(#[source] ApiError),
    /// The types of this binary cannot be written as definitions.
    #[error(transparent)]
    Ours(#[from] crds::Error),
}

/// Both kinds and how what is served of them compares with what this binary has.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn comparisons(client: &Client) -> Result<Vec<(&'static str, Comparison)>, NotServed> {
    let ours = crds::schemas()?;
    let waits_until = tokio::time::Instant::now() + PUBLICATION;
    loop {
        let served = document(client).await.map_err(NotServed::Unanswered)?;
        let compared: Vec<_> = ours.iter().map(|(kind, ours)| (*kind, compare(schema(&served, kind), ours))).collect();
        let not_there = compared.iter().any(|(_, comparison)| *comparison == Comparison::NotServed);
        // A definition that is new is served a little before it is described.
        let comes = not_there && missing_kinds(client).await.is_some_and(|missing| missing.is_empty());
        if !comes || tokio::time::Instant::now() >= waits_until {
            return Ok(compared);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Which of our kinds the API server does not serve; none: it did not answer.
pub(crate) async fn missing_kinds(client: &Client) -> Option<Vec<&'static str>> {
    let request = axum::http::Request::get(format!("/apis/{GROUP}/{VERSION}")).body(Vec::new()).ok()?;
    let found = match client.request::<Value>(request).await {
        Ok(found) => found,
        Err(kube::Error::Api(status)) if status.code == 404 => Value::Null,
        Err(_) => return None,
    };
    let kinds: Vec<&str> =
        found["resources"].as_array().into_iter().flatten().filter_map(|found| found["kind"].as_str()).collect();
    Some(["QosProvider", "QosSession"].into_iter().filter(|kind| !kinds.contains(kind)).collect())
}

/// Returns once what is served will do, or says what is wrong when that does not come in time.
///
/// # Errors
/// When kinds are missing or lack fields, or the API server does not answer.
pub async fn at_start(client: &Client) -> Result<(), NotServed> {
    let waits_until = tokio::time::Instant::now() + PATIENCE;
    loop {
        match verdict(client).await {
            Ok(()) => return Ok(()),
            Err(error) if tokio::time::Instant::now() >= waits_until => return Err(error),
            Err(error) => tracing::warn!(%error, "the operator does not start yet"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn verdict(client: &Client) -> Result<(), NotServed> {
    for (kind, comparison) in comparisons(client).await? {
        match comparison {
            Comparison::Equal => {}
            Comparison::Newer => tracing::info!(kind, "the CustomResourceDefinition is of a later release"),
            Comparison::OtherRules(lack) => {
                tracing::warn!(kind, %lack, "the CustomResourceDefinition has other rules than this release: {REMEDY}");
            }
            Comparison::Older(lack) => return Err(NotServed::Older(kind, lack.to_string())),
            Comparison::NotServed => return Err(NotServed::Missing(kind)),
        }
    }
    Ok(())
}

/// The OpenAPI document of our group, which everybody who is known may read; null where the group is not served.
async fn document(client: &Client) -> Result<Value, ApiError> {
    let path = format!("/openapi/v3/apis/{GROUP}/{VERSION}");
    let request = axum::http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError);
    let asked = async { client.request::<Value>(request?).await };
    match limited(asked).await {
        Err(ApiError::Kube(error)) if matches!(&*error, kube::Error::Api(status) if status.code == 404) => Ok(Value::Null),
        answer => answer,
    }
}

/// The schema of `kind` in that document.
fn schema<'a>(document: &'a Value, kind: &str) -> Option<&'a Value> {
    let schemas = document["components"]["schemas"].as_object()?;
    schemas.values().find(|schema| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        kinds.is_some_and(|kinds| {
            kinds.iter().any(|found| found["group"] == GROUP && found["version"] == VERSION && found["kind"] == kind)
        })
    })
}
