//! The connection of an operator's commands.

use super::{
    Connection, Database, Role, StoreError,
    connect::MARGIN,
    error::within,
    public_query::{FunctionCall, SqlStatement, ViewQuery},
};
use serde_json::{Value, value::RawValue};
use sqlx::{AssertSqlSafe, postgres::PgDatabaseError, types::Json};
use std::{collections::BTreeMap, time::Duration};

/// A statement that failed, as a message for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The database could not be queried.
    #[error(
        "cannot query the database, and nothing is known to have changed: {0}\nhint: check that it is running and that DATABASE_URL is correct; `hookfast check` says more"
    )]
    Unreachable(StoreError),
    /// The database lacks the view, function or column, or has another one.
    #[error(
        "the database schema is too old for this command ({0}); nothing was changed\nhint: run `hookfast migrate`"
    )]
    Older(String),
    /// The role lacks a privilege.
    #[error(
        "{message}; nothing was changed\nhint: reading requires the role hookfast_reader, changing requires \
         hookfast_operator; this command requires {takes}. Have it granted (GRANT {takes} TO …). If your \
         configuration gives the roles other names, use those"
    )]
    Forbidden {
        /// The server's message.
        message: String,
        /// The role that the statement needs, `hookfast_reader` or `hookfast_operator`.
        takes: &'static str,
    },
    /// The server rejected the statement.
    #[error("{message}{}", hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default())]
    Rejected {
        /// The server's message.
        message: String,
        /// The server's hint, if it gave one.
        hint: Option<String>,
    },
}

/// How long a query of many events may take. The operator can end it earlier with Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(600);

/// A connection for the commands of an operator.
#[derive(Debug)]
pub struct OperatorConnection {
    connection: Connection,
}

impl OperatorConnection {
    /// Opens a connection for an operator.
    ///
    /// # Errors
    /// If the database cannot be queried.
    pub async fn open(database: &Database) -> Result<Self, OperatorError> {
        let connection = database
            .connect(Role::General)
            .await
            .map_err(OperatorError::Unreachable)?;
        let mut console = Self { connection };
        let text = format!(
            "SELECT set_config('statement_timeout', '{}', false)",
            PATIENCE.as_millis()
        );
        let patient = SqlStatement {
            text,
            ..SqlStatement::default()
        };
        console.texts(patient, "hookfast_reader").await?;
        Ok(console)
    }

    /// Returns the rows of a query.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn list(&mut self, list: ViewQuery) -> Result<Vec<Value>, OperatorError> {
        self.rows(list.statement(), "hookfast_reader").await
    }

    /// Returns the rows or values that a function returns.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn call(&mut self, call: FunctionCall) -> Result<Vec<Value>, OperatorError> {
        let takes = call.takes();
        self.rows(call.statement("to_jsonb(r)"), takes).await
    }

    /// Calls a function that returns nothing.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub async fn act(&mut self, call: FunctionCall) -> Result<(), OperatorError> {
        let takes = call.takes();
        self.texts(call.statement("NULL::text"), takes)
            .await
            .map(drop)
    }

    async fn rows(
        &mut self,
        statement: SqlStatement,
        takes: &'static str,
    ) -> Result<Vec<Value>, OperatorError> {
        let rows: Vec<Json<Box<RawValue>>> = self.fetch(statement, takes).await?;
        Ok(rows.iter().map(|row| readable(&row.0)).collect())
    }

    async fn texts(
        &mut self,
        statement: SqlStatement,
        takes: &'static str,
    ) -> Result<Vec<Option<String>>, OperatorError> {
        self.fetch(statement, takes).await
    }

    async fn fetch<T>(
        &mut self,
        statement: SqlStatement,
        takes: &'static str,
    ) -> Result<Vec<T>, OperatorError>
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let mut query = sqlx::query_scalar(AssertSqlSafe(statement.text));
        for bind in statement.binds {
            query = query.bind(bind.into_value());
        }
        let fetched = within(
            PATIENCE + MARGIN,
            "run an operator's statement",
            query.fetch_all(&mut self.connection.inner),
        )
        .await;
        fetched.map_err(|error| describe(error, takes))
    }

    /// Closes the connection to the database.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

/// A payload may be JSON that serde_json cannot parse, such as 128 levels or the number 1e400. Its
/// column is then returned as text.
fn readable(row: &RawValue) -> Value {
    let or_text =
        |json: &RawValue| serde_json::from_str(json.get()).unwrap_or_else(|_| json.get().into());
    match serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(row.get()) {
        Ok(columns) => columns
            .iter()
            .map(|(name, column)| (name.clone(), or_text(column)))
            .collect(),
        Err(_) => or_text(row),
    }
}

fn describe(error: StoreError, takes: &'static str) -> OperatorError {
    let Some(refused) = error.answered() else {
        return OperatorError::Unreachable(error);
    };
    let message = refused.message().to_owned();
    match refused.code().as_deref().unwrap_or_default() {
        "42501" => OperatorError::Forbidden { message, takes },
        "42P01" | "42883" | "42703" | "3F000" => OperatorError::Older(message),
        _ => {
            let hint = refused
                .try_downcast_ref::<PgDatabaseError>()
                .and_then(PgDatabaseError::hint);
            OperatorError::Rejected {
                message,
                hint: hint.map(str::to_owned),
            }
        }
    }
}
