//! What a scrape shows of the tables and of the providers: one family after another.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::Shared;
use super::gauges::{GATES, OfTheProvider, Tables, Work};
use super::provider::Counted;
use super::sessions::Summary;
use crate::session::turns::Urgency;

/// Labels, and the value.
pub(super) type Series<V> = (Vec<(&'static str, String)>, V);

#[derive(Debug)]
pub(super) struct Shown(pub(super) Arc<Shared>);

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let leads = self.0.health.leads();
        gauges(&mut encoder, "leader", "Whether this process leads; without an election it does.", [one(u8::from(leads))])?;
        let watches = self.0.health.watches();
        let watches = watches.into_iter().map(|(resource, up)| (vec![("resource", resource)], u8::from(up)));
        gauges(&mut encoder, "watch_up", "Whether the last try to list or watch the resource succeeded.", watches)?;
        counted(&mut encoder, &self.0)?;
        let Some(Tables { work, providers, sessions }) = Tables::read(&self.0) else { return Ok(()) };
        shown_work(&mut encoder, &work)?;
        shown_providers(&mut encoder, &providers)?;
        shown_sessions(&mut encoder, &sessions)
    }
}

/// A gauge that somebody else reads.
pub(super) struct Gauge {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) read: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauge").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Collector for Gauge {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        gauges(&mut encoder, self.name, self.help, [one((self.read)())])
    }
}

/// What was counted of each provider.
fn counted(encoder: &mut DescriptorEncoder<'_>, shared: &Shared) -> fmt::Result {
    let providers = shared.providers.lock().clone();
    let counted: Vec<(String, Counted)> = providers.into_iter().map(|(name, of)| (name, of.counted())).collect();
    let each = || counted.iter().map(|(name, counted)| (("provider", name.clone()), counted));
    counters(
        encoder,
        "provider_calls",
        "Calls of the provider's API, by CAMARA's operationId and outcome.",
        each().flat_map(|(provider, counted)| {
            counted.calls.iter().map(move |(operation, outcome, count)| {
                let labels = vec![provider.clone(), ("operation", operation.to_string()), ("outcome", (*outcome).to_owned())];
                (labels, *count)
            })
        }),
    )?;
    let durations: Vec<_> = each()
        .flat_map(|(provider, counted)| {
            let labels = move |operation: &crate::qod::Operation| vec![provider.clone(), ("operation", operation.to_string())];
            counted.durations.iter().map(move |(operation, durations)| (labels(operation), durations))
        })
        .collect();
    if !durations.is_empty() {
        let mut family = encoder.encode_descriptor(
            "provider_call_duration_seconds",
            "Time from the request to the end of the answer.",
            None,
            MetricType::Histogram,
        )?;
        for (labels, durations) in durations {
            durations.encode(family.encode_family(&labels)?)?;
        }
    }
    gauges(
        encoder,
        "provider_calls_in_flight",
        "Calls of the provider's API that are under way.",
        each().map(|(provider, counted)| (vec![provider], counted.in_flight)),
    )?;
    counters(
        encoder,
        "token_requests",
        "Requests to the provider's token endpoints, by grant and outcome.",
        each().flat_map(|(provider, counted)| {
            counted.tokens.iter().map(move |(grant, outcome, count)| {
                (vec![provider.clone(), ("grant", (*grant).to_owned()), ("outcome", (*outcome).to_owned())], *count)
            })
        }),
    )
}

fn shown_work(encoder: &mut DescriptorEncoder<'_>, work: &Work) -> fmt::Result {
    gauges(encoder, "passes_running", "Passes that have their turn.", [one(work.running)])?;
    let urgencies = [Urgency::Deletion, Urgency::Change, Urgency::Retry, Urgency::Resync];
    let waiting = urgencies.map(|urgency| {
        let waiting = work.waiting.get(&urgency).copied().unwrap_or_default();
        (vec![("urgency", format!("{urgency:?}"))], waiting)
    });
    gauges(encoder, "passes_waiting", "Passes that wait for their turn, by urgency.", waiting)?;
    gauges(encoder, "timers", "Objects that are to be looked at again at a time.", [one(work.timers)])?;
    gauges(encoder, "timers_due", "Those whose time has come and that were not taken up yet.", [one(work.timers_due)])?;
    let stances = ["Holds", "Wants", "Rests"].into_iter().zip(work.stances);
    let stances = stances.map(|(stance, count)| (vec![("stance", stance.to_owned())], count));
    gauges(encoder, "claims", "QosSessions by what they do with their flow: hold it, want it, or rest.", stances)?;
    let help = "QosSessions that this version cannot read; they are only released.";
    gauges(encoder, "undecodable_objects", help, [one(work.undecodable)])
}

fn shown_providers(encoder: &mut DescriptorEncoder<'_>, providers: &[OfTheProvider]) -> fmt::Result {
    let of = |provider: &OfTheProvider| vec![("provider", provider.name.clone())];
    gauges(
        encoder,
        "provider_ready",
        "Whether the provider can be used; reason: why not.",
        providers.iter().map(|provider| {
            let reason = (!provider.ready).then(|| ("reason", provider.reason.to_owned()));
            (of(provider).into_iter().chain(reason).collect(), u8::from(provider.ready))
        }),
    )?;
    gauges(
        encoder,
        "provider_gate_closed",
        "Whether nothing is sent to the provider now, by reason.",
        providers.iter().flat_map(|provider| {
            GATES.map(|reason| {
                let labels = vec![("provider", provider.name.clone()), ("reason", reason.to_string())];
                (labels, u8::from(provider.closed == Some(reason)))
            })
        }),
    )?;
    gauges(
        encoder,
        "provider_notifications_missing",
        "Whether the provider is asked to notify, and its notifications do not arrive.",
        providers.iter().filter_map(|provider| Some((of(provider), u8::from(provider.silent?)))),
    )?;
    let series = |value: fn(&OfTheProvider) -> Option<i64>| {
        providers.iter().filter_map(move |provider| Some((of(provider), value(provider)?)))
    };
    gauges(
        encoder,
        "provider_budget_sessions",
        "QosSessions that hold or may hold a session at the provider.",
        series(|provider| i64::try_from(provider.sessions).ok()),
    )?;
    gauges(
        encoder,
        "provider_budget_sessions_limit",
        "The budget's maxSessions, where there is one.",
        series(|provider| provider.max_sessions),
    )?;
    gauges(
        encoder,
        "provider_budget_session_seconds",
        "Seconds that the provider has granted on this UTC day.",
        series(|provider| Some(provider.seconds)),
    )?;
    gauges(
        encoder,
        "provider_budget_session_seconds_limit",
        "The budget's maxSessionSecondsPerDay, where there is one.",
        series(|provider| provider.max_seconds),
    )
}

fn shown_sessions(encoder: &mut DescriptorEncoder<'_>, sessions: &Summary) -> fmt::Result {
    gauges(
        encoder,
        "sessions",
        "QosSessions, by provider, CAMARA's qosStatus, and status and reason of the condition Ready.",
        sessions.counts.iter().map(|(kind, count)| {
            let labels = vec![
                ("provider", kind.provider.clone()),
                ("qos_status", kind.qos_status.to_owned()),
                ("ready", kind.ready.to_owned()),
                ("reason", kind.reason.to_owned()),
            ];
            (labels, *count)
        }),
    )?;
    gauges(
        encoder,
        "session_next_expiry_timestamp_seconds",
        "When the first of the sessions that are held ends, if it is not renewed.",
        sessions.next_expiry.iter().map(|((provider, policy), at)| {
            (vec![("provider", provider.clone()), ("renewal_policy", (*policy).to_owned())], at.as_second())
        }),
    )
}

/// A series without labels.
const fn one<V>(value: V) -> Series<V> {
    (Vec::new(), value)
}

/// A family of gauges; nothing where it has no series.
pub(super) fn gauges<V: Whole>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    series: impl IntoIterator<Item = Series<V>>,
) -> fmt::Result {
    let mut series = series.into_iter().peekable();
    if series.peek().is_none() {
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    series.try_for_each(|(labels, value)| family.encode_family(&labels)?.encode_gauge(&value.whole()))
}

/// A family of counters; nothing where it has no series.
pub(super) fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    series: impl IntoIterator<Item = Series<u64>>,
) -> fmt::Result {
    let mut series = series.into_iter().peekable();
    if series.peek().is_none() {
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    series.try_for_each(|(labels, value)| ConstCounter::new(value).encode(family.encode_family(&labels)?))
}

/// What a gauge can show.
pub(super) trait Whole {
    fn whole(self) -> i64;
}

impl Whole for i64 {
    fn whole(self) -> i64 {
        self
    }
}

impl Whole for u8 {
    fn whole(self) -> i64 {
        i64::from(self)
    }
}

impl Whole for u64 {
    fn whole(self) -> i64 {
        i64::try_from(self).unwrap_or(i64::MAX)
    }
}

impl Whole for usize {
    fn whole(self) -> i64 {
        i64::try_from(self).unwrap_or(i64::MAX)
    }
}
