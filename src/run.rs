//! The process: its command, its logs, and how it ends.

use std::process::ExitCode;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt as _, ParseError, Targets};
use tracing_subscriber::layer::{Filter, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::args::{Arguments, Command, LogFormat, RunArguments};
use crate::leader::{Loss, PaceError};
use crate::trace::{self, Traces};
use crate::{check, crds, replica, uninstall};

/// Why the process ends with a failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a service account nor a kubeconfig.
    #[error("no cluster to talk to: run in a Pod with a ServiceAccount, or set KUBECONFIG")]
    Config(#[source] Box<kube::config::InferConfigError>),
    /// The client cannot be made.
    #[error("the kubeconfig cannot be used")]
    Client(#[source] Box<kube::Error>),
    /// See [`crate::session::key::KeyError`].
    #[error(transparent)]
    Key(#[from] crate::session::key::KeyError),
    /// The log filter is wrong.
    #[error("--log-level: write off, error, warn, info, debug, trace or a filter such as info,qos_operator=debug")]
    LogLevel(#[source] ParseError),
    /// See [`trace::Error`].
    #[error(transparent)]
    Traces(#[from] trace::Error),
    /// See [`check::NotServed`].
    #[error(transparent)]
    NotServed(#[from] check::NotServed),
    /// Signals, standard output.
    #[error("the system refused")]
    System(#[from] std::io::Error),
    /// See [`uninstall::Error`].
    #[error(transparent)]
    Uninstall(#[from] uninstall::Error),
    /// The times of the lease do not fit together.
    #[error(transparent)]
    Pace(#[from] PaceError),
    /// The address cannot be listened on.
    #[error("the address of {flag} cannot be listened on")]
    Listen {
        /// Which one.
        flag: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// This replica leads no longer.
    #[error("this replica ends, since it leads no longer")]
    Lost(#[source] Loss),
    /// A part of the operator ended by itself.
    #[error("a part of the operator has ended by itself")]
    Ended,
}

/// Runs the command of `arguments` to its end.
pub async fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Some(Command::Crds) => crds::print(&mut std::io::stdout().lock()).map_err(Error::from),
        Some(Command::UninstallGuard(guard)) => match replica::client().await {
            Ok(client) => uninstall::run(&client, &guard).await.map_err(Error::from),
            Err(error) => Err(error),
        },
        Some(Command::Check(arguments)) => match replica::client().await {
            Ok(client) => return check::run(&client, &arguments).await,
            Err(error) => Err(error),
        },
        None => serve(&arguments.run).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            eprintln!("qos-operator: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: &RunArguments) -> Result<(), Error> {
    let traces = Traces::start(&arguments.traces, &arguments.namespace, arguments.leader.identity())?;
    logs(arguments, traces.as_ref())?;
    let result = replica::serve(arguments, traces.as_ref()).await;
    if let Some(traces) = traces {
        traces.end().await;
    }
    result
}

fn logs(arguments: &RunArguments, traces: Option<&Traces>) -> Result<(), Error> {
    let filter = filter(&arguments.log_level).map_err(Error::LogLevel)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match arguments.log_format {
        LogFormat::Text => lines.with_ansi(false).with_filter(filter).boxed(),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
            lines.map_event_format(trace::Named).with_filter(filter).boxed()
        }
    };
    tracing_subscriber::registry().with(lines).with(traces.map(Traces::layer)).init();
    Ok(())
}

/// Which lines are printed: those that `level` asks for, within [`cap`].
fn filter<S>(level: &str) -> Result<impl Filter<S> + use<S>, ParseError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    Ok(EnvFilter::try_new(level)?.and(cap()))
}

/// The most that may be printed, whatever `--log-level` says. Phone numbers, addresses, tokens and nonces are private by type only
/// in our own code: the libraries below it know bodies and headers as mere bytes, and print them at debug and trace (h2 whole
/// frames, kube-client headers and Statuses). kube-client does so even at warn: of an answer that cannot be decoded the whole
/// text, which may be that of a Secret. What goes wrong there reaches us as an error, and is told by us. Spans are for traces, and
/// never stand before a line.
fn cap() -> Targets {
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("qos_operator", LevelFilter::TRACE)
        .with_target("kube_client", LevelFilter::ERROR)
        .with_target(trace::TARGET, LevelFilter::OFF)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn printed(level: &str) -> String {
        let written = tempfile::NamedTempFile::new().unwrap();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Arc::new(written.reopen().unwrap()));
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter(level).unwrap()));
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::error_span!(target: trace::TARGET, "a span of a trace").entered();
            tracing::warn!(target: "kube_client::client", "text of a Secret");
            tracing::error!(target: "kube_client::client::builder", "their failure");
            tracing::debug!(target: "h2::codec::framed_write", "frame with a token");
            tracing::trace!(target: "log", "line of another facade");
            tracing::info!(target: "kube_runtime::controller", "their news");
            tracing::trace!(target: "qos_operator::session", "our detail");
            tracing::info!(target: "qos_operator::run", "our news");
        });
        std::fs::read_to_string(written.path()).unwrap()
    }

    #[test]
    fn no_log_level_makes_a_library_print_bodies_or_headers() {
        for level in ["trace", "info,kube_client=trace,h2=trace,log=trace,otlp=trace,qos_operator=trace"] {
            let printed = printed(level);
            for kept in ["text of a Secret", "frame with a token", "line of another facade", "a span of a trace"] {
                assert!(!printed.contains(kept), "{level}: {printed}");
            }
            for told in ["their failure", "their news", "our detail", "our news"] {
                assert!(printed.contains(told), "{level}: {told} is missing in {printed}");
            }
        }
    }

    #[test]
    fn the_log_level_still_says_what_of_the_rest_is_printed() {
        let printed = printed("error,qos_operator=info");
        assert!(printed.contains("their failure") && printed.contains("our news"), "{printed}");
        assert!(!printed.contains("their news") && !printed.contains("our detail"), "{printed}");
    }
}
