//! Runs the handler's code within its timeout, with or without a settling transaction.

use super::{
    Shared,
    handler_runtime::{Executor, HandlerRuntime, InTransaction},
    panics,
};
use crate::domain::{Delivery, ErrorKind, Outcome, Report};
use crate::store::{Claim, Fault, Sessions, SettlingTransaction, StoreError};
use futures_util::FutureExt;
use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// How the execution of a handler ended.
pub(super) enum Execution {
    /// The settling transaction delivered and settled it, or another worker did.
    Settled,
    /// The handler reported an outcome, which is not settled yet.
    Reported(Report),
    /// The connection of the settling transaction broke. If the commit succeeded nevertheless, the
    /// settlement that follows finds nothing to settle.
    Lost(StoreError),
    /// The settling transaction could not begin, so no code of the handler has run.
    NotBegun(StoreError),
}

/// Runs the handler for one delivery.
pub(super) async fn execute(
    runtime: &HandlerRuntime,
    shared: &Shared,
    delivery: &Delivery,
    claim: Claim,
) -> Execution {
    match &runtime.executor {
        Executor::Plain(handler) => {
            let attempt = handler.attempt(delivery);
            let limit = runtime.policy.timeout;
            Execution::Reported(within_limits(attempt, &runtime.label, limit).await)
        }
        Executor::InTransaction(handler, sessions) => {
            in_transaction(handler, sessions, delivery, claim, runtime, shared)
                .await
                .unwrap_or_else(Execution::NotBegun)
        }
    }
}

/// Runs an attempt inside the settling transaction.
///
/// # Errors
/// If the transaction could not begin: no code of the handler has run.
async fn in_transaction(
    handler: &InTransaction,
    sessions: &Sessions,
    delivery: &Delivery,
    claim: Claim,
    runtime: &HandlerRuntime,
    shared: &Shared,
) -> Result<Execution, StoreError> {
    let limit = runtime.policy.timeout;
    let Some(mut transaction) = SettlingTransaction::begin(sessions, claim, limit).await? else {
        shared.metrics.stale_outcome(&runtime.label);
        return Ok(Execution::Settled);
    };
    let attempt = async {
        match handler {
            InTransaction::Rust(handler) => handler.attempt(delivery, &mut transaction).await,
            InTransaction::Function(function) => transaction.call(function, delivery).await,
        }
    };
    let outcome: Outcome = within_limits(attempt, &runtime.label, limit).await;
    if outcome != Outcome::Delivered {
        return Ok(match (transaction.roll_back().await, &outcome) {
            // The handler failed because the connection broke.
            (Err(error), Outcome::Retry { .. }) => Execution::Lost(error),
            _ => Execution::Reported(outcome.into()),
        });
    }
    Ok(match transaction.commit().await {
        Ok(true) => {
            shared.metrics.attempt(&runtime.label, "delivered");
            Execution::Settled
        }
        Ok(false) => {
            shared.metrics.stale_outcome(&runtime.label);
            Execution::Settled
        }
        Err(error) if error.fault() == Fault::Lost => Execution::Lost(error),
        Err(error) => {
            let outcome = Outcome::retry(format!("the commit failed: {error}"));
            Execution::Reported(outcome.of_kind(ErrorKind::Commit).into())
        }
    })
}

/// Limits an attempt to its timeout, and turns a panic into a failed attempt.
async fn within_limits<T: From<Outcome>>(
    attempt: impl Future<Output = T>,
    handler: &Arc<str>,
    limit: Duration,
) -> T {
    let attempt = panics::of_handler(handler, AssertUnwindSafe(attempt).catch_unwind());
    match tokio::time::timeout(limit, attempt).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(panic)) => Outcome::retry(format!("the handler panicked: {}", panic_text(&*panic)))
            .of_kind(ErrorKind::Panic)
            .into(),
        Err(_) => Outcome::timed_out(limit, "the handler did not end").into(),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
