//! What is asked of the API server, counted where every request passes, whoever makes it. Health learns here whether watches come
//! about: kube's watcher says nothing when one that failed is there again.

use std::fmt::Write as _;

use axum::http::{Method, Request, Uri};
use kube::client::Body;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use url::form_urlencoded;

use crate::vitals::Vitals;

/// Upper bounds in seconds, up to the time after which a call is given up.
const BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0];

/// Resources with a label of their own; others are `other`, so that the label is bounded whatever is asked.
const RESOURCES: [&str; 15] = [
    "configmaps",
    "customresourcedefinitions",
    "endpoints",
    "endpointslices",
    "events",
    "ingresses",
    "leases",
    "namespaces",
    "nodes",
    "pods",
    "qosproviders",
    "qossessions",
    "secrets",
    "selfsubjectaccessreviews",
    "services",
];

/// What a request asks for, in the words of RBAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    verb: &'static str,
    resource: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    verb: &'static str,
    resource: String,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lasted {
    verb: &'static str,
}

type Durations = Family<Lasted, Histogram, fn() -> Histogram>;

#[derive(Clone, Debug)]
pub(super) struct Requests {
    answered: Family<Answered, Counter>,
    lasted: Durations,
}

impl Default for Requests {
    fn default() -> Self {
        Self { answered: Family::default(), lasted: Durations::new_with_constructor(|| Histogram::new(BUCKETS)) }
    }
}

impl Requests {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "api_server_requests",
            "Requests to the API server, by RBAC verb, resource and HTTP status; code error: no answer",
            self.answered.clone(),
        );
        registry.register(
            "api_server_request_duration_seconds",
            "Time until the API server began to answer, by RBAC verb, watches aside",
            self.lasted.clone(),
        );
    }

    fn count(&self, asked: &Asked, code: Option<u16>, seconds: f64) {
        let code = code.map_or_else(|| "error".to_owned(), |code| code.to_string());
        self.answered.get_or_create(&Answered { verb: asked.verb, resource: asked.resource.clone(), code }).inc();
        if asked.verb != "watch" {
            self.lasted.get_or_create(&Lasted { verb: asked.verb }).observe(seconds.max(0.0));
        }
    }
}

/// The same client, with what it asks counted. The health of `vitals` learns of its watches.
pub fn counted(client: kube::Client, vitals: &Vitals) -> kube::Client {
    let (namespace, vitals) = (client.default_namespace().to_owned(), vitals.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, vitals) = (client.clone(), vitals.clone());
        async move {
            let asked = Asked::of(request.method(), request.uri());
            let path = request.uri().path().to_owned();
            let began = vitals.clock.now();
            let answer = client.send(request).await;
            let code = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            vitals.metrics.0.api_server.count(&asked, code, vitals.clock.now().duration_since(began).as_secs_f64());
            let well = code.is_some_and(|code| (200..300).contains(&code));
            match asked.verb {
                "watch" => vitals.health.watched(&asked.resource, &path, well),
                "list" => vitals.health.listed_for_watch(&path, well),
                _ => {}
            }
            answer
        }
    });
    kube::Client::new(service, namespace)
}

impl Asked {
    fn of(method: &Method, uri: &Uri) -> Self {
        let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
        // /api/VERSION/... or /apis/GROUP/VERSION/...
        let rest = match parts.as_slice() {
            ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
            _ => &[],
        };
        let rest = match rest {
            ["namespaces", _, resource @ ..] if !resource.is_empty() => resource,
            rest => rest,
        };
        let Some((resource, name)) = rest.split_first() else {
            return Self { verb: verb(method, uri, true), resource: "other".to_owned() };
        };
        let mut label = if RESOURCES.contains(resource) { (*resource).to_owned() } else { "other".to_owned() };
        if name.get(1) == Some(&"status") {
            let _ = write!(label, "/status");
        }
        Self { verb: verb(method, uri, !name.is_empty()), resource: label }
    }
}

fn verb(method: &Method, uri: &Uri, named: bool) -> &'static str {
    let asks = |key: &str| {
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        query.into_iter().any(|(name, value)| name == key && matches!(&*value, "true" | "1"))
    };
    match method.as_str() {
        "GET" if asks("watch") => "watch",
        "GET" if named => "get",
        "GET" => "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" if named => "delete",
        "DELETE" => "deletecollection",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_by_verb_and_resource_and_never_by_its_object() {
        for (method, uri, verb, resource) in [
            ("GET", "/apis/qos-operator.io/v1alpha1/qossessions?&limit=500", "list", "qossessions"),
            ("GET", "/apis/qos-operator.io/v1alpha1/namespaces/shop/qossessions?&watch=true&x=1", "watch", "qossessions"),
            ("PATCH", "/apis/qos-operator.io/v1alpha1/namespaces/shop/qossessions/cam?x=1", "patch", "qossessions"),
            ("PATCH", "/apis/qos-operator.io/v1alpha1/namespaces/shop/qossessions/cam/status", "patch", "qossessions/status"),
            ("GET", "/api/v1/namespaces/shop", "get", "namespaces"),
            ("GET", "/api/v1/namespaces?watch=1", "watch", "namespaces"),
            ("POST", "/api/v1/namespaces/shop/secrets", "create", "secrets"),
            ("DELETE", "/apis/qos-operator.io/v1alpha1/qosproviders/acme", "delete", "qosproviders"),
            ("DELETE", "/apis/acme.example/v1/namespaces/shop/widgets", "deletecollection", "other"),
            ("GET", "/apis/qos-operator.io/v1alpha1", "get", "other"),
            ("GET", "/version", "get", "other"),
        ] {
            let asked = Asked::of(&method.parse().unwrap(), &uri.parse().unwrap());
            assert_eq!(asked, Asked { verb, resource: resource.to_owned() }, "{method} {uri}");
        }
    }
}
