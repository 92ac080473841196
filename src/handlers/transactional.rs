//! Handlers whose effects commit together with the outcome of their delivery.

use super::BoxFuture;
use crate::domain::{Delivery, Outcome};
use crate::store::SettlingTransaction;
use std::{fmt, future::Future};

/// Why a transactional handler failed. `?` makes one from any error, and the delivery is retried by
/// the policy. [`HandlerError::dead`] rejects the event for good.
///
/// It does not implement `Error`, because it would then have to report its cause twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerError(Outcome);

impl HandlerError {
    /// The attempt failed and is retried by the policy.
    pub fn retry(why: impl fmt::Display) -> Self {
        Self(Outcome::retry(why.to_string()))
    }

    /// The attempt failed because something that the handler needs is unavailable. It counts for
    /// the circuit breaker.
    pub fn unavailable(why: impl fmt::Display) -> Self {
        Self(Outcome::unavailable(why.to_string()))
    }

    /// The event is rejected for good. The delivery is a dead letter at once.
    pub fn dead(why: impl fmt::Display) -> Self {
        Self(Outcome::dead(why.to_string()))
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}

/// A handler in Rust that works inside the settling transaction. Its effects happen exactly once
/// per delivery.
pub trait TransactionalHandler: Send + Sync + 'static {
    /// Handles one attempt. If it returns `Ok`, all writes through `transaction` commit together
    /// with the end of the delivery. Otherwise they are rolled back. Do not commit or roll back
    /// yourself, and do not have effects elsewhere: those would happen at least once.
    fn handle(
        &self,
        delivery: &Delivery,
        transaction: &mut SettlingTransaction,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;
}

/// A transactional attempt as the worker runs it.
pub(crate) trait TransactionalAttempt: Send + Sync + 'static {
    /// Runs one attempt inside an open settling transaction.
    fn attempt<'a>(
        &'a self,
        delivery: &'a Delivery,
        transaction: &'a mut SettlingTransaction,
    ) -> BoxFuture<'a, Outcome>;
}

impl<H: TransactionalHandler> TransactionalAttempt for H {
    fn attempt<'a>(
        &'a self,
        delivery: &'a Delivery,
        transaction: &'a mut SettlingTransaction,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self.handle(delivery, transaction).await {
                Ok(()) => Outcome::Delivered,
                Err(HandlerError(outcome)) => outcome,
            }
        })
    }
}
