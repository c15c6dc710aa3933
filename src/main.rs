//! The operator's process.

use std::process::ExitCode;

use clap::Parser as _;
use qos_operator::{args::Arguments, run};

#[tokio::main]
async fn main() -> ExitCode {
    run::run(Arguments::parse()).await
}
