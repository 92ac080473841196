//! Making and verifying signatures. The module is pure: bytes, secrets and the time are arguments.

mod algorithm;
mod secret;
pub mod standard_webhooks;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use secret::{Secret, WeakSecret};
