//! The process: logs, signals, and the operator between them.

use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt as _, ParseError, Targets};
use tracing_subscriber::layer::{Filter, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::admin::{self, Admin};
use crate::args::{Arguments, Command, LogFormat, RunArguments};
use crate::clock::Clock;
use crate::operator::{self, Settings};
use crate::vitals::Vitals;
use crate::{check, crds, metrics};

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
    /// The address for metrics and health cannot be taken.
    #[error("--admin-listen: {0} cannot be listened at")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// See [`check::NotServed`].
    #[error(transparent)]
    NotServed(#[from] check::NotServed),
    /// Signals, standard output.
    #[error("the system refused")]
    System(#[from] std::io::Error),
    /// A part of the operator ended by itself.
    #[error("a part of the operator has ended by itself")]
    Ended,
}

/// Runs the command of `arguments` to its end.
pub async fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Some(Command::Crds) => crds::print(&mut std::io::stdout().lock()).map_err(Error::from),
        Some(Command::Check(arguments)) => match connect().await {
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
    logs(arguments)?;
    let client = connect().await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let vitals = Vitals::new(Clock::system());
    let _admin = admin(arguments, &client, &vitals).await?;
    tokio::select! {
        served = check::at_start(&client) => served?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    }
    let mut operator = operator::start(client, Settings::from(arguments), vitals.clone()).await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespace = %arguments.namespace, "qos-operator runs");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = operator.ended() => return Err(Error::Ended),
    }
    tracing::info!("ending: what is under way is recorded first");
    vitals.health.ending();
    operator.stop().await;
    Ok(())
}

/// Begins to serve metrics and health, where that is asked for, and to look after the API server.
async fn admin(arguments: &RunArguments, client: &kube::Client, vitals: &Vitals) -> Result<Option<(Admin, DropGuard)>, Error> {
    let Some(listen) = arguments.admin.listen.0 else { return Ok(None) };
    let admin = Admin::start(listen, vitals.clone()).await.map_err(|source| Error::Listen(listen, source))?;
    tracing::info!(address = %admin.address(), "metrics and health are served");
    let stop = CancellationToken::new();
    tokio::spawn(admin::ask_api_server(metrics::counted(client, vitals), vitals.clone(), stop.clone()));
    Ok(Some((admin, stop.drop_guard())))
}

/// A client of the cluster that this process is in, or that the kubeconfig names.
async fn connect() -> Result<kube::Client, Error> {
    let mut config = kube::Config::infer().await.map_err(|error| Error::Config(Box::new(error)))?;
    // The environment's proxy is for providers. In a Pod kube does not look at it; with a kubeconfig it does, and then refuses to
    // start.
    if config.proxy_url.take().is_some() {
        tracing::info!("the API server is called directly: a proxy is used for providers only");
    }
    operator::client(config).map_err(|error| Error::Client(Box::new(error)))
}

fn logs(arguments: &RunArguments) -> Result<(), Error> {
    let filter = filter(&arguments.log_level).map_err(Error::LogLevel)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match arguments.log_format {
        LogFormat::Text => tracing_subscriber::registry().with(lines.with_ansi(false).with_filter(filter)).init(),
        LogFormat::Json => tracing_subscriber::registry().with(lines.json().flatten_event(true).with_filter(filter)).init(),
    }
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
/// text, which may be that of a Secret. What goes wrong there reaches us as an error, and is told by us.
fn cap() -> Targets {
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("qos_operator", LevelFilter::TRACE)
        .with_target("kube_client", LevelFilter::ERROR)
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
        for level in ["trace", "info,kube_client=trace,h2=trace,log=trace,qos_operator=trace"] {
            let printed = printed(level);
            for kept in ["text of a Secret", "frame with a token", "line of another facade"] {
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
