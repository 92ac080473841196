//! Hookfast: a durable webhook processor on Postgres.

pub mod admin;
pub mod domain;
pub mod handlers;
pub mod health;
mod http;
pub mod ingress;
pub mod signing;
pub mod sources;
