//! What operators look at and do: the views and functions of schema hookfast, for commands.
//!
//! Names of views, functions and columns are ours; whatever a person typed is a bind.

use super::{Connection, Database, Role, StoreError, connect::MARGIN, error::within};
use serde_json::{Value, value::RawValue};
use sqlx::{AssertSqlSafe, postgres::PgDatabaseError, types::Json};
use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// A statement that was not done, in words for who asked.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The database could not be asked.
    #[error("cannot query the database, and nothing is known to have changed: {0}")]
    Unreachable(StoreError),
    /// It has no such view or function, or another one.
    #[error(
        "the database schema is too old for this command ({0}); nothing was changed\nhint: run `hookfast migrate`"
    )]
    Older(String),
    /// The role has no right.
    #[error(
        "{message}; nothing was changed\nhint: to look takes the role hookfast_reader, to act hookfast_operator; this takes {takes}. Have it granted: GRANT {takes} TO …, or use the names that your configuration gives them"
    )]
    Forbidden {
        /// The server's.
        message: String,
        /// Which of the two.
        takes: &'static str,
    },
    /// The server said no.
    #[error("{message}{}", hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default())]
    Refused {
        /// Why.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
}

/// Something a person typed, with the type it has in SQL.
#[derive(Clone, Debug)]
pub struct Bind {
    value: String,
    before: &'static str,
    cast: &'static str,
}

impl Bind {
    fn new(value: impl ToString, cast: &'static str) -> Self {
        Self {
            value: value.to_string(),
            before: "",
            cast,
        }
    }

    /// A text.
    pub fn text(value: impl ToString) -> Self {
        Self::new(value, "text")
    }

    /// A whole number, as ids of deliveries are.
    pub fn number(value: i64) -> Self {
        Self::new(value, "bigint")
    }

    /// A small whole number.
    pub fn small(value: i32) -> Self {
        Self::new(value, "integer")
    }

    /// Yes or no.
    pub fn flag(value: bool) -> Self {
        Self::new(value, "boolean")
    }

    /// An event's id.
    pub fn id(value: impl ToString) -> Self {
        Self::new(value, "uuid")
    }

    /// A jsonpath predicate.
    pub fn path(value: impl ToString) -> Self {
        Self::new(value, "jsonpath")
    }

    /// A time, as Postgres reads it; UTC where it says nothing else.
    pub fn time(value: impl ToString) -> Self {
        Self::new(value, "timestamptz")
    }

    /// So long, as Postgres reads an interval.
    pub fn span(value: impl ToString) -> Self {
        Self::new(value, "interval")
    }

    /// So long before now, as Postgres reads an interval.
    pub fn ago(value: impl ToString) -> Self {
        Self {
            value: value.to_string(),
            before: "statement_timestamp() - ",
            cast: "interval",
        }
    }

    /// So long after now.
    pub fn ahead(value: impl ToString) -> Self {
        Self {
            value: value.to_string(),
            before: "statement_timestamp() + ",
            cast: "interval",
        }
    }
}

/// A statement as it is put together.
#[derive(Clone, Debug, Default)]
struct Statement {
    text: String,
    binds: Vec<String>,
}

impl Statement {
    /// The place of a bind, which it takes: `$3::text::uuid`. All are sent as text.
    fn place(&mut self, bind: Bind) -> String {
        self.binds.push(bind.value);
        format!(
            "({}${}::text::{})",
            bind.before,
            self.binds.len(),
            bind.cast
        )
    }
}

/// Rows of a view.
#[derive(Clone, Debug)]
pub struct List {
    statement: Statement,
    columns: &'static str,
    order: &'static str,
    limit: Option<u32>,
    names: Vec<(&'static str, String)>,
}

impl List {
    /// These columns of a view, in an order.
    pub fn of(view: &'static str, columns: &'static str, order: &'static str) -> Self {
        let statement = Statement {
            text: format!("FROM hookfast.{view} v WHERE true"),
            binds: Vec::new(),
        };
        Self {
            statement,
            columns,
            order,
            limit: None,
            names: Vec::new(),
        }
    }

    fn and(mut self, bind: Option<Bind>, condition: impl FnOnce(&str) -> String) -> Self {
        if let Some(bind) = bind {
            let place = self.statement.place(bind);
            let _ = write!(self.statement.text, " AND {}", condition(&place));
        }
        self
    }

    /// Only where a column is this; nothing is asked of it without a bind, as in all that follow.
    pub fn is(mut self, column: &'static str, bind: Option<Bind>) -> Self {
        if let Some(bind) = &bind
            && ["handler", "source"].contains(&column)
        {
            self.names.push((column, bind.value.clone()));
        }
        self.and(bind, |place| format!("v.{column} = {place}"))
    }

    /// The handlers and sources that it is limited to, each with which of the two it is.
    pub fn names(&self) -> &[(&'static str, String)] {
        &self.names
    }

    /// Only where a column is one of these: a text with commas between.
    pub fn one_of(self, column: &'static str, bind: Option<Bind>) -> Self {
        self.and(bind, |place| {
            format!("v.{column} = ANY (string_to_array({place}, ','))")
        })
    }

    /// Only where a column is one of these ids: an array as Postgres writes it.
    pub fn ids(self, column: &'static str, ids: &[String]) -> Self {
        let bind = Bind::new(format!("{{{}}}", ids.join(",")), "uuid[]");
        self.and(Some(bind), |place| format!("v.{column} = ANY {place}"))
    }

    /// Only from a value on.
    pub fn from(self, column: &'static str, bind: Option<Bind>) -> Self {
        self.and(bind, |place| format!("v.{column} >= {place}"))
    }

    /// Only below a value.
    pub fn below(self, column: &'static str, bind: Option<Bind>) -> Self {
        self.and(bind, |place| format!("v.{column} < {place}"))
    }

    /// Only events whose id is of this time or later, which reads no other day.
    pub fn ids_from(self, column: &'static str, time: Option<Bind>) -> Self {
        self.and(time, |place| {
            format!("v.{column} >= hookfast.event_id_at{place}")
        })
    }

    /// Only events whose id is of a time before.
    pub fn ids_below(self, column: &'static str, time: Option<Bind>) -> Self {
        self.and(time, |place| {
            format!("v.{column} < hookfast.event_id_at{place}")
        })
    }

    /// Only where a column is of a type: `airalo.order.completed`, `airalo.*` or `*`, as handlers subscribe.
    pub fn of_type(self, column: &'static str, pattern: Option<&str>) -> Self {
        match pattern {
            None | Some("*") => self,
            Some(pattern) => match pattern.strip_suffix(".*") {
                Some(start) => {
                    let bind = Bind::text(format!("{start}."));
                    self.and(Some(bind), |place| {
                        format!("starts_with(v.{column}, {place})")
                    })
                }
                None => self.is(column, Some(Bind::text(pattern))),
            },
        }
    }

    /// Only where a text is like a pattern, with `%` for anything.
    pub fn like(self, column: &'static str, bind: Option<Bind>) -> Self {
        self.and(bind, |place| format!("v.{column} ILIKE {place}"))
    }

    /// At most so many rows.
    pub fn limit(self, limit: u32) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    fn statement(mut self) -> Statement {
        let limit = self
            .limit
            .map(|limit| self.statement.place(Bind::number(limit.into())));
        let limit = limit
            .map(|place| format!(" LIMIT {place}"))
            .unwrap_or_default();
        let Self {
            columns,
            order,
            mut statement,
            ..
        } = self;
        statement.text = format!(
            "SELECT to_jsonb(r) FROM (SELECT {columns} {} ORDER BY {order}{limit}) r",
            statement.text
        );
        statement
    }
}

/// A call of a function of schema hookfast.
#[derive(Clone, Debug)]
pub struct Call {
    function: &'static str,
    statement: Statement,
    takes: &'static str,
}

impl Call {
    /// One that only looks.
    pub fn look(function: &'static str) -> Self {
        Self {
            function,
            statement: Statement::default(),
            takes: "hookfast_reader",
        }
    }

    /// One that changes something.
    pub fn act(function: &'static str, why: impl Into<String>) -> Self {
        Self::write(function).with("why", Some(Bind::text(why)))
    }

    /// A call that writes for an application, which gives no reason.
    pub fn write(function: &'static str) -> Self {
        Self {
            takes: "hookfast_operator",
            ..Self::look(function)
        }
    }

    /// With an argument; without a bind it has its default.
    pub fn with(mut self, argument: &'static str, bind: Option<Bind>) -> Self {
        if let Some(bind) = bind {
            let place = self.statement.place(bind);
            let comma = if self.statement.text.is_empty() {
                ""
            } else {
                ", "
            };
            let _ = write!(self.statement.text, "{comma}{argument} => {place}");
        }
        self
    }

    fn statement(self, answer: &str) -> Statement {
        let text = format!(
            "SELECT {answer} FROM hookfast.{}({}) r",
            self.function, self.statement.text
        );
        Statement {
            text,
            binds: self.statement.binds,
        }
    }
}

/// How long a look at many events may take; Ctrl-C ends it before.
const PATIENCE: Duration = Duration::from_secs(600);

/// A connection for a person's commands.
#[derive(Debug)]
pub struct Console {
    connection: Connection,
}

impl Console {
    /// Connects.
    ///
    /// # Errors
    /// Where the database cannot be asked.
    pub async fn open(database: &Database) -> Result<Self, ConsoleError> {
        let connection = database
            .connect(Role::General)
            .await
            .map_err(ConsoleError::Unreachable)?;
        let mut console = Self { connection };
        let text = format!(
            "SELECT set_config('statement_timeout', '{}', false)",
            PATIENCE.as_millis()
        );
        let patient = Statement {
            text,
            binds: vec![],
        };
        console.texts(patient, "hookfast_reader").await?;
        Ok(console)
    }

    /// The rows of a list.
    ///
    /// # Errors
    /// [`ConsoleError`].
    pub async fn list(&mut self, list: List) -> Result<Vec<Value>, ConsoleError> {
        self.rows(list.statement(), "hookfast_reader").await
    }

    /// The rows that a function answers with, or its values.
    ///
    /// # Errors
    /// [`ConsoleError`].
    pub async fn call(&mut self, call: Call) -> Result<Vec<Value>, ConsoleError> {
        let takes = call.takes;
        self.rows(call.statement("to_jsonb(r)"), takes).await
    }

    /// Calls a function that answers with nothing.
    ///
    /// # Errors
    /// [`ConsoleError`].
    pub async fn act(&mut self, call: Call) -> Result<(), ConsoleError> {
        let takes = call.takes;
        self.texts(call.statement("NULL::text"), takes)
            .await
            .map(drop)
    }

    async fn rows(
        &mut self,
        statement: Statement,
        takes: &'static str,
    ) -> Result<Vec<Value>, ConsoleError> {
        let rows: Vec<Json<Box<RawValue>>> = self.fetch(statement, takes).await?;
        Ok(rows.iter().map(|row| readable(&row.0)).collect())
    }

    async fn texts(
        &mut self,
        statement: Statement,
        takes: &'static str,
    ) -> Result<Vec<Option<String>>, ConsoleError> {
        self.fetch(statement, takes).await
    }

    async fn fetch<T>(
        &mut self,
        statement: Statement,
        takes: &'static str,
    ) -> Result<Vec<T>, ConsoleError>
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let mut query = sqlx::query_scalar(AssertSqlSafe(statement.text));
        for bind in statement.binds {
            query = query.bind(bind);
        }
        let fetched = within(
            PATIENCE + MARGIN,
            "ask",
            query.fetch_all(&mut self.connection.inner),
        )
        .await;
        fetched.map_err(|error| told(error, takes))
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

/// A payload may be JSON that cannot be parsed here, such as 128 levels or the number 1e400. Its column is then a text.
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

fn told(error: StoreError, takes: &'static str) -> ConsoleError {
    let Some(refused) = error.answered() else {
        return ConsoleError::Unreachable(error);
    };
    let message = refused.message().to_owned();
    match refused.code().as_deref().unwrap_or_default() {
        "42501" => ConsoleError::Forbidden { message, takes },
        "42P01" | "42883" | "42703" | "3F000" => ConsoleError::Older(message),
        _ => {
            let hint = refused
                .try_downcast_ref::<PgDatabaseError>()
                .and_then(PgDatabaseError::hint);
            ConsoleError::Refused {
                message,
                hint: hint.map(str::to_owned),
            }
        }
    }
}
