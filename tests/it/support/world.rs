//! A database with sources and handlers, as if they had been registered, and queries in it.

use super::postgres::{self, Database};
use hookfast::internals::store;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, error::DatabaseError};

/// The database of a test. The worlds of the tests contain one, and add what their tests need.
pub(crate) struct World {
    pub(crate) pool: PgPool,
    /// The same database, as Hookfast connects to it.
    pub(crate) of: store::Database,
    url: String,
    // Dropped last.
    database: Option<Database>,
}

/// A row of `hookfast_data.sources`. Arrays are in the notation of Postgres: `{code,iccid}`.
pub(crate) struct Source {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) search_fields: &'static str,
    pub(crate) secret_fields: &'static str,
}

impl Source {
    /// A source without search fields and secret fields.
    pub(crate) fn new(name: &'static str, kind: &'static str) -> Self {
        Self {
            name,
            kind,
            search_fields: "{}",
            secret_fields: "{}",
        }
    }
}

/// A row of `hookfast_data.handlers`. Arrays are in the notation of Postgres.
pub(crate) struct Handler {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) types: &'static str,
    pub(crate) max_attempts: u16,
    pub(crate) ordered_by: Option<&'static str>,
    pub(crate) on_dead: &'static str,
}

impl Handler {
    /// An unordered handler with three attempts.
    pub(crate) fn new(name: &'static str, kind: &'static str, types: &'static str) -> Self {
        Self {
            name,
            kind,
            types,
            max_attempts: 3,
            ordered_by: None,
            on_dead: "skip",
        }
    }
}

/// The sources and handlers of a world that is not built yet.
#[derive(Default)]
pub(crate) struct WorldBuilder {
    statements: Vec<String>,
}

impl WorldBuilder {
    pub(crate) fn sources(mut self, sources: impl IntoIterator<Item = Source>) -> Self {
        for source in sources {
            self.statements.push(format!(
                "INSERT INTO hookfast_data.sources (name, kind, search_fields, secret_fields) VALUES ('{}', '{}', '{}', '{}')",
                source.name, source.kind, source.search_fields, source.secret_fields
            ));
        }
        self
    }

    /// The handlers are registered with subscription version 0.
    pub(crate) fn handlers(mut self, handlers: impl IntoIterator<Item = Handler>) -> Self {
        for handler in handlers {
            let ordered_by = handler
                .ordered_by
                .map_or_else(|| "NULL".to_owned(), |path| format!("'{path}'"));
            self.statements.push(format!(
                "INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version, ordered_by, on_dead) \
                    VALUES ('{}', '{}', '{}', {}, 0, {ordered_by}, '{}')",
                handler.name, handler.kind, handler.types, handler.max_attempts, handler.on_dead
            ));
        }
        self
    }

    /// Creates the database.
    pub(crate) async fn build(self) -> World {
        let database = postgres::database().await;
        let mut world = World::existing(database.url()).await;
        world.database = Some(database);
        if !self.statements.is_empty() {
            world.execute(&self.statements.join("; ")).await;
        }
        world
    }
}

impl World {
    pub(crate) fn builder() -> WorldBuilder {
        WorldBuilder::default()
    }

    /// An existing database that has the schema.
    pub(crate) async fn existing(url: &str) -> Self {
        Self {
            pool: PgPool::connect(url).await.expect("connections"),
            of: url.parse().expect("a URL"),
            url: url.to_owned(),
            database: None,
        }
    }

    /// The database that was created for this world.
    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().expect("its own database")
    }

    /// The URL of the database, with the password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A connection outside of the pool.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url)
            .await
            .expect("a connection to the test's database")
    }

    pub(crate) async fn execute(&self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&self.pool)
            .await
            .expect(statements);
    }

    /// The value of a query, or of an expression, as text; `null` if it has none.
    pub(crate) async fn text(&self, query: &str) -> String {
        let text: Option<String> =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT ({query})::text")))
                .fetch_one(&self.pool)
                .await
                .expect(query);
        text.unwrap_or_else(|| "null".to_owned())
    }

    /// The number that a query returns.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_one(&self.pool)
            .await
            .expect(query)
    }

    /// The error with which the database rejects a statement.
    pub(crate) async fn error(&self, statement: &str) -> Box<dyn DatabaseError> {
        let rejected = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&self.pool)
            .await;
        let error = rejected.expect_err(statement);
        error.into_database_error().expect("from the database")
    }

    /// The SQLSTATE with which the database rejects a statement.
    pub(crate) async fn refused(&self, statement: &str) -> String {
        let error = self.error(statement).await;
        error.code().expect("a SQLSTATE").into_owned()
    }
}
