//! The processes: each says every few seconds that it lives.

use super::{StoreError, connect::POOLED, error::within};
use sqlx::PgPool;

/// A retirement can be committed while a process is starting, which has read before that its handler is registered. Each
/// process therefore repairs this for its own handlers, here and not at its start. Of several processes that have a source
/// one writes that it is configured, once a minute.
const ALIVE: &str = "WITH alive AS ( \
        INSERT INTO hookfast_data.processes AS p (owner, roles, version, not_ready, handlers, sources) \
        VALUES ($1, $2, $3, $4, $5, $6) \
        ON CONFLICT (owner) DO UPDATE SET roles = excluded.roles, version = excluded.version, \
            seen_at = clock_timestamp(), not_ready = excluded.not_ready, handlers = excluded.handlers, \
            sources = excluded.sources \
    ), \
    stale AS ( \
        SELECT s.id FROM hookfast_data.sources s \
        WHERE s.name = ANY ($6) AND s.configured_at < clock_timestamp() - interval '1 minute' FOR NO KEY UPDATE SKIP LOCKED \
    ), \
    configured AS ( \
        UPDATE hookfast_data.sources s SET configured_at = clock_timestamp() FROM stale WHERE s.id = stale.id \
    ) \
    SELECT hookfast_data.end_retirement($5, $1)";

const GONE: &str = "DELETE FROM hookfast_data.processes WHERE owner = $1 OR seen_at < clock_timestamp() - interval '7 days'";

/// A process as others see it.
#[derive(Clone, Debug)]
pub struct Process {
    /// Host and process.
    pub holder: String,
    /// ingress, worker or both.
    pub roles: Vec<&'static str>,
    /// The handlers of its configuration, if it has the role worker.
    pub handlers: Vec<String>,
    /// The sources of its configuration.
    pub sources: Vec<String>,
}

impl Process {
    /// Says that it lives, and what it waits for. Ends the retirement of its handlers; returns which were retired.
    ///
    /// # Errors
    /// Where the database cannot be asked.
    pub async fn is_alive(
        &self,
        pool: &PgPool,
        not_ready: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        let alive = sqlx::query_scalar(ALIVE)
            .bind(&self.holder)
            .bind(&self.roles)
            .bind(env!("CARGO_PKG_VERSION"))
            .bind(not_ready)
            .bind(&self.handlers)
            .bind(&self.sources);
        within(POOLED, "say that a process lives", alive.fetch_one(pool)).await
    }

    /// Says that it has ended on purpose.
    ///
    /// # Errors
    /// Where the database cannot be asked.
    pub async fn has_ended(&self, pool: &PgPool) -> Result<(), StoreError> {
        within(
            POOLED,
            "say goodbye",
            sqlx::query(GONE).bind(&self.holder).execute(pool),
        )
        .await
        .map(drop)
    }
}
