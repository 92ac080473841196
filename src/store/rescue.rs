//! Taking deliveries from the dead.

use super::{Connection, Fault, HandlerId, LeaseId, StoreError, connect::POOLED, error::within};
use crate::domain::DeliveryId;
use crate::throttle::throttled;
use sqlx::{Connection as _, PgPool, Row};

const RESCUE: &str = include_str!("sql/rescue.sql");
const RELEASE_UNKNOWN: &str = include_str!("sql/release_unknown.sql");
const ABANDON: &str = include_str!("sql/abandon.sql");

/// Removes a lease that nothing is held by.
const REMOVE_LEASE: &str = "DELETE FROM hookfast_data.leases l WHERE l.id = $1 \
    AND NOT EXISTS (SELECT FROM hookfast_data.outbox o WHERE o.locked_by = l.id)";

/// Keeps claims under a lease away, which lock it for sharing.
const LOCK_LEASE: &str = "SELECT FROM hookfast_data.leases WHERE id = $1 FOR UPDATE";

/// How many deliveries one statement takes, so that none of them is long.
const BATCH: i64 = 1000;

/// A delivery lost this often is dead.
pub(super) const MOST_LOST: i32 = 5;

/// How many statements one round for pulling clients takes at most, each for some hundred leases.
const PULLED_ROUNDS: usize = 100;

/// Deliveries taken from a dead lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// The handler they are owed to.
    pub handler: HandlerId,
    /// How many.
    pub rescued: i64,
    /// How many of these had been lost too often, and are dead letters now.
    pub dead: i64,
}

/// Takes the deliveries of every pulling client's lease that has expired. As for [`rescue_expired`], only a worker with
/// an unbroken lease may judge.
///
/// # Errors
/// Where a statement failed; what was taken before it stays taken.
pub async fn rescue_pulled(pool: &PgPool) -> Result<Vec<Rescued>, StoreError> {
    let mut rescued = Vec::new();
    for _ in 0..PULLED_ROUNDS {
        let rows = within(
            POOLED,
            "rescue pulled",
            sqlx::query(
                "SELECT handler_id, rescued, dead, ended FROM hookfast_data.rescue_pulled(NULL, interval '0', $1)",
            )
            .bind(MOST_LOST)
            .fetch_all(pool),
        )
        .await?;
        let mut ended: i64 = 0;
        for row in &rows {
            let read = read(row).and_then(|found| Ok((found, row.try_get::<i64, _>("ended")?)));
            let (found, leases) = read.map_err(StoreError::unreadable("rescue pulled"))?;
            ended += leases;
            rescued.extend(Some(found).filter(|found| found.rescued > 0));
        }
        // What is left is being completed.
        if ended == 0 {
            break;
        }
    }
    Ok(rescued)
}

/// Takes the deliveries of every worker's lease that has expired, and removes the lease once nothing is held by it.
///
/// Only a worker whose own lease has been renewed without interruption for a full period may call this: a database
/// that was away must not cost every delivery in flight an attempt.
///
/// # Errors
/// Where a statement failed; what was taken before it stays taken.
pub async fn rescue_expired(pool: &PgPool) -> Result<Vec<Rescued>, StoreError> {
    let expired: Vec<i64> = within(
        POOLED,
        "find expired leases",
        sqlx::query_scalar(
            "SELECT id FROM hookfast_data.leases WHERE kind = 'worker' AND expires_at < clock_timestamp() ORDER BY id",
        )
        .fetch_all(pool),
    )
    .await?;
    let mut rescued = Vec::new();
    for lease in expired {
        by_itself(lease, rescue_lease(pool, LeaseId(lease), &mut rescued).await)?;
    }
    Ok(rescued)
}

/// A lease that cannot be rescued does not keep the others from it, unless it is the database that is away.
fn by_itself(lease: i64, rescued: Result<(), StoreError>) -> Result<(), StoreError> {
    match rescued {
        Err(error) if error.fault() != Fault::Lost => {
            throttled!(error, %error, lease, "the deliveries of a dead worker could not be taken over; this is tried again");
            Ok(())
        }
        ended => ended,
    }
}

async fn rescue_lease(pool: &PgPool, lease: LeaseId, rescued: &mut Vec<Rescued>) -> Result<(), StoreError> {
    while let Some(batch) = rescue_batch(pool, lease).await? {
        let taken: i64 = batch.iter().map(|r| r.rescued).sum();
        rescued.extend(batch);
        if taken < BATCH {
            break;
        }
    }
    Ok(())
}

/// One bounded batch, with the lease row locked first so that its worker cannot claim meanwhile, and removed once
/// nothing is held by it; `None` where the lease was renewed, a claim under it is on its way, or another worker is at it.
async fn rescue_batch(pool: &PgPool, lease: LeaseId) -> Result<Option<Vec<Rescued>>, StoreError> {
    let run = async {
        let mut transaction = pool.begin().await?;
        let locked: Option<i64> = sqlx::query_scalar(
            "SELECT id FROM hookfast_data.leases WHERE id = $1 AND expires_at < clock_timestamp() FOR UPDATE SKIP LOCKED",
        )
        .bind(lease.0)
        .fetch_optional(&mut *transaction)
        .await?;
        if locked.is_none() {
            return Ok(None);
        }
        let rows = sqlx::query(RESCUE).bind(lease.0).bind(BATCH).bind(MOST_LOST).fetch_all(&mut *transaction).await?;
        // Under the same lock, and with a snapshot that sees every claim made before it.
        sqlx::query(REMOVE_LEASE).bind(lease.0).execute(&mut *transaction).await?;
        transaction.commit().await?;
        rows.iter().map(read).collect::<Result<Vec<_>, _>>().map(Some)
    };
    within(POOLED, "rescue", run).await
}

/// The net: takes deliveries whose lease does not exist any more. Nothing should ever leave one.
///
/// # Errors
/// Where a statement failed.
pub async fn sweep_orphans(pool: &PgPool) -> Result<Vec<Rescued>, StoreError> {
    let orphans: Vec<i64> = within(
        POOLED,
        "sweep",
        sqlx::query_scalar(
            "SELECT DISTINCT o.locked_by FROM hookfast_data.outbox o WHERE o.locked_by IS NOT NULL \
         AND NOT EXISTS (SELECT FROM hookfast_data.leases l WHERE l.id = o.locked_by)",
        )
        .fetch_all(pool),
    )
    .await?;
    let mut rescued = Vec::new();
    for lease in orphans {
        let sweep = async {
            let rows = sqlx::query(RESCUE).bind(lease).bind(BATCH).bind(MOST_LOST).fetch_all(pool).await?;
            for row in &rows {
                rescued.push(read(row)?);
            }
            Ok(())
        };
        by_itself(lease, within(POOLED, "sweep", sweep).await)?;
    }
    Ok(rescued)
}

/// Frees what is held under `lease` for `handler` and is not among `known`, without counting anything; answers with how
/// many. A claim whose answer was lost leaves such deliveries, and a lease that lives keeps them from being rescued.
///
/// # Errors
/// Where a statement failed.
pub async fn release_unknown(
    pool: &PgPool,
    lease: LeaseId,
    handler: HandlerId,
    known: &[DeliveryId],
) -> Result<u64, StoreError> {
    let run = async {
        let mut transaction = pool.begin().await?;
        // Waits for a claim that is still on its way.
        sqlx::query(LOCK_LEASE).bind(lease.0).execute(&mut *transaction).await?;
        let known: Vec<i64> = known.iter().map(|delivery| delivery.0).collect();
        let freed =
            sqlx::query(RELEASE_UNKNOWN).bind(lease.0).bind(handler.0).bind(known).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(freed.rows_affected())
    };
    within(POOLED, "release unknown", run).await
}

impl Connection {
    /// Frees what a worker holds under its own lease, without counting anything as lost, and removes the lease.
    ///
    /// # Errors
    /// Where a statement failed; then the lease expires, and others rescue what is left.
    pub async fn abandon_lease(&mut self, lease: LeaseId) -> Result<u64, StoreError> {
        let deadline = self.deadline();
        let run = async {
            let mut transaction = self.inner.begin().await?;
            // Waits for a claim of ours that is still on its way.
            sqlx::query(LOCK_LEASE).bind(lease.0).execute(&mut *transaction).await?;
            let freed = sqlx::query(ABANDON).bind(lease.0).execute(&mut *transaction).await?.rows_affected();
            sqlx::query(REMOVE_LEASE).bind(lease.0).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(freed)
        };
        within(deadline, "abandon", run).await
    }
}

fn read(row: &sqlx::postgres::PgRow) -> Result<Rescued, sqlx::Error> {
    Ok(Rescued { handler: HandlerId(row.try_get(0)?), rescued: row.try_get(1)?, dead: row.try_get(2)? })
}
