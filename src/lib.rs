//! qos-operator keeps CAMARA Quality-on-Demand sessions as `QosSession` objects declare them.

pub mod api;
pub mod clock;
pub mod crds;
pub mod private;
pub mod provider;
pub mod qod;
pub mod session;
pub mod simulator;
