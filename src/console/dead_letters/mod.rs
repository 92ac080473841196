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
        number, short, state,
    },
};
use crate::store::catalog::{functions, views};
use crate::store::{AsVisitor, SqlArg, ViewQuery, VisitError, Work};
use askama::Template;
use axum::response::Response;
use filters::Filters;
use groups::{Group, GroupRow};
use serde::Deserialize;
use std::collections::HashMap;

/// Rows of a page.
const PAGE: usize = 50;
/// Rows that are read to be grouped and counted, or to find those that match.
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
    /// Whether those that match were searched among a part of all.
    is_part: bool,
    /// The address of the rows behind those that were searched, if there may be more.
    stopped: Option<String>,
    /// `12 newer`, on a page behind a cursor.
    newer: String,
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

    /// `Retry 14`
    fn all(&self, verb: &str) -> String {
        match self.is_part {
            true => format!("{verb} all that match"),
            false => format!("{verb} {}", self.count()),
        }
    }

    fn counted(&self) -> String {
        number::grouped(COUNTED.into())
    }

    /// `14 match these filters`
    fn bar(&self) -> String {
        let count = self.count();
        if self.is_part {
            return format!(
                "{count} of the newest {} match these filters",
                self.counted()
            );
        }
        match (self.filters.is_empty(), self.matching) {
            (true, 1) => "1 dead letter, no filter".to_owned(),
            (true, _) => format!("{count} dead letters, no filter"),
            (false, 1) => "1 matches these filters".to_owned(),
            (false, _) => format!("{count} match these filters"),
        }
    }

    fn position(&self) -> String {
        match self.is_part {
            true => format!("{}, newest first", self.rows.len()),
            false => format!("{} of {}, newest first", self.rows.len(), self.count()),
        }
    }
}

pub(super) async fn page(request: PageRequest) -> Result<Response, PageError> {
    let mut visit = request.visit(Work::Page).await?;
    let filters = Filters::of(&request, visit.as_of);
    let cursor = request.parameter("cursor");
    let Found {
        group_rows,
        mut rows,
        is_part,
        stopped_at,
    } = match filters.errors.is_empty() {
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
    let mut groups = groups::of(&group_rows, &filters);
    note_types(&mut visit, &mut groups).await?;
    let frame = Frame::of(&request, &mut visit, "/dead", "Dead letters").await?;
    visit.finish().await?;
    let has_more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let behind = |at: Timestamp, delivery_id: i64| {
        let cursor = format!("{}.{delivery_id}", at.0);
        filters.address().with("cursor", cursor).href()
    };
    let next = match rows.last() {
        Some(last) if has_more => behind(last.died_at, last.delivery_id),
        _ => String::new(),
    };
    let stopped = stopped_at.map(|last| behind(last.died_at, last.delivery_id));
    written(&DeadLettersPage {
        matching: group_rows.len() as i64,
        is_part,
        stopped,
        groups,
        newer: number::newer(groups::newer(&group_rows, cursor.as_deref()), COUNTED),
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

/// What a page shows.
#[derive(Default)]
struct Found {
    group_rows: Vec<GroupRow>,
    rows: Vec<DeadLetter>,
    is_part: bool,
    /// The last that was searched for the rows, if there are fewer of them than a page has.
    stopped_at: Option<Place>,
}

/// Where a dead letter is in the list.
#[derive(Deserialize)]
struct Place {
    died_at: Timestamp,
    delivery_id: i64,
}

/// Reads the beginning of everything that matches, which is grouped, and the rows of the page. Those
/// are among them but for late pages, so that what no index finds is looked for once.
async fn read(
    visit: &mut AsVisitor,
    filters: &Filters,
    cursor: Option<&str>,
) -> Result<Found, VisitError> {
    let groups = filters
        .narrow(filters.from(None))
        .columns(&GroupRow::COLUMNS)
        .cut("last_error", groups::HEAD)
        .limit(COUNTED + 1);
    let group_rows: Vec<GroupRow> = visit.rows(groups).await?;
    let is_part = filters.last_searched(visit, None).await?.is_some();
    let is_all = !is_part && group_rows.len() <= COUNTED as usize;
    let rows = match groups::after(&group_rows, cursor) {
        Some(after) if after.len() > PAGE || is_all => {
            let ids = after.iter().take(PAGE + 1).map(|row| row.delivery_id);
            ViewQuery::of(&views::DEAD_LETTERS)
                .numbers("delivery_id", ids)
                .order(ORDER)
        }
        _ => filters.narrow(filters.from(cursor)),
    };
    let rows = rows.columns(&DeadLetter::COLUMNS).limit(PAGE as u32 + 1);
    let rows: Vec<DeadLetter> = visit.rows(rows).await?;
    let stopped_at = match is_part && rows.len() <= PAGE {
        true => filters.last_searched(visit, cursor).await?,
        false => None,
    };
    Ok(Found {
        group_rows,
        rows,
        is_part,
        stopped_at,
    })
}

/// Reads the types of the samples of the groups that are shown.
async fn note_types(visit: &mut AsVisitor, groups: &mut [Group]) -> Result<(), VisitError> {
    #[derive(Deserialize)]
    struct TypeRow {
        delivery_id: i64,
        r#type: Option<String>,
    }
    let count = groups.len().min(groups::SHOWN);
    let shown = &mut groups[..count];
    if shown.is_empty() {
        return Ok(());
    }
    let ids = shown.iter().flat_map(|group| group.sample.iter().copied());
    let query = ViewQuery::of(&views::DEAD_LETTERS)
        .columns(&["delivery_id", "type"])
        .numbers("delivery_id", ids)
        .order(ORDER);
    let rows: Vec<TypeRow> = visit.rows(query).await?;
    let types: HashMap<_, _> = rows
        .into_iter()
        .filter_map(|row| Some((row.delivery_id, row.r#type?)))
        .collect();
    shown.iter_mut().for_each(|group| group.note(&types));
    Ok(())
}

const ORDER: &str = "died_at DESC, delivery_id DESC";

impl Filters {
    /// The dead letters of the handler and the time, behind a cursor. An index has their order.
    fn from(&self, cursor: Option<&str>) -> ViewQuery {
        ViewQuery::of(&views::DEAD_LETTERS)
            .of_handler(self.handler.as_deref().map(SqlArg::text))
            .from("died_at", self.after_at.map(time))
            .below("died_at", self.before_at.map(time))
            .key_below("died_at, delivery_id", cursor.and_then(after_death))
            .order(ORDER)
    }

    /// Those of them that match. No index has these columns, so they are searched among a bounded
    /// number.
    fn narrow(&self, query: ViewQuery) -> ViewQuery {
        if !self.is_searched() {
            return query;
        }
        query
            .among(COUNTED)
            .is("reason", self.reason.as_deref().map(SqlArg::text))
            .of_type("type", self.r#type.as_deref())
            .like("last_error", self.error.as_deref().map(SqlArg::text))
    }

    /// The last dead letter that a search behind a cursor reads, if it does not read all.
    async fn last_searched(
        &self,
        visit: &mut AsVisitor,
        cursor: Option<&str>,
    ) -> Result<Option<Place>, VisitError> {
        if !self.is_searched() {
            return Ok(None);
        }
        let last = self
            .from(cursor)
            .columns(&["died_at", "delivery_id"])
            .skip(COUNTED - 1)
            .limit(1);
        Ok(visit.rows(last).await?.pop())
    }

    fn is_searched(&self) -> bool {
        self.reason.is_some() || self.r#type.is_some() || self.error.is_some()
    }
}

fn time(at: Timestamp) -> SqlArg {
    SqlArg::time(super::moment::exact(at))
}
