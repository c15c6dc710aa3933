//! In which namespaces the operator acts, and the watches of what is there.

pub mod watch;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use kube::Api;
use kube::core::NamespaceResourceScope;

/// Longest name of a namespace, an RFC 1123 label.
const LONGEST: usize = 63;

/// The namespaces whose objects the operator acts on; none named: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces(BTreeSet<String>);

/// What one list or watch covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// The whole cluster.
    Everywhere,
    /// The namespace of this name.
    Namespace(String),
}

/// A list of namespaces that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name of a namespace: write names of small letters, digits and -, with commas between them, such as arena,stadium"
)]
pub struct NamespacesError(String);

impl Namespaces {
    /// One reach for all, or one for each that is named.
    pub fn reaches(&self) -> Vec<Reach> {
        if self.0.is_empty() {
            return vec![Reach::Everywhere];
        }
        self.0.iter().cloned().map(Reach::Namespace).collect()
    }
}

/// Names with commas between them; empty: all namespaces.
impl FromStr for Namespaces {
    type Err = NamespacesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let names =
            text.split(',').map(|name| if is_label(name) { Ok(name.to_owned()) } else { Err(NamespacesError(name.to_owned())) });
        names.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(String::as_str).collect::<Vec<_>>().join(","))
    }
}

/// Only these; an empty collection names all.
impl<T: Into<String>> FromIterator<T> for Namespaces {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

impl Reach {
    /// Where objects of that kind are listed and watched.
    pub fn api<K>(&self, client: &kube::Client) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        match self {
            Self::Everywhere => Api::all(client.clone()),
            Self::Namespace(name) => Api::namespaced(client.clone(), name),
        }
    }

    /// Whether what is in that namespace is covered.
    pub fn covers(&self, namespace: &str) -> bool {
        self.namespace().is_none_or(|name| name == namespace)
    }

    /// The namespace, where it is one alone.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Everywhere => None,
            Self::Namespace(name) => Some(name),
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => f.write_str("all namespaces"),
            Self::Namespace(name) => write!(f, "namespace {name}"),
        }
    }
}

fn is_label(name: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().last()];
    name.len() <= LONGEST && ends.iter().all(|end| end.is_some_and(inner)) && name.bytes().all(|c| inner(c) || c == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_means_all_namespaces_and_each_name_is_a_reach_of_its_own() {
        assert_eq!("".parse::<Namespaces>().unwrap().reaches(), [Reach::Everywhere]);
        let two: Namespaces = "stadium,arena,stadium".parse().unwrap();
        assert_eq!(two.reaches(), [Reach::Namespace("arena".to_owned()), Reach::Namespace("stadium".to_owned())]);
        assert_eq!((two.to_string(), Namespaces::default().to_string()), ("arena,stadium".to_owned(), String::new()));
        assert_eq!(two, ["stadium", "arena"].into_iter().collect());
    }

    #[test]
    fn what_is_no_name_of_a_namespace_is_refused_with_the_remedy_and_never_read_as_all() {
        let long = "a".repeat(64);
        for wrong in [",", "a,", ",a", "a,,b", "a, b", "A", "a.b", "-a", "a-", "*", "käse", &long] {
            let refused = wrong.parse::<Namespaces>().unwrap_err().to_string();
            assert!(refused.contains("is no name of a namespace") && refused.contains("arena,stadium"), "{wrong}: {refused}");
        }
        for right in ["a", "7", "a-b", "a--b", &long[1..]] {
            assert!(right.parse::<Namespaces>().is_ok(), "{right}");
        }
    }

    #[test]
    fn a_reach_covers_its_own_namespace_or_all() {
        assert!(Reach::Everywhere.covers("arena"));
        let arena = Reach::Namespace("arena".to_owned());
        assert!(arena.covers("arena") && !arena.covers("arena-2"));
        assert_eq!([Reach::Everywhere, arena].map(|reach| reach.to_string()), ["all namespaces", "namespace arena"]);
    }
}
