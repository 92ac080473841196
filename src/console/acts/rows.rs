//! Rows of any view, as cells of a page: what an act touches, its samples, its proof.

use super::table::Subject;
use crate::console::{
    address::Address,
    row::{Span, Timestamp},
    view::{
        marks::{self, Breaks, Run},
        number, short, state,
    },
};
use crate::store::{
    SqlArg, ViewQuery,
    catalog::{View, views},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A row of a view, whatever its columns are.
#[derive(Deserialize)]
pub(super) struct Row(BTreeMap<String, Box<RawValue>>);

/// A value of a row.
pub(super) struct Cell {
    pub(super) label: String,
    pub(super) kind: CellKind,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CellKind {
    Id,
    Number,
    Span,
    State,
    Text,
    Time(i64),
    /// Only operators see the value.
    Hidden,
}

/// Columns that only operators see. For others they are null.
const OF_OPERATORS: [&str; 1] = ["last_error"];

impl Cell {
    pub(super) fn runs(&self) -> Vec<Run<'_>> {
        marks::runs(&self.text, Breaks::Mark)
    }

    pub(super) fn short(&self) -> String {
        short::id(&self.text)
    }

    /// The kind of mark of a state.
    pub(super) fn mark(&self) -> &'static str {
        match self.text.as_str() {
            "session" => "ok",
            "ticket" => "waiting",
            other => state::kind(other),
        }
    }

    pub(super) fn at(&self) -> Timestamp {
        match self.kind {
            CellKind::Time(at) => Timestamp(at),
            _ => Timestamp(0),
        }
    }

    /// The page of the event, the handler or the source.
    pub(super) fn href(&self) -> String {
        match (self.label.as_str(), self.kind) {
            ("Event" | "First event", CellKind::Id) => Address::event(&self.text).href(),
            _ => String::new(),
        }
    }

    /// Text of strangers can be long.
    pub(super) fn is_long(&self) -> bool {
        ["Last error", "Idempotency key"].contains(&self.label.as_str())
    }

    pub(super) fn is_id(&self) -> bool {
        self.kind == CellKind::Id
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self.kind, CellKind::Number | CellKind::Span)
    }

    pub(super) fn is_state(&self) -> bool {
        self.kind == CellKind::State
    }

    pub(super) fn is_time(&self) -> bool {
        matches!(self.kind, CellKind::Time(_))
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.kind == CellKind::Hidden
    }
}

/// `last_error` as people read it: `Last error`.
pub(super) fn label(column: &str) -> String {
    match column {
        "delivery_id" => return "Delivery".to_owned(),
        "event_id" => return "Event".to_owned(),
        "first_event_id" => return "First event".to_owned(),
        "quarantine_id" => return "Request".to_owned(),
        "replay_id" => return "Replay".to_owned(),
        "access_id" => return "Access".to_owned(),
        "new_webhook_id" => return "New webhook-id".to_owned(),
        _ => {}
    }
    let words = column.strip_suffix("_at").unwrap_or(column);
    let mut label = words.replace('_', " ");
    if let Some(first) = label.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    label
}

impl Row {
    /// The text of a column; `None` if it is null.
    pub(super) fn text(&self, column: &str) -> Option<String> {
        let raw = self.0.get(column)?.get();
        match raw {
            "null" => None,
            _ if raw.starts_with('"') => serde_json::from_str(raw).ok(),
            _ => Some(raw.to_owned()),
        }
    }

    /// The cell of a column; `None` if it is null.
    pub(super) fn cell(&self, view: &View, column: &str, sees_all: bool) -> Option<Cell> {
        let sql_type = view.columns.iter().find(|known| known.name == column)?;
        let Some(text) = self.text(column) else {
            let is_hidden = OF_OPERATORS.contains(&column) && !sees_all;
            return is_hidden.then(|| Cell {
                label: label(column),
                kind: CellKind::Hidden,
                text: "hidden from readers".to_owned(),
            });
        };
        let time = |text: &str| {
            let quoted = format!("\"{text}\"");
            serde_json::from_str::<Timestamp>(&quoted).ok()
        };
        let span = |text: &str| {
            let quoted = format!("\"{text}\"");
            serde_json::from_str::<Span>(&quoted).ok()
        };
        let (kind, text) = match sql_type.sql_type {
            _ if column == "state" => (CellKind::State, text),
            _ if column == "reason" && view.name == views::DEAD_LETTERS.name => {
                (CellKind::Text, state::death(&text).to_owned())
            }
            _ if column.ends_with("_id") && column != "request_id" => (CellKind::Id, text),
            "timestamp with time zone" => match time(&text) {
                Some(at) => (CellKind::Time(at.0), text),
                None => (CellKind::Text, text),
            },
            "interval" => match span(&text) {
                Some(span) => (CellKind::Span, span.text()),
                None => (CellKind::Text, text),
            },
            "bigint" | "integer" => match text.parse() {
                Ok(value) => (CellKind::Number, number::grouped(value)),
                Err(_) => (CellKind::Text, text),
            },
            "boolean" => {
                let word = if text == "true" { "yes" } else { "no" };
                (CellKind::Text, word.to_owned())
            }
            _ => (CellKind::Text, text),
        };
        Some(Cell {
            label: label(column),
            kind,
            text,
        })
    }

    /// The cells that are not null, for a list of keys and values.
    pub(super) fn cells(&self, subject: &Subject, sees_all: bool) -> Vec<Cell> {
        let columns = subject.columns.iter();
        columns
            .filter_map(|column| self.cell(subject.view, column, sees_all))
            .collect()
    }

    /// All cells, for a table.
    pub(super) fn all_cells(&self, subject: &Subject, sees_all: bool) -> Vec<Cell> {
        let columns = subject.columns.iter();
        let cell = |column: &&str| {
            let found = self.cell(subject.view, column, sees_all);
            found.unwrap_or_else(|| Cell {
                label: label(column),
                kind: CellKind::Text,
                text: String::new(),
            })
        };
        columns.map(cell).collect()
    }
}

impl Subject {
    /// The query of its rows, without a filter by the key.
    pub(super) fn rows(&self) -> ViewQuery {
        let query = ViewQuery::of(self.view).columns(self.columns);
        match self.states {
            Some(states) => query.one_of("state", Some(SqlArg::text(states))),
            None => query,
        }
    }

    /// The query of the row with this key.
    pub(super) fn row(&self, key: &str) -> ViewQuery {
        let sql_type = self
            .view
            .columns
            .iter()
            .find(|known| known.name == self.key);
        let arg = match sql_type.map(|column| column.sql_type) {
            Some("uuid") => SqlArg::id(key),
            Some("bigint") => SqlArg::number(key.parse().unwrap_or_default()),
            _ => SqlArg::text(key),
        };
        self.rows().is(self.key, Some(arg)).limit(1)
    }

    /// The query of the rows with these keys.
    pub(super) fn with_keys(&self, keys: &[String]) -> ViewQuery {
        let sql_type = self
            .view
            .columns
            .iter()
            .find(|known| known.name == self.key);
        match sql_type.map(|column| column.sql_type) {
            Some("uuid") => self.rows().ids(self.key, keys),
            _ => {
                let numbers: Vec<_> = keys.iter().filter_map(|key| key.parse().ok()).collect();
                self.rows().numbers(self.key, numbers.iter().copied())
            }
        }
    }

    pub(super) fn labels(&self) -> Vec<String> {
        self.columns.iter().map(|column| label(column)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    #[test]
    fn only_the_reason_of_a_dead_letter_is_a_death() {
        let row: Row = serde_json::from_str(r#"{"reason":"rejected"}"#).expect("a row");
        let text = |view| row.cell(view, "reason", true).map(|cell| cell.text);
        assert_eq!(
            text(&views::DEAD_LETTERS).as_deref(),
            Some("the handler rejected it for good")
        );
        assert_eq!(text(&views::AIRALO_ORDERS).as_deref(), Some("rejected"));
    }

    #[test]
    fn values_are_shown_by_their_type() {
        let row: Row = serde_json::from_str(
            r#"{"delivery_id":7,"event_id":"01a2216f-ac13-755d-9aa7-441aa8cdc63e","state":"retrying","attempts":12345,
                "next_attempt_at":"2026-11-28T12:03:04.5+00:00","last_error":null,"handler":"shop"}"#,
        )
        .expect("a row");
        let subject = table::of("discard").and_then(|act| act.subject);
        let subject = subject.expect("a subject");
        let cells = row.cells(&subject, false);
        let shown: Vec<_> = cells
            .iter()
            .map(|cell| (cell.label.as_str(), cell.kind))
            .collect();
        assert_eq!(
            shown,
            [
                ("Delivery", CellKind::Id),
                ("Handler", CellKind::Text),
                ("Event", CellKind::Id),
                ("State", CellKind::State),
                ("Attempts", CellKind::Number),
                ("Next attempt", CellKind::Time(1_795_867_384_500_000)),
                ("Last error", CellKind::Hidden),
            ]
        );
        assert_eq!(cells[4].text, "12,345");
        assert_eq!(row.cells(&subject, true).len(), 6);
        assert_eq!(row.all_cells(&subject, true).len(), 7);
    }
}
