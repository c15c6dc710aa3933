//! What every part of the operator reports to: what is counted, and whether it is well.

use crate::admin::Health;
use crate::clock::Clock;
use crate::metrics::Metrics;

/// Metrics and health of one process. Clones share them.
#[derive(Clone, Debug)]
pub struct Vitals {
    /// The operator's clock.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether it is well.
    pub health: Health,
}

impl From<Clock> for Vitals {
    fn from(clock: Clock) -> Self {
        Self::new(clock)
    }
}

impl Vitals {
    /// Nothing is counted or known yet.
    pub fn new(clock: Clock) -> Self {
        let health = Health::new(clock.clone());
        Self { metrics: Metrics::new(clock.clone(), health.clone()), health, clock }
    }

    /// Tells that this process leads, or that it stands by. Where this is never told there is no election, and it leads.
    pub fn leading(&self, leads: bool) {
        self.health.leading(leads);
    }
}
