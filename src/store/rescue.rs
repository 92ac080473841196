//! Rescues deliveries under expired leases, and releases deliveries that their worker does not
//! know.

use super::{Connection, Fault, HandlerId, LeaseId, StoreError, connect::POOLED, error::within};
use crate::domain::DeliveryId;
use crate::throttle::throttled;
use sqlx::{Connection as _, PgPool, Row, postgres::PgRow};

/// Waits for running claims under a lease, and blocks new ones until the transaction ends.
const LOCK_LEASE: &str = "SELECT FROM hookfast_data.leases WHERE id = $1 FOR UPDATE";

/// Deliveries that the bounded search missed become orphans, which the sweep finds.
const REMOVE_LEASE: &str = "SELECT hookfast_data.remove_idle_lease($1)";

/// How many deliveries one statement rescues, so that it does not take long.
const BATCH: i64 = 1000;

/// After this many lost attempts a delivery is a dead letter.
pub(super) const MOST_LOST: i32 = 5;

/// The maximum number of statements in one round for pulling clients. Each statement takes some
/// hundred leases.
const PULLED_ROUNDS: usize = 100;

/// The deliveries of a handler that were rescued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// The handler of the deliveries.
    pub handler: HandlerId,
    /// How many deliveries were rescued.
    pub rescued: i64,
    /// How many of these had lost too many attempts, and are dead letters now.
    pub dead: i64,
}

/// Rescues the deliveries of all pulling clients whose leases have expired. As for [`rescue`], only
/// a worker with an uninterrupted lease may call this.
///
/// # Errors
/// If a statement fails. Deliveries that were rescued before stay rescued.
pub async fn rescue_pulled(pool: &PgPool) -> Result<Vec<Rescued>, StoreError> {
    let mut rescued = Vec::new();
    for _ in 0..PULLED_ROUNDS {
        let rows = within(
            POOLED,
            "rescue pulled deliveries",
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
            let (found, leases) =
                read.map_err(StoreError::unreadable("rescue pulled deliveries"))?;
            ended += leases;
            rescued.extend(Some(found).filter(|found| found.rescued > 0));
        }
        // The remaining deliveries are being completed.
        if ended == 0 {
            break;
        }
    }
    Ok(rescued)
}

/// The lease of a worker, as it was when it was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerLease {
    /// The id of the lease.
    pub lease: LeaseId,
    /// When the lease expires by the database's clock, in microseconds since 1970. Each renewal
    /// changes it.
    pub expires_at: i64,
    /// Whether the lease has expired by the database's clock. This alone proves nothing, since the
    /// clock may have been set.
    pub expired: bool,
}

/// Lists the leases of all workers.
///
/// # Errors
/// If the statement fails.
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

/// Rescues the deliveries of these leases of workers, unless a lease has been renewed since it was
/// listed. Removes each lease when nothing is held under it.
///
/// Only a worker whose own lease has been renewed without interruption for a full period may call
/// this: an outage of the database must not cost every running delivery an attempt.
///
/// # Errors
/// If a statement fails. Deliveries that were rescued before stay rescued.
pub async fn rescue(pool: &PgPool, leases: &[WorkerLease]) -> Result<Vec<Rescued>, StoreError> {
    let mut rescued = Vec::new();
    for lease in leases {
        by_itself(lease.lease.0, rescue_lease(pool, lease, &mut rescued).await)?;
    }
    Ok(rescued)
}

/// A lease that cannot be rescued does not stop the rescue of the others, unless the connection to
/// the database is lost.
fn by_itself(lease: i64, rescued: Result<(), StoreError>) -> Result<(), StoreError> {
    match rescued {
        Err(error) if error.fault() != Fault::Lost => {
            throttled!(error, %error, lease, "the deliveries of a dead worker could not be rescued, retrying");
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

/// Rescues one bounded batch. The lease is locked first, so that its worker cannot claim meanwhile,
/// and removed when nothing is held under it. Returns `None` if the lease was renewed, if a claim
/// under it is running, or if another worker is rescuing it.
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
        // This runs under the same lock, and its snapshot sees every claim that was made before.
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
    within(POOLED, "rescue deliveries", run).await
}

/// Releases the deliveries of `handler` that are held under `lease` and are not among `known`,
/// without counting anything as lost. Returns their number. A claim whose answer was lost leaves
/// such deliveries, and they are not rescued while the lease is alive.
///
/// It takes no lock on the lease, so neither claims nor renewals wait for it. It does not see a
/// claim that is still running: the caller has to check again when that claim has ended, and must
/// not make another claim for the handler meanwhile.
///
/// # Errors
/// If the statement fails.
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
        "release unknown deliveries",
        release.bind(known).fetch_one(pool),
    )
    .await
}

/// Waits until every running claim under the lease has ended.
///
/// # Errors
/// If the statement fails.
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
    /// Removes a worker's own lease. The worker knows that nothing is held under it.
    ///
    /// # Errors
    /// If the statement fails. The lease then expires.
    pub async fn delete_lease(&mut self, lease: LeaseId) -> Result<(), StoreError> {
        let deadline = self.deadline();
        let delete = sqlx::query("DELETE FROM hookfast_data.leases WHERE id = $1").bind(lease.0);
        within(deadline, "delete a lease", delete.execute(&mut self.inner))
            .await
            .map(drop)
    }

    /// Releases the deliveries that a worker holds under its own lease, without counting anything
    /// as lost, and removes the lease. Returns the number of deliveries.
    ///
    /// # Errors
    /// If a statement fails. The lease then expires, and other workers rescue the rest.
    pub async fn abandon_lease(&mut self, lease: LeaseId) -> Result<i64, StoreError> {
        let deadline = self.deadline();
        let run = async {
            let mut transaction = self.inner.begin().await?;
            // Waits for a claim of this worker that is still running.
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
        within(deadline, "abandon a lease", run).await
    }
}

pub(super) fn read(row: &PgRow) -> Result<Rescued, sqlx::Error> {
    Ok(Rescued {
        handler: HandlerId(row.try_get("handler_id")?),
        rescued: row.try_get("rescued")?,
        dead: row.try_get("dead")?,
    })
}
