//! The settling transaction: a handler's writes and the end of its delivery are committed together,
//! or not at all.

use super::{
    Claim, Fault, Sessions, StoreError,
    connect::MARGIN,
    error::within,
    server_process::ServerProcess,
    session::{ACQUIRE_TIMEOUT, Session},
    settle::milliseconds,
};
use crate::throttle::throttled;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, SqlSafeStr, Transaction};
use std::time::{Duration, Instant};

/// An open transaction that has locked one delivery behind its fence.
///
/// Everything that the handler writes through [`SettlingTransaction::connection`] happens exactly
/// once per delivery: it is committed together with the end of the delivery, and only if no other
/// worker has taken over.
pub struct SettlingTransaction {
    inner: Transaction<'static, Postgres>,
    claim: Claim,
    /// The server's time limit for each statement of the transaction.
    limit: Duration,
    begun: Instant,
    process: ServerProcess,
}

/// How long the server may take to lock the delivery, and how long it may hold that lock before the
/// handler's own time limit is set. Only a settlement or an operator's transaction holds the
/// delivery. The handler's time does not run yet.
const LOCK: Duration = Duration::from_secs(5);

/// How long getting a session and locking the delivery may take.
const BEGIN: Duration = ACQUIRE_TIMEOUT.saturating_add(LOCK).saturating_add(MARGIN);

/// How long COMMIT may take, which the server's time limit does not cover.
const BEYOND_LIMIT: Duration = Duration::from_secs(10);

/// How long a rollback may take before the connection is dropped, which makes the server roll back
/// as well.
const ROLL_BACK: Duration = Duration::from_secs(5);

/// Locks the delivery only if the claim still holds it. Returns the server process, and the
/// beginning of its transaction.
const FENCE: &str = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.now()::text FROM hookfast_data.outbox \
    WHERE handler_id = $1 AND id = $2 AND attempt_number = $3 AND lease_id = $4 FOR UPDATE";

/// Otherwise a lookup by a parameter inside a handler's function would be planned for every
/// partition.
const CUSTOM_PLANS: &str = "SET LOCAL plan_cache_mode = force_custom_plan";

/// Ends the delivery behind the same fence, and records the attempt.
const END: &str = "WITH gone AS (\
        DELETE FROM hookfast_data.outbox WHERE handler_id = $1 AND id = $2 AND attempt_number = $3 AND lease_id = $4 \
        RETURNING event_id) \
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, duration_ms, lease_id) \
    SELECT event_id, $2, $3, $1, 'delivered', $5, $4 FROM gone";

impl SettlingTransaction {
    /// Begins a transaction and locks the delivery. Returns `None` if another worker has taken the
    /// delivery over: the handler must not run then.
    ///
    /// # Errors
    /// If no session was available, or the delivery could not be locked. The handler has not run.
    pub(crate) async fn begin(
        sessions: &Sessions,
        claim: Claim,
        limit: Duration,
    ) -> Result<Option<Self>, StoreError> {
        let locking = async {
            let mut session = sessions.acquire().await?;
            let held = lock(session.connection(), claim).await?;
            Ok((
                session,
                held.map(|(pid, began)| sessions.process(pid, began)),
            ))
        };
        let (session, process) = within(BEGIN, "lock a delivery", locking).await?;
        // Only from here on does sqlx know of the transaction, and return the session to the pool
        // at its end.
        let begun = within(
            LOCK + MARGIN,
            "begin a settling transaction",
            begin(session, limit),
        )
        .await;
        let Some(process) = process else {
            return begun.map(|_| None);
        };
        match begun {
            Ok(inner) => Ok(Some(Self {
                inner,
                claim,
                begun: Instant::now(),
                limit,
                process,
            })),
            Err(error) => {
                // The session may already have the handler's time limit, and would hold the
                // delivery for as long.
                process.end().await;
                Err(error)
            }
        }
    }

    /// The connection, and the server process behind it.
    pub(super) fn watched(&mut self) -> (&mut PgConnection, &ServerProcess) {
        (&mut self.inner, &self.process)
    }

    /// The time limit, if it has passed.
    pub(super) fn overrun(&self) -> Option<Duration> {
        // The server counts in whole milliseconds.
        let over = self.begun.elapsed() + Duration::from_millis(1) >= self.limit;
        over.then_some(self.limit)
    }

    /// The connection inside the transaction, for the handler's own SQL. Do not commit or roll back
    /// on it.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Ends the delivery and commits. Returns `false` if the fence was lost; everything is rolled
    /// back then.
    ///
    /// # Errors
    /// If a statement fails. With [`Fault::Lost`] it is not known whether the commit took place. If
    /// it did, an outcome that is settled with the same claim afterwards is stale.
    pub(crate) async fn commit(self) -> Result<bool, StoreError> {
        let Self {
            mut inner, process, ..
        } = self;
        let run = async {
            let ended = sqlx::query(END)
                .bind(self.claim.handler.0)
                .bind(self.claim.delivery.0)
                .bind(self.claim.attempt)
                .bind(self.claim.lease.0)
                .bind(milliseconds(self.begun.elapsed()))
                .execute(&mut *inner)
                .await?
                .rows_affected();
            if ended == 0 {
                inner.rollback().await?;
                return Ok(false);
            }
            inner.commit().await?;
            Ok(true)
        };
        within(
            self.limit + BEYOND_LIMIT,
            "commit a settling transaction",
            process.watch(run),
        )
        .await
    }

    /// Undoes everything that the handler did.
    ///
    /// # Errors
    /// If the connection broke while the handler ran. If the server closed it because the handler
    /// took too long, that is the handler's own failure and not an error here: the server answers
    /// at once then. A server that has not answered long after its own time limit is considered
    /// lost.
    pub(crate) async fn roll_back(self) -> Result<(), StoreError> {
        let overran = self.overrun().is_some();
        match within(
            ROLL_BACK,
            "roll back a settling transaction",
            self.inner.rollback(),
        )
        .await
        {
            Err(error) if error.fault() == Fault::Lost && (!overran || error.is_unanswered()) => {
                Err(error)
            }
            Err(error) => {
                throttled!(warn, %error, "a settling transaction could not be rolled back; the server rolls it back");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

/// Begins a transaction and locks the delivery. Returns `None` if another worker has taken it over.
async fn lock(
    connection: &mut PgConnection,
    claim: Claim,
) -> Result<Option<(i32, String)>, sqlx::Error> {
    // Sent together, so that they need one round trip.
    let begin = format!("BEGIN; {}", time_limits(LOCK));
    sqlx::raw_sql(AssertSqlSafe(begin))
        .execute(&mut *connection)
        .await?;
    sqlx::query_as(FENCE)
        .bind(claim.handler.0)
        .bind(claim.delivery.0)
        .bind(claim.attempt)
        .bind(claim.lease.0)
        .fetch_optional(connection)
        .await
}

/// Gives the transaction the handler's time limit.
async fn begin(
    session: Session,
    limit: Duration,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let begin = format!("{CUSTOM_PLANS}; {}", time_limits(limit));
    Transaction::begin(session.begun(), Some(AssertSqlSafe(begin).into_sql_str())).await
}

fn time_limits(limit: Duration) -> String {
    let millis = milliseconds(limit).max(1);
    format!(
        "SET LOCAL statement_timeout = {millis}; SET LOCAL idle_in_transaction_session_timeout = {millis}"
    )
}
