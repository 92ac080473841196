//! The helpers of the tests: a real Postgres with sources and handlers, a connection to it that can
//! be cut, raw HTTP, and waiting.

#![allow(dead_code, reason = "each part is there for whichever test needs it")]

pub(crate) mod airalo;
pub(crate) mod client;
pub(crate) mod postgres;
pub(crate) mod raw_http;
pub(crate) mod server;
pub(crate) mod sink;
pub(crate) mod tcp_proxy;
mod wait;
pub(crate) mod world;

pub(crate) use wait::{wait_until, wait_until_within};
