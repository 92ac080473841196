//! How the worker runs a handler.

use super::{Breaker, Connections, Order, PayloadFilter, Rate, RetryPolicy};
use std::time::Duration;

/// How the worker runs a handler.
#[derive(Clone, Debug)]
pub struct HandlerPolicy {
    /// When a failed delivery is retried.
    pub retry: RetryPolicy,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// How many attempts run at once in one process. It does not apply to handlers in the settling
    /// transaction.
    pub concurrency: usize,
    /// How many connections a handler in the settling transaction has in one process, and so how
    /// many of its attempts run at once. It does not apply to other handlers.
    pub connections: Connections,
    /// The order of deliveries, if it matters: one delivery of an ordering key at a time, in the
    /// order in which the events were received.
    pub order: Option<Order>,
    /// The maximum rate of attempts in one process, spread evenly: at most a quarter of a second's
    /// worth, or one, start at once. It does not apply to pulling clients.
    pub rate: Option<Rate>,
    /// The circuit breaker. `None` selects the default of the kind, which is the default breaker
    /// for http and none for other kinds. [`Breaker::never`] turns it off. It does not apply to
    /// pulling clients.
    pub breaker: Option<Breaker>,
    /// The payload filter; `None` accepts all payloads. Deliveries that do not match are settled
    /// without running the handler. A body that is not JSON does not match.
    pub filter: Option<PayloadFilter>,
    /// How long a delivery may be ready before the handler is reported as behind.
    pub behind_after: Duration,
}

impl HandlerPolicy {
    /// How many attempts run at once in one process.
    pub fn attempts_at_once(&self, is_in_transaction: bool) -> usize {
        match is_in_transaction {
            true => self.connections.count() as usize,
            false => self.concurrency.max(1),
        }
    }
}

impl Default for HandlerPolicy {
    /// The default retry policy, a timeout of 30 s, 32 attempts at once (4 in the settling
    /// transaction), and no order, rate limit or filter.
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            timeout: Duration::from_secs(30),
            concurrency: 32,
            connections: Connections::default(),
            order: None,
            rate: None,
            breaker: None,
            filter: None,
            behind_after: Duration::from_secs(300),
        }
    }
}
