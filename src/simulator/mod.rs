//! `qod-simulator`: the provider's side of Quality on Demand, to test clients against.
//!
//! One state machine ([`session`], [`sessions`]) and one [`ledger`] stand behind the forms in which the API's generations speak
//! ([`wire`]), 0.8 to 1.2-rc in CAMARA's form and some in Telefónica's: one of them under the simulator's own base path, and all of them
//! side by side ([`routes`]). It is held to the official documents, and shares no types with this project's own client.
//!
//! [`provider`] is pure: it does no input or output, and the time is an argument. [`server`] puts it on HTTP, with [`faults`] in
//! between, and [`oauth`] gives out its tokens; [`handle`] (in the process) and [`admin`] (over HTTP) steer it.

pub mod admin;
pub mod args;
mod connection;
pub mod device;
pub mod events;
pub mod faults;
pub mod flow;
pub mod generation;
pub mod handle;
pub mod ledger;
mod mock;
pub mod oauth;
mod provider;
pub mod requests;
mod routes;
mod server;
pub mod session;
mod sessions;
pub mod settings;
pub mod tokens;
pub mod transition;
mod wire;

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::Gate;
use self::events::Events;
use self::generation::{Dialect, Generation};
use self::handle::Initial;
pub use self::handle::{Admin, Selection};
use self::provider::Provider;
use self::routes::Mounts;
use self::server::Api;
use self::settings::{Outage, Settings};
use crate::clock::Clock;
use crate::private::Private;

/// The token that works from the start, as in Telefónica's sandbox.
pub const DEFAULT_TOKEN: &str = "mock_sandbox_access_token";
/// The client that [`DEFAULT_TOKEN`] stands for.
pub const DEFAULT_CLIENT: &str = "sandbox";
/// Where Telefónica's gateway really answers (their document says `/apigateway/ogw/qod/v0`).
pub const DEFAULT_BASE_PATH: &str = "/apigateway/qod/v0";

/// Why the simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is taken, or the address is not this host's.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The base path is not a plain path.
    #[error("the base path must be empty or begin with / and hold only letters, digits and . _ ~ - /, without a / at its end")]
    BasePath,
    /// There is none among the certificates for notifications, or one cannot be used.
    #[error("the certificates for notifications are no usable PEM bundle")]
    NotificationCa,
    /// The settings make no sense.
    #[error(transparent)]
    Settings(#[from] settings::Invalid),
}

/// How a simulator is to run. Made by [`Simulator::builder`].
#[derive(Debug)]
pub struct Builder {
    clock: Clock,
    listen: SocketAddr,
    admin_listen: Option<SocketAddr>,
    base_path: Option<String>,
    settings: Settings,
    tokens: Vec<(Private<String>, String)>,
    notification_ca: Option<Vec<u8>>,
}

impl Builder {
    /// Where the API listens; by default on 127.0.0.1, on a port that the kernel chooses.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Where the admin API listens; by default nowhere, since [`Simulator::admin`] is at hand.
    #[must_use]
    pub fn admin_listen(mut self, address: SocketAddr) -> Self {
        self.admin_listen = Some(address);
        self
    }

    /// The path under which the API is; by default the one that its generation and flavour have, as they are at the start
    /// ([`DEFAULT_BASE_PATH`] for Telefónica's 0.10). The profiles of 0.11 and later are under the same path, or, where it ends in
    /// `/quality-on-demand/<version>`, under `/qos-profiles/<version>` in its place.
    #[must_use]
    pub fn base_path(mut self, path: impl Into<String>) -> Self {
        self.base_path = Some(path.into());
        self
    }

    /// The settings at the start, to which a reset goes back.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Accepts `token` for `client`. Once one is given, [`DEFAULT_TOKEN`] is accepted only if it is given too.
    #[must_use]
    pub fn token(mut self, token: impl Into<Private<String>>, client: &str) -> Self {
        self.tokens.push((token.into(), client.to_owned()));
        self
    }

    /// Trusts these certificates (PEM) besides the system's when it sends notifications.
    #[must_use]
    pub fn notification_ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.notification_ca = Some(pem.into());
        self
    }

    /// Starts it. It runs in this process until [`Simulator::shutdown`], or until the [`Simulator`] is dropped.
    pub async fn start(self) -> Result<Simulator, Error> {
        let Self { clock, listen, admin_listen, base_path, settings, mut tokens, notification_ca } = self;
        settings.check()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-/".contains(&byte);
        let own = Dialect { generation: settings.generation, flavour: settings.flavour };
        let mounts = Mounts::new(base_path, own);
        let path = mounts.sessions();
        if !(path.is_empty() || path.starts_with('/')) || path.ends_with('/') || !path.bytes().all(plain) {
            return Err(Error::BasePath);
        }
        if tokens.is_empty() {
            tokens.push((Private::from(DEFAULT_TOKEN), DEFAULT_CLIENT.to_owned()));
        }
        let (listener, address) = bind(listen).await?;
        let admin_listener = match admin_listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let provider = Provider::new(settings.clone(), tokens.iter().cloned().collect(), clock.now());
        let (sessions, profiles) = (mounts.sessions().to_owned(), mounts.profiles().to_owned());
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let events = Events::new(notification_ca.as_deref(), shutdown.clone())?;
        let api = Arc::new(Api { provider: Mutex::new(provider), mounts, clock, address, events });
        tasks.spawn(events::run(Arc::clone(&api), shutdown.clone()));
        let gate = Gate::new();
        let refused = settings.outage == Outage::Refused;
        let admin = Admin { api: Arc::clone(&api), gate: gate.clone(), initial: Arc::new(Initial { settings, tokens }) };
        tasks.spawn(connection::serve(listener, server::router(api), gate.clone(), shutdown.clone()));
        let admin_address = admin_listener.as_ref().map(|(_, address)| *address);
        if let Some((listener, _)) = admin_listener {
            tasks.spawn(connection::serve(listener, admin::router(admin.clone()), Gate::new(), shutdown.clone()));
        }
        tasks.close();
        if refused {
            gate.set(false).await;
        }
        Ok(Simulator { address, admin_address, sessions, profiles, admin, guard: shutdown.clone().drop_guard(), shutdown, tasks })
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let refused = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

/// A running simulator.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    sessions: String,
    profiles: String,
    admin: Admin,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    /// Stops it when it is dropped.
    guard: tokio_util::sync::DropGuard,
}

impl Simulator {
    /// A simulator on `clock`, which a test shares with its client, on a port of 127.0.0.1 that the kernel chooses.
    pub fn builder(clock: Clock) -> Builder {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Builder {
            clock,
            listen,
            admin_listen: None,
            base_path: None,
            settings: Settings::default(),
            tokens: Vec::new(),
            notification_ca: None,
        }
    }

    /// The base URL of the API's sessions, with its base path, without a `/` at its end.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.sessions)
    }

    /// The base URL of the API's profiles; up to 0.10 it is that of the sessions.
    pub fn profiles_url(&self) -> String {
        format!("http://{}{}", self.address, self.profiles)
    }

    /// The base URL of the sessions of CAMARA's form of `generation`, which is there beside the API's own.
    pub fn url_of(&self, generation: Generation) -> String {
        self.url_in(Dialect::camara(generation))
    }

    /// The base URL of the profiles of CAMARA's form of `generation`.
    pub fn profiles_url_of(&self, generation: Generation) -> String {
        self.profiles_url_in(Dialect::camara(generation))
    }

    /// The base URL of the sessions of `dialect`, which is there beside the API's own.
    pub fn url_in(&self, dialect: Dialect) -> String {
        format!("http://{}{}", self.address, routes::beside(dialect).0)
    }

    /// The base URL of the profiles of `dialect`.
    pub fn profiles_url_in(&self, dialect: Dialect) -> String {
        format!("http://{}{}", self.address, routes::beside(dialect).1)
    }

    /// Where `/bc-authorize` and `/token` are, as Telefónica has them, without a `/` at its end.
    pub fn oauth_url(&self) -> String {
        format!("http://{}/apigateway", self.address)
    }

    /// Where the API listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The admin API's URL, if it listens.
    pub fn admin_url(&self) -> Option<String> {
        self.admin_address.map(|address| format!("http://{address}/admin"))
    }

    /// Looks into it and steers it.
    pub fn admin(&self) -> Admin {
        self.admin.clone()
    }

    /// Takes no more connections, lets the requests under way end (for at most 5 s), and returns.
    pub async fn shutdown(self) {
        drop(self.guard);
        self.shutdown.cancel();
        self.tasks.wait().await;
    }
}
