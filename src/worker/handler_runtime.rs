//! One handler in one worker: its policy, its places, and what runs an attempt.

use super::{
    HandlerSpec,
    breaker::Circuit,
    in_flight::InFlight,
    runner::{FETCHES, LONG_BODIES},
};
use crate::domain::{HandlerName, HandlerPolicy};
use crate::handlers::{Attempt, TransactionalAttempt};
use crate::store::{Database, HandlerId, Sessions, SqlFunction};
use sqlx::PgPool;
use std::sync::Arc;
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
