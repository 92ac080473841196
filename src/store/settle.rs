//! Settling: a group of outcomes in one statement, each behind its fence.

use super::{
    Claim, Connection, Fault, StoreError, bisect::Group, clock::interval_millis, error::within,
    rescue::MOST_LOST,
};
use crate::domain::{ErrorKind, StorableText};
use crate::throttle::throttled;
use sqlx::Row;
use std::{ops::Range, time::Duration};

const SETTLE: &str = include_str!("sql/settle.sql");

/// How often a statement is sent again for rows that somebody changed under it.
const CHANGED_TRIES: u32 = 5;

/// What is to become of a claimed delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettleOutcome {
    /// It is done.
    Delivered,
    /// The handler's payload filter did not let it pass: it is done, and was not run.
    Filtered,
    /// It failed, and is due again after this long, unless that was its last try.
    Retry(Duration),
    /// It failed for a reason that is not its own, and waits without using up a try.
    Waits(Duration),
    /// It was refused for good.
    Refused,
    /// Its event is gone.
    EventMissing,
    /// It was not started: free again after this long, as if it had not been claimed.
    Release(Duration),
    /// The connection to the database broke under it. As with a worker that died: due again after this long without
    /// having used up a try, unless it has been lost too often.
    Lost(Duration),
}

/// An outcome on its way into the database.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The claim it belongs to.
    pub claim: Claim,
    /// What is to become of the delivery.
    pub outcome: SettleOutcome,
    /// How long the handler took; `None` where it did not run.
    pub duration: Option<Duration>,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The kind of error, if the attempt failed.
    pub error_kind: ErrorKind,
    /// What went wrong: storable text.
    pub error: Option<StorableText>,
}

/// What became of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It holds; the delivery is as the outcome says.
    Done,
    /// It holds, and that was the last try: the delivery is a dead letter now.
    Dead,
    /// Another has taken over the delivery: nothing was changed.
    Stale,
    /// The database refuses this outcome's data: nothing was changed.
    Refused,
    /// Somebody holds the delivery's row for long: nothing was changed, try again.
    Busy,
    /// The connection is gone; whether it holds is not known. Sending it again is safe.
    Lost,
}

impl Connection {
    /// Settles a group of outcomes, answering each by itself, in their order: one that cannot be stored costs nobody
    /// else anything. After [`Settled::Lost`] the connection is of no more use.
    pub async fn settle(&mut self, settlements: &[Settlement]) -> Vec<Settled> {
        let answers = self.in_parts(&Outcomes(settlements)).await;
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
        let mut tries = 0;
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
                    Some("attempts_exhausted" | "refused" | "event_missing" | "lost") => {
                        Settled::Dead
                    }
                    _ => Settled::Done,
                };
                ended.push(i);
            }
            // A row that somebody changed while we waited for its lock is held, but its new version is not in this
            // statement's snapshot: the next statement sees it.
            tries += 1;
            if ended.len() >= held || tries > CHANGED_TRIES {
                return Ok(answers);
            }
            open.retain(|i| !ended.contains(i));
        }
    }

    fn alone(&self, row: usize, error: &StoreError) -> Settled {
        match error.fault() {
            Fault::LockTimeout | Fault::Contended => Settled::Busy,
            _ => {
                let delivery = self.0[row].claim.delivery;
                throttled!(error, %error, %delivery, "an outcome cannot be stored");
                Settled::Refused
            }
        }
    }
}

/// What the statement says: a row's ordinal and verdict, and once how many rows the fences held.
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
        SettleOutcome::Retry(_) | SettleOutcome::Waits(_) | SettleOutcome::Refused => {
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
        SettleOutcome::Refused => ("refused", 0),
        SettleOutcome::EventMissing => ("event_missing", 0),
        SettleOutcome::Release(after) => ("release", delay(after)),
        SettleOutcome::Lost(after) => ("lost", delay(after)),
    }
}

pub(super) fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
