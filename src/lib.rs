//! Hookfast: a durable webhook processor on Postgres.

pub mod cluster;
pub mod domain;
pub mod handlers;
pub mod ingress;
pub mod signing;
pub mod sources;
