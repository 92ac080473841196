//! Reads the events that a filter selects.

use super::filter::{Edge, Filter};
use crate::console::event_row::{COLUMNS, EventRow};
use crate::store::{AsVisitor, ViewQuery, VisitError, catalog::views};
use serde::Deserialize;

/// Events of a page.
pub(super) struct Found {
    /// Newest first.
    pub(super) events: Vec<EventRow>,
    /// There are more in the direction of the search.
    pub(super) has_more: bool,
    /// The filter has read as many events as it may, the last of which is this one.
    pub(super) stopped_at: Option<IdRow>,
}

#[derive(Deserialize)]
pub(super) struct IdRow {
    pub(super) event_id: String,
    pub(super) received_at: crate::console::row::Timestamp,
}

/// A filter on a rare value reads a bounded number of events, and then says so. It reads ids first:
/// the masked key of an event costs the parsing of its body.
pub(super) async fn search(
    visit: &mut AsVisitor,
    filter: &Filter,
    edge: &Edge,
    most: u32,
) -> Result<Found, VisitError> {
    let limit = most + 1;
    let mut stopped_at = None;
    let mut events: Vec<EventRow> = if filter.is_narrow() {
        let ids = narrowed_ids(visit, filter, edge, limit).await?;
        if ids.len() < limit as usize {
            let last = filter
                .of_times(edge)
                .columns(&["event_id", "received_at"])
                .skip(filter.scan() - 1)
                .limit(1);
            stopped_at = visit.rows(last).await?.pop();
        }
        match ids.is_empty() {
            true => Vec::new(),
            false => {
                let rows = ViewQuery::of(&views::EVENTS)
                    .columns(&COLUMNS)
                    .ids("event_id", &ids);
                visit.rows(rows).await?
            }
        }
    } else {
        let rows = filter.of_times(edge).columns(&COLUMNS).limit(limit);
        visit.rows(rows).await?
    };
    // Those of a page of newer events have been read oldest first, or all at once.
    events.sort_by(|a, b| b.event_id.cmp(&a.event_id));
    let has_more = events.len() > most as usize;
    match edge {
        Edge::NewerThan(_) if has_more => drop(events.remove(0)),
        _ => events.truncate(most as usize),
    }
    Ok(Found {
        events,
        has_more,
        stopped_at,
    })
}

/// How many events match that are newer than a page, up to a cap.
pub(super) async fn count_newer(
    visit: &mut AsVisitor,
    filter: &Filter,
    edge: &Edge,
    cap: u32,
) -> Result<i64, VisitError> {
    let ids = match filter.is_narrow() {
        true => narrowed_ids(visit, filter, edge, cap + 1).await?,
        false => {
            let query = filter
                .of_times(edge)
                .columns(&["event_id", "received_at"])
                .limit(cap + 1);
            ids(visit.rows(query).await?)
        }
    };
    Ok(ids.len() as i64)
}

async fn narrowed_ids(
    visit: &mut AsVisitor,
    filter: &Filter,
    edge: &Edge,
    limit: u32,
) -> Result<Vec<String>, VisitError> {
    let query = filter
        .narrowed(filter.of_times(edge))
        .columns(&["event_id", "received_at"])
        .limit(limit);
    Ok(ids(visit.rows(query).await?))
}

fn ids(rows: Vec<IdRow>) -> Vec<String> {
    rows.into_iter().map(|row| row.event_id).collect()
}
