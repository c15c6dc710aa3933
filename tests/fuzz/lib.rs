//! The targets are in `targets.rs`: see `docs/notifications.md`, section "Fuzzing".
