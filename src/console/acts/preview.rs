//! What an act would touch: the row, or how many match and five of them.

use super::{
    arguments::Arguments,
    rows::{Cell, Row},
    table::{Act, Bulk},
};
use crate::console::view::number;
use crate::store::{
    AsVisitor, FunctionCall, SqlArg, VisitError,
    catalog::{Parameter, functions},
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// How many match, and five of them.
pub(super) struct Preview {
    pub(super) bulk: Bulk,
    pub(super) matching: i64,
    pub(super) still_pending: i64,
    pub(super) held: i64,
    pub(super) is_bounded: bool,
    pub(super) labels: Vec<String>,
    pub(super) samples: Vec<Vec<Cell>>,
}

impl Preview {
    pub(super) fn count(&self) -> String {
        number::grouped(self.matching)
    }

    pub(super) fn noun(&self) -> &'static str {
        if self.matching == 1 {
            self.bulk.one
        } else {
            self.bulk.many
        }
    }

    pub(super) fn has_all(&self) -> bool {
        i64::try_from(self.samples.len()) == Ok(self.matching)
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.matching == 0 && !self.bulk.acts_on_none
    }

    /// What matches and is left out.
    pub(super) fn left_out(&self) -> Vec<String> {
        let pending = number::counted(self.still_pending, "event is", "events are");
        let held = number::counted(self.held, "event is", "events are");
        let mut texts = Vec::new();
        if self.still_pending > 0 {
            texts.push(format!(
                "{pending} left out because a delivery still needs the payload."
            ));
        }
        if self.held > 0 {
            texts.push(format!("{held} left out because of a retention hold."));
        }
        texts
    }
}

/// What the views and the preview say.
#[derive(Default)]
pub(super) struct Found {
    pub(super) subject: Vec<Cell>,
    pub(super) missing_in: &'static str,
    pub(super) preview: Option<Preview>,
}

#[derive(Deserialize)]
struct PreviewRow {
    matching: i64,
    still_pending: Option<i64>,
    held: Option<i64>,
    sample_ids: Option<Vec<Box<RawValue>>>,
}

pub(super) async fn find(
    visit: &mut AsVisitor,
    act: &'static Act,
    arguments: &Arguments,
    until: &str,
    may: bool,
) -> Result<Found, VisitError> {
    let mut found = Found::default();
    // Columns that are null for everybody else are those of operators.
    let sees_all = visit.visitor.may(&functions::DISCARD);
    if act.bulk().is_some() {
        if may {
            found.preview = Some(preview(visit, act, arguments, until, sees_all).await?);
        }
    } else if let (Some(subject), Some(key)) = (act.subject, act.key())
        && let Some(key) = arguments.get(key)
    {
        let mut query = subject.row(key);
        if let (Some(source), "airalo_orders") = (arguments.get("source"), subject.view.name) {
            query = query.is("source", Some(SqlArg::text(source)));
        }
        match visit.rows::<Row>(query).await?.first() {
            Some(row) => found.subject = row.cells(&subject, sees_all),
            None => found.missing_in = subject.view.name,
        }
    }
    Ok(found)
}

async fn preview(
    visit: &mut AsVisitor,
    act: &'static Act,
    arguments: &Arguments,
    until: &str,
    sees_all: bool,
) -> Result<Preview, VisitError> {
    let mut call = FunctionCall::preview(act.function);
    if act.function.parameters.iter().any(is_required_reason) {
        call = call.with("why", Some(SqlArg::text("preview")));
    }
    let call = arguments.add_to(call, Some(until));
    let row = visit.call::<PreviewRow>(call).await?.pop();
    let (Some(row), Some(bulk)) = (row, act.bulk()) else {
        return Err(VisitError::NoSession);
    };
    let ids: Vec<_> = row
        .sample_ids
        .unwrap_or_default()
        .iter()
        .map(|id| id.get().trim_matches('"').to_owned())
        .collect();
    let mut preview = Preview {
        bulk,
        matching: row.matching,
        still_pending: row.still_pending.unwrap_or_default(),
        held: row.held.unwrap_or_default(),
        is_bounded: arguments.bound(Some(until)).is_some(),
        labels: Vec::new(),
        samples: Vec::new(),
    };
    if let Some(subject) = act.subject.filter(|_| !ids.is_empty()) {
        let mut query = subject.with_keys(&ids);
        if let (Some(handler), "deliveries") = (arguments.get("handler"), subject.view.name) {
            query = query.is("handler", Some(SqlArg::text(handler)));
        }
        let rows: Vec<Row> = visit.rows(query.limit(5)).await?;
        preview.labels = subject.labels();
        preview.samples = rows
            .iter()
            .map(|row| row.all_cells(&subject, sees_all))
            .collect();
    }
    Ok(preview)
}

fn is_required_reason(parameter: &Parameter) -> bool {
    parameter.name == "why" && parameter.is_required
}
