//! The integration tests, one binary.

mod admin_http;
mod ingress_http;
mod support;
