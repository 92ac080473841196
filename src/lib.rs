//! Hookfast: a durable webhook processor on Postgres.

pub mod admin;
pub mod app;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod domain;
pub mod handlers;
pub mod health;
mod http;
pub mod ingress;
mod maintenance;
pub mod metrics;
pub mod receiver;
pub mod signing;
pub mod sources;
pub mod store;
pub mod worker;
