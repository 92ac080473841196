//! When a claimed delivery may run: its share of the handler's concurrency, memory for a long body,
//! and exclusive execution if it was lost twice.

use super::handler_runtime::{HandlerRuntime, LONG_BODIES};
use crate::store::Claimed;
use std::time::Duration;
use tokio::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard, SemaphorePermit};

/// A delivery that was lost this often is a suspect and runs alone: no other delivery of its
/// handler runs in this process at the same time. So a poison delivery is found without blaming
/// those that run beside it. Other handlers continue. They must not wait for hundreds of suspects,
/// each as long as its attempt takes, because one handler was killed twice for lack of memory.
const LOST_RUNS_ALONE: i16 = 2;

/// How long a suspect waits for its turn. Within this time several quick suspects get their turns.
const SUSPECT_PATIENCE: Duration = Duration::from_millis(100);

/// The permits that an attempt holds while it runs.
pub(super) struct Turn<'a> {
    _company: Company<'a>,
    _running: Option<SemaphorePermit<'a>>,
    _memory: Option<SemaphorePermit<'a>>,
}

#[expect(dead_code, reason = "the guards are held, not read")]
enum Company<'a> {
    Any(RwLockReadGuard<'a, ()>),
    None(RwLockWriteGuard<'a, ()>, MutexGuard<'a, ()>),
}

impl<'a> Turn<'a> {
    /// Waits until the delivery may run. Returns `None` if a suspect does not get its turn soon:
    /// the longer it waits here, the more likely it is lost with this worker again without having
    /// run.
    pub(super) async fn wait(runtime: &'a HandlerRuntime, claimed: &Claimed) -> Option<Self> {
        // Reserve the memory first: a delivery that waits for memory must not keep another from
        // running.
        let memory = reserve_memory(runtime, claimed).await;
        if claimed.lost < LOST_RUNS_ALONE {
            let running = runtime.running.acquire().await.ok();
            return Some(Self {
                _company: Company::Any(runtime.neighbours.read().await),
                _running: running,
                _memory: memory,
            });
        }
        // The suspect waits for its turn without a permit to run, so that other deliveries run
        // between two suspects.
        let turn = tokio::time::timeout(SUSPECT_PATIENCE, runtime.suspects.lock())
            .await
            .ok()?;
        let running = runtime.running.acquire().await.ok();
        Some(Self {
            _company: Company::None(runtime.neighbours.write().await, turn),
            _running: running,
            _memory: memory,
        })
    }
}

/// Reserves memory for a long body. A body that exceeds the budget reserves all of it.
async fn reserve_memory<'a>(
    runtime: &'a HandlerRuntime,
    claimed: &Claimed,
) -> Option<SemaphorePermit<'a>> {
    let length = claimed.long_body?.min(LONG_BODIES);
    runtime.long_bodies.acquire_many(length).await.ok()
}
