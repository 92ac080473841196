//! The integration tests, one binary.

mod cluster;
mod harness;
mod support;
