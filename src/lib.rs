//! qos-operator keeps CAMARA Quality-on-Demand sessions as `QosSession` objects declare them.
//!
//! | module | what it is | what it may touch |
//! |---|---|---|
//! | [`api`] | the custom resources | nothing |
//! | [`qod`] | the client of the provider's API | the provider |
//! | [`auth`] | the access tokens for that API | the provider's token endpoint |
//! | [`http`] | the rules of HTTP that both keep | nothing |
//! | [`session`] | the `QosSession` controller; its heart, [`session::decide`], is pure | provider, API server |
//! | [`provider`] | the `QosProvider` controller and what sessions see of it | provider, API server |
//! | [`notify`] | what the receiver of notifications answers | nothing |
//! | [`notify::receiver`] | the HTTP server around it | its own sockets, its certificate's files |
//! | [`notify::front`] | lets any replica receive | its own sockets |
//! | [`leader`] | which of several replicas acts | API server (the Lease) |
//! | [`workload`] | from annotated Pods and Services to `QosSession`s; its heart, [`workload::plan`], is pure | API server |
//! | [`metrics`], [`admin`] | what is counted, whether the process is well, and the server that tells | `/proc`, its own socket |
//! | [`check`] | whether the operator could do its work here | API server |
//! | [`scope`] | in which namespaces the operator acts, and the watches of what is there | API server |
//! | [`trace`] | the spans of what is done, and their way to a collector | the collector |
//! | [`vitals`] | what every part reports to | nothing |
//! | [`simulator`] | a provider to run against | its own sockets |
//! | [`uninstall`] | what the chart runs before it deletes the operator; its [`uninstall::plan`] is pure | API server |
//! | [`clock`] | the one place that reads the time | the system's clock |
//! | [`operator`], [`replica`], [`run`], [`args`], [`crds`] | the process | all of these |
//!
//! The invariants, in the order in which they matter: for one `QosSession` there is never more than one live session; none is ever
//! leaked; no device stays blocked by a session that nobody released; the status is the provider's word; a deletion ends; a session
//! at rest costs nothing but its poll; nothing personal or secret is ever printed. `docs/architecture.md` says where each is held.

pub mod admin;
pub mod api;
pub mod args;
pub mod auth;
pub mod check;
pub mod clock;
pub mod crds;
pub mod http;
pub mod leader;
pub mod metrics;
pub mod notify;
pub mod operator;
pub mod private;
pub mod provider;
pub mod qod;
pub mod replica;
pub mod run;
pub mod scope;
pub mod session;
pub mod simulator;
pub mod trace;
pub mod uninstall;
pub mod vitals;
pub mod workload;
