//! Signatures, in and out. Pure: bytes, secrets and the time are arguments.

pub mod hmac;
mod secret;
pub mod standard_webhooks;

pub use secret::{Secret, WeakSecret};
