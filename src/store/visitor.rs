//! The connection of a visitor of the console, with the rights of the visitor's role and no other.
//!
//! [`AsVisitor`] is the only way to a connection of the console. It begins a transaction, checks the
//! session, and sets the role, before any other statement. No text of a statement comes from a
//! request: in the transaction a statement could set another role of the console's login.

use super::{
    Database, Role, StoreError,
    catalog::Function,
    connect::MARGIN,
    error::within,
    public_query::{FunctionCall, SqlStatement, ViewQuery},
};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sqlx::{
    AssertSqlSafe, Executor as _, Postgres, Row as _,
    pool::PoolConnection,
    postgres::{PgArguments, PgPool, PgRow},
    query::Query,
    types::Json,
};
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// How long it may take to get a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// The SHA-256 hash of a ticket or of the key in a session's cookie. Servers log parameters, so the
/// secrets themselves are never sent.
pub type SecretHash = [u8; 32];

/// What shows who sends a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// The holder of the key of a session.
    Session(SecretHash),
    /// A visitor whom a reverse proxy has identified, with the role of one of the visitor's groups.
    Proxied {
        /// `proxy:` and the name that the proxy gave, so that nobody is mistaken for a database role.
        person: String,
        /// The role of the group.
        role: String,
    },
}

/// What a request does. Its statements may take this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Reads a page.
    Page,
    /// Counts what an act would change.
    Preview,
    /// Changes something.
    Act,
}

impl Work {
    fn timeout(self) -> Duration {
        Duration::from_secs(match self {
            Self::Page => 2,
            Self::Preview => 10,
            Self::Act => 60,
        })
    }
}

/// Who a session belongs to, and what it may do now.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The id in `hookfast.access`; a visitor whom a reverse proxy has identified has no session.
    pub access_id: Option<i64>,
    /// The person.
    pub person: String,
    /// The role whose rights the request has.
    pub role: String,
    /// Until when the role is that of the ticket, in microseconds since 1970. Without a session the
    /// role does not lapse.
    pub acts_until: Option<i64>,
    /// The functions that the role may call.
    may: HashSet<String>,
}

impl Visitor {
    /// Whether the role may call a function.
    pub fn may(&self, function: &Function) -> bool {
        self.may.contains(function.name)
    }
}

/// The console's connections, by the login of its own.
#[derive(Clone)]
pub struct Visitors {
    pages: PgPool,
    acts: PgPool,
    console_role: Arc<str>,
    last_answer: LastAnswer,
}

/// Begins as the console's role, which may only begin and end sessions.
const AS_CONSOLE: &str = "SELECT set_config('role', $1, true)";
const SESSION: &str = "SELECT access_id, person, role, \
        (extract(epoch FROM acts_until) * 1000000)::bigint AS acts_until \
    FROM hookfast.console_session($1)";
const MAY_TAKE: &str = "SELECT hookfast.console_may_take($1)";
const AS_ROLE: &str = "SELECT set_config('role', $1, true), set_config('hookfast.on_behalf_of', $2, true), \
    set_config('hookfast.mask_payloads', 'on', true), set_config('statement_timeout', $3, true), \
    set_config('transaction_read_only', \
        CASE WHEN $4 THEN 'on' ELSE current_setting('transaction_read_only') END, true)";
const MAY: &str = "SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint, \
    coalesce(array_agg(p.proname::text), '{}') FROM pg_catalog.pg_proc p \
    WHERE p.pronamespace = 'hookfast'::regnamespace AND has_function_privilege(p.oid, 'EXECUTE')";

/// A transaction with the rights of a visitor.
pub struct AsVisitor {
    transaction: Transaction,
    /// Whose rights it has.
    pub visitor: Visitor,
    /// The time of the database at its beginning, in microseconds since 1970.
    pub as_of: i64,
    ran: Vec<String>,
}

/// A statement that failed for a visitor.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// There is no such session, or it has ended.
    #[error("there is no session")]
    NoSession,
    /// The console's login may not take the role of the session.
    #[error("the console's login may not take the role {0}")]
    RoleNotGranted(String),
    /// The database does not let the console take the role that a reverse proxy's group has.
    #[error("the console may not take the role {0} for a visitor of the reverse proxy")]
    RoleNotAllowed(String),
    /// The statement took longer than it may.
    #[error("the statement took longer than {0:?}")]
    TooSlow(Duration),
    /// The role lacks a privilege.
    #[error("{0}")]
    Forbidden(String),
    /// The server rejected the statement.
    #[error("{message}")]
    Rejected {
        /// The SQLSTATE.
        code: String,
        /// The server's message.
        message: String,
        /// The server's hint, if it gave one.
        hint: Option<String>,
    },
    /// The database could not be queried.
    #[error("{cause}")]
    Unavailable {
        /// Why.
        #[source]
        cause: StoreError,
        /// When the console had its last answer, by the clock of this machine; `None` if it had none.
        last_answer: Option<SystemTime>,
    },
}

/// When the database last answered the console.
#[derive(Clone, Default)]
struct LastAnswer(Arc<Mutex<Option<SystemTime>>>);

impl LastAnswer {
    fn set(&self) {
        *self.0.lock() = Some(SystemTime::now());
    }

    fn get(&self) -> Option<SystemTime> {
        *self.0.lock()
    }

    fn unavailable(&self, cause: StoreError) -> VisitError {
        let last_answer = self.get();
        VisitError::Unavailable { cause, last_answer }
    }

    fn failed(&self, error: StoreError, work: Work) -> VisitError {
        if error.is_statement_timeout() {
            return VisitError::TooSlow(work.timeout());
        }
        if error.is_denied() {
            return VisitError::Forbidden(error.message());
        }
        match error.rejection() {
            Some((code, message, hint)) => VisitError::Rejected {
                code,
                message,
                hint,
            },
            None => self.unavailable(error),
        }
    }
}

impl Visitors {
    /// Connects when it is needed. `console_role` is the role that may begin and end sessions.
    pub fn new(database: &Database, console_role: &str) -> Self {
        Self {
            pages: database.pool(Role::Console, 4),
            acts: database.pool(Role::Console, 2),
            console_role: console_role.into(),
            last_answer: LastAnswer::default(),
        }
    }

    /// Begins the session of a ticket. Returns the person, or `None` if the ticket is unknown,
    /// expired or used.
    ///
    /// # Errors
    /// If the database cannot be queried.
    pub async fn redeem(
        &self,
        ticket: SecretHash,
        session: SecretHash,
    ) -> Result<Option<String>, VisitError> {
        let mut transaction = self.begin(Work::Act).await?;
        let redeem = sqlx::query("SELECT person FROM hookfast.console_redeem($1, $2)")
            .bind(ticket.to_vec())
            .bind(session.to_vec());
        let rows = transaction.fetch(redeem).await?;
        transaction.end("COMMIT").await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// If the database cannot be queried.
    pub async fn log_out(&self, session: SecretHash) -> Result<(), VisitError> {
        let mut transaction = self.begin(Work::Act).await?;
        let end = sqlx::query("SELECT hookfast.console_logout($1)").bind(session.to_vec());
        transaction.fetch(end).await?;
        transaction.end("COMMIT").await
    }

    /// Begins a transaction with the rights of a visitor.
    ///
    /// # Errors
    /// [`VisitError::NoSession`] or [`VisitError::RoleNotAllowed`], or if the database cannot be
    /// queried.
    pub async fn visit(
        &self,
        credential: &Credential,
        work: Work,
    ) -> Result<AsVisitor, VisitError> {
        let mut transaction = self.begin(work).await?;
        let found = match credential {
            Credential::Session(session) => transaction.of_session(session).await?,
            Credential::Proxied { person, role } => transaction.of_proxy(person, role).await?,
        };
        let mut visitor = match (found, credential) {
            (Some(visitor), _) => visitor,
            (None, Credential::Session(_)) => {
                // What the function has written about the end of the session is kept.
                transaction.end("COMMIT").await?;
                return Err(VisitError::NoSession);
            }
            (None, Credential::Proxied { role, .. }) => {
                transaction.end("COMMIT").await?;
                return Err(VisitError::RoleNotAllowed(role.clone()));
            }
        };
        let as_role = sqlx::query(AS_ROLE)
            .bind(visitor.role.clone())
            .bind(visitor.person.clone())
            .bind(work.timeout().as_millis().to_string())
            .bind(work != Work::Act);
        if let Err(error) = transaction.fetch(as_role).await {
            return Err(match error {
                VisitError::Forbidden(_) => VisitError::RoleNotGranted(visitor.role),
                other => other,
            });
        }
        let rows = transaction.fetch(sqlx::query(MAY)).await?;
        let row = rows.first().ok_or(VisitError::NoSession)?;
        visitor.may = row.get::<Vec<String>, _>(1).into_iter().collect();
        Ok(AsVisitor {
            as_of: row.get(0),
            transaction,
            visitor,
            ran: Vec::new(),
        })
    }

    /// Begins a transaction as the console's role.
    async fn begin(&self, work: Work) -> Result<Transaction, VisitError> {
        let pool = match work {
            Work::Page | Work::Preview => &self.pages,
            Work::Act => &self.acts,
        };
        let acquired = within(CONNECT, "connect", pool.acquire()).await;
        let mut transaction = Transaction {
            connection: Some(acquired.map_err(|cause| self.last_answer.unavailable(cause))?),
            work,
            last_answer: self.last_answer.clone(),
        };
        transaction.run("BEGIN").await?;
        let as_console = sqlx::query(AS_CONSOLE).bind(self.console_role.to_string());
        transaction.fetch(as_console).await?;
        Ok(transaction)
    }
}

/// A transaction of the console's login. Dropping it before its end closes the connection, so that
/// no other request gets one whose role is not known.
struct Transaction {
    connection: Option<PoolConnection<Postgres>>,
    work: Work,
    last_answer: LastAnswer,
}

impl Transaction {
    async fn fetch(
        &mut self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, VisitError> {
        let work = self.work;
        let connection = self.connection.as_mut().ok_or(VisitError::NoSession)?;
        let fetched = query.fetch_all(&mut **connection);
        match within(work.timeout() + MARGIN, "query for a visitor", fetched).await {
            Ok(rows) => {
                self.last_answer.set();
                Ok(rows)
            }
            Err(error) => Err(self.last_answer.failed(error, work)),
        }
    }

    async fn of_session(&mut self, session: &SecretHash) -> Result<Option<Visitor>, VisitError> {
        let rows = self
            .fetch(sqlx::query(SESSION).bind(session.to_vec()))
            .await?;
        Ok(rows.first().map(|row| Visitor {
            access_id: Some(row.get("access_id")),
            person: row.get("person"),
            role: row.get("role"),
            acts_until: Some(row.get("acts_until")),
            may: HashSet::new(),
        }))
    }

    async fn of_proxy(&mut self, person: &str, role: &str) -> Result<Option<Visitor>, VisitError> {
        let rows = self
            .fetch(sqlx::query(MAY_TAKE).bind(role.to_owned()))
            .await?;
        let may_take = rows.first().is_some_and(|row| row.get(0));
        Ok(may_take.then(|| Visitor {
            access_id: None,
            person: person.to_owned(),
            role: role.to_owned(),
            acts_until: None,
            may: HashSet::new(),
        }))
    }

    async fn run(&mut self, statement: &'static str) -> Result<(), VisitError> {
        let work = self.work;
        let connection = self.connection.as_mut().ok_or(VisitError::NoSession)?;
        let ran = connection.execute(statement);
        match within(work.timeout() + MARGIN, statement, ran).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.last_answer.failed(error, work)),
        }
    }

    /// Ends the transaction, and with it the role; then others may have the connection.
    async fn end(mut self, how: &'static str) -> Result<(), VisitError> {
        self.run(how).await?;
        drop(self.connection.take());
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}

impl AsVisitor {
    /// Returns the rows of a query.
    ///
    /// # Errors
    /// [`VisitError`].
    pub async fn rows<T: DeserializeOwned>(
        &mut self,
        query: ViewQuery,
    ) -> Result<Vec<T>, VisitError> {
        self.fetch(query.statement()).await
    }

    /// Returns the rows of a function.
    ///
    /// # Errors
    /// [`VisitError`].
    pub async fn call<T: DeserializeOwned>(
        &mut self,
        call: FunctionCall,
    ) -> Result<Vec<T>, VisitError> {
        self.fetch(call.statement("to_jsonb(r)")).await
    }

    /// Calls a function that returns nothing.
    ///
    /// # Errors
    /// [`VisitError`].
    pub async fn act(&mut self, call: FunctionCall) -> Result<(), VisitError> {
        let done = self.fetch::<serde::de::IgnoredAny>(call.statement("'null'::jsonb"));
        done.await.map(drop)
    }

    async fn fetch<T: DeserializeOwned>(
        &mut self,
        statement: SqlStatement,
    ) -> Result<Vec<T>, VisitError> {
        self.ran.push(statement.shown());
        let mut query = sqlx::query(AssertSqlSafe(statement.text));
        for bind in statement.binds {
            query = query.bind(bind.into_value());
        }
        let rows = self.transaction.fetch(query).await?;
        let parsed = rows.iter().map(|row| {
            let json: Json<Box<RawValue>> = row.try_get(0)?;
            serde_json::from_str(json.get()).map_err(|error| sqlx::Error::Decode(error.into()))
        });
        parsed.collect::<Result<_, _>>().map_err(|cause| {
            let cause = StoreError::unreadable("read rows for a visitor")(cause);
            self.transaction.last_answer.unavailable(cause)
        })
    }

    /// The statements that have run, as a person runs them in psql.
    pub fn ran(&self) -> &[String] {
        &self.ran
    }

    /// Commits what was changed, and gives the connection back.
    ///
    /// # Errors
    /// [`VisitError`]. It is then unknown whether an act was committed.
    pub async fn finish(self) -> Result<(), VisitError> {
        self.transaction.end("COMMIT").await
    }
}
