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

    /// What the documents have and nobody answered: document, operation and status.
    fn unseen(&self, contract: &Contract) -> Vec<(String, String, String)> {
        let all = contract.apis.iter().flat_map(|(_, document)| {
            let operations = document.operations.iter().filter(|operation| operation.id != "postNotification");
            operations.flat_map(|operation| {
                operation.answers.keys().map(|status| (document.name.clone(), operation.id.clone(), status.clone()))
            })
        });
        all.filter(|answer| !self.seen.contains(answer)).collect()
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
        for index in &matched {
            let Divergence { document, place, reason, .. } = &divergence::KNOWN[*index];
            println!("known divergence: {document}, {place}: {reason}");
        }
        assert!(unknown.is_empty(), "{} violations:\n{}", unknown.len(), unknown.join("\n"));
        matched
    }

    /// Fails unless every answer that the documents have was met, but for those that `never` says why they cannot be.
    pub(crate) fn judge_completeness(&self, never: impl Fn(&str, &str, &str) -> Option<&'static str>) {
        let mut missing = Vec::new();
        for (contract, tally) in &self.rows {
            let unseen = tally.unseen(contract);
            let (excused, others): (Vec<_>, Vec<_>) =
                unseen.iter().partition(|(document, operation, status)| never(document, operation, status).is_some());
            println!("{}: {} documented answers were met, {} cannot be", contract.form, tally.seen.len(), excused.len());
            missing.extend(others.iter().map(|(document, operation, status)| format!("{document}: {operation} {status}")));
        }
        assert!(missing.is_empty(), "documented answers that were not met:\n{}", missing.join("\n"));
    }
}
