//! Taking deliveries from the dead.

use super::{Connection, Fault, HandlerId, LeaseId, StoreError, connect::POOLED, error::within};
use crate::domain::DeliveryId;
use crate::throttle::throttled;
use sqlx::{Connection as _, PgPool, Row, postgres::PgRow};

/// Waits for claims under a lease that are on their way, and keeps others away until the transaction ends.
const LOCK_LEASE: &str = "SELECT FROM hookfast_data.leases WHERE id = $1 FOR UPDATE";

/// Deliveries that the bounded search missed become orphans, which the sweep finds.
const REMOVE_LEASE: &str = "SELECT hookfast_data.remove_idle_lease($1)";

/// How many deliveries one statement takes, so that none of them is long.
const BATCH: i64 = 1000;

/// A delivery lost this often is dead.
pub(super) const MOST_LOST: i32 = 5;

/// How many statements one round for pulling clients takes at most, each for some hundred leases.
const PULLED_ROUNDS: usize = 100;

/// Deliveries taken from a dead lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// The handler they are pending to.
    pub handler: HandlerId,
    /// How many.
    pub rescued: i64,
    /// How many of these had been lost too often, and are dead letters now.
    pub dead: i64,
}

/// Takes the deliveries of every pulling client's lease that has expired. As for [`rescue`], only a worker with
/// an unbroken lease may judge.
///
/// # Errors
/// If a statement failed; what was taken before it stays taken.
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

/// A worker's lease, as it was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerLease {
    /// Its id.
    pub lease: LeaseId,
    /// When it expires, by the database's clock, in microseconds since 1970. Each renewal changes it.
    pub expires_at: i64,
    /// Whether it has expired by the database's clock. That alone proves nothing: the clock may have been set.
    pub expired: bool,
}

/// The leases of all workers.
///
/// # Errors
/// If the statement failed.
pub async fn worker_leases(pool: &PgPool) -> Result<Vec<WorkerLease>, StoreError> {
    let rows: Vec<(i64, i64, bool)> = within(
        POOLED,
        "list worker leases",
        sqlx::query_as(
            "SELECT id, (extract(epoch FROM expires_at) * 1000000)::bigint, expires_at < clock_timestamp() \
             FROM hookfast_data.leases WHERE kind = 'worker' ORDER BY id",
        )
        .fetch_all(pool),
    )
    .await?;
    let lease = |(id, expires_at, expired)| WorkerLease {
        lease: LeaseId(id),
        expires_at,
        expired,
    };
    Ok(rows.into_iter().map(lease).collect())
}

/// Takes the deliveries of these leases of workers as far as they have not been renewed since they were listed, and removes
/// each lease once nothing is held under it.
///
/// Only a worker whose own lease has been renewed without interruption for a full period may call this: a database
/// that was away must not cost every delivery in flight an attempt.
///
/// # Errors
/// If a statement failed; what was taken before it stays taken.
pub async fn rescue(pool: &PgPool, leases: &[WorkerLease]) -> Result<Vec<Rescued>, StoreError> {
    let mut rescued = Vec::new();
    for lease in leases {
        by_itself(lease.lease.0, rescue_lease(pool, lease, &mut rescued).await)?;
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

async fn rescue_lease(
    pool: &PgPool,
    lease: &WorkerLease,
    rescued: &mut Vec<Rescued>,
) -> Result<(), StoreError> {
    while let Some(batch) = rescue_batch(pool, lease).await? {
        if batch.is_empty() {
            break;
        }
        rescued.extend(batch);
    }
    Ok(())
}

/// One bounded batch, with the lease row locked first so that its worker cannot claim meanwhile, and removed once
/// nothing is held by it; `None` where the lease was renewed, a claim under it is on its way, or another worker is at it.
async fn rescue_batch(
    pool: &PgPool,
    seen: &WorkerLease,
) -> Result<Option<Vec<Rescued>>, StoreError> {
    let run = async {
        let mut transaction = pool.begin().await?;
        let locked: Option<i64> = sqlx::query_scalar(
            "SELECT id FROM hookfast_data.leases \
             WHERE id = $1 AND (extract(epoch FROM expires_at) * 1000000)::bigint = $2 FOR UPDATE SKIP LOCKED",
        )
        .bind(seen.lease.0)
        .bind(seen.expires_at)
        .fetch_optional(&mut *transaction)
        .await?;
        if locked.is_none() {
            return Ok(None);
        }
        let rows = sqlx::query(
            "SELECT handler_id, rescued, dead FROM hookfast_data.rescue_lease($1, $2, $3)",
        )
        .bind(seen.lease.0)
        .bind(BATCH)
        .bind(MOST_LOST)
        .fetch_all(&mut *transaction)
        .await?;
        // Under the same lock, and with a snapshot that sees every claim made before it.
        sqlx::query(REMOVE_LEASE)
            .bind(seen.lease.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        rows.iter()
            .map(read)
            .collect::<Result<Vec<_>, _>>()
            .map(Some)
    };
    within(POOLED, "rescue", run).await
}

/// Releases what is held under `lease` for `handler` and is not among `known`, without counting anything; answers with how
/// many. A claim whose answer was lost leaves such deliveries, and a lease that lives keeps them from being rescued.
///
/// Takes no lock on the lease, so neither claims nor renewals wait for it. A claim that is still on its way is not seen:
/// the caller has to look again once it has ended, and makes no other claim for the handler meanwhile.
///
/// # Errors
/// If a statement failed.
pub async fn release_unknown(
    pool: &PgPool,
    lease: LeaseId,
    handler: HandlerId,
    known: &[DeliveryId],
) -> Result<i64, StoreError> {
    let known: Vec<i64> = known.iter().map(|delivery| delivery.0).collect();
    let release = sqlx::query_scalar("SELECT hookfast_data.release_unknown_deliveries($1, $2, $3)")
        .bind(lease.0)
        .bind(handler.0);
    within(
        POOLED,
        "release unknown",
        release.bind(known).fetch_one(pool),
    )
    .await
}

/// Waits until every claim under the lease that has begun has ended.
///
/// # Errors
/// If the statement failed.
pub async fn wait_for_claims(pool: &PgPool, lease: LeaseId) -> Result<(), StoreError> {
    within(
        POOLED,
        "wait for claims",
        sqlx::query(LOCK_LEASE).bind(lease.0).execute(pool),
    )
    .await
    .map(drop)
}

impl Connection {
    /// Removes a worker's own lease, under which it knows that nothing is held.
    ///
    /// # Errors
    /// If the statement failed; then the lease expires.
    pub async fn delete_lease(&mut self, lease: LeaseId) -> Result<(), StoreError> {
        let deadline = self.deadline();
        let delete = sqlx::query("DELETE FROM hookfast_data.leases WHERE id = $1").bind(lease.0);
        within(deadline, "delete lease", delete.execute(&mut self.inner))
            .await
            .map(drop)
    }

    /// Releases what a worker holds under its own lease, without counting anything as lost, and removes the lease.
    ///
    /// # Errors
    /// If a statement failed; then the lease expires, and others rescue what is left.
    pub async fn abandon_lease(&mut self, lease: LeaseId) -> Result<i64, StoreError> {
        let deadline = self.deadline();
        let run = async {
            let mut transaction = self.inner.begin().await?;
            // Waits for a claim of ours that is still on its way.
            sqlx::query(LOCK_LEASE)
                .bind(lease.0)
                .execute(&mut *transaction)
                .await?;
            let released = sqlx::query_scalar(
                "SELECT coalesce(sum(hookfast_data.release_unknown_deliveries(l.id, h.id, '{}')), 0)::bigint \
                 FROM hookfast_data.leases l CROSS JOIN unnest(l.handlers) AS h (id) WHERE l.id = $1",
            );
            let released = released.bind(lease.0).fetch_one(&mut *transaction).await?;
            sqlx::query(REMOVE_LEASE)
                .bind(lease.0)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(released)
        };
        within(deadline, "abandon", run).await
    }
}

pub(super) fn read(row: &PgRow) -> Result<Rescued, sqlx::Error> {
    Ok(Rescued {
        handler: HandlerId(row.try_get("handler_id")?),
        rescued: row.try_get("rescued")?,
        dead: row.try_get("dead")?,
    })
}
