//! What the receiver of notifications has counted by itself.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::shown::{counters, gauges};
use crate::notify::receiver::Counters;

#[derive(Debug)]
pub(super) struct Notifications(pub(super) Arc<Counters>);

impl Collector for Notifications {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let label = |key: &'static str, name: &str| vec![(key, name.to_owned())];
        counters(
            &mut encoder,
            "notifications",
            "Requests to the receiver of notifications, by what became of them.",
            self.0.requests().map(|(outcome, count)| (label("outcome", outcome.name()), count)),
        )?;
        counters(
            &mut encoder,
            "notification_connections",
            "What happened to connections of the receiver of notifications.",
            self.0.connections().map(|(event, count)| (label("event", event.name()), count)),
        )?;
        let open = [(Vec::new(), self.0.open())];
        gauges(&mut encoder, "notification_connections_open", "Connections of the receiver that are open.", open)?;
        counters(
            &mut encoder,
            "notification_certificate_reloads",
            "Changes of the receiver's certificate, by whether they were taken over.",
            self.0.reloads().map(|(reload, count)| (label("result", reload.name()), count)),
        )
    }
}
