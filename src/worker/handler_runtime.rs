//! One handler in one worker: its policy, its places, and what runs an attempt.

use super::{
    HandlerSpec,
    breaker::Circuit,
    in_flight::InFlight,
    runner::{FETCHES, LONG_BODIES},
};
use crate::domain::{Breaker, Connections, HandlerName, Order, PayloadFilter, Rate, RetryPolicy};
use crate::handlers::{Attempt, TransactionalAttempt};
use crate::store::{Database, HandlerId, Sessions, SqlFunction};
use sqlx::PgPool;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Mutex, RwLock, Semaphore};

/// How many outcomes of one handler may wait to be settled. That many, and what has a place, is delivered again after a
/// process is killed while its commits do not return.
const UNSETTLED: usize = 512;

/// What runs an attempt.
#[derive(Clone)]
pub(crate) enum ExecutionMode {
    /// At least once: the outcome is settled afterwards.
    Plain(Arc<dyn Attempt>),
    /// Exactly once: inside the settling transaction.
    InTransaction(InTransaction),
}

/// What runs inside the settling transaction.
#[derive(Clone)]
pub(crate) enum InTransaction {
    /// A handler in Rust.
    Rust(Arc<dyn TransactionalAttempt>),
    /// A Postgres function.
    Function(SqlFunction),
}

/// What runs an attempt, with all that it needs.
pub(super) enum Executor {
    Plain(Arc<dyn Attempt>),
    InTransaction(InTransaction, Sessions),
}

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

/// One handler as the worker serves it.
pub(super) struct HandlerRuntime {
    pub(super) id: HandlerId,
    pub(super) name: HandlerName,
    pub(super) label: Arc<str>,
    pub(super) policy: HandlerPolicy,
    pub(super) executor: Executor,
    /// Held for reading by every attempt, for writing by one that has to run without the others.
    pub(super) neighbours: RwLock<()>,
    /// Held by the one attempt whose turn it is to run without the others.
    pub(super) suspects: Mutex<()>,
    /// Attempts that run.
    pub(super) running: Semaphore,
    /// Places for deliveries that run or wait to: as many again as may run, so that the next are there when one ends.
    pub(super) slots: Arc<Semaphore>,
    /// Outcomes that may wait to be settled. An attempt keeps its place until its outcome may.
    pub(super) unsettled: Arc<Semaphore>,
    /// Bytes of memory for long bodies of its events.
    pub(super) long_bodies: Semaphore,
    /// Long bodies that are fetched.
    pub(super) fetches: Semaphore,
    /// Shared with the probes.
    pub(super) circuit: Option<Arc<Circuit>>,
    /// The deliveries that this process knows it holds.
    pub(super) in_flight: InFlight,
}

impl HandlerRuntime {
    pub(super) fn new(served: HandlerSpec, database: &Database, pool: &PgPool) -> Self {
        let HandlerSpec {
            id,
            name,
            policy,
            runs,
        } = served;
        let (executor, concurrency) = match runs {
            ExecutionMode::Plain(handler) => (Executor::Plain(handler), policy.concurrency.max(1)),
            ExecutionMode::InTransaction(handler) => {
                let sessions = Sessions::new(database, pool, policy.connections);
                (
                    Executor::InTransaction(handler, sessions),
                    policy.connections.count() as usize,
                )
            }
        };
        // What is claimed at a rate has to start at that rate, and not when others have ended.
        let slots = if policy.rate.is_some() {
            concurrency
        } else {
            2 * concurrency
        };
        Self {
            id,
            label: name.as_str().into(),
            name,
            circuit: policy
                .breaker
                .map(|breaker| Arc::new(Circuit::new(breaker))),
            policy,
            executor,
            neighbours: RwLock::default(),
            suspects: Mutex::default(),
            running: Semaphore::new(concurrency),
            slots: Arc::new(Semaphore::new(slots)),
            long_bodies: Semaphore::new(LONG_BODIES as usize),
            fetches: Semaphore::new(FETCHES),
            unsettled: Arc::new(Semaphore::new(UNSETTLED)),
            in_flight: InFlight::default(),
        }
    }

    /// Whether it keeps order.
    pub(super) fn ordered(&self) -> bool {
        self.policy.order.is_some()
    }
}
