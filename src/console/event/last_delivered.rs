//! The last earlier event of the same type that was delivered to the failing handler. Comparing both
//! shows whether the sender or the receiver has changed.

use super::{comparison, rows::Rows};
use crate::console::{address::Address, row::Timestamp};
use crate::store::{AsVisitor, SqlArg, ViewQuery, VisitError, catalog::views};
use serde::Deserialize;

/// Earlier events of the source that are searched.
const SCAN: u32 = 1_000;
/// Events of the type among them whose attempts are read.
const OF_TYPE: u32 = 50;

/// What the page says about the handler that fails.
pub(super) struct LastDelivered {
    pub(super) handler: String,
    /// The last that was delivered to it, and when; `None` if none of those that were searched was.
    pub(super) delivered: Option<(String, Timestamp)>,
}

impl LastDelivered {
    pub(super) fn event(&self, id: &str) -> String {
        Address::event(id).href()
    }

    pub(super) fn compared(&self, event_id: &str, id: &str) -> String {
        comparison::address(event_id, id)
    }
}

#[derive(Deserialize)]
struct IdRow {
    event_id: String,
}

#[derive(Deserialize)]
struct DeliveredRow {
    event_id: String,
    finished_at: Timestamp,
}

/// Reads it for the first handler that has failed with this event. `None` if none has.
pub(super) async fn read(
    visit: &mut AsVisitor,
    rows: &Rows,
) -> Result<Option<LastDelivered>, VisitError> {
    let failing = |state: &str| ["dead", "retrying"].contains(&state);
    let Some(delivery) = rows.deliveries.iter().find(|row| failing(&row.state)) else {
        return Ok(None);
    };
    let event = &rows.event;
    let earlier = ViewQuery::of(&views::EVENTS)
        .columns(&["event_id"])
        .below("event_id", Some(SqlArg::id(&event.event_id)))
        .among(SCAN)
        .is("source", Some(SqlArg::text(&event.source)))
        .is("type", Some(SqlArg::text(&event.r#type)))
        .limit(OF_TYPE);
    let earlier: Vec<IdRow> = visit.rows(earlier).await?;
    let ids: Vec<_> = earlier.into_iter().map(|row| row.event_id).collect();
    let last = ViewQuery::of(&views::ATTEMPTS)
        .columns(&["event_id", "finished_at"])
        .ids("event_id", &ids)
        .is("handler", Some(SqlArg::text(&delivery.handler)))
        .is("outcome", Some(SqlArg::text("delivered")))
        .order("event_id DESC")
        .limit(1);
    let last: Vec<DeliveredRow> = visit.rows(last).await?;
    let delivered = last.into_iter().next();
    Ok(Some(LastDelivered {
        handler: delivery.handler.clone(),
        delivered: delivered.map(|row| (row.event_id, row.finished_at)),
    }))
}
