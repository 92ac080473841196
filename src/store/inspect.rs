//! What `hookfast check` wants to know of a database.

use super::{Database, Role, StoreError, connect::POOLED, error::within};
use sqlx::Row;

/// A database as it presents itself.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The server's version, as 150018.
    pub version: i32,
    /// Whether the server is a standby.
    pub in_recovery: bool,
    /// Whether transactions are read-only, on a standby or by a setting.
    pub read_only: bool,
    /// Whether this role may create schemas in the database.
    pub may_create: bool,
    /// Settings of the server that would make a 200 a lie, by name.
    pub not_durable: Vec<String>,
    /// Whether a commit waits for a synchronous standby.
    pub synchronous_standby: bool,
    /// Whether the start-up settings of our connections arrive: a pooler may drop them.
    pub settings_arrive: bool,
}

/// Looks, and changes nothing.
///
/// # Errors
/// Where the database cannot be asked.
pub async fn inspect(database: &Database) -> Result<Inspection, StoreError> {
    let mut connection = database.connect(Role::General).await?;
    let run = async {
        let row = sqlx::query(
            "SELECT current_setting('server_version_num')::integer, pg_is_in_recovery(), \
                has_database_privilege(current_database(), 'CREATE'), \
                ARRAY(SELECT name || ' = ' || setting FROM pg_catalog.pg_settings \
                    WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name), \
                current_setting('synchronous_standby_names') <> '', \
                current_setting('jit') = 'off' AND current_setting('synchronous_commit') = 'on', \
                current_setting('transaction_read_only')::boolean",
        )
        .fetch_one(&mut connection.inner)
        .await?;
        Ok(Inspection {
            version: row.try_get(0)?,
            in_recovery: row.try_get(1)?,
            may_create: row.try_get(2)?,
            not_durable: row.try_get(3)?,
            synchronous_standby: row.try_get(4)?,
            settings_arrive: row.try_get(5)?,
            read_only: row.try_get(6)?,
        })
    };
    let inspected = within(POOLED, "inspect", run).await;
    connection.close().await;
    inspected
}
