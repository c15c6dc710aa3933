//! qod
