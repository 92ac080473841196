//! Handlers whose effects commit together with the end of their delivery.

use super::BoxFuture;
use crate::domain::{Delivery, Outcome};
use crate::store::SettlingTransaction;
use std::{fmt, future::Future};

/// Why a transactional handler did not do it. Made by `?` from any error (tried again by the policy), or by
/// [`Failed::dead`] (refused for good).
///
/// Not an error itself: it would then have to say what caused it twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(Outcome);

impl Failed {
    /// Again later, by the policy.
    pub fn retry(why: impl fmt::Display) -> Self {
        Self(Outcome::retry(why.to_string()))
    }

    /// Again later, since what the handler needs is not there: counts for its circuit breaker.
    pub fn unavailable(why: impl fmt::Display) -> Self {
        Self(Outcome::unavailable(why.to_string()))
    }

    /// Refused for good: a dead letter at once.
    pub fn dead(why: impl fmt::Display) -> Self {
        Self(Outcome::dead(why.to_string()))
    }
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}

/// A handler in Rust that works inside the settling transaction: its effects happen exactly once per delivery.
pub trait TransactionalHandler: Send + Sync + 'static {
    /// Handles one attempt. What is written through `transaction` commits if this returns `Ok`, together with the
    /// end of the delivery; otherwise it is rolled back. Neither commit nor roll back yourself, and have no effects
    /// elsewhere: those would happen at least once.
    fn handle(
        &self,
        delivery: &Delivery,
        transaction: &mut SettlingTransaction,
    ) -> impl Future<Output = Result<(), Failed>> + Send;
}

/// What the worker runs.
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
                Err(Failed(outcome)) => outcome,
            }
        })
    }
}
