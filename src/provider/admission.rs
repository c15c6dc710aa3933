//! Which namespaces may use a provider: `spec.allowedNamespaces`.

use std::collections::BTreeMap;

use kube::core::{Selector, SelectorExt as _};

use crate::api::{AllowedNamespaces, NamespacesFrom};

/// The labels of the cluster's namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Namespaces(pub(super) BTreeMap<String, BTreeMap<String, String>>);

impl Namespaces {
    /// Whether objects of that namespace may use the provider. A selector that cannot be read admits none.
    pub(super) fn admitted(&self, allowed: &AllowedNamespaces, namespace: &str) -> bool {
        match allowed.from {
            NamespacesFrom::All => true,
            NamespacesFrom::None => false,
            NamespacesFrom::Selector => {
                let selector = allowed.selector.clone().and_then(|selector| Selector::try_from(selector).ok());
                let labels = self.0.get(namespace);
                selector.zip(labels).is_some_and(|(selector, labels)| selector.matches(labels))
            }
        }
    }

    /// Whether there is a namespace that one of both admits and the other does not.
    pub(super) fn admit_differently(&self, before: &Self, allowed: &AllowedNamespaces) -> bool {
        let of = |namespaces: &Self| -> Vec<String> {
            namespaces.0.keys().filter(|name| namespaces.admitted(allowed, name)).cloned().collect()
        };
        allowed.from == NamespacesFrom::Selector && of(self) != of(before)
    }
}
