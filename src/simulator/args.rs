//! The command line of `qod-simulator`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use clap::builder::TypedValueParser;

use super::generation::Generation;
use super::settings::{Flavour, Mode, Overlap, ProfileBodies, Settings};
use super::{Builder, DEFAULT_TOKEN, Simulator};
use crate::clock::Clock;
use crate::private::Private;

/// A stand-in for a CAMARA Quality-on-Demand provider (API versions 0.8 to 1.2-rc), to test clients against.
///
/// It keeps sessions as a network would: overlapping flows conflict, sessions expire, the network terminates them when told to. Its
/// ledger tells afterwards whether a client left, lost or doubled any. Faults, settings and the ledger are on the admin API.
#[derive(Debug, Parser)]
#[command(name = "qod-simulator", version, after_long_help = AFTER_HELP)]
pub struct Args {
    /// Where the API listens; port 0 lets the kernel choose
    #[arg(long, env = "QOD_SIMULATOR_LISTEN", default_value = "127.0.0.1:9091", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Where the admin API listens; keep it private: it needs no token
    #[arg(long, env = "QOD_SIMULATOR_ADMIN_LISTEN", default_value = "127.0.0.1:9092", value_name = "ADDRESS")]
    pub admin_listen: SocketAddr,

    /// The path under which the API is [default: that of its generation; /apigateway/qod/v0 for Telefónica's 0.10]
    #[arg(long, env = "QOD_SIMULATOR_BASE_PATH", value_name = "PATH")]
    pub base_path: Option<String>,

    /// The rules: the true life cycle, or those of Telefónica's stateless sandbox mock [default: life]
    #[arg(long, env = "QOD_SIMULATOR_MODE")]
    pub mode: Option<Mode>,

    /// The API version that is spoken under the base path; all are served beside it, as /v1.1/quality-on-demand/v1 [default: v0.10]
    #[arg(long, env = "QOD_SIMULATOR_GENERATION")]
    pub generation: Option<Generation>,

    /// Whose form of it; Telefónica has 0.8, 0.10 and 1.1 [default: telefonica]
    #[arg(long, env = "QOD_SIMULATOR_FLAVOUR")]
    pub flavour: Option<Flavour>,

    /// A bearer token and the client it stands for; may be repeated, or separated by commas [default: the sandbox's token]
    #[arg(long = "token", env = "QOD_SIMULATOR_TOKENS", value_name = "TOKEN=CLIENT", value_delimiter = ',', hide_env_values = true,
        value_parser = clap::builder::StringValueParser::new().map(Private::new))]
    pub tokens: Vec<Private<String>>,

    /// How many times as fast as real time the simulator's clock runs
    #[arg(long, env = "QOD_SIMULATOR_TIME_FACTOR", default_value_t = 1.0, value_name = "FACTOR", value_parser = factor)]
    pub time_factor: f64,

    /// How long a new session is REQUESTED; 0: AVAILABLE at once [default: 0]
    #[arg(long, env = "QOD_SIMULATOR_REQUESTED_DELAY", value_name = "SECONDS")]
    pub requested_delay: Option<i64>,

    /// How long a session that the network terminated is kept and holds its flow [default: 360]
    #[arg(long, env = "QOD_SIMULATOR_RETENTION", value_name = "SECONDS")]
    pub retention: Option<i64>,

    /// Grant this duration, whatever is asked for
    #[arg(long, env = "QOD_SIMULATOR_GRANTED", value_name = "SECONDS")]
    pub granted: Option<i64>,

    /// When a session is refused because of another one [default: enforced]
    #[arg(long, env = "QOD_SIMULATOR_OVERLAP")]
    pub overlap: Option<Overlap>,

    /// How /qos-profiles shows a profile [default: documented]
    #[arg(long, env = "QOD_SIMULATOR_PROFILE_BODIES")]
    pub profile_bodies: Option<ProfileBodies>,

    /// A JSON or YAML file with any settings, under the names that GET /admin/settings shows; flags win over it
    #[arg(long, env = "QOD_SIMULATOR_SETTINGS", value_name = "FILE")]
    pub settings: Option<PathBuf>,

    /// What is logged, for example info, debug, or `qos_operator=trace`
    #[arg(long, env = "QOD_SIMULATOR_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
}

const AFTER_HELP: &str = "\
Try it:
  curl -H 'Authorization: Bearer mock_sandbox_access_token' -H 'Content-Type: application/json' \\
    -d '{\"device\":{\"phoneNumber\":\"+346666666661\"},\"applicationServer\":{\"ipv4Address\":\"198.51.100.10\"},\"qosProfile\":\"QOS_E\",\"duration\":600}' \\
    http://127.0.0.1:9091/apigateway/qod/v0/sessions
  curl -X POST http://127.0.0.1:9092/admin/terminate
  curl 'http://127.0.0.1:9092/admin/ledger?format=line'
All paths of the admin API: curl http://127.0.0.1:9092/admin";

/// Not a parser of clap's, whose message would repeat the token. A token may end in `=` itself.
fn token(text: &Private<String>) -> Result<(Private<String>, String), Error> {
    match text.expose().rsplit_once('=') {
        Some((token, client)) if !token.is_empty() && !client.is_empty() => Ok((Private::from(token), client.to_owned())),
        _ => Err(Error::Token),
    }
}

fn factor(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|factor| (0.001..=100_000.0).contains(factor)).ok_or("must be a number between 0.001 and 100000")
}

/// Why arguments cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A `--token` without a client.
    #[error("--token must be TOKEN=CLIENT")]
    Token,
    /// The settings file cannot be read.
    #[error("cannot read the settings file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The settings file is neither JSON nor YAML.
    #[error("the settings file {path} is neither JSON nor YAML ({place})")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        place: String,
    },
    /// Unknown names, or values that make no sense.
    #[error(transparent)]
    Settings(#[from] super::settings::Invalid),
}

impl Args {
    /// The settings: the file's, and over them those that have flags.
    pub fn settings(&self) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        if let Some(path) = &self.settings {
            let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.clone(), source })?;
            // JSON is YAML too.
            // The parser's own message would quote the file, which may hold phone numbers.
            let place = |error: serde_saphyr::Error| match error.location() {
                Some(location) => format!("line {}", location.line()),
                None => "at its end".to_owned(),
            };
            let change =
                serde_saphyr::from_str(&text).map_err(|error| Error::Syntax { path: path.clone(), place: place(error) })?;
            settings = settings.merged(change)?;
        }
        settings.mode = self.mode.unwrap_or(settings.mode);
        settings.generation = self.generation.unwrap_or(settings.generation);
        settings.flavour = self.flavour.unwrap_or(settings.flavour);
        settings.requested_delay_seconds = self.requested_delay.unwrap_or(settings.requested_delay_seconds);
        settings.retention_seconds = self.retention.unwrap_or(settings.retention_seconds);
        settings.granted_seconds = self.granted.or(settings.granted_seconds);
        settings.overlap = self.overlap.unwrap_or(settings.overlap);
        settings.profile_bodies = self.profile_bodies.unwrap_or(settings.profile_bodies);
        settings.check()?;
        Ok(settings)
    }

    /// The simulator that these arguments describe, and the token to try it with.
    pub fn builder(&self) -> Result<(Builder, Private<String>), Error> {
        let mut builder = Simulator::builder(Clock::scaled(self.time_factor))
            .listen(self.listen)
            .admin_listen(self.admin_listen)
            .settings(self.settings()?);
        if let Some(path) = &self.base_path {
            builder = builder.base_path(path.trim_end_matches('/'));
        }
        let mut first = None;
        for pair in &self.tokens {
            let (token, client) = token(pair)?;
            first.get_or_insert_with(|| token.clone());
            builder = builder.token(token, &client);
        }
        Ok((builder, first.unwrap_or_else(|| Private::from(DEFAULT_TOKEN))))
    }
}
