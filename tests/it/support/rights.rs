//! The rights that the operator's own table says it needs, as roles.

use qos_operator::check::rights::{Need, RIGHTS, Right, Scope};
use serde_json::{Value, json};

/// Of those that the test's operator needs: it elects a leader and serves no workloads.
pub(crate) fn is_needed(right: &Right) -> bool {
    matches!(right.need, Need::Always | Need::Election)
}

/// Roles and bindings with exactly the table's rights, for the ServiceAccount `operator` of that namespace.
pub(crate) fn roles(namespace: &str, watched: &[&str]) -> Value {
    let rules = |scopes: &[Scope]| -> Vec<Value> {
        let rights = RIGHTS.iter().filter(|right| is_needed(right) && scopes.contains(&right.scope));
        rights.map(|right| json!({ "apiGroups": [right.group], "resources": [right.resource], "verbs": right.verbs })).collect()
    };
    let subject = json!([{ "kind": "ServiceAccount", "name": "operator", "namespace": namespace }]);
    let role = |place: &str, name: &str, scope: Scope| {
        let metadata = json!({ "name": name, "namespace": place });
        [
            json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules(&[scope]) }),
            json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata, "subjects": subject,
                    "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name } }),
        ]
    };
    let name = format!("operator-{namespace}");
    let mut items = vec![
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": name },
                "rules": rules(&[Scope::Cluster]) }),
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": name },
                "subjects": subject, "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name } }),
    ];
    items.extend(role(namespace, "operator-own", Scope::Own));
    items.extend(watched.iter().flat_map(|watched| role(watched, "operator-watched", Scope::Watched)));
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}
