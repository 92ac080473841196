//! What a process reports about itself: liveness and readiness, metrics, and the HTTP server for
//! both.

pub mod admin;
pub mod health;
pub mod metrics;
mod pending_counts;
