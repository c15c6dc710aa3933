//! The client of CAMARA's Quality-on-Demand API: one function per operationId, and answers classified by a closed list.
//!
//! Nothing in here knows Kubernetes, and nothing in here decides what to do next. Three layers, of which the first two do no I/O:
//! - [`wire`] writes a request and reads an answer, one file per wire shape (a generation of the API, or several that look alike);
//! - [`classify`] says what an answer means;
//! - [`Client`] moves the bytes, each request once.
//!
//! What all generations have in common is the neutral model: [`CreateSession`], [`SessionInfo`], [`QosProfile`].

mod answer;
pub mod classify;
mod client;
mod fault;
mod flow;
mod generation;
mod profile;
mod session;
mod settings;
mod transport;
pub mod wire;

pub use answer::{Answer, Body};
pub use client::Client;
pub use fault::{Fault, FaultClass, Field, Flip, Reason};
pub use flow::Flow;
pub use generation::{Generation, Operation, UnknownGeneration};
pub use profile::{DurationCheck, ProfileFilter, ProfileStatus, QosProfile};
pub use session::{
    AccessToken, ApplicationServer, Callback, CreateSession, Device, DeviceIpv4, PortRange, PortsSpec, QosStatus, SessionId,
    SessionInfo, StatusInfo,
};
pub use settings::{Settings, SettingsError};
