//! The settling transaction: a handler's effects and the end of its delivery, committed together or not at all.

use super::{Claim, Fault, Sessions, StoreError, error::within, settle::milliseconds};
use crate::throttle::throttled;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, SqlSafeStr, Transaction};
use std::time::{Duration, Instant};

/// An open transaction that holds one delivery behind its fence.
///
/// Whatever the handler writes through [`SettlingTransaction::connection`] happens exactly once per delivery: it
/// commits together with the delivery's end, and only if no other worker has taken over.
pub struct SettlingTransaction {
    inner: Transaction<'static, Postgres>,
    claim: Claim,
    /// The server's time limit of each of its statements.
    limit: Duration,
    begun: Instant,
}

/// What the server's time limit does not cover: taking a session out of the pool, and COMMIT.
const BEYOND_LIMIT: Duration = Duration::from_secs(10);

/// How long the server may take to roll back before the connection is dropped, which has it roll back as well.
const ROLL_BACK: Duration = Duration::from_secs(5);

/// Locks the delivery only where the claim still holds it.
const FENCE: &str = "SELECT true FROM hookfast_data.outbox \
    WHERE handler_id = $1 AND id = $2 AND attempt = $3 AND locked_by = $4 FOR UPDATE";

/// A look-up by a parameter inside a handler's function would otherwise be planned for every day there is.
const CUSTOM_PLANS: &str = "SET LOCAL plan_cache_mode = force_custom_plan";

/// Ends the delivery behind the same fence, with its attempt's row.
const END: &str = "WITH gone AS (\
        DELETE FROM hookfast_data.outbox WHERE handler_id = $1 AND id = $2 AND attempt = $3 AND locked_by = $4 \
        RETURNING event_id) \
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt, handler_id, outcome, duration_ms, lease_id) \
    SELECT event_id, $2, $3, $1, 'delivered', $5, $4 FROM gone";

impl SettlingTransaction {
    /// Begins, and locks the delivery; `None` where another has taken it over: nothing of the handler may run then.
    ///
    /// # Errors
    /// Where no session could be had, or none in which the delivery could be locked: nothing of the handler has run.
    pub(crate) async fn begin(sessions: &Sessions, claim: Claim, limit: Duration) -> Result<Option<Self>, StoreError> {
        let run = async {
            let mut session = sessions.acquire().await?;
            let held = lock(session.connection(), claim, limit).await?;
            // Only from here on does sqlx know of the transaction, and returns the session to the others at its end.
            let inner = Transaction::begin(session.begun(), Some(CUSTOM_PLANS.into_sql_str())).await?;
            Ok(held.then(|| Self { inner, claim, begun: Instant::now(), limit }))
        };
        within(limit + BEYOND_LIMIT, "begin a settling transaction", run).await
    }

    /// The time it may take, where that is over.
    pub(super) fn overrun(&self) -> Option<Duration> {
        // The server counts in whole milliseconds.
        let over = self.begun.elapsed() + Duration::from_millis(1) >= self.limit;
        over.then_some(self.limit)
    }

    /// The connection inside the transaction, for the handler's own SQL. Neither commit nor roll back on it.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Ends the delivery and commits; `false` where the fence was lost, and everything is rolled back.
    ///
    /// # Errors
    /// Where a statement failed. With [`Fault::Lost`] it is not known whether the commit took place; an outcome
    /// settled with the same claim afterwards is stale if it did.
    pub(crate) async fn commit(mut self) -> Result<bool, StoreError> {
        let run = async {
            let ended = sqlx::query(END)
                .bind(self.claim.handler.0)
                .bind(self.claim.delivery.0)
                .bind(self.claim.attempt)
                .bind(self.claim.lease.0)
                .bind(milliseconds(self.begun.elapsed()))
                .execute(&mut *self.inner)
                .await?
                .rows_affected();
            if ended == 0 {
                self.inner.rollback().await?;
                return Ok(false);
            }
            self.inner.commit().await?;
            Ok(true)
        };
        within(self.limit + BEYOND_LIMIT, "commit a settling transaction", run).await
    }

    /// Undoes everything the handler did.
    ///
    /// # Errors
    /// If the connection broke while the handler ran. That the server closed it because the handler took too long is
    /// the handler's own failure and no error here: its answer says so at once. A server that has not answered long
    /// after its own time limit is not there any more.
    pub(crate) async fn roll_back(self) -> Result<(), StoreError> {
        let overran = self.overrun().is_some();
        match within(ROLL_BACK, "roll back a settling transaction", self.inner.rollback()).await {
            Err(error) if error.fault() == Fault::Lost && (!overran || error.is_unanswered()) => Err(error),
            Err(error) => {
                throttled!(warn, %error, "a settling transaction could not be rolled back; the server does it");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

/// Begins, and locks the delivery; false where another has taken it over.
async fn lock(connection: &mut PgConnection, claim: Claim, limit: Duration) -> Result<bool, sqlx::Error> {
    let millis = milliseconds(limit).max(1);
    // One round trip.
    let begin = format!(
        "BEGIN; SET LOCAL statement_timeout = {millis}; SET LOCAL idle_in_transaction_session_timeout = {millis}"
    );
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *connection).await?;
    let held: Option<bool> = sqlx::query_scalar(FENCE)
        .bind(claim.handler.0)
        .bind(claim.delivery.0)
        .bind(claim.attempt)
        .bind(claim.lease.0)
        .fetch_optional(connection)
        .await?;
    Ok(held.is_some())
}
