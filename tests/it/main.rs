//! The integration tests, one binary.

mod admin_http;
mod airalo_contract;
mod app;
mod cli;
mod clients;
mod cluster;
mod documents;
mod harness;
mod history_plans;
mod house;
mod http_handler;
mod http_handler_hostile;
mod http_handler_tls;
mod ingress_http;
mod operate;
mod operate_cli;
mod process;
mod raw_server;
mod receiver;
mod retention;
mod runbook;
mod sources;
mod sql_document;
mod store;
mod support;
mod upgrades;
