//! A stand-in for a Quality-on-Demand provider. Everything is in [`qos_operator::simulator`].

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use qos_operator::simulator::DEFAULT_TOKEN;
use qos_operator::simulator::args::Args;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("qod-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let filter = tracing_subscriber::EnvFilter::try_new(&args.log).map_err(|error| format!("--log: {error}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (builder, token) = args.builder()?;
    let simulator = builder.start().await?;
    println!("API:    {}", simulator.url());
    println!("OAuth:  {}", simulator.oauth_url());
    println!("admin:  {}", simulator.admin_url().unwrap_or_default());
    // The sandbox's token is public; one that was given is not ours to print.
    let shown = if token.expose() == DEFAULT_TOKEN { DEFAULT_TOKEN } else { "(as given)" };
    println!("token:  {shown}");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let admin = simulator.admin();
    simulator.shutdown().await;
    println!("{}", admin.ledger_at_end());
    Ok(())
}
