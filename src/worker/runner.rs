//! Runs one attempt, from the claimed delivery to the outcome that is handed to the settler.

use super::{
    Shared,
    breaker::Probe,
    execution::{Execution, execute},
    handler_runtime::HandlerRuntime,
    handler_status::{note, pause},
    in_flight::InFlightGuard,
    lease::ActiveLease,
    ordering::make_next_due,
    settler::PendingSettlement,
    turn::Turn,
};
use crate::boot_time::BootTime;
use crate::domain::{Delivery, ErrorKind, Outcome, Report, StorableText};
use crate::store::{Claimed, LongBody, SettleOutcome, Settlement, StoreError, event_body};
use crate::throttle::throttled;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::OwnedSemaphorePermit;

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

/// Runs one claimed delivery and hands its outcome to the settler. A delivery that was not started
/// is released.
pub(super) async fn run(
    runtime: Arc<HandlerRuntime>,
    shared: Shared,
    lease: Arc<ActiveLease>,
    claimed: Claimed,
    probe: Option<Probe>,
    slot: OwnedSemaphorePermit,
    held: InFlightGuard,
) {
    let claim = claimed.claim;
    let attempt = Attempt {
        runtime: &runtime,
        shared: &shared,
        lease: &lease,
        claimed: &claimed,
    };
    let settlement = tokio::select! {
        end = attempt.run(probe) => match end {
            AttemptEnd::Settle(settlement) => settlement,
            AttemptEnd::Settled => {
                // Before the wake-up: a woken claimer may hold the same delivery again.
                held.settled();
                if let Some(key) = &claimed.ordering_key {
                    make_next_due(&shared.pool, &shared.wake, claim.handler, &[key]).await;
                }
                return;
            }
        },
        // The lease no longer exists and the delivery was rescued, so a running attempt stops here.
        () = lease.lost.cancelled() => {
            shared.metrics.attempt(&runtime.label, "stopped");
            return;
        }
    };
    tracing::debug!(delivery = %claim.delivery, attempt = claim.attempt, handler = %runtime.name,
        outcome = ?settlement.outcome, duration = ?settlement.duration, "attempt ended");
    // Keep the slot until the outcome is counted as unsettled, so that no other attempt starts
    // before that. The semaphore is never closed.
    let Ok(unsettled) = runtime.unsettled.clone().acquire_owned().await else {
        return;
    };
    drop(slot);
    let pending = PendingSettlement {
        settlement,
        handler: runtime.label.clone(),
        lease,
        ordering_key: claimed.ordering_key,
        held,
        _unsettled: unsettled,
    };
    // The settler outlives every attempt. If it did not, the delivery would be rescued.
    let _ = shared.settle.send(pending);
}

/// The work that remains after an attempt.
enum AttemptEnd {
    /// Nothing: the settling transaction settled it.
    Settled,
    /// The settler commits this.
    Settle(Settlement),
}

/// One attempt, with everything that it needs.
struct Attempt<'a> {
    runtime: &'a HandlerRuntime,
    shared: &'a Shared,
    lease: &'a ActiveLease,
    claimed: &'a Claimed,
}

impl<'a> Attempt<'a> {
    async fn run(&self, probe: Option<Probe>) -> AttemptEnd {
        let (delivery, _turn) = match self.admit(probe.is_some()).await {
            Ok(admitted) => admitted,
            Err(settlement) => return AttemptEnd::Settle(settlement),
        };
        let begun = Instant::now();
        let execution = execute(self.runtime, self.shared, &delivery, self.claimed.claim).await;
        let took = begun.elapsed();
        match execution {
            Execution::Settled => {
                self.observe(&Outcome::Delivered.into(), probe, took).await;
                AttemptEnd::Settled
            }
            Execution::Reported(report) => {
                self.observe(&report, probe, took).await;
                AttemptEnd::Settle(Settlement {
                    duration: Some(took),
                    ..self.conclude(report)
                })
            }
            Execution::Lost(error) => AttemptEnd::Settle(Settlement {
                duration: Some(took),
                ..self.lost(&error)
            }),
            // This process lacks a resource, so the delivery does not lose an attempt.
            Execution::NotBegun(error) => {
                throttled!(warn, %error, handler = %self.runtime.name,
                    "a settling transaction could not begin; the delivery is released and uses up no attempt");
                AttemptEnd::Settle(self.release_later().await)
            }
        }
    }

    /// Waits until the delivery may run, and loads its body. The error is the settlement of a
    /// delivery that does not run.
    async fn admit(&self, probes: bool) -> Result<(Delivery, Turn<'a>), Settlement> {
        let Some(delivery) = &self.claimed.delivery else {
            return Err(Settlement {
                error: Some(StorableText::error(
                    "the event's payload no longer exists: its retention has passed",
                )),
                ..self.settlement(SettleOutcome::EventMissing)
            });
        };
        if !self.claimed.passes {
            return Err(self.settlement(SettleOutcome::Filtered));
        }
        let turn = tokio::select! {
            biased;
            () = self.shared.stop.cancelled() => return Err(self.release(Duration::ZERO)),
            turn = Turn::wait(self.runtime, self.claimed) => turn,
        };
        let Some(turn) = turn else {
            let pause = SUSPECT_WAITS.mul_f64(rand::random_range(1.0..5.0));
            return Err(self.release(pause));
        };
        // If the breaker opened while this delivery waited for its turn, the delivery goes back to
        // the outbox without using up an attempt.
        let circuit = self.runtime.circuit.as_ref();
        let is_open = circuit.is_some_and(|circuit| !circuit.is_closed());
        if is_open && !probes || !self.lease.may_start(BootTime::now()) {
            return Err(self.release(Duration::ZERO));
        }
        let delivery = self.load_body(delivery.clone()).await?;
        // Loading may have taken long.
        if !self.lease.may_start(BootTime::now()) {
            return Err(self.release(Duration::ZERO));
        }
        Ok((delivery, turn))
    }

    /// Fetches a body that was too long for the claim.
    async fn load_body(&self, mut delivery: Delivery) -> Result<Delivery, Settlement> {
        if self.claimed.long_body.is_none() {
            return Ok(delivery);
        }
        let filter = self.runtime.policy.filter.as_ref();
        let fetching = self.runtime.fetches.acquire().await;
        let fetched = event_body(&self.shared.pool, self.claimed.event_id, filter).await;
        drop(fetching);
        match fetched {
            Ok(LongBody::Passes(body)) => {
                Arc::make_mut(&mut delivery.event).body = body;
                Ok(delivery)
            }
            Ok(LongBody::Filtered) => Err(self.settlement(SettleOutcome::Filtered)),
            Ok(LongBody::EventMissing) => Err(self.settlement(SettleOutcome::EventMissing)),
            // It would take as long the next time. As a failed attempt it ends as a visible dead
            // letter.
            Ok(LongBody::TooSlow(error)) => {
                let outcome = Outcome::retry(error).of_kind(ErrorKind::Timeout);
                Err(self.conclude(outcome.into()))
            }
            Err(error) => {
                throttled!(warn, %error, handler = %self.runtime.name,
                    "a long body could not be fetched; its delivery is released");
                Err(self.release_later().await)
            }
        }
    }

    /// Counts the attempt, reports it to the circuit breaker, and pauses a handler whose endpoint
    /// is gone.
    async fn observe(&self, report: &Report, probe: Option<Probe>, took: Duration) {
        self.shared.metrics.attempt_took(&self.runtime.label, took);
        if let Some(circuit) = &self.runtime.circuit {
            let now = Instant::now();
            let change = match probe {
                Some(probe) => probe.ended(&report.outcome, now),
                None => circuit.ended(&report.outcome, now),
            };
            if let Some(change) = change {
                note(self.runtime, self.shared, change).await;
            }
        }
        if let Outcome::EndpointGone { error } = &report.outcome {
            pause(self.runtime, self.shared, error, report.status).await;
        }
    }

    /// The settlement of a reported outcome.
    fn conclude(&self, report: Report) -> Settlement {
        let error_kind = report.error_kind().unwrap_or_default();
        let (outcome, error) = match report.outcome {
            Outcome::Delivered => (SettleOutcome::Delivered, None),
            Outcome::Dead { error } => (SettleOutcome::Rejected, Some(error)),
            Outcome::EndpointGone { error } => (SettleOutcome::Waits(GONE_WAITS), Some(error)),
            Outcome::Retry { error, after, .. } => {
                let retry = &self.runtime.policy.retry;
                let delay = retry.delay(self.failures(), rand::random());
                let delay = delay.max(after.unwrap_or_default());
                (SettleOutcome::Retry(delay), Some(error))
            }
        };
        Settlement {
            status: report.status,
            error_kind,
            error: error.map(|error| StorableText::error(&error)),
            ..self.settlement(outcome)
        }
    }

    /// The number that this failure would have, counted from 1.
    fn failures(&self) -> usize {
        let left = usize::try_from(self.claimed.attempts_left).unwrap_or(0);
        let max_attempts = self.runtime.policy.retry.max_attempts();
        max_attempts.saturating_sub(left) + 1
    }

    fn lost(&self, error: &StoreError) -> Settlement {
        tracing::warn!(%error, handler = %self.runtime.name, delivery = %self.claimed.claim.delivery,
            "the connection to the database broke during an attempt; the delivery is retried and uses up no attempt");
        let times = self.claimed.lost.unsigned_abs().saturating_add(1);
        let error = format!("the connection to the database broke: {error}");
        Settlement {
            error_kind: ErrorKind::Lost,
            error: Some(StorableText::error(&error)),
            ..self.settlement(SettleOutcome::Lost(LOST_WAITS * times.into()))
        }
    }

    /// Keeps the slot for a while before the release.
    async fn release_later(&self) -> Settlement {
        let pause = tokio::time::sleep(NOT_BEGUN_WAITS);
        self.shared.stop.run_until_cancelled(pause).await;
        self.release(Duration::ZERO)
    }

    fn release(&self, pause: Duration) -> Settlement {
        self.settlement(SettleOutcome::Release(pause))
    }

    fn settlement(&self, outcome: SettleOutcome) -> Settlement {
        Settlement {
            claim: self.claimed.claim,
            outcome,
            duration: None,
            status: None,
            error_kind: ErrorKind::default(),
            error: None,
        }
    }
}
