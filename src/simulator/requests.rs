//! The log of requests, from which tests count calls.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use uuid::Uuid;

use super::settings::Operation;

/// How many requests are kept; the counters go on beyond it.
const KEPT: usize = 100_000;

/// One request.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// When it arrived (RFC 3339, on the simulator's clock).
    pub time: String,
    /// What it asked for.
    pub operation: Operation,
    /// The session that it named, or created.
    pub session_id: Option<Uuid>,
    /// The status answered; none: not answered yet, or cut off.
    pub status: Option<u16>,
    /// The status that the API itself came to, whether or not the client was told; none: it did not take effect.
    pub effect: Option<u16>,
    /// The fault that it met.
    pub fault: Option<&'static str>,
}

/// A request's place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(u64);

/// The latest requests, and how many there were of each operation and status.
#[derive(Debug, Default)]
pub struct Requests {
    first: u64,
    kept: VecDeque<Request>,
    counts: BTreeMap<Operation, BTreeMap<String, u64>>,
}

impl Requests {
    /// An empty log in which no number of this one is used again, so that requests under way do not touch its entries.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self { first: self.first + self.kept.len() as u64, ..Self::default() }
    }

    /// Notes a request that has arrived.
    pub fn arrived(&mut self, request: Request) -> Number {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
            self.first += 1;
        }
        self.kept.push_back(request);
        Number(self.first + self.kept.len() as u64 - 1)
    }

    /// Notes what the API itself came to.
    pub fn took_effect(&mut self, number: Number, status: u16, session: Option<Uuid>) {
        if let Some(request) = self.at(number) {
            request.effect = Some(status);
            request.session_id = session.or(request.session_id);
        }
    }

    /// Notes that the request is done: `status` was answered, or (none) its connection was cut. Counts it.
    pub fn done(&mut self, number: Number, operation: Operation, status: Option<u16>) {
        if let Some(request) = self.at(number) {
            request.status = status;
        }
        let status = status.map_or_else(|| "cut".to_owned(), |status| status.to_string());
        *self.counts.entry(operation).or_default().entry(status).or_default() += 1;
    }

    /// The latest requests, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = &Request> {
        self.kept.iter()
    }

    /// How many were answered, per operation and status; `cut` are those whose connection was cut instead.
    pub const fn counts(&self) -> &BTreeMap<Operation, BTreeMap<String, u64>> {
        &self.counts
    }

    /// The request with this number, if it is still kept.
    pub fn get(&self, number: Number) -> Option<&Request> {
        self.kept.get(usize::try_from(number.0.checked_sub(self.first)?).ok()?)
    }

    fn at(&mut self, number: Number) -> Option<&mut Request> {
        let index = usize::try_from(number.0.checked_sub(self.first)?).ok()?;
        self.kept.get_mut(index)
    }
}
