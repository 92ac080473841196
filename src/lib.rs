//! Hookfast: a durable webhook processor on Postgres.

pub mod domain;
pub mod handlers;
pub mod ingress;
pub mod receiver;
pub mod signing;
pub mod sources;
