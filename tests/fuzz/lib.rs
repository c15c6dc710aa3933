//! The targets are in `main.rs`: see `docs/notifications.md`, section "Fuzzing".
