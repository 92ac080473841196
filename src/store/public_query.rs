//! Queries of the views and calls of the functions of schema `hookfast`, for the command line and
//! the console.
//!
//! Names of views, functions and columns are constants of the program. Everything that a person
//! typed is sent as a parameter.

use super::catalog::{Caller, Function, View};
use super::literal::quoted;
use std::{borrow::Cow, fmt::Write};

/// A value that a person typed, with its SQL type.
#[derive(Clone, Debug)]
pub struct SqlArg {
    value: String,
    before: &'static str,
    cast: &'static str,
}

impl SqlArg {
    fn new(value: impl ToString, cast: &'static str) -> Self {
        Self {
            value: value.to_string(),
            before: "",
            cast,
        }
    }

    pub(super) fn into_value(self) -> String {
        self.value
    }

    fn place(&self, number: usize) -> String {
        format!("({}${number}::text::{})", self.before, self.cast)
    }

    fn literal(&self) -> String {
        let quoted = quoted(&self.value);
        match self.cast {
            "text" if self.before.is_empty() => quoted,
            cast => format!("({}{quoted}::{cast})", self.before),
        }
    }

    /// Makes a `text` parameter.
    pub fn text(value: impl ToString) -> Self {
        Self::new(value, "text")
    }

    /// Makes a `bigint` parameter, such as the id of a delivery.
    pub fn number(value: i64) -> Self {
        Self::new(value, "bigint")
    }

    /// Makes an `integer` parameter.
    pub fn small(value: i32) -> Self {
        Self::new(value, "integer")
    }

    /// Makes a `boolean` parameter.
    pub fn flag(value: bool) -> Self {
        Self::new(value, "boolean")
    }

    /// Makes a `uuid` parameter, the id of an event.
    pub fn id(value: impl ToString) -> Self {
        Self::new(value, "uuid")
    }

    /// Makes a `jsonpath` parameter, a predicate.
    pub fn path(value: impl ToString) -> Self {
        Self::new(value, "jsonpath")
    }

    /// Makes a `timestamptz` parameter. Postgres parses it, as UTC if it names no time zone.
    pub fn time(value: impl ToString) -> Self {
        Self::new(value, "timestamptz")
    }

    /// Makes an `interval` parameter, which Postgres parses.
    pub fn span(value: impl ToString) -> Self {
        Self::new(value, "interval")
    }

    /// Makes the time that lies an interval before now. Postgres parses the interval.
    pub fn ago(value: impl ToString) -> Self {
        Self {
            value: value.to_string(),
            before: "statement_timestamp() - ",
            cast: "interval",
        }
    }

    /// Makes the time that lies an interval after now. Postgres parses the interval.
    pub fn ahead(value: impl ToString) -> Self {
        Self {
            value: value.to_string(),
            before: "statement_timestamp() + ",
            cast: "interval",
        }
    }
}

/// A statement of the program, with the values that a person typed as parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct SqlStatement {
    pub(super) text: String,
    /// The same statement without the conversion of its rows to JSON.
    pub(super) plain: String,
    pub(super) binds: Vec<SqlArg>,
}

impl SqlStatement {
    /// Adds a parameter and returns its placeholder, such as `($3::text::uuid)`. All parameters are
    /// sent as text.
    fn place(&mut self, bind: SqlArg) -> String {
        let place = bind.place(self.binds.len() + 1);
        self.binds.push(bind);
        place
    }

    /// The statement as a person runs it in psql, with the values as literals. Each placeholder is
    /// replaced where it is, so that a value that looks like a placeholder stays a value.
    pub(super) fn shown(&self) -> String {
        let (mut shown, mut rest) = (String::new(), self.plain.as_str());
        let places: Vec<_> = self
            .binds
            .iter()
            .enumerate()
            .map(|(n, bind)| (bind.place(n + 1), bind.literal()))
            .collect();
        let next = |rest: &str| {
            let found = places
                .iter()
                .filter_map(|(place, literal)| Some((rest.find(place)?, place.len(), literal)));
            found.min_by_key(|(at, ..)| *at)
        };
        while let Some((at, length, literal)) = next(rest) {
            shown += &rest[..at];
            shown += literal;
            rest = &rest[at + length..];
        }
        shown + rest + ";"
    }
}

/// A query of a view, with filters.
#[derive(Clone, Debug)]
pub struct ViewQuery {
    statement: SqlStatement,
    view: &'static View,
    columns: &'static [&'static str],
    order: &'static str,
    group: &'static str,
    limit: Option<u32>,
    skip: Option<u32>,
    cut: Option<(&'static str, u16)>,
    names: Vec<(&'static str, String)>,
}

impl ViewQuery {
    /// Selects all columns of a view, in the view's order.
    pub fn of(view: &'static View) -> Self {
        let statement = SqlStatement {
            text: format!("FROM hookfast.{} v WHERE true", view.name),
            ..SqlStatement::default()
        };
        Self {
            statement,
            view,
            columns: &[],
            order: view.order,
            group: "",
            limit: None,
            skip: None,
            cut: None,
            names: Vec::new(),
        }
    }

    /// Selects only these columns.
    pub fn columns(self, columns: &'static [&'static str]) -> Self {
        columns.iter().for_each(|column| self.check(column));
        Self { columns, ..self }
    }

    /// Selects these expressions, one row for each value of the expressions `by`.
    pub fn grouped(self, expressions: &'static [&'static str], by: &'static str) -> Self {
        Self {
            columns: expressions,
            group: by,
            ..self
        }
    }

    /// Returns the rows in another order.
    pub fn order(self, order: &'static str) -> Self {
        Self { order, ..self }
    }

    /// The constants of this program must name columns of the view.
    fn check(&self, column: &str) {
        debug_assert!(self.view.has(column), "{}.{column}", self.view.name);
    }

    fn and(
        mut self,
        column: &'static str,
        bind: Option<SqlArg>,
        condition: impl FnOnce(&str) -> String,
    ) -> Self {
        self.check(column);
        if let Some(bind) = bind {
            let place = self.statement.place(bind);
            let _ = write!(self.statement.text, " AND {}", condition(&place));
        }
        self
    }

    /// Filters by the value of a column. Without a value, this filter and those that follow do
    /// nothing.
    pub fn is(mut self, column: &'static str, bind: Option<SqlArg>) -> Self {
        if let Some(bind) = &bind
            && ["handler", "source"].contains(&column)
        {
            self.names.push((column, bind.value.clone()));
        }
        self.and(column, bind, |place| format!("v.{column} = {place}"))
    }

    /// The handlers and sources that are filtered by, each with the column.
    pub fn names(&self) -> &[(&'static str, String)] {
        &self.names
    }

    /// Filters by a column that has one of several values, which are separated by commas.
    pub fn one_of(self, column: &'static str, bind: Option<SqlArg>) -> Self {
        self.and(column, bind, |place| {
            format!("v.{column} = ANY (string_to_array({place}, ','))")
        })
    }

    /// Filters by a column that has one of these ids.
    pub fn ids(self, column: &'static str, ids: &[String]) -> Self {
        let cast = match self.view.type_of(column) {
            Some("bigint") => "bigint[]",
            _ => "uuid[]",
        };
        let bind = SqlArg::new(format!("{{{}}}", ids.join(",")), cast);
        self.and(column, Some(bind), |place| {
            format!("v.{column} = ANY {place}")
        })
    }

    /// Filters by a column that has one of these numbers.
    pub fn numbers(self, column: &'static str, numbers: impl Iterator<Item = i64>) -> Self {
        let numbers: Vec<_> = numbers.map(|number| number.to_string()).collect();
        let bind = SqlArg::new(format!("{{{}}}", numbers.join(",")), "bigint[]");
        self.and(column, Some(bind), |place| {
            format!("v.{column} = ANY {place}")
        })
    }

    /// Filters by a column that has this value or a larger one.
    pub fn from(self, column: &'static str, bind: Option<SqlArg>) -> Self {
        self.and(column, bind, |place| format!("v.{column} >= {place}"))
    }

    /// Filters by a column that has a larger value.
    pub fn above(self, column: &'static str, bind: Option<SqlArg>) -> Self {
        self.and(column, bind, |place| format!("v.{column} > {place}"))
    }

    /// Filters by a column that has a smaller value.
    pub fn below(self, column: &'static str, bind: Option<SqlArg>) -> Self {
        self.and(column, bind, |place| format!("v.{column} < {place}"))
    }

    /// Filters by a boolean column that is true.
    pub fn holds(mut self, column: &'static str) -> Self {
        self.check(column);
        let _ = write!(self.statement.text, " AND v.{column}");
        self
    }

    /// Filters by a boolean column that is false.
    pub fn fails(mut self, column: &'static str) -> Self {
        self.check(column);
        let _ = write!(self.statement.text, " AND NOT v.{column}");
        self
    }

    /// Filters by an array column that contains this value.
    pub fn contains(self, column: &'static str, bind: Option<SqlArg>) -> Self {
        self.and(column, bind, |place| format!("{place} = ANY (v.{column})"))
    }

    /// Filters by a column without a value.
    pub fn is_null(mut self, column: &'static str) -> Self {
        self.check(column);
        let _ = write!(self.statement.text, " AND v.{column} IS NULL");
        self
    }

    /// Filters by a column with a value.
    pub fn is_not_null(mut self, column: &'static str) -> Self {
        self.check(column);
        let _ = write!(self.statement.text, " AND v.{column} IS NOT NULL");
        self
    }

    /// Filters by a handler, so that the rows are read in the order of an index of this handler.
    pub fn of_handler(mut self, handler: Option<SqlArg>) -> Self {
        if let Some(bind) = &handler {
            self.names.push(("handler", bind.value.clone()));
        }
        self.and("handler_id", handler, |place| {
            format!("v.handler_id = hookfast.handler_id({place})")
        })
    }

    /// Filters by the newest results of orders before a time, so many and those of the same time as
    /// the last. This reads no earlier ones.
    pub fn newest_results(mut self, before: SqlArg, most: u32) -> Self {
        self.check("received_at");
        let before = self.statement.place(before);
        let most = self.statement.place(SqlArg::number(most.into()));
        let _ = write!(
            self.statement.text,
            " AND v.received_at >= hookfast.airalo_results_since({before}, {most})"
        );
        self
    }

    /// Filters by rows whose key is smaller than that of the last row of a page. `key` lists
    /// expressions of the view's columns, which together are unique.
    pub fn key_below(self, key: &'static str, last: Option<Vec<SqlArg>>) -> Self {
        self.key(key, "<", last)
    }

    /// Filters by rows whose key is larger than that of the last row of a page.
    pub fn key_above(self, key: &'static str, last: Option<Vec<SqlArg>>) -> Self {
        self.key(key, ">", last)
    }

    fn key(mut self, key: &'static str, compares: &str, last: Option<Vec<SqlArg>>) -> Self {
        if let Some(last) = last {
            let places: Vec<_> = last
                .into_iter()
                .map(|value| self.statement.place(value))
                .collect();
            let places = places.join(", ");
            let _ = write!(self.statement.text, " AND ({key}) {compares} ({places})");
        }
        self
    }

    /// Selects only the first characters of a text column, because the whole text is long.
    pub fn cut(self, column: &'static str, characters: u16) -> Self {
        self.check(column);
        Self {
            cut: Some((column, characters)),
            ..self
        }
    }

    /// Filters by events with an id of this time or later. This reads no earlier partition.
    pub fn ids_from(self, column: &'static str, time: Option<SqlArg>) -> Self {
        self.and(column, time, |place| {
            format!("v.{column} >= hookfast.event_id_at{place}")
        })
    }

    /// Filters by events with an id from before this time.
    pub fn ids_below(self, column: &'static str, time: Option<SqlArg>) -> Self {
        self.and(column, time, |place| {
            format!("v.{column} < hookfast.event_id_at{place}")
        })
    }

    /// Filters by an event type: `airalo.order.completed`, `airalo.*` or `*`, as in a subscription.
    pub fn of_type(self, column: &'static str, pattern: Option<&str>) -> Self {
        match pattern {
            None | Some("*") => self,
            Some(pattern) => match pattern.strip_suffix(".*") {
                Some(start) => {
                    let bind = SqlArg::text(format!("{start}."));
                    self.and(column, Some(bind), |place| {
                        format!("starts_with(v.{column}, {place})")
                    })
                }
                None => self.is(column, Some(SqlArg::text(pattern))),
            },
        }
    }

    /// Filters by a text that matches a pattern, in which `%` stands for any text.
    pub fn like(self, column: &'static str, bind: Option<SqlArg>) -> Self {
        self.and(column, bind, |place| format!("v.{column} ILIKE {place}"))
    }

    /// Filters by a payload that matches a jsonpath predicate.
    pub fn matches(self, column: &'static str, predicate: Option<SqlArg>) -> Self {
        self.and(column, predicate, |place| format!("v.{column} @@ {place}"))
    }

    /// Applies the filters that follow only to the first rows that the filters so far select, in the
    /// order so far. This bounds what a rare value costs.
    pub fn among(mut self, rows: u32) -> Self {
        let place = self.statement.place(SqlArg::number(rows.into()));
        self.statement.text = format!(
            "FROM (SELECT * {} ORDER BY {} LIMIT {place}) v WHERE true",
            self.statement.text, self.order
        );
        self
    }

    /// Leaves out the first rows.
    pub fn skip(self, rows: u32) -> Self {
        Self {
            skip: Some(rows),
            ..self
        }
    }

    /// Limits the number of rows.
    pub fn limit(self, limit: u32) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    /// The query as a person runs it in psql.
    pub fn shown(self) -> String {
        self.statement().shown()
    }

    pub(super) fn statement(mut self) -> SqlStatement {
        let limit = self
            .limit
            .map(|limit| self.statement.place(SqlArg::number(limit.into())));
        let mut limit = limit
            .map(|place| format!(" LIMIT {place}"))
            .unwrap_or_default();
        if let Some(rows) = self.skip {
            let place = self.statement.place(SqlArg::number(rows.into()));
            let _ = write!(limit, " OFFSET {place}");
        }
        let columns = match self.columns {
            [] => "*".to_owned(),
            columns => columns
                .iter()
                .map(|&column| match self.cut {
                    Some((cut, characters)) if cut == column => {
                        format!("left({column}, {characters}) AS {column}").into()
                    }
                    _ => Cow::Borrowed(column),
                })
                .collect::<Vec<_>>()
                .join(", "),
        };
        let Self {
            order,
            group,
            mut statement,
            ..
        } = self;
        let group = match group {
            "" => String::new(),
            by => format!(" GROUP BY {by}"),
        };
        let select = format!(
            "SELECT {columns} {}{group} ORDER BY {order}{limit}",
            statement.text
        );
        statement.plain = select
            .replace(" WHERE true AND", " WHERE")
            .replace(" WHERE true", "");
        statement.text = format!("SELECT to_jsonb(r) FROM ({select}) r");
        statement
    }
}

/// A call of a function of schema `hookfast`.
#[derive(Clone, Debug)]
pub struct FunctionCall {
    function: &'static Function,
    statement: SqlStatement,
}

impl FunctionCall {
    /// A call without a reason: of a function that only reads, or of one for applications.
    pub fn of(function: &'static Function) -> Self {
        debug_assert!(!function.caller.needs_reason(), "{}", function.name);
        Self {
            function,
            statement: SqlStatement::default(),
        }
    }

    /// A call without a reason: of a function that changes nothing without `at_most`.
    pub fn preview(function: &'static Function) -> Self {
        debug_assert!(function.takes("at_most"), "{}", function.name);
        Self {
            function,
            statement: SqlStatement::default(),
        }
    }

    /// An operator's call, with the reason for the audit log.
    pub fn act(function: &'static Function, why: impl ToString) -> Self {
        let call = Self {
            function,
            statement: SqlStatement::default(),
        };
        call.with("why", Some(SqlArg::text(why)))
    }

    /// The role that the call needs.
    pub(super) fn takes(&self) -> &'static str {
        match self.function.caller {
            Caller::Reader | Caller::Person => "hookfast_reader",
            Caller::Support => "hookfast_support",
            Caller::Operator | Caller::Application => "hookfast_operator",
            Caller::Console => "hookfast_console",
        }
    }

    /// Adds a named argument. Without a value the function uses its default.
    pub fn with(mut self, argument: &'static str, bind: Option<SqlArg>) -> Self {
        debug_assert!(
            self.function.takes(argument),
            "{}({argument})",
            self.function.name
        );
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

    /// The call as a person runs it in psql.
    pub fn shown(self) -> String {
        self.statement("to_jsonb(r)").shown()
    }

    pub(super) fn statement(self, answer: &str) -> SqlStatement {
        let text = format!(
            "SELECT {answer} FROM hookfast.{}({}) r",
            self.function.name, self.statement.text
        );
        SqlStatement {
            plain: text.replacen(&format!("SELECT {answer}"), "SELECT *", 1),
            text,
            binds: self.statement.binds,
        }
    }
}

#[cfg(test)]
mod tests;
