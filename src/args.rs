//! The command line, parsed once into typed settings.

use clap::{Args, Parser, Subcommand, ValueEnum};
use k8s_openapi::jiff::SignedDuration;
use url::Url;

use crate::admin::AdminArguments;
use crate::leader::LeaderArguments;
use crate::notify::NotifyArguments;
use crate::scope::Namespaces;
use crate::session::facts::Margins;
use crate::trace::TraceArguments;
use crate::uninstall::GuardArguments;
use crate::workload::args::WorkloadArguments;

/// Keeps CAMARA Quality-on-Demand sessions as QosSession objects declare them.
#[derive(Debug, Parser)]
#[command(name = "qos-operator", version, propagate_version = true)]
pub struct Arguments {
    /// What to do; without a command, the operator runs.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// See [`RunArguments`].
    #[command(flatten)]
    pub run: RunArguments,
}

/// What to do besides running.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the CustomResourceDefinitions as YAML.
    Crds,
    /// Look whether the operator could do its work here, and print a line for each thing that it needs; fails if one is missing.
    Check(Box<RunArguments>),
    /// See that no session is left behind before the operator is uninstalled (the chart runs it).
    UninstallGuard(GuardArguments),
}

/// How to run.
#[derive(Clone, Debug, Args)]
pub struct RunArguments {
    /// The operator's own namespace: Secrets of QosProviders, and the operator's key, are read here only.
    #[arg(long, env = "POD_NAMESPACE", default_value = "qos-operator")]
    pub namespace: String,
    /// Name of the Secret with the operator's key in that namespace; it is made where there is none.
    #[arg(long, env = "QOS_KEY_SECRET", default_value = "qos-operator-key")]
    pub key_secret: String,
    /// Act on the QosSessions of these namespaces only, such as `arena,stadium` (default: all). None is served before the operator
    /// may list all of them.
    #[arg(long, env = "QOS_WATCH_NAMESPACES", default_value_t, hide_default_value = true)]
    pub watch_namespaces: Namespaces,
    /// Act only on QosProviders and QosSessions with these labels, such as `shard=a`. Two operators must never share a provider.
    #[arg(long, env = "QOS_SESSION_SELECTOR")]
    pub session_selector: Option<String>,
    /// How many passes run at a time.
    #[arg(long, env = "QOS_CONCURRENCY", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// How often a ready QosProvider's profiles are read again.
    #[arg(long, env = "QOS_PROFILE_REFRESH", default_value = "10m", value_parser = duration)]
    pub profile_refresh: SignedDuration,
    /// URL under which providers reach the operator. Each create carries it with the object's key and the attempt's nonce, which is
    /// how a session whose create was not answered is found in the provider's list (from API version v0.11; https from v1.1).
    #[arg(long, env = "QOS_CALLBACK_URL", value_parser = callback_url)]
    pub callback_url: Option<Url>,
    /// See [`NotifyArguments`].
    #[command(flatten)]
    pub notify: NotifyArguments,
    /// See [`LeaderArguments`].
    #[command(flatten)]
    pub leader: LeaderArguments,
    /// See [`WorkloadArguments`].
    #[command(flatten)]
    pub workloads: WorkloadArguments,
    /// See [`MarginArguments`].
    #[command(flatten)]
    pub margins: MarginArguments,
    /// See [`AdminArguments`].
    #[command(flatten)]
    pub admin: AdminArguments,
    /// See [`TraceArguments`].
    #[command(flatten)]
    pub traces: TraceArguments,
    /// Least severe log lines to print; a filter such as `info,qos_operator=debug` is understood too. Below info only the
    /// operator's own lines are printed: those of its libraries may hold personal data.
    #[arg(long, env = "QOS_LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// Form of the log lines.
    #[arg(long, env = "QOS_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The durations on which safety rests; the defaults suit a provider behind ordinary gateways.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Safety margins")]
pub struct MarginArguments {
    /// Longest time from writing the attempt record to the first byte of the create; later it is not sent.
    #[arg(long, env = "QOS_SEND_WINDOW", default_value = "10s", value_parser = duration)]
    pub send_window: SignedDuration,
    /// Longest time that gateways may queue a request after its time-out (requestTimeoutSeconds of the provider is added).
    #[arg(long, env = "QOS_LATE_EFFECT", default_value = "60s", value_parser = duration)]
    pub late_effect: SignedDuration,
    /// Longest time until a session shows in the provider's list.
    #[arg(long, env = "QOS_LIST_LAG", default_value = "5s", value_parser = duration)]
    pub list_lag: SignedDuration,
    /// Longest time that a session stays REQUESTED.
    #[arg(long, env = "QOS_REQUESTED_MAX", default_value = "300s", value_parser = duration)]
    pub requested_max: SignedDuration,
    /// Largest difference between the provider's clock and ours.
    #[arg(long, env = "QOS_CLOCK_SKEW", default_value = "30s", value_parser = duration)]
    pub clock_skew: SignedDuration,
    /// How long the provider keeps a session that the network has terminated.
    #[arg(long, env = "QOS_RETENTION", default_value = "360s", value_parser = duration)]
    pub retention: SignedDuration,
    /// Longest time before the expiry at which a session is extended (never more than a third of its duration).
    #[arg(long, env = "QOS_RENEWAL_MARGIN", default_value = "300s", value_parser = duration)]
    pub renewal_margin: SignedDuration,
}

impl From<MarginArguments> for Margins {
    fn from(arguments: MarginArguments) -> Self {
        let MarginArguments { send_window, late_effect, list_lag, requested_max, clock_skew, retention, renewal_margin } =
            arguments;
        Self { send_window, late_effect, list_lag, requested_max, clock_skew, retention, renewal_margin }
    }
}

fn callback_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| {
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "https" | "http") && url.has_host() && plain
    });
    url.ok_or_else(|| "write an https:// URL without query, fragment or credentials".to_owned())
}

/// A duration with its unit, not negative.
pub(crate) fn duration(text: &str) -> Result<SignedDuration, String> {
    let parsed = text.parse::<SignedDuration>().ok().filter(|duration| !duration.is_negative());
    parsed.ok_or_else(|| "write a duration with its unit, such as 10s, 5m or 1h30m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margins_default_to_those_of_the_protocol_and_need_a_unit() {
        let arguments = Arguments::try_parse_from(["qos-operator"]).unwrap();
        let margins = Margins::from(arguments.run.margins);
        let seconds = [margins.send_window, margins.late_effect, margins.list_lag, margins.requested_max, margins.clock_skew];
        assert_eq!(seconds.map(|margin| margin.as_secs()), [10, 60, 5, 300, 30]);
        assert_eq!([margins.retention, margins.renewal_margin].map(|margin| margin.as_secs()), [360, 300]);
        let refused = Arguments::try_parse_from(["qos-operator", "--send-window", "10"]).unwrap_err().to_string();
        assert!(refused.contains("such as 10s"), "{refused}");
    }

    #[test]
    fn namespaces_are_named_with_commas_and_a_wrong_name_is_refused_with_flag_and_remedy() {
        let parse = |text: &str| Arguments::try_parse_from(["qos-operator", &format!("--watch-namespaces={text}")]);
        assert_eq!(parse("stadium,arena").unwrap().run.watch_namespaces, ["arena", "stadium"].into_iter().collect());
        let everywhere = Arguments::try_parse_from(["qos-operator"]).unwrap().run.watch_namespaces;
        assert_eq!([parse("").unwrap().run.watch_namespaces, everywhere], [Namespaces::default(), Namespaces::default()]);
        let refused = parse("stadium,Arena").unwrap_err().to_string();
        assert!(refused.contains("--watch-namespaces") && refused.contains("\"Arena\" is no name"), "{refused}");
        let guard = Arguments::try_parse_from(["qos-operator", "uninstall-guard", "--watch-namespaces", "a,b"]).unwrap();
        let Some(Command::UninstallGuard(guard)) = guard.command else { panic!("{guard:?}") };
        assert_eq!(guard.watch_namespaces, ["a", "b"].into_iter().collect());
    }
}
