//! All integration tests, in one binary that shares one control plane.

mod admission;
mod crash;
mod field;
mod generated;
mod life;
mod looks;
mod provider;
mod qod;
mod reasons;
mod support;
