//! Connections to Postgres, each with the settings of what it is for.

use super::{StoreError, session};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, PgConnection, Row,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use std::{fmt, str::FromStr, time::Duration};
use uuid::Uuid;

/// How long a connection may take to be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection is for; its settings follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Stores groups of verified requests.
    Ingest,
    /// Claims deliveries: commits asynchronously, since losing a claim only means claiming again.
    Claim,
    /// Settles groups of outcomes.
    Settle,
    /// Renews one lease, and nothing else.
    Lease,
    /// Runs a handler's own SQL in the settling transaction: no planner settings.
    Transaction,
    /// Keeps evidence of requests that failed verification.
    Quarantine,
    /// Migrations, partitions, registry, rescue, rollups: nothing hot.
    General,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Ingest => "hookfast ingest",
            Self::Claim => "hookfast claim",
            Self::Settle => "hookfast settle",
            Self::Lease => "hookfast lease",
            Self::Transaction => "hookfast transaction",
            Self::Quarantine => "hookfast quarantine",
            Self::General => "hookfast",
        }
    }
}

/// A `DATABASE_URL` that is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "DATABASE_URL is not a Postgres URL ({0}); nothing was connected. Write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
)]
pub struct InvalidUrl(sqlx::Error);

/// Where the database is. Cheap to clone; connects to nothing by itself.
#[derive(Clone)]
pub struct Database {
    options: PgConnectOptions,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

impl fmt::Display for Database {
    /// The URL without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let o = &self.options;
        let database = o.get_database().unwrap_or(o.get_username());
        write!(f, "postgres://{}@{}:{}/{}", o.get_username(), o.get_host(), o.get_port(), database)
    }
}

impl FromStr for Database {
    type Err = InvalidUrl;

    fn from_str(url: &str) -> Result<Self, InvalidUrl> {
        Ok(Self { options: PgConnectOptions::from_str(url).map_err(InvalidUrl)?.disable_statement_logging() })
    }
}

impl Database {
    /// How a connection of that role is made.
    pub fn options(&self, role: Role) -> PgConnectOptions {
        self.options.clone().application_name(role.name()).options(role.settings())
    }

    /// One connection of its own.
    ///
    /// # Errors
    /// Where it cannot be had within 5 s.
    pub async fn connect(&self, role: Role) -> Result<Connection, StoreError> {
        let connecting = async {
            let mut inner = self.options(role).connect().await?;
            session::prepare(&mut inner).await?;
            let epoch = match role {
                Role::Claim | Role::Settle | Role::Lease | Role::Transaction => Some(server_epoch(&mut inner).await?),
                _ => None,
            };
            Ok(Connection { inner, epoch, role })
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(connected) => connected.map_err(StoreError::new("connect")),
            Err(_) => Err(StoreError::new("connect")(sqlx::Error::PoolTimedOut)),
        }
    }

    /// A small pool for what is not hot.
    pub fn pool(&self, role: Role, size: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(CONNECT_TIMEOUT)
            .idle_timeout(Duration::from_secs(60))
            .after_connect(|connection, _| Box::pin(session::prepare(connection)))
            .connect_lazy_with(self.options(role))
    }
}

/// A connection that knows which run of the server it belongs to.
#[derive(Debug)]
pub struct Connection {
    pub(super) inner: PgConnection,
    epoch: Option<Uuid>,
    role: Role,
}

impl Connection {
    /// The token of the server's run, which does not outlive a crash or a failover; `None` for roles that do not ask.
    pub fn epoch(&self) -> Option<Uuid> {
        self.epoch
    }

    /// Sets the time a statement waits for a lock; `None` is what the connection began with.
    pub(super) async fn set_lock_timeout(&mut self, to: Option<Duration>) -> Result<(), StoreError> {
        let to = to.or(self.role.lock_timeout()).unwrap_or_default();
        sqlx::query(AssertSqlSafe(format!("SET lock_timeout = {}", to.as_millis())))
            .persistent(false)
            .execute(&mut self.inner)
            .await
            .map(drop)
            .map_err(StoreError::new("set lock_timeout"))
    }

    /// Says goodbye to the server, as far as it is there.
    pub async fn close(self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.inner.close()).await;
    }
}

/// A crash of the server empties an unlogged table; the first to find it empty puts a new token in.
async fn server_epoch(connection: &mut PgConnection) -> Result<Uuid, sqlx::Error> {
    loop {
        if let Some(row) =
            sqlx::query("SELECT token FROM hookfast_data.server_epoch").fetch_optional(&mut *connection).await?
        {
            return row.try_get(0);
        }
        sqlx::query("INSERT INTO hookfast_data.server_epoch DEFAULT VALUES ON CONFLICT DO NOTHING")
            .execute(&mut *connection)
            .await?;
    }
}
