//! The client of CAMARA's Quality-on-Demand API: one function per operationId, and answers classified by a closed list.
//!
//! Nothing in here knows Kubernetes, and nothing in here decides what to do next. Three layers, of which the first two do no I/O:
//! - [`wire`] writes a request and reads an answer, one file per wire shape (a generation of the API, or several that look alike);
//! - [`classify`] says what an answer means;
//! - [`Client`] moves the bytes, each request once.
//!
//! What all generations have in common is the neutral model: [`CreateSession`], [`SessionInfo`], [`QosProfile`]. What a generation
//! cannot say of it is [`FaultClass::NotExpressible`], before anything is sent. What a provider does otherwise than its generation
//! is a setting ([`Settings`], [`DeviceInRequest`]). Whose a session is that a look-up finds, [`recovery`] and [`sink`] tell.

mod answer;
pub mod classify;
mod client;
mod device_in_request;
mod device_ipv6;
mod fault;
mod flow;
mod generation;
mod profile;
pub mod recovery;
mod session;
mod settings;
pub mod sink;
mod transport;
pub mod wire;

pub use answer::{Answer, Body};
pub use client::Client;
pub use device_in_request::{DeviceInRequest, Legs, device_in_request};
pub use device_ipv6::{DeviceIpv6, NotIpv6};
pub use fault::{Fault, FaultClass, Field, Flip, Reason};
pub use flow::Flow;
pub use generation::{Generation, Operation, UnknownGeneration};
pub use profile::{DurationCheck, ProfileFilter, ProfileStatus, QosProfile};
pub use session::{
    AccessToken, ApplicationServer, Callback, CreateSession, Device, DeviceIpv4, PortRange, PortsSpec, QosStatus, SessionId,
    SessionInfo, SessionList, StatusInfo,
};
pub use settings::{CallbackField, Settings, SettingsError};
