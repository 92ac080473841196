//! How the worker runs a handler.

use super::{Breaker, Connections, Order, PayloadFilter, Rate, RetryPolicy};
use std::time::Duration;

/// How a handler is run.
#[derive(Clone, Debug)]
pub struct HandlerPolicy {
    /// When a failed delivery is tried again.
    pub retry: RetryPolicy,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// How many attempts run at once in one process. Of no effect on a handler in the settling transaction.
    pub concurrency: usize,
    /// How many connections a handler in the settling transaction has in one process, which is how many of its attempts
    /// run at once. Of no effect on others.
    pub connections: Connections,
    /// The order it keeps: one delivery of a key at a time, as their events came.
    pub order: Option<Order>,
    /// At most so many attempts are started in a second in one process, evenly: never more at once than a quarter of a
    /// second's worth, or one. Of no effect where clients pull.
    pub rate: Option<Rate>,
    /// When it is left alone for a while. `None` is what its kind has: the default breaker for http, none for the
    /// others; [`Breaker::never`] is none for any. Of no effect where clients pull.
    pub breaker: Option<Breaker>,
    /// Which payloads it wants; `None` is all. What does not pass is done without running it. A body that is not JSON
    /// does not pass.
    pub filter: Option<PayloadFilter>,
    /// How long a delivery may have been ready before the handler is reported as behind.
    pub behind_after: Duration,
}

impl Default for HandlerPolicy {
    /// The default retry policy, 30 s, 32 at once (in the settling transaction 4), in any order, at any rate, everything.
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
