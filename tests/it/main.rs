//! The integration tests, one binary.

mod airalo_contract;
