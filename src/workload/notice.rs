//! What is told on a Pod or Service, and that it is told once.

use std::collections::{BTreeMap, BTreeSet};

use super::annotations::Kind;

/// Why a Warning stands on a Pod or Service. Scripts match on these names, so none is ever renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// An annotation cannot be used, or one is missing.
    InvalidAnnotation,
    /// A key of our prefix that nobody reads.
    UnknownAnnotation,
    /// Neither the Pod nor its Node names a device.
    NoDevice,
    /// The Service has no address that a session could be for.
    NoAddress,
    /// The namespace has not opted in.
    NamespaceNotEnabled,
    /// An older claim on the same flow decides otherwise.
    FlowShared,
    /// An object of the child's name was not made for workloads.
    NameTaken,
    /// Admission or a quota refused the child.
    ChildRefused,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::InvalidAnnotation,
        Self::UnknownAnnotation,
        Self::NoDevice,
        Self::NoAddress,
        Self::NamespaceNotEnabled,
        Self::FlowShared,
        Self::NameTaken,
        Self::ChildRefused,
    ];

    /// As it stands in `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidAnnotation => "InvalidAnnotation",
            Self::UnknownAnnotation => "UnknownAnnotation",
            Self::NoDevice => "NoDevice",
            Self::NoAddress => "NoAddress",
            Self::NamespaceNotEnabled => "NamespaceNotEnabled",
            Self::FlowShared => "FlowShared",
            Self::NameTaken => "NameTaken",
            Self::ChildRefused => "ChildRefused",
        }
    }
}

/// Who asks, as far as it is told something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asker {
    /// The object's kind.
    pub kind: Kind,
    /// The object's name.
    pub name: String,
    /// The object's uid.
    pub uid: String,
    /// Uid of who counts as having been told: a Pod's controller, so that a hundred replicas are not told one by one, nor each of
    /// those that follow.
    pub owner: String,
}

/// A Warning on a Pod or Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// On whom.
    pub asker: Asker,
    /// Why.
    pub reason: Reason,
    /// The annotation that it is about, or nothing.
    pub key: String,
    /// What it says: key, entry and remedy, never a value.
    pub text: String,
}

/// What has been told in one namespace: each (owner, key, reason, text) once, for as long as the owner has objects that ask.
#[derive(Debug, Default)]
pub struct Told(BTreeMap<String, BTreeSet<(Reason, String, String)>>);

/// At most so many texts are remembered of one owner; from then on it is told no more.
const MOST: usize = 64;

impl Told {
    /// Forgets owners that are not among `owners`.
    pub fn keep(&mut self, owners: &BTreeSet<&str>) {
        self.0.retain(|owner, _| owners.contains(owner.as_str()));
    }

    /// Whether this is news.
    pub fn is_news(&mut self, notice: &Notice) -> bool {
        let told = self.0.entry(notice.asker.owner.clone()).or_default();
        told.len() < MOST && told.insert((notice.reason, notice.key.clone(), notice.text.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(name: &str, text: &str) -> Notice {
        Notice {
            asker: Asker { kind: Kind::Pod, name: name.to_owned(), uid: name.to_owned(), owner: "replicas".to_owned() },
            reason: Reason::InvalidAnnotation,
            key: "qos-operator.io/duration".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn all_replicas_of_an_owner_are_told_once_and_another_text_is_news() {
        let mut told = Told::default();
        assert!(told.is_news(&notice("a", "one")));
        assert!(!told.is_news(&notice("b", "one")));
        assert!(told.is_news(&notice("b", "two")));
        told.keep(&BTreeSet::from(["replicas"]));
        assert!(!told.is_news(&notice("c", "two")));
        told.keep(&BTreeSet::new());
        assert!(told.is_news(&notice("c", "two")));
    }

    #[test]
    fn an_owner_whose_texts_never_end_is_not_told_for_ever() {
        let mut told = Told::default();
        let news = (0..1000).filter(|n| told.is_news(&notice("a", &n.to_string()))).count();
        assert_eq!(news, MOST);
    }
}
