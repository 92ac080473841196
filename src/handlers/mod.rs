//! Who processes: the traits a program implements, and the kinds that come with Hookfast.

mod transactional;

pub(crate) use transactional::TransactionalAttempt;
pub use transactional::{Failed, TransactionalHandler};
pub(crate) mod push;
mod rust;

pub use push::{AddressRefused, HttpHandler, InvalidHttpHandler};
pub use rust::Handler;
pub(crate) use rust::RustHandler;

use crate::domain::{Delivery, Report};
use std::{future::Future, pin::Pin};

/// A boxed future, for the kinds the worker keeps side by side.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the worker runs: one attempt, ended by a report. Time-outs and panics are the worker's business.
pub(crate) trait Attempt: Send + Sync + 'static {
    /// Runs one attempt.
    fn attempt<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Report>;
}

/// A client for our own commands: the same TLS, no proxies, no redirects, and any address.
///
/// # Errors
/// Where the URL cannot be read, or the system's certificates cannot.
pub(crate) fn plain_client(
    url: &str,
    connect_timeout: std::time::Duration,
) -> Result<reqwest::Client, InvalidHttpHandler> {
    push::plain_client(url, connect_timeout)
}
