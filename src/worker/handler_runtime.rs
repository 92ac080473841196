//! The state of one handler in one worker: its policy, its concurrency limits, and what executes
//! its attempts.

use super::{HandlerSpec, breaker::Circuit, in_flight::InFlight};
use crate::domain::{HandlerName, HandlerPolicy};
use crate::handlers::{Attempt, TransactionalAttempt};
use crate::store::{Database, HandlerId, Sessions, SqlFunction};
use sqlx::PgPool;
use std::sync::Arc;
use tokio::sync::{Mutex, RwLock, Semaphore};

/// How many outcomes of one handler may wait to be settled. If a process is killed while its
/// commits do not return, this many deliveries, and those that have a slot, are delivered again.
const UNSETTLED: usize = 512;

/// The memory, in bytes, for all bodies of one handler that are fetched one by one.
pub(super) const LONG_BODIES: u32 = 8 * 1024 * 1024;

/// How many long bodies are fetched and filtered at the same time. The pool must keep connections
/// for others.
const FETCHES: usize = 2;

/// How the attempts of a handler are executed.
#[derive(Clone)]
pub(crate) enum ExecutionMode {
    /// At least once: the outcome is settled afterwards.
    Plain(Arc<dyn Attempt>),
    /// Exactly once: inside the settling transaction.
    InTransaction(InTransaction),
}

/// A handler that runs inside the settling transaction.
#[derive(Clone)]
pub(crate) enum InTransaction {
    /// A handler written in Rust.
    Rust(Arc<dyn TransactionalAttempt>),
    /// A Postgres function.
    Function(SqlFunction),
}

/// An [`ExecutionMode`] together with the sessions that it needs.
pub(super) enum Executor {
    Plain(Arc<dyn Attempt>),
    InTransaction(InTransaction, Sessions),
}

pub(super) struct HandlerRuntime {
    pub(super) id: HandlerId,
    pub(super) name: HandlerName,
    pub(super) label: Arc<str>,
    pub(super) policy: HandlerPolicy,
    pub(super) executor: Executor,
    /// Every attempt holds it for reading. An attempt that must run alone holds it for writing.
    pub(super) neighbours: RwLock<()>,
    /// Held by the one suspect (a delivery that was lost before) whose turn it is to run alone.
    pub(super) suspects: Mutex<()>,
    /// One permit for each running attempt.
    pub(super) running: Semaphore,
    /// One permit for each delivery that runs or waits to run. There are twice as many as may run,
    /// so that the next delivery is present when an attempt ends.
    pub(super) slots: Arc<Semaphore>,
    /// One permit for each outcome that waits to be settled. An attempt keeps its slot until its
    /// outcome has a permit.
    pub(super) unsettled: Arc<Semaphore>,
    /// One permit for each byte of memory for long bodies.
    pub(super) long_bodies: Semaphore,
    /// One permit for each long body that is being fetched.
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
        let executor = match runs {
            ExecutionMode::Plain(handler) => Executor::Plain(handler),
            ExecutionMode::InTransaction(handler) => {
                let sessions = Sessions::new(database, pool, policy.connections);
                Executor::InTransaction(handler, sessions)
            }
        };
        let is_in_transaction = matches!(executor, Executor::InTransaction(..));
        let concurrency = policy.attempts_at_once(is_in_transaction);
        // With a rate limit, each claimed delivery must start at once, and not when another attempt
        // ends.
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

    pub(super) fn ordered(&self) -> bool {
        self.policy.order.is_some()
    }
}
