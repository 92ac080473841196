//! Records the running processes. Each reports every few seconds that it is alive.

use super::{StoreError, connect::POOLED, error::within};
use sqlx::PgPool;

/// A retirement can be committed while a process is starting, after the process has read that its
/// handler is registered. So each process ends the retirement of its own handlers here, and not at
/// its start. Of several processes with the same source, one records once a minute that the source
/// is configured.
const ALIVE: &str = "WITH alive AS ( \
        INSERT INTO hookfast_data.processes AS p (owner, roles, version, not_ready, handlers, sources, slots) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) \
        ON CONFLICT (owner) DO UPDATE SET roles = excluded.roles, version = excluded.version, \
            seen_at = clock_timestamp(), not_ready = excluded.not_ready, handlers = excluded.handlers, \
            sources = excluded.sources, slots = excluded.slots \
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

/// A process as other processes and operators see it.
#[derive(Clone, Debug)]
pub struct Process {
    /// The host and the process, as text.
    pub owner: String,
    /// The roles of the process: `ingress`, `worker` or both.
    pub roles: Vec<&'static str>,
    /// The handlers of its configuration, if it has the role `worker`.
    pub handlers: Vec<ServedHandler>,
    /// The sources of its configuration.
    pub sources: Vec<String>,
}

/// A handler of a process.
#[derive(Clone, Debug)]
pub struct ServedHandler {
    /// Its name.
    pub name: String,
    /// How many of its deliveries the process runs at a time; `None` if clients run them.
    pub slots: Option<i32>,
}

impl Process {
    /// Reports that the process is alive, and why it is not ready. Ends the retirement of its
    /// handlers, and returns the names of those that were retired.
    ///
    /// # Errors
    /// If the database cannot be queried.
    pub async fn is_alive(
        &self,
        pool: &PgPool,
        not_ready: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        let (names, slots): (Vec<_>, Vec<_>) = self
            .handlers
            .iter()
            .map(|handler| (handler.name.as_str(), handler.slots))
            .unzip();
        let alive = sqlx::query_scalar(ALIVE)
            .bind(&self.owner)
            .bind(&self.roles)
            .bind(env!("CARGO_PKG_VERSION"))
            .bind(not_ready)
            .bind(names)
            .bind(&self.sources)
            .bind(slots);
        within(
            POOLED,
            "record the heartbeat of a process",
            alive.fetch_one(pool),
        )
        .await
    }

    /// Removes the record of the process, which has stopped, and records that are older than seven
    /// days.
    ///
    /// # Errors
    /// If the database cannot be queried.
    pub async fn has_ended(&self, pool: &PgPool) -> Result<(), StoreError> {
        within(
            POOLED,
            "remove a process",
            sqlx::query(GONE).bind(&self.owner).execute(pool),
        )
        .await
        .map(drop)
    }
}
