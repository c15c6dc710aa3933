//! What became of the spans.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::shown::counters;
use crate::trace::Counts;

#[derive(Debug)]
pub(super) struct Traces(pub(super) Arc<Counts>);

impl Collector for Traces {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let spans = self.0.spans().map(|(outcome, count)| (vec![("outcome", outcome.name().to_owned())], count));
        counters(&mut encoder, "trace_spans", "Spans of traces, by what became of them.", spans)
    }
}
