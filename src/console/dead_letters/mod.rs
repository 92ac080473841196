//! Dead letters: what failed for good, grouped, and each.

mod filters;
mod groups;

use super::{
    address::Address,
    event_row,
    frame::Frame,
    handler::deliveries::after_death,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::{
        marks::{self, Breaks, Run},
        number, short,
    },
};
use crate::store::catalog::{functions, views};
use crate::store::{AsVisitor, SqlArg, ViewQuery, Work};
use askama::Template;
use axum::response::Response;
use filters::Filters;
use groups::{Group, GroupRow};
use serde::Deserialize;

/// Rows of a page.
const PAGE: usize = 50;
/// Rows that are read to be grouped and counted.
const COUNTED: u32 = 10_000;

#[derive(Template)]
#[template(path = "dead_letters.html")]
struct DeadLettersPage {
    frame: Frame,
    filters: Filters,
    groups: Vec<Group>,
    rows: Vec<DeadLetter>,
    /// How many match the filters, at most one more than are counted.
    matching: i64,
    first: String,
    next: String,
    may: May,
}

struct May {
    retry: bool,
    discard: bool,
    retry_all: bool,
    discard_all: bool,
    /// Readers see no errors, so they cannot filter by them.
    sees_errors: bool,
}

/// A row of `hookfast.dead_letters`.
#[derive(Deserialize)]
struct DeadLetter {
    delivery_id: i64,
    handler: String,
    event_id: String,
    attempts: i32,
    reason: String,
    last_error: Option<String>,
    died_at: Timestamp,
    r#type: Option<String>,
}

impl DeadLetter {
    const COLUMNS: [&str; 8] = [
        "delivery_id",
        "handler",
        "event_id",
        "attempts",
        "reason",
        "last_error",
        "died_at",
        "type",
    ];

    fn event(&self) -> String {
        Address::event(&self.event_id).href()
    }

    fn handler_page(&self) -> String {
        Address::handler(&self.handler).href()
    }

    fn error(&self) -> Vec<Run<'_>> {
        event_row::shown(self.last_error.as_deref().unwrap_or_default(), 300)
    }

    fn act(&self, function: &str) -> String {
        Address::act(function)
            .with("delivery_id", self.delivery_id)
            .href()
    }
}

impl DeadLettersPage {
    fn count(&self) -> String {
        number::capped(self.matching, COUNTED.into())
    }

    /// `14 match these filters`
    fn bar(&self) -> String {
        let count = self.count();
        match (self.filters.is_empty(), self.matching) {
            (true, 1) => "1 dead letter, no filter".to_owned(),
            (true, _) => format!("{count} dead letters, no filter"),
            (false, 1) => "1 matches these filters".to_owned(),
            (false, _) => format!("{count} match these filters"),
        }
    }

    fn without_reason(&self) -> String {
        self.filters.address_without("reason").href()
    }

    fn position(&self) -> String {
        format!("{} of {}, newest first", self.rows.len(), self.count())
    }
}

pub(super) async fn page(request: PageRequest) -> Result<Response, PageError> {
    let mut visit = request.visit(Work::Page).await?;
    let filters = Filters::of(&request, visit.as_of);
    let cursor = request.parameter("cursor");
    let (group_rows, mut rows) = match filters.errors.is_empty() {
        true => read(&mut visit, &filters, cursor.as_deref()).await?,
        false => Default::default(),
    };
    let may = |function| visit.visitor.may(function);
    let may = May {
        retry: may(&functions::RETRY),
        discard: may(&functions::DISCARD),
        retry_all: may(&functions::RETRY_ALL),
        discard_all: may(&functions::DISCARD_ALL),
        sees_errors: may(&functions::RETRY_ALL),
    };
    let frame = Frame::of(&request, &mut visit, "/dead", "Dead letters").await?;
    visit.finish().await?;
    let has_more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = match rows.last() {
        Some(last) if has_more => filters
            .address()
            .with("cursor", format!("{}.{}", last.died_at.0, last.delivery_id))
            .href(),
        _ => String::new(),
    };
    written(&DeadLettersPage {
        matching: group_rows.len() as i64,
        groups: groups::of(&group_rows, &filters),
        first: match cursor {
            Some(_) => filters.address().href(),
            None => String::new(),
        },
        frame,
        filters,
        rows,
        next,
        may,
    })
}

/// Reads the beginning of everything that matches, which is grouped, and the rows of the page. Those
/// are among them but for late pages, so that what no index finds is looked for once.
async fn read(
    visit: &mut AsVisitor,
    filters: &Filters,
    cursor: Option<&str>,
) -> Result<(Vec<GroupRow>, Vec<DeadLetter>), PageError> {
    let order = "died_at DESC, delivery_id DESC";
    let groups = filters
        .query()
        .columns(&GroupRow::COLUMNS)
        .cut("last_error", groups::HEAD)
        .order(order)
        .limit(COUNTED + 1);
    let groups: Vec<GroupRow> = visit.rows(groups).await?;
    let rows = ViewQuery::of(&views::DEAD_LETTERS)
        .columns(&DeadLetter::COLUMNS)
        .order(order)
        .limit(PAGE as u32 + 1);
    let rows = match groups::after(&groups, cursor) {
        Some(after) if after.len() > PAGE || groups.len() <= COUNTED as usize => {
            let ids = after.iter().take(PAGE + 1).map(|row| row.delivery_id);
            rows.numbers("delivery_id", ids)
        }
        _ => filters
            .narrow(rows)
            .key_below("died_at, delivery_id", cursor.and_then(after_death)),
    };
    Ok((groups, visit.rows(rows).await?))
}

impl Filters {
    fn query(&self) -> ViewQuery {
        self.narrow(ViewQuery::of(&views::DEAD_LETTERS))
    }

    fn narrow(&self, query: ViewQuery) -> ViewQuery {
        query
            .is("handler", self.handler.as_deref().map(SqlArg::text))
            .is("reason", self.reason.as_deref().map(SqlArg::text))
            .of_type("type", self.r#type.as_deref())
            .like("last_error", self.error.as_deref().map(SqlArg::text))
            .from("died_at", self.after_at.map(time))
            .below("died_at", self.before_at.map(time))
    }
}

fn time(at: Timestamp) -> SqlArg {
    SqlArg::time(super::moment::exact(at))
}
