//! The integration tests, one binary.

mod admin_http;
mod airalo_contract;
mod app;
mod cli;
mod clients;
mod cluster;
mod documents;
mod harness;
mod house;
mod http_handler;
mod http_handler_hostile;
mod http_handler_tls;
mod ingress_http;
mod operate_cli;
mod process;
mod raw_server;
mod receiver;
mod retention;
mod sources;
mod store;
mod support;
mod upgrades;
