//! What was held to the documents, and what came of it.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Violation;
use super::divergence::{self, Divergence, Side};
use super::specs::Contract;

/// What one form of the API was held to its documents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: usize,
    pub(crate) answers: usize,
    pub(crate) notifications: usize,
    /// Each with how often it was found.
    pub(crate) violations: BTreeMap<Violation, usize>,
    /// Document, operation and status of answers that were seen.
    seen: BTreeSet<(String, String, String)>,
}

impl Tally {
    pub(crate) fn add(&mut self, violations: Vec<Violation>) {
        for violation in violations {
            *self.violations.entry(violation).or_default() += 1;
        }
    }

    pub(crate) fn saw(&mut self, document: &str, operation: &str, status: u16) {
        self.seen.insert((document.to_owned(), operation.to_owned(), status.to_string()));
    }

    /// What the documents allow and nobody answered, by operation.
    fn unseen(&self, contract: &Contract) -> Vec<String> {
        let mut out = Vec::new();
        for (_, document) in &contract.apis {
            for operation in document.operations.iter().filter(|operation| operation.id != "postNotification") {
                let seen =
                    |status: &&String| self.seen.contains(&(document.name.clone(), operation.id.clone(), (*status).clone()));
                let missing: Vec<&str> = operation.answers.keys().filter(|status| !seen(status)).map(String::as_str).collect();
                if !missing.is_empty() {
                    out.push(format!("{} {}", operation.id, missing.join(" ")));
                }
            }
        }
        out
    }
}

/// The result for all forms of one side, to print and to judge.
pub(crate) struct Summary {
    side: Side,
    rows: Vec<(Contract, Tally)>,
}

impl Summary {
    pub(crate) const fn new(side: Side) -> Self {
        Self { side, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, contract: Contract, tally: Tally) {
        self.rows.push((contract, tally));
    }

    /// Prints the table and fails on a violation that is not a known divergence, and on a divergence that is none any more.
    pub(crate) fn judge(&self) {
        let matched = self.judge_random();
        let checked: BTreeSet<&str> = self.rows.iter().flat_map(|(one, _)| &one.apis).map(|(_, one)| one.name.as_str()).collect();
        let stale: Vec<&Divergence> = divergence::of(self.side)
            .filter(|(index, entry)| checked.contains(entry.document) && !matched.contains(index))
            .map(|(_, entry)| entry)
            .collect();
        assert!(stale.is_empty(), "these divergences are none any more: {stale:#?}");
    }

    /// The same, but for a random choice of messages, which need not meet every divergence. Returns those that were met.
    pub(crate) fn judge_random(&self) -> BTreeSet<usize> {
        let mut matched: BTreeSet<usize> = BTreeSet::new();
        let mut unknown = Vec::new();
        println!(
            "{:<16} {:>9} {:>10} {:>8} {:>8} {:>13} {:>10} {:>5}",
            "form", "documents", "operations", "requests", "answers", "notifications", "violations", "known"
        );
        for (contract, tally) in &self.rows {
            let (mut new, mut known) = (0, 0);
            for (violation, count) in &tally.violations {
                let entries: Vec<usize> = divergence::matching(self.side, violation).collect();
                if entries.is_empty() {
                    new += 1;
                    unknown.push(format!("{violation} ({count} times)"));
                } else {
                    known += 1;
                    matched.extend(entries);
                }
            }
            println!(
                "{:<16} {:>9} {:>10} {:>8} {:>8} {:>13} {:>10} {:>5}",
                contract.form.to_string(),
                contract.apis.len(),
                contract.apis.iter().map(|(_, document)| document.operations.len()).sum::<usize>(),
                tally.requests,
                tally.answers,
                tally.notifications,
                new,
                known,
            );
        }
        for (contract, tally) in self.rows.iter().filter(|(_, tally)| tally.answers > 0) {
            println!("{}: documented and not met: {}", contract.form, tally.unseen(contract).join("; "));
        }
        for index in &matched {
            let Divergence { document, reason, .. } = &divergence::KNOWN[*index];
            println!("known divergence: {document}: {reason}");
        }
        assert!(unknown.is_empty(), "{} violations:\n{}", unknown.len(), unknown.join("\n"));
        matched
    }
}
