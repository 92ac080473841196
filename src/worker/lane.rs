//! One handler in one worker: its policy, its places, and what runs an attempt.

use super::holding::Holding;
use crate::domain::{HandlerName, Order, RetryPolicy};
use crate::handlers::{Attempt, TransactionalAttempt};
use crate::store::{HandlerId, SqlFunction};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// What runs an attempt.
#[derive(Clone)]
pub(crate) enum Runs {
    /// At least once: the outcome is settled afterwards.
    Plain(Arc<dyn Attempt>),
    /// Exactly once: inside the settling transaction.
    Transactional(Arc<dyn TransactionalAttempt>),
    /// Exactly once: a Postgres function, called inside the settling transaction.
    Function(SqlFunction),
}

/// How a handler is run.
#[derive(Clone, Debug)]
pub struct HandlerPolicy {
    /// When a failed delivery is tried again.
    pub retry: RetryPolicy,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// How many attempts run at once in one process.
    pub concurrency: usize,
    /// The order it keeps: one delivery of a key at a time, as their events came.
    pub order: Option<Order>,
}

impl Default for HandlerPolicy {
    /// The default retry policy, 30 s, 32 at once, in any order.
    fn default() -> Self {
        Self { retry: RetryPolicy::default(), timeout: Duration::from_secs(30), concurrency: 32, order: None }
    }
}

/// One handler as the worker serves it.
pub(super) struct Lane {
    pub(super) id: HandlerId,
    pub(super) name: HandlerName,
    pub(super) label: Arc<str>,
    pub(super) policy: HandlerPolicy,
    pub(super) runs: Runs,
    /// Attempts that run.
    pub(super) running: Semaphore,
    /// Places for deliveries that run or wait to: as many again as may run, so that the next are there when one ends.
    pub(super) places: Arc<Semaphore>,
    /// The deliveries that this process knows it holds.
    pub(super) holding: Holding,
}

impl Lane {
    pub(super) fn new(id: HandlerId, name: HandlerName, policy: HandlerPolicy, runs: Runs) -> Self {
        let concurrency = policy.concurrency.max(1);
        Self {
            id,
            label: name.as_str().into(),
            name,
            policy,
            runs,
            running: Semaphore::new(concurrency),
            places: Arc::new(Semaphore::new(2 * concurrency)),
            holding: Holding::default(),
        }
    }
    /// Whether it keeps order.
    pub(super) fn ordered(&self) -> bool {
        self.policy.order.is_some()
    }
}
