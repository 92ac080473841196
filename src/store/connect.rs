//! Connections to Postgres, each with the settings of what it is for.

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

/// How long a connection may take to be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may take to answer when nothing is asked of it but that.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// How much longer than the server we wait for a statement.
pub(super) const MARGIN: Duration = Duration::from_secs(3);

/// The deadline of a statement, or of a short transaction, on a connection of a pool.
pub(super) const POOLED: Duration = Duration::from_secs(30 + 5).saturating_add(MARGIN);

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
    /// How long a statement may take: by the server's clock, and on this side, where the answer may never come. Of
    /// ingest no sender waits for longer, and a second try has to fit into what it waits; a lease has to be renewed in
    /// time on another connection.
    pub(super) fn timeouts(self) -> (Duration, Duration) {
        let seconds = Duration::from_secs;
        match self {
            Self::Lease => (seconds(4), seconds(5)),
            Self::Ingest | Self::Quarantine => (seconds(6), seconds(8)),
            Self::Claim => (seconds(10), seconds(10) + MARGIN),
            Self::Settle | Self::Transaction | Self::General => (seconds(30), seconds(30) + MARGIN),
        }
    }
}

/// A `DATABASE_URL` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidUrl {
    /// The URL of something else.
    #[error(
        "DATABASE_URL begins with {0}:, and Hookfast needs Postgres; nothing was connected. Write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    NotPostgres(String),
    /// Not a URL.
    #[error(
        "DATABASE_URL is not a Postgres URL ({0}); nothing was connected. Write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    Malformed(sqlx::Error),
}

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
        // In a URL an IPv6 address stands in brackets, which belong to the URL and not to the address.
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

/// The parameters of a URL that sqlx reads; `options[NAME]` beside them. It logs any other with its value, which may be a
/// secret, such as `sslpassword` or a misspelt `password`.
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
    /// How a connection of that role is made.
    pub fn options(&self, role: Role) -> PgConnectOptions {
        self.options
            .clone()
            .application_name(role.name())
            .options(role.settings())
    }

    /// One connection of its own.
    ///
    /// # Errors
    /// Where it cannot be had within 5 s.
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

    /// A small pool for what is not hot. A connection that answers no more is dropped, when it is taken out and when it
    /// is put back: sqlx alone would wait for it for ever, and the pool would be short of it.
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

/// A connection that knows which run of the server it belongs to.
#[derive(Debug)]
pub struct Connection {
    pub(super) inner: PgConnection,
    epoch: Option<Uuid>,
    role: Role,
    /// Handlers whose payload filter was too slow for a claim, and when.
    pub(super) slow_filters: HashMap<HandlerId, Instant>,
}

impl Connection {
    /// The token of the server's run, which does not outlive a crash or a failover; `None` for roles that do not ask.
    pub fn epoch(&self) -> Option<Uuid> {
        self.epoch
    }

    /// How long we wait for a statement on it.
    pub(super) fn deadline(&self) -> Duration {
        self.role.timeouts().1
    }

    /// Makes sure that it answers, and that the database takes writes.
    ///
    /// # Errors
    /// Where it does not; the connection is of no more use.
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

    /// Sets the time a statement waits for a lock; `None` is what the connection began with.
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

    /// Sets the time a statement may take; `None` is what the connection began with.
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

    /// Says goodbye to the server, as far as it is there.
    pub async fn close(self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.inner.close()).await;
    }
}

/// An error has the pool drop the connection without a farewell.
async fn answers(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let silent = || {
        sqlx::Error::Io(io::Error::new(
            io::ErrorKind::TimedOut,
            "a connection answered no more",
        ))
    };
    tokio::time::timeout(PING_TIMEOUT, connection.ping())
        .await
        .unwrap_or_else(|_| Err(silent()))
        .map(|()| true)
}

/// A crash of the server empties an unlogged table; the first to find it empty puts a new token in.
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
    fn parameters_that_sqlx_knows_stay_and_the_others_go() {
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
