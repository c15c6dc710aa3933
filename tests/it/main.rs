//! All integration tests, in one binary that shares one control plane.

mod provider;
mod qod;
