//! A real Kubernetes control plane on loopback, for tests and the demo: etcd, kube-apiserver and kube-controller-manager as
//! ordinary processes, and kubectl to ask them. No container, no kubelet, no scheduler.
//!
//! ```no_run
//! let plane = control_plane::ControlPlane::builder()
//!     .user("qos-operator", &["system:masters"])
//!     .start()?;
//! plane.kubectl().args(["create", "namespace", "a"]).status().unwrap();
//! let writes = plane.audit_events()?.into_iter().filter(|e| e.user == "admin" && e.is_write()).count();
//! assert_eq!(writes, 1);
//! # Ok::<(), control_plane::Error>(())
//! ```
//!
//! All functions block. In a test under tokio call those that take long ([`ControlPlane::start`],
//! [`ControlPlane::restart_api_server`]) in `tokio::task::spawn_blocking`.
//!
//! Everything goes with the process that started it, whichever way that ends: a `static` control plane that is never dropped,
//! a panic and SIGKILL included.

mod audit;
mod binaries;
mod copy;
mod environment;
mod error;
mod guarded;
mod parts;
mod plane;
mod server;
mod users;

pub use audit::AuditEvent;
pub use binaries::{Binaries, ETCD_VERSION, KUBERNETES_VERSION, NodeBinaries};
pub use copy::KubeconfigCopy;
pub use error::Error;
pub use plane::{Builder, ControlPlane};
