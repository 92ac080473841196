//! Sweeps all pending deliveries in small steps. Each step costs the same, however large the
//! backlog is.

use super::{HandlerId, Rescued, StoreError, connect::POOLED, error::within, rescue};
use crate::throttle::throttled;
use sqlx::{PgPool, Row, postgres::PgRow};

/// How many deliveries one step reads. There are few, since a statement for many keeps a processor
/// from urgent work.
const DELIVERIES: i64 = 500;

/// How many ordering keys one step reads.
const KEYS: i64 = 100;

/// Finds orphans, whose lease no longer exists, in the order of the primary key. The search for the
/// deliveries of a lease is bounded, and may miss some.
#[derive(Debug, Default)]
pub struct OutboxSweep {
    upto: (i16, i64),
}

impl OutboxSweep {
    /// Rescues the orphans of one step. Also returns whether more deliveries remain to be read.
    ///
    /// # Errors
    /// If the statement fails. The position stays.
    pub async fn step(&mut self, pool: &PgPool) -> Result<(Vec<Rescued>, bool), StoreError> {
        let step = sqlx::query("SELECT * FROM hookfast_data.rescue_orphans($1, $2, $3, $4)")
            .bind(self.upto.0)
            .bind(self.upto.1)
            .bind(DELIVERIES)
            .bind(rescue::MOST_LOST)
            .fetch_all(pool);
        let rows = within(POOLED, "sweep the outbox", step).await?;
        let (mut rescued, mut upto) = (Vec::new(), None);
        for row in &rows {
            let found = read(row).map_err(StoreError::unreadable("sweep the outbox"))?;
            upto = found.upto;
            rescued.extend(found.rescued);
            if let Some((lease, error)) = found.failed {
                throttled!(
                    error,
                    error,
                    lease,
                    "deliveries whose lease no longer exists could not be rescued, retrying; other deliveries are not \
                     affected"
                );
            }
        }
        self.upto = upto.unwrap_or_default();
        Ok((rescued, upto.is_some()))
    }
}

struct Found {
    upto: Option<(i16, i64)>,
    rescued: Option<Rescued>,
    failed: Option<(i64, String)>,
}

fn read(row: &PgRow) -> Result<Found, sqlx::Error> {
    Ok(Found {
        upto: row
            .try_get::<Option<i16>, _>("upto_handler")?
            .zip(row.try_get("end_id")?),
        rescued: row
            .try_get::<Option<i16>, _>("handler_id")?
            .map(|_| rescue::read(row))
            .transpose()?,
        failed: row
            .try_get::<Option<i64>, _>("failed_lease")?
            .zip(row.try_get("failure")?),
    })
}

/// Makes parked deliveries of one ordered handler due if nothing of their key is ahead of them,
/// since [`super::wake_keys`] may have failed. Also applies a change of the order to earlier
/// deliveries.
#[derive(Debug)]
pub struct KeySweep {
    handler: HandlerId,
    after: Option<String>,
}

impl KeySweep {
    /// Starts a sweep at the first key.
    pub fn new(handler: HandlerId) -> Self {
        Self {
            handler,
            after: None,
        }
    }

    /// Runs one step. Returns how many deliveries it changed, and whether more keys remain to be
    /// read.
    ///
    /// # Errors
    /// If the statement fails. The position stays.
    pub async fn step(&mut self, pool: &PgPool) -> Result<(i64, bool), StoreError> {
        let step = sqlx::query_as(
            "SELECT after, woken, more FROM hookfast_data.wake_stalled_keys($1, $2, $3)",
        )
        .bind(self.handler.0)
        .bind(&self.after)
        .bind(KEYS)
        .fetch_one(pool);
        let (after, woken, more): (Option<String>, i64, bool) =
            within(POOLED, "sweep ordering keys", step).await?;
        self.after = after;
        Ok((woken, more))
    }
}

/// Returns every handler that clients pull from.
///
/// # Errors
/// If the statement fails.
pub async fn pulled_handlers(pool: &PgPool) -> Result<Vec<HandlerId>, StoreError> {
    let pulled =
        sqlx::query_scalar("SELECT id FROM hookfast_data.handlers WHERE kind = 'pull' ORDER BY id");
    let ids: Vec<i16> = within(POOLED, "list pulled handlers", pulled.fetch_all(pool)).await?;
    Ok(ids.into_iter().map(HandlerId).collect())
}

/// Returns the number of live workers, at least one.
///
/// # Errors
/// If the statement fails.
pub async fn live_workers(pool: &PgPool) -> Result<u32, StoreError> {
    let count = sqlx::query_scalar(
        "SELECT count(*) FROM hookfast_data.leases WHERE kind = 'worker' AND expires_at > clock_timestamp()",
    );
    let count: i64 = within(POOLED, "count live workers", count.fetch_one(pool)).await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX).max(1))
}
