//! How many objects ask, for metrics: sums over all namespaces, no names.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::metrics::Metrics;

/// Sums that all clones share.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<[AtomicUsize; 3]>);

impl Counts {
    /// Pods and Services with annotations of ours.
    pub fn asking(&self) -> usize {
        self.0[0].load(Ordering::Relaxed)
    }

    /// Those of them whose annotations cannot be used, or whose namespace has not opted in.
    pub fn unserved(&self) -> usize {
        self.0[1].load(Ordering::Relaxed)
    }

    /// QosSessions that were made for them.
    pub fn children(&self) -> usize {
        self.0[2].load(Ordering::Relaxed)
    }

    /// Shows them as metrics.
    pub fn show(&self, metrics: &Metrics) {
        let gauge = |name, help, place: usize| {
            let sums = Arc::clone(&self.0);
            let read = move || i64::try_from(sums[place].load(Ordering::Relaxed)).unwrap_or(i64::MAX);
            metrics.gauge(name, help, read);
        };
        gauge("workloads", "Pods and Services that ask for QosSessions by annotation.", 0);
        gauge("workloads_unserved", "Those whose annotations cannot be used, or whose namespace has not opted in.", 1);
        gauge("workload_sessions", "QosSessions that were made for Pods and Services.", 2);
    }

    /// A namespace that had `before` has `after`.
    pub(super) fn changed(&self, before: [usize; 3], after: [usize; 3]) {
        for (sum, (before, after)) in self.0.iter().zip(before.into_iter().zip(after)) {
            // Wraps in between where it shrinks; the sum is right.
            sum.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_grow_and_shrink_with_their_namespaces() {
        let counts = Counts::default();
        counts.changed([0, 0, 0], [5, 2, 3]);
        counts.changed([0, 0, 0], [1, 1, 0]);
        counts.changed([5, 2, 3], [2, 0, 4]);
        assert_eq!([counts.asking(), counts.unserved(), counts.children()], [3, 1, 4]);
    }
}
