//! Provides the sessions for the settling transactions of one handler, and resets each session
//! after use.

use super::{
    Database, Role,
    error::within,
    server_process::ServerProcess,
    session_settings::{self, AFTERWARDS},
};
use crate::domain::Connections;
use crate::throttle::throttled;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, PgPool, Postgres, Row, pool::PoolConnection,
    postgres::PgPoolOptions,
};
use std::time::Duration;

/// How long an attempt waits for a session. This includes connecting.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the reset of a session may take.
const RESET_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a session may be idle before it is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A session that was idle for longer is tested before it is used, since the server may have been
/// restarted.
const TEST_AFTER: Duration = Duration::from_secs(1);

/// Resets everything that outlives a transaction. Hookfast's own settings are startup options, to
/// which `RESET ALL` returns. `DISCARD ALL` cannot be part of a batch, and would remove the
/// statements that sqlx has prepared.
const RESET: &str = "/* hookfast: reset session */ \
    RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; CLOSE ALL; UNLISTEN *; DISCARD TEMP; DISCARD SEQUENCES; \
    EXECUTE hookfast_reset";

/// Prepares the part of the reset that has to be planned, since planning takes most of its time. It
/// lists the statements that were prepared in SQL instead of removing them, because `DEALLOCATE`
/// takes one name or all. It also repeats the settings that cannot be startup options.
fn prepare_reset() -> String {
    format!(
        "PREPARE hookfast_reset AS SELECT pg_catalog.pg_advisory_unlock_all(), (\
            SELECT pg_catalog.string_agg(pg_catalog.format('DEALLOCATE %I', p.name), '; ') \
            FROM pg_catalog.pg_prepared_statement() p WHERE p.from_sql AND p.name <> 'hookfast_reset'), \
            (SELECT pg_catalog.count(s.set_config) FROM ({AFTERWARDS}) s)"
    )
}

/// The sessions of one transactional handler in this process. No other handler uses them.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    pool: PgPool,
    /// For queries about the server processes behind the sessions.
    questions: PgPool,
}

impl Sessions {
    /// Opens at most `connections` sessions, when they are needed.
    pub(crate) fn new(database: &Database, questions: &PgPool, connections: Connections) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(connections.count())
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(IDLE_TIMEOUT)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    session_settings::prepare(connection).await?;
                    sqlx::raw_sql(AssertSqlSafe(prepare_reset()))
                        .execute(connection)
                        .await
                        .map(drop)
                })
            })
            .test_before_acquire(false)
            .before_acquire(|connection, session| {
                Box::pin(async move {
                    if session.idle_for > TEST_AFTER {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_release(|connection, _| Box::pin(async { Ok(is_reset(connection).await) }))
            .connect_lazy_with(database.options(Role::Transaction));
        Self {
            pool,
            questions: questions.clone(),
        }
    }

    /// The server process that runs a transaction in one of the sessions.
    pub(super) fn process(&self, pid: i32, began: String) -> ServerProcess {
        ServerProcess::of_transaction(self.questions.clone(), pid, began)
    }

    pub(super) async fn acquire(&self) -> Result<Session, sqlx::Error> {
        Ok(Session(Some(self.pool.acquire().await?)))
    }
}

/// A session whose transaction has not begun. It is closed when it is dropped, because it may be
/// the reason for that.
pub(super) struct Session(Option<PoolConnection<Postgres>>);

const PRESENT: &str = "only `begun` takes the connection";

impl Session {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect(PRESENT)
    }

    /// Called when the transaction has begun: from here on the session returns to the pool after
    /// its reset.
    pub(super) fn begun(mut self) -> PoolConnection<Postgres> {
        self.0.take().expect(PRESENT)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

/// Returns whether the session can be used again. Otherwise the pool closes it.
async fn is_reset(connection: &mut PgConnection) -> bool {
    let Err(error) = within(
        RESET_TIMEOUT,
        "reset a handler's session",
        reset(connection),
    )
    .await
    else {
        return true;
    };
    throttled!(info, %error, "a handler's session could not be reset and is closed; its delivery is not affected, and the next one gets a new session");
    false
}

async fn reset(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let rows = sqlx::raw_sql(RESET).fetch_all(&mut *connection).await?;
    let prepared = rows
        .last()
        .map(|row| row.try_get::<Option<String>, _>(1))
        .transpose()?
        .flatten();
    if let Some(deallocate) = prepared {
        sqlx::raw_sql(AssertSqlSafe(deallocate))
            .execute(connection)
            .await?;
    }
    Ok(())
}
