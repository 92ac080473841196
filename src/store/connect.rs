//! Opens connections to Postgres, each with the settings of its role.

use super::{HandlerId, StoreError, error::within, session_settings};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, PgConnection, Row,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use std::{
    borrow::Cow,
    collections::HashMap,
    fmt, io,
    str::FromStr,
    time::{Duration, Instant},
};
use url::Url;
use uuid::Uuid;

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a ping may take.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// How much longer than the server's timeout this process waits for a statement.
pub(super) const MARGIN: Duration = Duration::from_secs(3);

/// The deadline of a statement, or of a short transaction, on a pooled connection. It includes the
/// time to get a connection.
pub(super) const POOLED: Duration = Duration::from_secs(30 + 5).saturating_add(MARGIN);

/// What a connection is used for. Its settings follow from this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Stores groups of verified requests.
    Ingest,
    /// Claims deliveries. It commits asynchronously, because deliveries of a claim that is lost in
    /// a crash are claimed again.
    Claim,
    /// Settles groups of outcomes.
    Settle,
    /// Renews one lease and does nothing else.
    Lease,
    /// Runs a handler's own SQL in the settling transaction, without planner settings.
    Transaction,
    /// Quarantines requests that failed verification.
    Quarantine,
    /// Reads and acts for a visitor of the console.
    Console,
    /// Does everything that is not hot: migrations, partitions, registry, rescue and rollups.
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
            Self::Console => "hookfast console",
            Self::General => "hookfast",
        }
    }
    /// How long a statement may take: the server's timeout, and the deadline of this process, in
    /// case no answer arrives. No sender waits longer than this for ingest, and a second try has to
    /// fit into that wait. A lease has to be renewed in time on another connection.
    pub(super) fn timeouts(self) -> (Duration, Duration) {
        let seconds = Duration::from_secs;
        match self {
            Self::Lease => (seconds(4), seconds(5)),
            Self::Ingest | Self::Quarantine => (seconds(6), seconds(8)),
            Self::Claim | Self::Console => (seconds(10), seconds(10) + MARGIN),
            Self::Settle | Self::Transaction | Self::General => (seconds(30), seconds(30) + MARGIN),
        }
    }
}

/// A `DATABASE_URL` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidUrl {
    /// The URL has another scheme than Postgres.
    #[error(
        "DATABASE_URL begins with {0}:, and Hookfast needs Postgres; nothing was connected. Write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    NotPostgres(String),
    /// The text is not a valid Postgres URL.
    #[error(
        "DATABASE_URL is not a Postgres URL ({0}); nothing was connected. Write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    Malformed(sqlx::Error),
}

/// The address of the database. It is cheap to clone, and opens no connection by itself.
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
        let host = o.get_host();
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        write!(
            f,
            "postgres://{}@{host}:{}/{}",
            o.get_username(),
            o.get_port(),
            database
        )
    }
}

impl FromStr for Database {
    type Err = InvalidUrl;

    fn from_str(url: &str) -> Result<Self, InvalidUrl> {
        let is_word = |scheme: &&str| {
            scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        };
        let scheme = url
            .split_once("://")
            .map(|(scheme, _)| scheme)
            .filter(is_word);
        if let Some(other) = scheme.filter(|scheme| !["postgres", "postgresql"].contains(scheme)) {
            return Err(InvalidUrl::NotPostgres(other.to_owned()));
        }
        let known = without_unknown_parameters(url);
        let mut options = PgConnectOptions::from_str(&known)
            .map_err(InvalidUrl::Malformed)?
            .disable_statement_logging();
        // In a URL an IPv6 address is in brackets, which are not part of the address.
        if let Some(address) = options
            .get_host()
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            let address = address.to_owned();
            options = options.host(&address);
        }
        Ok(Self { options })
    }
}

/// The URL parameters that sqlx reads, besides `options[NAME]`. sqlx logs any other parameter with
/// its value, which may be a secret, such as `sslpassword` or a misspelled `password`.
const KNOWN_PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

fn without_unknown_parameters(url: &str) -> Cow<'_, str> {
    let Ok(mut parsed) = Url::parse(url) else {
        return Cow::Borrowed(url);
    };
    let is_known = |key: &str| KNOWN_PARAMETERS.contains(&key) || key.starts_with("options[");
    let (known, unknown): (Vec<_>, Vec<_>) = parsed
        .query_pairs()
        .into_owned()
        .partition(|(key, _)| is_known(key));
    if unknown.is_empty() {
        return Cow::Borrowed(url);
    }
    for (parameter, _) in unknown {
        tracing::warn!(
            parameter,
            "DATABASE_URL has a parameter that Hookfast does not know; it is ignored"
        );
    }
    parsed.query_pairs_mut().clear().extend_pairs(known);
    Cow::Owned(parsed.into())
}

impl Database {
    /// Returns the options of a connection with this role.
    pub fn options(&self, role: Role) -> PgConnectOptions {
        self.options
            .clone()
            .application_name(role.name())
            .options(role.settings())
    }

    /// Opens one connection that belongs to no pool.
    ///
    /// # Errors
    /// If it is not open within 5 seconds.
    pub async fn connect(&self, role: Role) -> Result<Connection, StoreError> {
        let connecting = async {
            let mut inner = self.options(role).connect().await?;
            session_settings::prepare(&mut inner).await?;
            let epoch = match role {
                Role::Claim | Role::Settle | Role::Lease | Role::Transaction => {
                    Some(server_epoch(&mut inner).await?)
                }
                _ => None,
            };
            Ok(Connection {
                inner,
                epoch,
                role,
                slow_filters: HashMap::new(),
            })
        };
        within(CONNECT_TIMEOUT, "connect", connecting).await
    }

    /// Creates a small pool for work that is not hot. A connection that no longer answers is
    /// dropped when it is acquired or released. sqlx alone would wait for it forever, and the pool
    /// would lack it.
    pub fn pool(&self, role: Role, size: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(CONNECT_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(answers(connection)))
            .after_release(|connection, _| Box::pin(answers(connection)))
            .idle_timeout(Duration::from_secs(60))
            .after_connect(|connection, _| Box::pin(session_settings::prepare(connection)))
            .connect_lazy_with(self.options(role))
    }
}

/// A connection that knows the server epoch in which it was opened.
#[derive(Debug)]
pub struct Connection {
    pub(super) inner: PgConnection,
    epoch: Option<Uuid>,
    role: Role,
    /// Handlers whose payload filter was too slow for a claim, and when that was.
    pub(super) slow_filters: HashMap<HandlerId, Instant>,
}

impl Connection {
    /// The server epoch, which ends with a crash or a failover. `None` for roles that do not read
    /// it.
    pub fn epoch(&self) -> Option<Uuid> {
        self.epoch
    }

    pub(super) fn deadline(&self) -> Duration {
        self.role.timeouts().1
    }

    /// Checks that the connection answers and that the database accepts writes.
    ///
    /// # Errors
    /// If it does not. The connection cannot be used again then.
    pub async fn check(&mut self) -> Result<(), StoreError> {
        let check = async {
            let read_only =
                sqlx::query_scalar("SELECT current_setting('transaction_read_only')::boolean");
            if read_only.fetch_one(&mut self.inner).await? {
                return Err(sqlx::Error::Protocol(
                    "the database is read-only".to_owned(),
                ));
            }
            Ok(())
        };
        within(CONNECT_TIMEOUT, "check the connection", check).await
    }

    /// Sets how long a statement waits for a lock. `None` restores the setting of the role.
    pub(super) async fn set_lock_timeout(
        &mut self,
        to: Option<Duration>,
    ) -> Result<(), StoreError> {
        let to = to.or(self.role.lock_timeout()).unwrap_or_default();
        let set = sqlx::query(AssertSqlSafe(format!(
            "SET lock_timeout = {}",
            to.as_millis()
        )))
        .persistent(false);
        within(
            self.deadline(),
            "set lock_timeout",
            set.execute(&mut self.inner),
        )
        .await
        .map(drop)
    }

    /// Sets how long a statement may take. `None` restores the setting of the role.
    pub(super) async fn set_statement_timeout(
        &mut self,
        to: Option<Duration>,
    ) -> Result<(), StoreError> {
        let to = to.unwrap_or(self.role.timeouts().0);
        let set = sqlx::query(AssertSqlSafe(format!(
            "SET statement_timeout = {}",
            to.as_millis()
        )))
        .persistent(false);
        within(
            self.deadline(),
            "set statement_timeout",
            set.execute(&mut self.inner),
        )
        .await
        .map(drop)
    }

    /// Closes the connection. Waits at most one second for the server.
    pub async fn close(self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.inner.close()).await;
    }
}

/// An error, unlike `false`, makes the pool drop the connection without closing it first.
async fn answers(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let silent = || {
        sqlx::Error::Io(io::Error::new(
            io::ErrorKind::TimedOut,
            "a connection no longer responds",
        ))
    };
    tokio::time::timeout(PING_TIMEOUT, connection.ping())
        .await
        .unwrap_or_else(|_| Err(silent()))
        .map(|()| true)
}

/// A crash of the server empties an unlogged table. The first process that finds it empty inserts a
/// new token.
async fn server_epoch(connection: &mut PgConnection) -> Result<Uuid, sqlx::Error> {
    loop {
        if let Some(row) = sqlx::query("SELECT token FROM hookfast_data.server_epoch")
            .fetch_optional(&mut *connection)
            .await?
        {
            return row.try_get(0);
        }
        sqlx::query("INSERT INTO hookfast_data.server_epoch DEFAULT VALUES ON CONFLICT DO NOTHING")
            .execute(&mut *connection)
            .await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_another_kind_of_database_is_refused_by_its_name() {
        for (url, scheme) in [("mysql://u:canary@h/d", "mysql"), ("sqlite://d", "sqlite")] {
            let error = url.parse::<Database>().expect_err(url).to_string();
            assert!(
                error.contains(&format!("{scheme}:")) && error.contains("needs Postgres"),
                "{error}"
            );
            assert!(!error.contains("canary"), "{error}");
        }
        for url in ["postgres://u@h/d", "postgresql://u@h/d"] {
            url.parse::<Database>().expect(url);
        }
    }

    #[test]
    fn parameters_that_sqlx_knows_are_kept_and_others_are_removed() {
        let known = "postgres://u:p%40@h:5/d?sslmode=require&options[geqo]=off";
        assert!(matches!(without_unknown_parameters(known), Cow::Borrowed(same) if same == known));
        let url = "postgres://u:p%40@h:5/d?sslmode=require&passwd=canary&host=%2Ftmp%2Fa+b";
        let left = without_unknown_parameters(url);
        assert_eq!(
            left,
            "postgres://u:p%40@h:5/d?sslmode=require&host=%2Ftmp%2Fa+b"
        );
        assert_eq!(
            without_unknown_parameters("postgres://u@h/d?passwd=canary"),
            "postgres://u@h/d?"
        );
        assert_eq!(
            url.parse::<Database>()
                .expect("a URL")
                .options
                .get_socket()
                .expect("one")
                .to_str(),
            Some("/tmp/a b")
        );
    }
}
