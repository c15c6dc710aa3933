//! All integration tests, in one binary that shares one control plane.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod admin_server;
mod admission;
mod adoption;
mod auth;
mod chart;
mod contract;
mod crash;
mod docs;
mod events;
mod field;
mod generated;
mod generations;
mod gitops;
mod life;
mod logins;
mod looks;
mod notify;
mod objects;
mod provider;
mod qod;
mod reasons;
mod replicas;
mod scale;
mod scope;
mod support;
mod traces;
mod uninstall;
mod workload;
