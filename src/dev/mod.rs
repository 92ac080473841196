//! Tools for development and tests: a private Postgres server, a webhook receiver and a local
//! Airalo.

pub mod airalo_emulator;
pub mod postgres;
pub mod receiver;
