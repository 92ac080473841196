//! Runs one attempt, from the claimed delivery to the outcome that is handed to the settler.

use super::{
    Shared,
    breaker::Probe,
    handler_runtime::{Executor, HandlerRuntime, InTransaction},
    handler_status::{note, pause},
    in_flight::InFlightGuard,
    lease::ActiveLease,
    panics,
    settler::{PendingSettlement, wake_next},
};
use crate::boot_time::BootTime;
use crate::domain::{Delivery, Outcome, StorableText};
use crate::store::{
    Claim, Claimed, Fault, LongBody, Sessions, SettleOutcome, Settlement, SettlingTransaction,
    StoreError, event_body,
};
use crate::throttle::throttled;
use futures_util::FutureExt;
use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{
    MutexGuard, OwnedSemaphorePermit, RwLockReadGuard, RwLockWriteGuard, SemaphorePermit,
};

/// The longest error text that is stored, in bytes.
pub(super) const LONGEST_ERROR: usize = 2000;

/// A delivery that was lost this often is a suspect and runs alone: no other delivery of its
/// handler runs in this process at the same time. So a poison delivery is found without blaming
/// those that run beside it. Other handlers continue. They must not wait for hundreds of suspects,
/// each as long as its attempt takes, because one handler was killed twice for lack of memory.
const LOST_RUNS_ALONE: i16 = 2;

/// How long a suspect waits for its turn. Within this time several quick suspects get their turns.
const SUSPECT_PATIENCE: Duration = Duration::from_millis(100);

/// If a suspect does not get its turn, it is released for one to five times this long, at random.
/// Otherwise hundreds of suspects would be claimed and released over and over while a slow one has
/// its turn.
const SUSPECT_WAITS: Duration = Duration::from_secs(1);

/// A handler that reports that it is gone is paused. Its delivery is free again at once, and waits
/// until the handler is resumed.
const GONE_WAITS: Duration = Duration::ZERO;

/// A delivery whose attempt could not begin keeps its slot for this long and is then released. If
/// it gave back the slot at once, a whole backlog would be claimed and released over and over while
/// the fault lasts.
const NOT_BEGUN_WAITS: Duration = Duration::from_secs(1);

/// A delivery whose connection broke is due again after this long, multiplied by how often it has
/// been lost.
const LOST_WAITS: Duration = Duration::from_secs(1);

/// The memory, in bytes, for all bodies of one handler that are fetched one by one.
pub(super) const LONG_BODIES: u32 = 8 * 1024 * 1024;

/// How many long bodies are fetched and filtered at the same time. The pool must keep connections
/// for others.
pub(super) const FETCHES: usize = 2;

/// Runs one claimed delivery and hands its outcome to the settler. A delivery that was not started
/// is released.
pub(super) async fn run(
    runtime: Arc<HandlerRuntime>,
    shared: Shared,
    lease: Arc<ActiveLease>,
    claimed: Claimed,
    probe: Option<Probe>,
    (slot, held): (OwnedSemaphorePermit, InFlightGuard),
) {
    let claim = claimed.claim;
    let (settlement, settled) = tokio::select! {
        ended = attempt(&runtime, &shared, &lease, &claimed, probe) => ended,
        // The lease is gone and others have taken over, so a running attempt stops here.
        () = lease.lost.cancelled() => {
            shared.metrics.count("handler", &runtime.label, "stopped", 1);
            return;
        }
    };
    if settled {
        // Before the wake-up: a woken claimer may hold the same delivery again.
        held.settled();
        if let Some(key) = &claimed.ordering_key {
            wake_next(&shared.pool, &shared.wake, claim.handler, &[key]).await;
        }
        return;
    }
    tracing::debug!(delivery = %claim.delivery, attempt = claim.attempt, handler = %runtime.name, outcome = ?settlement.outcome,
        duration = ?settlement.duration, "attempt ended");
    // Keep the slot until the outcome is counted as unsettled, so that no other attempt starts
    // before that. The semaphore is never closed.
    let Ok(unsettled) = runtime.unsettled.clone().acquire_owned().await else {
        return;
    };
    drop(slot);
    let ended = PendingSettlement {
        settlement,
        handler: runtime.label.clone(),
        lease,
        ordering_key: claimed.ordering_key,
        held,
        _unsettled: unsettled,
    };
    // The settler outlives every attempt. If it did not, the delivery would be rescued.
    let _ = shared.settle.send(ended);
}

/// Returns the outcome, and whether it is already settled.
async fn attempt(
    runtime: &HandlerRuntime,
    shared: &Shared,
    lease: &ActiveLease,
    claimed: &Claimed,
    probe: Option<Probe>,
) -> (Settlement, bool) {
    let of = |outcome| Settlement {
        claim: claimed.claim,
        outcome,
        duration: None,
        status: None,
        error: None,
    };
    let released = || (of(SettleOutcome::Release(Duration::ZERO)), false);
    let not_begun = async || {
        shared
            .stop
            .run_until_cancelled(tokio::time::sleep(NOT_BEGUN_WAITS))
            .await;
        released()
    };
    let Some(delivery) = &claimed.delivery else {
        let error = Some(StorableText::new(
            "the event's payload is gone: its retention has passed",
            LONGEST_ERROR,
        ));
        return (
            Settlement {
                error,
                ..of(SettleOutcome::EventMissing)
            },
            false,
        );
    };
    if !claimed.passes {
        return (of(SettleOutcome::Filtered), false);
    }
    let started = tokio::select! {
        biased;
        () = shared.stop.cancelled() => return released(),
        // Reserve the memory for the body first: a delivery that waits for memory must not keep
        // another from running.
        started = async {
            let reserved = reserve(runtime, claimed).await;
            start(runtime, claimed).await.map(|started| (started, reserved))
        } => started,
    };
    let Some(_started) = started else {
        let waits = SUSPECT_WAITS.mul_f64(rand::random_range(1.0..5.0));
        return (of(SettleOutcome::Release(waits)), false);
    };
    // If the breaker opened while this delivery waited for its turn, the delivery goes back to the
    // outbox without using up an attempt.
    let left_alone = probe.is_none()
        && runtime
            .circuit
            .as_ref()
            .is_some_and(|circuit| !circuit.is_closed());
    if left_alone || !lease.may_start(BootTime::now()) {
        return released();
    }
    let mut delivery = delivery.clone();
    if claimed.long_body.is_some() {
        let fetching = runtime.fetches.acquire().await;
        let fetched = event_body(
            &shared.pool,
            claimed.event_id,
            runtime.policy.filter.as_ref(),
        )
        .await;
        drop(fetching);
        match fetched {
            Ok(LongBody::Passes(body)) => Arc::make_mut(&mut delivery.event).body = body,
            Ok(LongBody::Filtered) => return (of(SettleOutcome::Filtered), false),
            Ok(LongBody::Gone) => return (of(SettleOutcome::EventMissing), false),
            // It would take as long the next time. As a failed attempt it ends as a visible dead
            // letter.
            Ok(LongBody::TooSlow(error)) => {
                let failures = failures(runtime, claimed);
                let (outcome, error) = settle_outcome(Outcome::retry(error), runtime, failures);
                let error = error.map(|e| StorableText::new(&e, LONGEST_ERROR));
                return (
                    Settlement {
                        error,
                        ..of(outcome)
                    },
                    false,
                );
            }
            Err(error) => {
                throttled!(warn, %error, handler = %runtime.name, "a long body could not be fetched; its delivery is released");
                return not_begun().await;
            }
        }
        // The fetch may have taken long.
        if !lease.may_start(BootTime::now()) {
            return released();
        }
    }
    let begun = Instant::now();
    let limit = runtime.policy.timeout;
    let (report, settled) = match &runtime.executor {
        Executor::Plain(handler) => (
            guarded(handler.attempt(&delivery), &runtime.label, limit).await,
            false,
        ),
        Executor::InTransaction(handler, sessions) => {
            match in_transaction(handler, sessions, &delivery, claimed.claim, runtime, shared).await
            {
                Ok(Ending::Settled) => (Outcome::Delivered.into(), true),
                Ok(Ending::Failed(outcome)) => (outcome.into(), false),
                Ok(Ending::Lost(error)) => {
                    tracing::warn!(%error, handler = %runtime.name, delivery = %claimed.claim.delivery,
                        "the connection to the database broke during an attempt; the delivery is tried again and uses up no try");
                    let waits = LOST_WAITS * (claimed.lost.unsigned_abs().saturating_add(1)).into();
                    let error = Some(StorableText::new(&lost(&error), LONGEST_ERROR));
                    let duration = Some(begun.elapsed());
                    return (
                        Settlement {
                            error,
                            duration,
                            ..of(SettleOutcome::Lost(waits))
                        },
                        false,
                    );
                }
                // This process lacks a resource, so the delivery does not lose an attempt.
                Err(error) => {
                    throttled!(warn, %error, handler = %runtime.name,
                        "a settling transaction could not begin; its delivery is released and uses up no try");
                    return not_begun().await;
                }
            }
        }
    };
    let took = begun.elapsed();
    shared.metrics.attempt_took(&runtime.label, took);
    if let Some(circuit) = &runtime.circuit {
        let now = Instant::now();
        let change = match probe {
            Some(probe) => probe.ended(&report.outcome, now),
            None => circuit.ended(&report.outcome, now),
        };
        if let Some(change) = change {
            note(runtime, shared, change).await;
        }
    }
    if let Outcome::Gone { error } = &report.outcome {
        pause(runtime, shared, error).await;
    }
    let (outcome, error) = settle_outcome(report.outcome, runtime, failures(runtime, claimed));
    let error = error.map(|e| StorableText::new(&e, LONGEST_ERROR));
    (
        Settlement {
            outcome,
            duration: Some(took),
            status: report.status,
            error,
            ..of(SettleOutcome::Delivered)
        },
        settled,
    )
}

/// The number that this failure would have, counted from 1.
fn failures(runtime: &HandlerRuntime, claimed: &Claimed) -> usize {
    runtime
        .policy
        .retry
        .max_attempts()
        .saturating_sub(usize::try_from(claimed.attempts_left).unwrap_or(0))
        + 1
}

/// Reserves memory for a long body while it is held. A body that exceeds the budget reserves all of
/// it.
async fn reserve<'a>(
    runtime: &'a HandlerRuntime,
    claimed: &Claimed,
) -> Option<SemaphorePermit<'a>> {
    let length = claimed.long_body?.min(LONG_BODIES);
    runtime.long_bodies.acquire_many(length).await.ok()
}

/// Waits until the delivery may run, alone if it is a suspect. Returns `None` if a suspect
/// does not get its turn soon: the longer it waits here, the more likely it is lost with this
/// worker again without having run.
async fn start<'a>(
    runtime: &'a HandlerRuntime,
    claimed: &Claimed,
) -> Option<(Neighbours<'a>, Option<SemaphorePermit<'a>>)> {
    if claimed.lost < LOST_RUNS_ALONE {
        let running = runtime.running.acquire().await.ok();
        return Some((Neighbours::Any(runtime.neighbours.read().await), running));
    }
    // The suspect waits for its turn without a permit to run, so that other deliveries run between
    // two suspects.
    let turn = tokio::time::timeout(SUSPECT_PATIENCE, runtime.suspects.lock())
        .await
        .ok()?;
    let running = runtime.running.acquire().await.ok();
    Some((
        Neighbours::None(runtime.neighbours.write().await, turn),
        running,
    ))
}

#[allow(dead_code, reason = "the guards are held, not read")]
enum Neighbours<'a> {
    Any(RwLockReadGuard<'a, ()>),
    None(RwLockWriteGuard<'a, ()>, MutexGuard<'a, ()>),
}

/// Limits an attempt to its timeout, and turns a panic into a failed attempt.
async fn guarded<T: From<Outcome>>(
    attempt: impl Future<Output = T>,
    handler: &Arc<str>,
    limit: Duration,
) -> T {
    let attempt = panics::of_handler(handler, AssertUnwindSafe(attempt).catch_unwind());
    match tokio::time::timeout(limit, attempt).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(panic)) => {
            Outcome::retry(format!("the handler panicked: {}", panic_text(&*panic))).into()
        }
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

/// How an attempt inside the settling transaction ended.
enum Ending {
    /// Delivered and settled, by this attempt or by another.
    Settled,
    /// Rolled back.
    Failed(Outcome),
    /// The connection broke. If the commit succeeded nevertheless, the settlement that follows
    /// finds nothing to settle.
    Lost(StoreError),
}

fn lost(error: &StoreError) -> String {
    format!("the connection to the database broke: {error}")
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
) -> Result<Ending, StoreError> {
    let limit = runtime.policy.timeout;
    let counted = |counter| {
        shared.metrics.count("handler", &runtime.label, counter, 1);
        Ending::Settled
    };
    let Some(mut transaction) = SettlingTransaction::begin(sessions, claim, limit).await? else {
        return Ok(counted("stale"));
    };
    let attempt = async {
        match handler {
            InTransaction::Rust(handler) => handler.attempt(delivery, &mut transaction).await,
            InTransaction::Function(function) => transaction.call(function, delivery).await,
        }
    };
    let outcome: Outcome = guarded(attempt, &runtime.label, limit).await;
    if outcome != Outcome::Delivered {
        return Ok(match (transaction.roll_back().await, &outcome) {
            // The handler failed because the connection broke.
            (Err(error), Outcome::Retry { .. }) => Ending::Lost(error),
            _ => Ending::Failed(outcome),
        });
    }
    Ok(match transaction.commit().await {
        Ok(true) => counted("delivered"),
        Ok(false) => counted("stale"),
        Err(error) if error.fault() == Fault::Lost => Ending::Lost(error),
        Err(error) => Ending::Failed(Outcome::retry(format!("the commit failed: {error}"))),
    })
}

fn settle_outcome(
    outcome: Outcome,
    runtime: &HandlerRuntime,
    failures: usize,
) -> (SettleOutcome, Option<String>) {
    match outcome {
        Outcome::Delivered => (SettleOutcome::Delivered, None),
        Outcome::Dead { error } => (SettleOutcome::Refused, Some(error)),
        Outcome::Gone { error } => (SettleOutcome::Waits(GONE_WAITS), Some(error)),
        Outcome::Retry { error, after, .. } => {
            let delay = runtime.policy.retry.delay(failures, rand::random());
            (
                SettleOutcome::Retry(delay.max(after.unwrap_or_default())),
                Some(error),
            )
        }
    }
}
