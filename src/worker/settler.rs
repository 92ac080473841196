//! Settles outcomes: gathers those that arrive while the previous ones are being committed, and
//! commits them together.

use super::{in_flight::InFlightGuard, lease::ActiveLease, ordering::make_next_due, wake::Wake};
use crate::store::{Connection, Database, HandlerId, Role, SettleOutcome, Settled, Settlement};
use crate::telemetry::{health::Heartbeat, metrics::Metrics};
use crate::throttle::{Backoff, throttled};
use sqlx::PgPool;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc};

/// The largest number of outcomes in one statement.
const LARGEST_GROUP: usize = 500;

/// How long outcomes are gathered. No one waits for a settlement, and a statement for many outcomes
/// costs little more than one for few.
const GATHER: Duration = Duration::from_millis(5);

/// The shortest and the longest pause before failed settlements are retried.
pub(super) const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// How long an idle connection is trusted without a check.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// If the database refuses the data of an outcome, the delivery is free again after this long.
const REFUSED_WAITS: Duration = Duration::from_secs(60);

/// A settlement is retried after this long if another session holds the row's lock. Other
/// settlements continue meanwhile.
const BUSY_WAITS: Duration = Duration::from_secs(2);

/// An outcome to settle, and the lease under which its attempt ran.
pub(super) struct PendingSettlement {
    pub(super) settlement: Settlement,
    pub(super) handler: Arc<str>,
    pub(super) lease: Arc<ActiveLease>,
    /// The next delivery of this key waits for the settlement.
    pub(super) ordering_key: Option<Arc<str>>,
    pub(super) held: InFlightGuard,
    /// The permit of `HandlerRuntime::unsettled`.
    pub(super) _unsettled: OwnedSemaphorePermit,
}

pub(super) struct Settler {
    pub(super) queue: Arc<Mutex<mpsc::UnboundedReceiver<PendingSettlement>>>,
    pub(super) database: Database,
    pub(super) pool: PgPool,
    pub(super) wake: Wake,
    pub(super) metrics: Metrics,
    pub(super) heartbeat: Heartbeat,
    pub(super) backoff: Backoff,
}

impl Settler {
    /// Runs until all senders of the queue are dropped and all outcomes are settled.
    pub(super) async fn run(mut self) {
        let mut connection = None;
        let mut busy = Vec::new();
        while let Some(mut group) = self.next(&mut busy).await {
            self.heartbeat.tick();
            if group.is_empty() {
                check(&mut connection).await;
            }
            while !group.is_empty() {
                self.heartbeat.tick();
                self.backoff.wait().await;
                group = self.settle(&mut connection, group, &mut busy).await;
            }
        }
        if let Some(connection) = connection {
            connection.close().await;
        }
        self.heartbeat.retire();
    }

    /// Returns the gathered outcomes, or the busy ones after their wait, or nothing after a while.
    /// `None` when the queue is closed and empty.
    async fn next(&self, busy: &mut Vec<PendingSettlement>) -> Option<Vec<PendingSettlement>> {
        let mut group = Vec::new();
        let gathered = async {
            let mut queue = self.queue.lock().await;
            let first = queue.recv_many(&mut group, LARGEST_GROUP).await;
            if (1..LARGEST_GROUP).contains(&first) {
                tokio::time::sleep(GATHER).await;
                while group.len() < LARGEST_GROUP
                    && let Ok(next) = queue.try_recv()
                {
                    group.push(next);
                }
            }
            first
        };
        let patience = if busy.is_empty() {
            CHECK_EVERY
        } else {
            BUSY_WAITS
        };
        match tokio::time::timeout(patience, gathered).await {
            Ok(1..) => Some(group),
            Ok(0) if busy.is_empty() => None,
            Ok(0) => {
                // The queue is closed, so only the busy ones are left.
                tokio::time::sleep(RETRY.0).await;
                Some(std::mem::take(busy))
            }
            // The outcomes gathered so far are settled with the busy ones.
            Err(_) => {
                group.append(busy);
                Some(group)
            }
        }
    }

    /// Settles a group. Returns the settlements to retry at once.
    async fn settle(
        &mut self,
        connection: &mut Option<Connection>,
        mut group: Vec<PendingSettlement>,
        busy: &mut Vec<PendingSettlement>,
    ) -> Vec<PendingSettlement> {
        // Other workers have taken over the deliveries under a lease that no longer exists.
        group.retain(|pending| {
            let gone = pending.lease.lost.is_cancelled();
            if gone {
                self.metrics.stale_outcome(&pending.handler);
            }
            !gone
        });
        let open = match connection.take() {
            Some(open) => open,
            None => match self.database.connect(Role::Settle).await {
                Ok(open) => open,
                Err(error) => {
                    throttled!(warn, %error, outcomes = group.len(), "outcomes wait for the database");
                    self.backoff.failed(Instant::now());
                    return group;
                }
            },
        };
        let mut open = open;
        // After a crash of the server a fence may be issued again. So settlements of the earlier
        // run are stale.
        if group
            .iter()
            .any(|pending| Some(pending.lease.epoch) != open.epoch())
        {
            open.close().await;
            tokio::time::sleep(RETRY.0).await;
            return group;
        }
        let settlements: Vec<Settlement> = group
            .iter()
            .map(|pending| pending.settlement.clone())
            .collect();
        let answers = open.settle(&settlements).await;
        let mut keys: HashMap<HandlerId, Vec<Arc<str>>> = HashMap::new();
        let mut again = Vec::new();
        for (mut pending, answer) in group.into_iter().zip(answers.iter()) {
            // A stale settlement may be our own, if the response to it was lost. So it also wakes
            // the next delivery of its key.
            if matches!(answer, Settled::Done | Settled::Dead | Settled::Stale)
                && let Some(key) = &pending.ordering_key
            {
                keys.entry(pending.settlement.claim.handler)
                    .or_default()
                    .push(key.clone());
            }
            match answer {
                Settled::Lost => again.push(pending),
                Settled::Busy => busy.push(pending),
                Settled::InvalidData => {
                    let release = SettleOutcome::Release(REFUSED_WAITS);
                    if pending.settlement.outcome != release {
                        pending.settlement.outcome = release;
                        again.push(pending);
                    }
                }
                Settled::Done => {
                    self.metrics
                        .attempt(&pending.handler, counter(&pending.settlement.outcome));
                    pending.held.settled();
                }
                Settled::Dead => {
                    self.metrics.attempt(&pending.handler, "dead");
                    pending.held.settled();
                }
                Settled::Stale => {
                    throttled!(info, delivery = %pending.settlement.claim.delivery, handler = %pending.handler,
                        "a late outcome was discarded: another worker has rescued the delivery; nothing was changed");
                    self.metrics.stale_outcome(&pending.handler);
                    pending.held.settled();
                }
            }
        }
        if answers.contains(&Settled::Lost) {
            self.backoff.failed(Instant::now());
        } else {
            self.backoff.succeeded();
            *connection = Some(open);
        }
        for (handler, keys) in keys {
            let keys: Vec<_> = keys.iter().map(|key| &**key).collect();
            make_next_due(&self.pool, &self.wake, handler, &keys).await;
        }
        again
    }
}

/// A dead idle connection should be found here, and not by an outcome.
async fn check(connection: &mut Option<Connection>) {
    if let Some(open) = connection
        && let Err(error) = open.check().await
    {
        throttled!(warn, %error, "a connection for settling outcomes is replaced");
        *connection = None;
    }
}

fn counter(outcome: &SettleOutcome) -> &'static str {
    match outcome {
        SettleOutcome::Delivered => "delivered",
        SettleOutcome::Filtered => "filtered",
        SettleOutcome::Retry(_) | SettleOutcome::Waits(_) => "retry",
        SettleOutcome::Rejected | SettleOutcome::EventMissing => "dead",
        SettleOutcome::Release(_) => "released",
        SettleOutcome::Lost(_) => "lost",
    }
}
