//! Registers and renews leases, the rights of workers to hold deliveries.

use super::{Connection, HandlerId, StoreError, error::within};
use std::time::Duration;

/// The id of a lease, as in `outbox.lease_id`. An id is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId(pub i64);

impl Connection {
    /// Registers a worker, and returns its lease.
    ///
    /// # Errors
    /// If the statement fails.
    pub async fn register_lease(
        &mut self,
        holder: &str,
        handlers: &[HandlerId],
        lasts: Duration,
    ) -> Result<LeaseId, StoreError> {
        within(
            self.deadline(),
            "register a lease",
            sqlx::query_scalar(
                "INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at) \
             VALUES ('worker', $1, $2, clock_timestamp() + $3 * interval '1 millisecond') RETURNING id",
            )
            .bind(holder)
            .bind(handlers.iter().map(|h| h.0).collect::<Vec<_>>())
            .bind(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX))
            .fetch_one(&mut self.inner),
        )
        .await
        .map(LeaseId)
    }

    /// Renews a lease. Returns `false` if the lease no longer exists. An expired lease that nobody
    /// has rescued is renewed.
    ///
    /// # Errors
    /// If the statement fails.
    pub async fn renew_lease(
        &mut self,
        lease: LeaseId,
        lasts: Duration,
    ) -> Result<bool, StoreError> {
        within(self.deadline(), "renew a lease", sqlx::query(
            "UPDATE hookfast_data.leases SET expires_at = clock_timestamp() + $2 * interval '1 millisecond' WHERE id = $1",
        )
        .bind(lease.0)
        .bind(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX))
        .execute(&mut self.inner)).await
        .map(|done| done.rows_affected() == 1)
    }
}
