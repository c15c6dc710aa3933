//! Plan: from what is known of one namespace to what must be done in it. Pure and total: no I/O, no clock, no error.
//!
//! A plan that has been carried out is followed by an empty one: planning again on its own result does nothing.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::annotations::Parsed;
use super::child::{Desired, labels};
use super::claim::{Standing, Wish, disagreement, standing};
use super::facts::{Child, Claimant, Namespace, Nodes, Owner};
use super::keys::{ENABLED, PREFIX, WORKLOADS_LABEL};
use super::notice::{Asker, Notice, Reason};
use crate::clock::later;

/// How often a child that lingers is looked at for others that wait for its flow: nothing tells when one begins to.
const AWAITED_PERIOD: SignedDuration = SignedDuration::from_secs(2);

/// What is known of one namespace.
pub struct View<'a> {
    /// Whether its workloads may ask.
    pub namespace: &'a Namespace,
    /// Its Pods and Services, by uid.
    pub claimants: &'a BTreeMap<String, Claimant>,
    /// The Nodes; none where they name no devices.
    pub nodes: Option<&'a Nodes>,
    /// Its children, by name.
    pub children: &'a BTreeMap<String, Child>,
    /// Whether another object, wherever it is, waits for the flow of the child of that name.
    pub awaited: &'a dyn Fn(&str) -> bool,
    /// Until when the operator stands back, since it is being uninstalled.
    pub drains_until: Option<Timestamp>,
}

/// Who claimed each child last, by uid: it tells a claim that was edited away from one whose Pod has gone.
pub type Claimed = BTreeMap<String, BTreeSet<String>>;

/// What must be done in one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// What must have been told, whether it has been or not.
    pub notices: Vec<Notice>,
    /// For the next plan.
    pub claimed: Claimed,
    /// When to plan again though nothing changes.
    pub look_at: Option<Timestamp>,
}

/// A write to one child.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Create it, or make it what it should be.
    Apply {
        /// As it should be.
        desired: Desired,
        /// Uid of the one that is there; none: there is none.
        uid: Option<String>,
        /// Fields of its spec that somebody has added.
        surplus: Vec<&'static str>,
        /// Tells this apply from another, by what is asked for and what stands there.
        fingerprint: u64,
        /// The oldest of each owner that asks for it, for what must be told when it is refused.
        askers: Vec<Asker>,
    },
    /// Set or take off the annotation `unclaimed-since`.
    Mark {
        /// The child's name.
        name: String,
        /// Its uid.
        uid: String,
        /// Since when nobody claims it.
        since: Option<Timestamp>,
    },
    /// Delete it: its session is released.
    Delete {
        /// The child's name.
        name: String,
        /// Its uid.
        uid: String,
        /// Its resourceVersion, so that it is not deleted as another than was seen.
        version: Option<String>,
    },
}

impl Step {
    /// The child's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Apply { desired, .. } => &desired.name,
            Self::Mark { name, .. } | Self::Delete { name, .. } => name,
        }
    }

    fn delete(name: &str, child: &Child) -> Self {
        Self::Delete { name: name.to_owned(), uid: child.uid.clone(), version: child.version.clone() }
    }
}

/// Plans. `before` is the last plan's [`Plan::claimed`].
pub fn plan(view: &View<'_>, before: &Claimed, linger: SignedDuration, now: Timestamp) -> Plan {
    if let Some(until) = view.drains_until.filter(|until| *until > now) {
        return standing_back(before, until);
    }
    match view.namespace {
        Namespace::Ending => Plan::default(),
        Namespace::Enabled { labels } => {
            let mut planner = Planner { view, before, linger, now, plan: Plan::default() };
            planner.all(labels);
            planner.plan.steps.sort_by_key(|step| match step {
                // What is released first is free first.
                Step::Delete { .. } => 0,
                Step::Mark { .. } => 1,
                Step::Apply { .. } => 2,
            });
            planner.plan
        }
        Namespace::NotEnabled | Namespace::Elsewhere => withdrawn(view),
    }
}

/// The uninstall guard takes the children away, as its mode says. So none is made, none is given back what the guard has changed, and
/// none is deleted here either: in the mode Orphan that would release what is to be left alone. Who claimed what is kept for the time
/// after, should there be one.
fn standing_back(before: &Claimed, until: Timestamp) -> Plan {
    Plan { claimed: before.clone(), look_at: Some(until), ..Plan::default() }
}

/// The right to spend is not given, or was taken back.
fn withdrawn(view: &View<'_>) -> Plan {
    let there = view.children.iter().filter(|(_, child)| !child.deleting);
    let mut plan = Plan { steps: there.map(|(name, child)| Step::delete(name, child)).collect(), ..Plan::default() };
    if *view.namespace == Namespace::NotEnabled {
        let asks = |claimant: &&Claimant| claimant.parsed != Parsed::Nothing && !claimant.deleting;
        plan.notices = by_age(view.claimants).into_iter().filter(asks).map(|claimant| Notice {
            asker: claimant.asker(),
            reason: Reason::NamespaceNotEnabled,
            key: String::new(),
            text: format!(
                "the annotations {PREFIX}… have no effect in a namespace without the label {WORKLOADS_LABEL}={ENABLED}: ask who \
                 keeps the namespace to set it"
            ),
        }).collect();
    }
    plan
}

/// The oldest first.
fn by_age(claimants: &BTreeMap<String, Claimant>) -> Vec<&Claimant> {
    let mut all: Vec<_> = claimants.values().collect();
    all.sort_by(|a, b| (a.created, &a.uid).cmp(&(b.created, &b.uid)));
    all
}

struct Planner<'a> {
    view: &'a View<'a>,
    before: &'a Claimed,
    linger: SignedDuration,
    now: Timestamp,
    plan: Plan,
}

/// Those who claim one child, the oldest first.
type Claims<'a> = Vec<(&'a Claimant, Wish)>;

impl Planner<'_> {
    fn all(&mut self, shown_by: &BTreeMap<String, String>) {
        let labels: BTreeMap<_, _> = shown_by.clone().into_iter().chain(labels()).collect();
        let mut claims: BTreeMap<String, Claims<'_>> = BTreeMap::new();
        let mut keepers = BTreeSet::new();
        let mut settled = BTreeSet::new();
        for claimant in by_age(self.view.claimants) {
            let (standing, notices) = standing(claimant, self.view.nodes);
            self.plan.notices.extend(notices);
            match standing {
                Standing::Claims(wishes) => {
                    for wish in wishes {
                        claims.entry(wish.name.clone()).or_default().push((claimant, wish));
                    }
                    settled.insert(claimant.uid.as_str());
                }
                Standing::Keeps => {
                    keepers.insert(&claimant.owner);
                }
                // It is there, and asks for nothing any more.
                Standing::Nothing if claimant.counts() && !claimant.deleting => {
                    settled.insert(claimant.uid.as_str());
                }
                Standing::Nothing => {}
            }
        }
        let names: BTreeSet<&str> = claims.keys().chain(self.view.children.keys()).map(String::as_str).collect();
        for name in names {
            let claims = claims.get(name).map(Vec::as_slice).unwrap_or_default();
            let claimed = match claims {
                [] => self.before.get(name).cloned().unwrap_or_default(),
                _ => claims.iter().map(|(claimant, _)| claimant.uid.clone()).collect(),
            };
            match (self.view.children.get(name), claims) {
                // Who joins it now comes too late: it goes, and then another one is made.
                (Some(child), _) if child.deleting => {}
                (Some(child), []) if child.owners.iter().any(|owner| keepers.contains(owner)) => self.unmark(name, child),
                (Some(child), []) => {
                    let edited = claimed.iter().any(|uid| settled.contains(uid.as_str()));
                    self.unclaimed(name, child, edited);
                }
                (child, claims) => self.claimed(name, child, claims, &labels, &keepers),
            }
            self.plan.claimed.insert(name.to_owned(), claimed);
        }
    }

    fn claimed(
        &mut self,
        name: &str,
        child: Option<&Child>,
        claims: &[(&Claimant, Wish)],
        labels: &BTreeMap<String, String>,
        keepers: &BTreeSet<&Owner>,
    ) {
        let Some(((oldest, decided), younger)) = claims.split_first() else { return };
        for (claimant, wish) in younger {
            self.plan.notices.extend(disagreement(claimant, &wish.spec, oldest, &decided.spec));
        }
        // A Pod that is being deleted keeps its child and makes none. Where its controller is gone already, the garbage collector
        // has taken that off the owners or the child with it, and would do so again and again.
        let lasting = || claims.iter().map(|(claimant, _)| *claimant).filter(|claimant| !claimant.deleting);
        let there = child.map(|child| child.owners.clone()).unwrap_or_default();
        let mut owners: BTreeSet<_> = lasting().map(|claimant| claimant.owner.clone()).collect();
        if owners.is_empty() {
            if child.is_none() {
                return;
            }
            owners.clone_from(&there);
        }
        let leaving = claims.iter().map(|(claimant, _)| &claimant.owner).chain(keepers.iter().copied());
        owners.extend(leaving.filter(|owner| there.contains(owner)).cloned());
        let desired = Desired { name: name.to_owned(), labels: labels.clone(), owners, spec: decided.spec.clone() };
        if let Some(child) = child {
            self.unmark(name, child);
            if desired.is(child) {
                return;
            }
        }
        let mut told = BTreeSet::new();
        let askers = lasting().filter(|claimant| told.insert(&claimant.owner.uid)).map(Claimant::asker).collect();
        let fingerprint = desired.fingerprint(child);
        let surplus = child.map(|child| desired.surplus(child)).unwrap_or_default();
        let uid = child.map(|child| child.uid.clone());
        self.plan.steps.push(Step::Apply { desired, uid, surplus, fingerprint, askers });
    }

    /// Nobody claims the child. It lingers only where a claim can come back by itself.
    fn unclaimed(&mut self, name: &str, child: &Child, edited: bool) {
        let over = edited
            || self.linger <= SignedDuration::ZERO
            // Pods and Services go together with what they own.
            || (!child.owners.is_empty() && child.owners.iter().all(Owner::is_claimant))
            || (self.view.awaited)(name);
        if over {
            self.plan.steps.push(Step::delete(name, child));
            return;
        }
        let since = child.unclaimed_since.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
        // A time that lies ahead was written by somebody else, and would keep the child for as long as it likes.
        let Some(since) = since.filter(|since| *since <= self.now) else {
            self.plan.steps.push(Step::Mark { name: name.to_owned(), uid: child.uid.clone(), since: Some(self.now) });
            return;
        };
        let end = later(since, self.linger);
        if end <= self.now {
            self.plan.steps.push(Step::delete(name, child));
        } else {
            let look_at = end.min(later(self.now, AWAITED_PERIOD));
            self.plan.look_at = Some(self.plan.look_at.map_or(look_at, |at| at.min(look_at)));
        }
    }

    fn unmark(&mut self, name: &str, child: &Child) {
        if child.unclaimed_since.is_some() {
            self.plan.steps.push(Step::Mark { name: name.to_owned(), uid: child.uid.clone(), since: None });
        }
    }
}

/// How many objects ask, and how many of those cannot be served.
pub fn tally(view: &View<'_>) -> (usize, usize) {
    let asking = view.claimants.values().filter(|claimant| claimant.parsed != Parsed::Nothing);
    let served = matches!(view.namespace, Namespace::Enabled { .. });
    let wrong = |claimant: &&Claimant| !served || matches!(claimant.parsed, Parsed::Wrong(_));
    (asking.clone().count(), asking.filter(wrong).count())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
