//! The integration tests, one binary.

mod airalo_contract;
mod http_handler;
mod http_handler_hostile;
mod http_handler_tls;
mod raw_server;
mod receiver;
