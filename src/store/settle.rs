//! Settles a group of outcomes in one statement, each behind its fence.

use super::{
    Claim, Connection, Fault, StoreError, bisect::Group, clock::interval_millis, error::within,
    rescue::MOST_LOST,
};
use crate::domain::{ErrorKind, StorableText};
use crate::throttle::throttled;
use sqlx::Row;
use std::{ops::Range, time::Duration};

const SETTLE: &str = include_str!("sql/settle.sql");

/// How often the statement is sent again for rows that another transaction changed meanwhile.
const CHANGED_ATTEMPTS: u32 = 5;

/// The outcome of an attempt, as it is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettleOutcome {
    /// The handler has processed the event.
    Delivered,
    /// The handler's payload filter rejects the event. The delivery is finished without an attempt.
    Filtered,
    /// The attempt failed. The delivery is due again after this time, unless this was its last
    /// attempt.
    Retry(Duration),
    /// The attempt failed for a reason outside the delivery. It is due again after this time, and
    /// has not used up an attempt.
    Waits(Duration),
    /// The handler rejected the delivery for good.
    Rejected,
    /// The event no longer exists.
    EventMissing,
    /// The attempt did not start. The delivery is due again after this time, as if it had not been
    /// claimed.
    Release(Duration),
    /// The connection to the database broke during the attempt. As with a worker that died, the
    /// delivery is due again after this time and has not used up an attempt, unless too many of its
    /// attempts were lost.
    Lost(Duration),
}

/// An outcome that is ready to be stored.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The fence of the attempt.
    pub claim: Claim,
    /// The outcome of the attempt.
    pub outcome: SettleOutcome,
    /// How long the handler ran; `None` if it did not run.
    pub duration: Option<Duration>,
    /// The HTTP status, if there was a response.
    pub status: Option<u16>,
    /// The kind of error, if the attempt failed.
    pub error_kind: ErrorKind,
    /// The error, as text that Postgres can store.
    pub error: Option<StorableText>,
}

/// The result of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The outcome is stored.
    Done,
    /// The outcome is stored, and the delivery is a dead letter now.
    Dead,
    /// The claim no longer holds the delivery. Nothing was changed.
    Stale,
    /// The database rejects the data of this outcome. Nothing was changed.
    InvalidData,
    /// Another transaction holds the row of the delivery for long. Nothing was changed; try again.
    Busy,
    /// The connection is lost. It is not known whether the outcome is stored, and it is safe to
    /// send it again.
    Lost,
}

impl Connection {
    /// Settles a group of outcomes. The results are in the order of the outcomes, and an outcome
    /// that cannot be stored does not affect the others. After [`Settled::Lost`] the connection
    /// cannot be used again.
    pub async fn settle(&mut self, settlements: &[Settlement]) -> Vec<Settled> {
        let answers = self.run_bisecting(&Outcomes(settlements)).await;
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or(Settled::Lost))
            .collect()
    }
}

struct Outcomes<'a>(&'a [Settlement]);

impl Group for Outcomes<'_> {
    type Answer = Settled;

    fn len(&self) -> usize {
        self.0.len()
    }

    async fn run(
        &self,
        connection: &mut Connection,
        part: Range<usize>,
    ) -> Result<Vec<Settled>, StoreError> {
        let group = &self.0[part];
        let mut answers = vec![Settled::Stale; group.len()];
        let mut open: Vec<usize> = (0..group.len()).collect();
        let mut attempts = 0;
        loop {
            let part: Vec<&Settlement> = open.iter().map(|&i| &group[i]).collect();
            let rows = statement(connection, &part).await?;
            let mut held = 0;
            let mut ended = Vec::with_capacity(rows.len());
            for (ordinal, verdict, count) in rows {
                let Some(ordinal) = ordinal else {
                    held = usize::try_from(count.unwrap_or(0)).unwrap_or(0);
                    continue;
                };
                let i = usize::try_from(ordinal - 1)
                    .ok()
                    .and_then(|i| open.get(i).copied());
                let Some(i) = i else { continue };
                answers[i] = match verdict.as_deref() {
                    Some("attempts_exhausted" | "rejected" | "event_missing" | "lost") => {
                        Settled::Dead
                    }
                    _ => Settled::Done,
                };
                ended.push(i);
            }
            // If another transaction changed a row while this statement waited for its lock, the
            // row counts as held, but its new version is not in the snapshot of this statement. The
            // next statement sees it.
            attempts += 1;
            if ended.len() >= held || attempts > CHANGED_ATTEMPTS {
                return Ok(answers);
            }
            open.retain(|i| !ended.contains(i));
        }
    }

    fn single_failure(&self, row: usize, error: &StoreError) -> Settled {
        match error.fault() {
            Fault::LockTimeout | Fault::Contended => Settled::Busy,
            _ => {
                let delivery = self.0[row].claim.delivery;
                throttled!(error, %error, %delivery, "an outcome cannot be stored");
                Settled::InvalidData
            }
        }
    }
}

/// A row of the result: the ordinal and the verdict of an outcome, or once the number of rows that
/// the fences held.
type Verdict = (Option<i64>, Option<String>, Option<i64>);

async fn statement(
    connection: &mut Connection,
    group: &[&Settlement],
) -> Result<Vec<Verdict>, StoreError> {
    let (outcomes, delays): (Vec<&str>, Vec<i64>) = group.iter().map(|s| words(&s.outcome)).unzip();
    let rows = within(
        connection.deadline(),
        "settle",
        sqlx::query(SETTLE)
            .bind(group.iter().map(|s| s.claim.handler.0).collect::<Vec<_>>())
            .bind(group.iter().map(|s| s.claim.delivery.0).collect::<Vec<_>>())
            .bind(group.iter().map(|s| s.claim.attempt).collect::<Vec<_>>())
            .bind(group.iter().map(|s| s.claim.lease.0).collect::<Vec<_>>())
            .bind(outcomes)
            .bind(delays)
            .bind(
                group
                    .iter()
                    .map(|s| s.duration.map(milliseconds))
                    .collect::<Vec<_>>(),
            )
            .bind(
                group
                    .iter()
                    .map(|s| s.status.and_then(|s| i16::try_from(s).ok()))
                    .collect::<Vec<_>>(),
            )
            .bind(
                group
                    .iter()
                    .map(|s| s.error.as_ref().map(|e| e.as_str()))
                    .collect::<Vec<_>>(),
            )
            .bind(
                group
                    .iter()
                    .map(|s| error_kind(s).map(ErrorKind::as_str))
                    .collect::<Vec<_>>(),
            )
            .bind(MOST_LOST)
            .fetch_all(&mut connection.inner),
    )
    .await?;
    let read =
        |row: &sqlx::postgres::PgRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    rows.iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(StoreError::unreadable("settle"))
}

/// The kind of error that the attempt's row has.
fn error_kind(settlement: &Settlement) -> Option<ErrorKind> {
    match settlement.outcome {
        SettleOutcome::Delivered
        | SettleOutcome::Filtered
        | SettleOutcome::EventMissing
        | SettleOutcome::Release(_) => None,
        SettleOutcome::Retry(_) | SettleOutcome::Waits(_) | SettleOutcome::Rejected => {
            Some(settlement.error_kind)
        }
        SettleOutcome::Lost(_) => Some(ErrorKind::Lost),
    }
}

fn words(outcome: &SettleOutcome) -> (&'static str, i64) {
    let delay = |after: &Duration| interval_millis(*after);
    match outcome {
        SettleOutcome::Delivered => ("delivered", 0),
        SettleOutcome::Filtered => ("filtered", 0),
        SettleOutcome::Retry(after) => ("retry", delay(after)),
        SettleOutcome::Waits(after) => ("waits", delay(after)),
        SettleOutcome::Rejected => ("rejected", 0),
        SettleOutcome::EventMissing => ("event_missing", 0),
        SettleOutcome::Release(after) => ("release", delay(after)),
        SettleOutcome::Lost(after) => ("lost", delay(after)),
    }
}

pub(super) fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
