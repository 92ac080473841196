//! One attempt, from the claim to its outcome on the way to the settler.

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

/// The longest error text kept, in bytes.
pub(super) const LONGEST_ERROR: usize = 2000;

/// A delivery that was lost this often runs while no other of its handler does in this process, so that a poison pill is
/// found and not its neighbours. Other handlers go on: they must not wait for hundreds of suspects, each as long as its
/// attempt takes, because one handler was killed twice for lack of memory.
const LOST_RUNS_ALONE: i16 = 2;

/// It waits this long for its turn, in which several that are quick get theirs.
const SUSPECT_PATIENCE: Duration = Duration::from_millis(100);

/// Then it is released for one to five times this long, at random: hundreds of them must not be claimed and released over
/// and over while one that is slow has its turn.
const SUSPECT_WAITS: Duration = Duration::from_secs(1);

/// A handler that says it is gone is paused; its delivery is free again at once, and waits for the handler.
const GONE_WAITS: Duration = Duration::ZERO;

/// A delivery whose attempt could not begin keeps its place for this long, and is free again then. If it gave the place
/// back at once, a whole backlog would be claimed and released over and over while the fault lasts.
const NOT_BEGUN_WAITS: Duration = Duration::from_secs(1);

/// A delivery whose connection broke is due again after this long, times how often it has been lost.
const LOST_WAITS: Duration = Duration::from_secs(1);

/// Bodies of one handler that are fetched one by one hold no more than this together, in bytes.
pub(super) const LONG_BODIES: u32 = 8 * 1024 * 1024;

/// How many of them are fetched, and filtered, at once: the pool has to have connections for others.
pub(super) const FETCHES: usize = 2;

/// Runs one claimed delivery and hands its outcome to the settler. What was not started is released.
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
        // The lease is gone: others have taken over, so whatever runs stops here.
        () = lease.lost.cancelled() => {
            shared.metrics.count("handler", &runtime.label, "stopped", 1);
            return;
        }
    };
    if settled {
        // Before others are woken: one of them may hold the same again.
        held.settled();
        if let Some(key) = &claimed.ordering_key {
            wake_next(&shared.pool, &shared.wake, claim.handler, &[key]).await;
        }
        return;
    }
    tracing::debug!(delivery = %claim.delivery, attempt = claim.attempt, handler = %runtime.name, outcome = ?settlement.outcome,
        duration = ?settlement.duration, "attempt ended");
    // Nothing more is started in this place before the outcome is counted among those that wait. The semaphore is never
    // closed.
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
    // The settler outlives every attempt; were it gone, the delivery would be rescued.
    let _ = shared.settle.send(ended);
}

/// The outcome, and whether it is settled already.
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
        // Room for the body first: what waits for that keeps nothing from running.
        started = async {
            let reserved = reserve(runtime, claimed).await;
            start(runtime, claimed).await.map(|started| (started, reserved))
        } => started,
    };
    let Some(_started) = started else {
        let waits = SUSPECT_WAITS.mul_f64(rand::random_range(1.0..5.0));
        return (of(SettleOutcome::Release(waits)), false);
    };
    // What waited for its turn when the breaker opened waits on in the table, without using up a try.
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
            // It would take as long the next time. As a failed attempt it ends as a dead letter, where it can be seen.
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
        // Which may have taken long.
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
                // Our own resources are short, and no delivery pays for that with a try.
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

/// The number of this failure, if it is one.
fn failures(runtime: &HandlerRuntime, claimed: &Claimed) -> usize {
    runtime
        .policy
        .retry
        .max_attempts()
        .saturating_sub(usize::try_from(claimed.attempts_left).unwrap_or(0))
        + 1
}

/// Memory for a long body, as long as it is held. One that is longer than the whole budget has it to itself.
async fn reserve<'a>(
    runtime: &'a HandlerRuntime,
    claimed: &Claimed,
) -> Option<SemaphorePermit<'a>> {
    let length = claimed.long_body?.min(LONG_BODIES);
    runtime.long_bodies.acquire_many(length).await.ok()
}

/// A place among the running; no neighbours for one that has been lost before. `None` if it did not get its turn soon: the
/// longer it waits here, the more likely it is lost again with this worker without having run.
async fn start<'a>(
    runtime: &'a HandlerRuntime,
    claimed: &Claimed,
) -> Option<(Neighbours<'a>, Option<SemaphorePermit<'a>>)> {
    if claimed.lost < LOST_RUNS_ALONE {
        let running = runtime.running.acquire().await.ok();
        return Some((Neighbours::Any(runtime.neighbours.read().await), running));
    }
    // Not in a place where another could run: between two of them the others get their turn.
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

/// Within its time, and with a panic as a failed attempt.
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
    /// Undone.
    Failed(Outcome),
    /// The connection broke. If the commit took place all the same, the settlement that follows finds nothing to settle.
    Lost(StoreError),
}

fn lost(error: &StoreError) -> String {
    format!("the connection to the database broke: {error}")
}

/// An attempt inside the settling transaction.
///
/// # Errors
/// If the transaction could not begin: nothing of the handler has run.
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
            // It failed because of that.
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
