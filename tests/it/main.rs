//! All integration tests, in one binary that shares one control plane.

mod admission;
mod field;
mod generated;
mod life;
mod objects;
mod provider;
mod qod;
mod support;
