//! The processes: each says every few seconds that it lives.

use super::{StoreError, connect::POOLED, error::within};
use sqlx::PgPool;

const ALIVE: &str = "INSERT INTO hookfast_data.processes AS p (holder, roles, version, not_ready) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (holder) DO UPDATE SET roles = excluded.roles, version = excluded.version, seen_at = clock_timestamp(), \
        not_ready = excluded.not_ready";

const GONE: &str =
    "DELETE FROM hookfast_data.processes WHERE holder = $1 OR seen_at < clock_timestamp() - interval '7 days'";

/// A process as others see it.
#[derive(Clone, Debug)]
pub struct Process {
    /// Host and process.
    pub holder: String,
    /// ingress, worker or both.
    pub roles: Vec<&'static str>,
}

impl Process {
    /// Says that it lives, and what it waits for.
    ///
    /// # Errors
    /// Where the database cannot be asked.
    pub async fn is_alive(&self, pool: &PgPool, not_ready: Option<&str>) -> Result<(), StoreError> {
        let alive =
            sqlx::query(ALIVE).bind(&self.holder).bind(&self.roles).bind(env!("CARGO_PKG_VERSION")).bind(not_ready);
        within(POOLED, "say that a process lives", alive.execute(pool)).await.map(drop)
    }

    /// Says that it has ended on purpose.
    ///
    /// # Errors
    /// Where the database cannot be asked.
    pub async fn has_ended(&self, pool: &PgPool) -> Result<(), StoreError> {
        within(POOLED, "say goodbye", sqlx::query(GONE).bind(&self.holder).execute(pool)).await.map(drop)
    }
}
