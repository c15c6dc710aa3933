//! What a linter of manifests would say, of every set of values.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::{NAMESPACE, Pod, list, name_of, pods, rendered, sets};

/// Calls `check` with every set of values: its name, its text and what it renders.
fn each(check: impl Fn(&str, &str, &[Value])) {
    for (name, path) in sets() {
        check(&name, &fs::read_to_string(&path).unwrap(), &rendered(&path));
    }
}

fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

/// Whether `labels` has all of `wanted`, which is not empty.
fn matches(wanted: &Value, labels: &Value) -> bool {
    let wanted = wanted.as_object().unwrap();
    assert!(!wanted.is_empty(), "an empty selector takes everything");
    wanted.iter().all(|(key, value)| labels[key] == *value)
}

fn selected<'a>(pods: &'a [Pod<'a>], namespace: &Value, selector: &Value) -> Vec<&'a Pod<'a>> {
    pods.iter().filter(|pod| pod.namespace == *namespace && matches(selector, pod.labels)).collect()
}

fn has_port(pod: &Pod<'_>, port: &Value) -> bool {
    list(&pod.spec["containers"]).flat_map(|container| list(&container["ports"])).any(|one| one["name"] == *port)
}

#[test]
fn every_container_is_restricted_bounded_and_probed_and_its_image_is_pinned() {
    each(|name, _, objects| {
        for pod in pods(objects) {
            let of = format!("{name}, {}", pod.of);
            let context = &pod.spec["securityContext"];
            assert_eq!(context["runAsNonRoot"], true, "{of}");
            assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{of}");
            assert_eq!(context["runAsUser"].is_null(), name == "openshift", "{of}");
            assert_eq!(pod.spec["enableServiceLinks"], false, "{of}");
            for container in list(&pod.spec["containers"]) {
                let restricted = json!({ "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } });
                assert_eq!(container["securityContext"], restricted, "{of}");
                let resources = &container["resources"];
                assert!(resources["requests"]["cpu"].is_string() && resources["requests"]["memory"].is_string(), "{of}");
                assert!(resources["limits"]["memory"].is_string() && resources["limits"]["cpu"].is_null(), "{of}");
                let image = container["image"].as_str().unwrap();
                let last = image.rsplit('/').next().unwrap();
                assert!(last.contains(':') && !last.ends_with(":latest"), "{of}: {image}");
                let probes = ["startupProbe", "livenessProbe", "readinessProbe"].map(|probe| container[probe].is_object());
                assert_eq!(probes, [pod.kind == "Deployment"; 3], "{of}");
            }
        }
    });
}

#[test]
fn every_selector_finds_a_pod_and_no_two_deployments_share_one() {
    each(|name, _, objects| {
        let pods = pods(objects);
        let deployments: Vec<_> = pods.iter().filter(|pod| pod.kind == "Deployment").collect();
        for object in of_kind(objects, "Deployment") {
            let found = selected(&pods, &object["metadata"]["namespace"], &object["spec"]["selector"]["matchLabels"]);
            assert_eq!(found.len(), 1, "{name}: {} selects its own Pods and no others", name_of(object));
        }
        for object in of_kind(objects, "Service").chain(of_kind(objects, "PodDisruptionBudget")) {
            let selector = &object["spec"]["selector"];
            let selector = if object["kind"] == "Service" { selector } else { &selector["matchLabels"] };
            let found = selected(&pods, &object["metadata"]["namespace"], selector);
            assert_eq!(found.len(), 1, "{name}: {}", name_of(object));
            for port in list(&object["spec"]["ports"]) {
                assert!(has_port(found[0], &port["targetPort"]), "{name}: {} leads to no port", name_of(object));
            }
        }
        for object in of_kind(objects, "NetworkPolicy") {
            let ours = selected(&pods, &object["metadata"]["namespace"], &object["spec"]["podSelector"]["matchLabels"]);
            assert_eq!(ours.len(), 1, "{name}");
            for rule in list(&object["spec"]["ingress"]) {
                for port in list(&rule["ports"]).filter(|port| port["port"].is_string()) {
                    assert!(has_port(ours[0], &port["port"]), "{name}: {}", port["port"]);
                }
            }
            for rule in list(&object["spec"]["egress"]) {
                for peer in list(&rule["to"]).filter(|peer| peer["podSelector"].is_object()) {
                    let theirs = selected(&pods, &object["metadata"]["namespace"], &peer["podSelector"]["matchLabels"]);
                    assert_eq!(theirs.len(), 1, "{name}: {peer}");
                    let open = list(&rule["ports"]).all(|port| has_port(theirs[0], &port["port"]));
                    assert!(open, "{name}: {rule}");
                }
            }
        }
        for object in of_kind(objects, "ServiceMonitor") {
            let wanted = &object["spec"]["selector"]["matchLabels"];
            let found: Vec<_> =
                of_kind(objects, "Service").filter(|service| matches(wanted, &service["metadata"]["labels"])).collect();
            assert_eq!(found.len(), 1, "{name}");
            let port = &object["spec"]["endpoints"][0]["port"];
            assert!(list(&found[0]["spec"]["ports"]).any(|one| one["name"] == *port), "{name}");
        }
        assert!(!deployments.is_empty());
    });
}

#[test]
fn every_probe_and_every_route_leads_to_a_port_that_is_there() {
    each(|name, _, objects| {
        for pod in pods(objects).iter().filter(|pod| pod.kind == "Deployment") {
            let container = &pod.spec["containers"][0];
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                let probe = &container[probe];
                let port = if probe["httpGet"].is_object() { &probe["httpGet"]["port"] } else { &probe["tcpSocket"]["port"] };
                assert!(has_port(pod, port), "{name}: {} of {}", port, pod.of);
            }
        }
        let service = |wanted: &Value| of_kind(objects, "Service").find(|service| service["metadata"]["name"] == *wanted);
        for object in of_kind(objects, "Ingress") {
            let backend = &object["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"];
            let ports = &service(&backend["name"]).unwrap()["spec"]["ports"];
            assert!(list(ports).any(|port| port["name"] == backend["port"]["name"]), "{name}");
        }
        for object in of_kind(objects, "HTTPRoute") {
            let backend = &object["spec"]["rules"][0]["backendRefs"][0];
            let ports = &service(&backend["name"]).unwrap()["spec"]["ports"];
            assert!(list(ports).any(|port| port["port"] == backend["port"]), "{name}");
        }
    });
}

#[test]
fn everything_that_a_pod_refers_to_is_rendered_or_named_by_the_values() {
    each(|name, values, objects| {
        let there = |kind: &str, wanted: &str| {
            let rendered = of_kind(objects, kind).any(|object| object["metadata"]["name"] == wanted);
            assert!(rendered || values.contains(wanted), "{name}: there is no {kind} {wanted}");
        };
        for pod in pods(objects) {
            let account = pod.spec["serviceAccountName"].as_str();
            if let Some(account) = account {
                there("ServiceAccount", account);
            }
            // The account's own default is no token.
            assert_eq!(pod.spec["automountServiceAccountToken"], account.is_some(), "{name}: {}", pod.of);
            let volumes: BTreeSet<_> = list(&pod.spec["volumes"]).map(|volume| volume["name"].to_string()).collect();
            for volume in list(&pod.spec["volumes"]) {
                if let Some(secret) = volume["secret"]["secretName"].as_str() {
                    there("Secret", secret);
                }
                if let Some(map) = volume["configMap"]["name"].as_str() {
                    there("ConfigMap", map);
                }
            }
            for container in list(&pod.spec["containers"]) {
                for mount in list(&container["volumeMounts"]) {
                    assert!(volumes.contains(&mount["name"].to_string()), "{name}: {mount}");
                }
                for variable in list(&container["env"]) {
                    if let Some(secret) = variable["valueFrom"]["secretKeyRef"]["name"].as_str() {
                        there("Secret", secret);
                    }
                }
            }
        }
        for object in of_kind(objects, "QosProvider") {
            there("Secret", object["spec"]["auth"]["staticToken"]["tokenSecretRef"]["name"].as_str().unwrap());
        }
    });
}

#[test]
fn every_object_says_whose_it_is_and_where_it_belongs() {
    const CLUSTER: [&str; 4] = ["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "QosProvider"];
    each(|name, values, objects| {
        let mut names = BTreeSet::new();
        for object in objects {
            let of = format!("{name}: {}", name_of(object));
            assert!(names.insert(name_of(object)), "{of} is there twice");
            if values.contains("extraObjects") && object["kind"] == "ConfigMap" && object["metadata"]["labels"].is_null() {
                continue;
            }
            let labels = &object["metadata"]["labels"];
            assert_eq!(labels["app.kubernetes.io/instance"], "demo", "{of}");
            assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm", "{of}");
            assert_eq!(labels["app.kubernetes.io/version"], env!("CARGO_PKG_VERSION"), "{of}");
            let cluster = CLUSTER.contains(&object["kind"].as_str().unwrap());
            assert_eq!(object["metadata"]["namespace"].is_null(), cluster, "{of}");
        }
    });
}

#[test]
fn no_right_is_given_by_a_star_and_secrets_of_other_namespaces_only_to_who_is_bound_there() {
    each(|name, _, objects| {
        let bound: Vec<_> = of_kind(objects, "ClusterRoleBinding").map(|binding| &binding["roleRef"]["name"]).collect();
        for role in of_kind(objects, "ClusterRole").chain(of_kind(objects, "Role")) {
            assert!(!role.to_string().contains("\"*\""), "{name}: {}", name_of(role));
            let secrets: Vec<_> =
                list(&role["rules"]).filter(|rule| list(&rule["resources"]).any(|one| one == "secrets")).collect();
            if role["kind"] == "ClusterRole" && !secrets.is_empty() {
                assert!(!bound.contains(&&role["metadata"]["name"]), "{name}: {} is bound everywhere", name_of(role));
                assert_eq!(secrets[0]["verbs"], json!(["get"]));
            }
            if role["kind"] == "Role" && !secrets.is_empty() {
                assert_eq!(role["metadata"]["namespace"], NAMESPACE, "{name}");
            }
        }
    });
}
