//! What `hookfast check` wants to know of a database.

use super::{Database, Role, StoreError};
use sqlx::Row;

/// A database as it presents itself.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The server's version, as 150018.
    pub version: i32,
    /// Whether it only reads.
    pub in_recovery: bool,
    /// Whether this role may create schemas in the database.
    pub may_create: bool,
    /// Settings of the server that would make a 200 a lie, by name.
    pub not_durable: Vec<String>,
    /// Whether a commit waits for a synchronous standby.
    pub synchronous_standby: bool,
    /// How many connections this role may have to this database.
    pub connections: ConnectionLimits,
    /// Whether the start-up settings of our connections arrive: a pooler may drop them.
    pub settings_arrive: bool,
}

/// What limits the connections of this role to this database. Connections of others count too.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// `max_connections`, without those that are reserved for others.
    pub server: i32,
    /// `CONNECTION LIMIT` of the role.
    pub role: Option<i32>,
    /// `CONNECTION LIMIT` of the database.
    pub database: Option<i32>,
}

impl ConnectionLimits {
    /// The one that is reached first, with its name.
    pub fn lowest(&self) -> (&'static str, i32) {
        let role = self.role.map(|limit| ("the role's CONNECTION LIMIT", limit));
        let database = self.database.map(|limit| ("the database's CONNECTION LIMIT", limit));
        let server = ("the server's max_connections", self.server);
        [role, database]
            .into_iter()
            .flatten()
            .fold(server, |lowest, other| if other.1 < lowest.1 { other } else { lowest })
    }
}

/// No limit but the server's own holds for a superuser, and nothing is reserved for others.
const CONNECTION_LIMITS: &str = "SELECT \
        current_setting('max_connections')::integer - CASE WHEN r.rolsuper THEN 0 \
            ELSE current_setting('superuser_reserved_connections')::integer \
                + coalesce(current_setting('reserved_connections', true)::integer, 0) END, \
        CASE WHEN NOT r.rolsuper THEN nullif(r.rolconnlimit, -1) END, \
        CASE WHEN NOT r.rolsuper THEN nullif(d.datconnlimit, -1) END \
    FROM pg_catalog.pg_roles r, pg_catalog.pg_database d \
    WHERE r.rolname = session_user AND d.datname = current_database()";

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
                current_setting('jit') = 'off' AND current_setting('synchronous_commit') = 'on'",
        )
        .fetch_one(&mut connection.inner)
        .await?;
        let limits = sqlx::query(CONNECTION_LIMITS).fetch_one(&mut connection.inner).await?;
        Ok(Inspection {
            connections: ConnectionLimits {
                server: limits.try_get(0)?,
                role: limits.try_get(1)?,
                database: limits.try_get(2)?,
            },
            version: row.try_get(0)?,
            in_recovery: row.try_get(1)?,
            may_create: row.try_get(2)?,
            not_durable: row.try_get(3)?,
            synchronous_standby: row.try_get(4)?,
            settings_arrive: row.try_get(5)?,
        })
    };
    let inspected = run.await.map_err(StoreError::new("inspect"));
    connection.close().await;
    inspected
}
