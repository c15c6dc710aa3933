//! What is known of one namespace, and the pass that is under way in it: one at a time.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::annotations::Parsed;
use super::attempts::{Attempts, Hindrance};
use super::facts::{Child, Claimant, Namespace, Nodes, Place};
use super::notice::{Notice, Reason, Told};
use super::plan::{Claimed, Plan, Step, View, plan, tally};
use super::write::Outcome;

/// One namespace.
#[derive(Debug, Default)]
pub struct Room {
    /// Pods and Services that have or had an annotation of ours, by uid.
    claimants: BTreeMap<String, Claimant>,
    /// Children, by name.
    children: BTreeMap<String, Child>,
    claimed: Claimed,
    told: Told,
    attempts: Attempts,
    /// Children that went while a pass was under way: its answers may be older than that.
    gone: HashSet<String>,
    busy: bool,
    /// How many ask, how many of them cannot be served, how many children there are.
    pub tally: [usize; 3],
}

/// What a pass is to do.
#[derive(Debug)]
pub struct Pass {
    /// Writes, in their order.
    pub steps: Vec<Step>,
    /// Events.
    pub notices: Vec<Notice>,
    /// When to plan again though nothing changes.
    pub look_at: Option<Timestamp>,
}

impl Room {
    /// Whether nothing is known of it that matters.
    pub fn is_empty(&self) -> bool {
        self.claimants.is_empty() && self.children.is_empty() && !self.busy
    }

    /// Whether the device of this Node matters here.
    pub fn is_on(&self, node: &str) -> bool {
        self.claimants.values().any(|claimant| match &claimant.place {
            Place::Pod { node: Some(there), .. } => there == node,
            _ => false,
        })
    }

    /// A Pod or Service as it is now; says whether that is news. One that has never asked for anything is not kept. One that has
    /// is kept until it is gone, so that an annotation that is taken off is not mistaken for an object that is.
    pub fn claimant_is(&mut self, claimant: Claimant) -> bool {
        let before = self.claimants.get(&claimant.uid);
        if before == Some(&claimant) || (before.is_none() && claimant.parsed == Parsed::Nothing) {
            return false;
        }
        self.claimants.insert(claimant.uid.clone(), claimant);
        true
    }

    /// A Pod or Service is gone.
    pub fn claimant_is_gone(&mut self, uid: &str) -> bool {
        self.claimants.remove(uid).is_some()
    }

    /// The Pods and Services.
    pub fn claimants(&self) -> impl Iterator<Item = &Claimant> {
        self.claimants.values()
    }

    /// The children, by name.
    pub fn children(&self) -> impl Iterator<Item = (&String, &Child)> {
        self.children.iter()
    }

    /// A child as the watch or a write has shown it; says whether that is news.
    pub fn child_is(&mut self, name: &str, child: Child) -> bool {
        let version = |child: &Child| child.version.as_deref().and_then(|version| version.parse::<u64>().ok());
        if self.gone.contains(&child.uid) {
            return false;
        }
        let before = self.children.get(name).filter(|before| before.uid == child.uid);
        if before.is_some_and(|before| version(before) > version(&child)) {
            return false;
        }
        let news = before.is_none_or(|before| Child { version: child.version.clone(), ..before.clone() } != child);
        self.children.insert(name.to_owned(), child);
        news
    }

    /// A child is gone, or is no longer one.
    pub fn child_is_gone(&mut self, name: &str, uid: &str) -> bool {
        if self.busy {
            self.gone.insert(uid.to_owned());
        }
        let is_it = self.children.get(name).is_some_and(|child| child.uid == uid);
        if is_it {
            self.children.remove(name);
        }
        is_it
    }

    /// Plans; none while a pass is under way, whose end plans again. Where there are steps the room is busy until [`Room::ended`].
    pub fn begin(
        &mut self,
        namespace: &Namespace,
        nodes: Option<&Nodes>,
        awaited: &dyn Fn(&str, &Child) -> bool,
        linger: SignedDuration,
        drains_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Pass> {
        if self.busy {
            return None;
        }
        let children = &self.children;
        let by_name = |name: &str| children.get(name).is_some_and(|child| awaited(name, child));
        let view = View { namespace, claimants: &self.claimants, nodes, children, awaited: &by_name, drains_until };
        let Plan { mut steps, mut notices, claimed, look_at } = plan(&view, &self.claimed, linger, now);
        let (asking, wrong) = tally(&view);
        self.tally = [asking, wrong, self.children.len()];
        self.claimed = claimed;
        self.told.keep(&self.claimants.values().map(|claimant| claimant.owner.uid.as_str()).collect::<BTreeSet<_>>());
        let retry = self.attempts.next(&steps, now);
        steps.retain(|step| self.attempts.allow(step, now));
        notices.retain(|notice| self.told.is_news(notice));
        let look_at = [look_at, retry].into_iter().flatten().min();
        self.busy = !steps.is_empty();
        Some(Pass { steps, notices, look_at })
    }

    /// The pass has ended, with these outcomes; returns what is to be told of them.
    pub fn ended(&mut self, outcomes: Vec<(Step, Outcome)>, now: Timestamp, jitter: f64) -> Vec<Notice> {
        self.busy = false;
        let notices = outcomes.into_iter().flat_map(|(step, outcome)| self.take(&step, outcome, now, jitter)).collect();
        self.gone.clear();
        notices
    }

    fn take(&mut self, step: &Step, outcome: Outcome, now: Timestamp, jitter: f64) -> Vec<Notice> {
        let name = step.name();
        let (reason, text) = match outcome {
            Outcome::Written(child) => {
                let before = self.children.get(name).map(|before| before.version.clone());
                if matches!(step, Step::Apply { .. }) && before == Some(child.version.clone()) {
                    self.attempts.hindered(step, Hindrance::Futile, now, jitter);
                } else {
                    self.attempts.worked(name);
                }
                self.child_is(name, *child);
                return Vec::new();
            }
            Outcome::Other(child) => {
                self.attempts.worked(name);
                self.child_is(name, *child);
                return Vec::new();
            }
            Outcome::Gone => {
                self.attempts.worked(name);
                if let Some(uid) = self.children.get(name).map(|child| child.uid.clone()) {
                    self.child_is_gone(name, &uid);
                }
                return Vec::new();
            }
            Outcome::Failed(cause) => {
                tracing::debug!(child = name, cause, "a child was not written");
                self.attempts.hindered(step, Hindrance::Failed, now, jitter);
                return Vec::new();
            }
            Outcome::Taken => {
                self.attempts.hindered(step, Hindrance::Taken, now, jitter);
                // One that has lost the label is no child any more.
                self.children.remove(name);
                let text =
                    format!("QosSession {name} exists and was not made from annotations: delete it, or ask for another flow");
                (Reason::NameTaken, text)
            }
            Outcome::Refused(message) => {
                self.attempts.hindered(step, Hindrance::Refused, now, jitter);
                (Reason::ChildRefused, format!("the API server refused QosSession {name}: {message}"))
            }
        };
        let Step::Apply { askers, .. } = step else { return Vec::new() };
        let notices = askers.iter().map(|asker| Notice { asker: asker.clone(), reason, key: String::new(), text: text.clone() });
        notices.filter(|notice| self.told.is_news(notice)).collect()
    }
}
