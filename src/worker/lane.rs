//! One handler in one worker: its policy, its places, and what runs an attempt.

use super::{breaker::Circuit, holding::Holding};
use crate::domain::{Breaker, HandlerName, Order, PayloadFilter, Rate, RetryPolicy};
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
    /// At most so many attempts are started in a second in one process, evenly: never more at once than a quarter of a
    /// second's worth, or one. Of no effect where clients pull.
    pub rate: Option<Rate>,
    /// When it is left alone for a while. `None` is what its kind has: the default breaker for http, none for the
    /// others; [`Breaker::never`] is none for any. Of no effect where clients pull.
    pub breaker: Option<Breaker>,
    /// Which payloads it wants; `None` is all. What does not pass is done without running it. A body that is not JSON
    /// that Postgres can hold does not pass.
    pub filter: Option<PayloadFilter>,
}

impl Default for HandlerPolicy {
    /// The default retry policy, 30 s, 32 at once, in any order, at any rate, everything.
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            timeout: Duration::from_secs(30),
            concurrency: 32,
            order: None,
            rate: None,
            breaker: None,
            filter: None,
        }
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
    /// Shared with the probes.
    pub(super) circuit: Option<Arc<Circuit>>,
    /// The deliveries that this process knows it holds.
    pub(super) holding: Holding,
}

impl Lane {
    pub(super) fn new(id: HandlerId, name: HandlerName, policy: HandlerPolicy, runs: Runs) -> Self {
        let concurrency = policy.concurrency.max(1);
        // What is claimed at a rate has to start at that rate, and not when others have ended.
        let places = if policy.rate.is_some() { concurrency } else { 2 * concurrency };
        Self {
            id,
            label: name.as_str().into(),
            name,
            circuit: policy.breaker.map(|breaker| Arc::new(Circuit::new(breaker))),
            policy,
            runs,
            running: Semaphore::new(concurrency),
            places: Arc::new(Semaphore::new(places)),
            holding: Holding::default(),
        }
    }

    /// Whether it keeps order.
    pub(super) fn ordered(&self) -> bool {
        self.policy.order.is_some()
    }
}
