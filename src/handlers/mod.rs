//! Handlers: the traits that a program implements, and the kinds that Hookfast provides.

pub(crate) mod push;
mod rust;
mod transactional;

pub use push::{AddressBlocked, HttpHandler, InvalidHttpHandler};
pub use rust::Handler;
pub(crate) use rust::RustHandler;
pub(crate) use transactional::TransactionalAttempt;
pub use transactional::{HandlerError, TransactionalHandler};

use crate::domain::{Delivery, Report};
use futures_util::future::BoxFuture;

/// One attempt as the worker runs it. The worker handles timeouts and panics.
pub(crate) trait Attempt: Send + Sync + 'static {
    fn attempt<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Report>;
}

/// An HTTP client for our own commands: the same TLS, no proxies, no redirects, and all addresses
/// allowed.
///
/// # Errors
/// If the URL is invalid or the system's certificates cannot be read.
pub(crate) fn plain_client(
    url: &str,
    connect_timeout: std::time::Duration,
) -> Result<reqwest::Client, InvalidHttpHandler> {
    push::plain_client(url, connect_timeout)
}
