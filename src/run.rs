//! The process: logs, signals, and the operator between them.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::args::{Arguments, Command, LogFormat, RunArguments};
use crate::clock::Clock;
use crate::crds;
use crate::operator::{self, Settings};

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
    LogLevel(#[source] tracing_subscriber::filter::ParseError),
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
    let config = kube::Config::infer().await.map_err(|error| Error::Config(Box::new(error)))?;
    let client = operator::client(config).map_err(|error| Error::Client(Box::new(error)))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut operator = operator::start(client, Settings::from(arguments), Clock::system()).await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespace = %arguments.namespace, "qos-operator runs");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = operator.ended() => return Err(Error::Ended),
    }
    tracing::info!("ending: what is under way is recorded first");
    operator.stop().await;
    Ok(())
}

fn logs(arguments: &RunArguments) -> Result<(), Error> {
    let filter = EnvFilter::try_new(&arguments.log_level).map_err(Error::LogLevel)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match arguments.log_format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
