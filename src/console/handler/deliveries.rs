//! The deliveries of a handler by state, fifty at a time.

use super::super::{
    address::{Address, Choice},
    event_row,
    frame::Frame,
    handlers::if_in_time,
    moment,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::{marks::Run, number},
};
use crate::store::catalog::views;
use crate::store::{SqlArg, ViewQuery};
use serde::Deserialize;
use uuid::Uuid;

const PAGE: usize = 50;

/// The tabs. Only delivered ones are history, and have a window.
const STATES: [&str; 8] = [
    "ready",
    "running",
    "retrying",
    "scheduled",
    "waiting",
    "paused",
    "dead",
    "delivered",
];

/// The windows of delivered ones, with the interval for Postgres. They bound the events that are
/// read.
const WINDOWS: [(&str, &str); 3] = [("1h", "1 hour"), ("24h", "24 hours"), ("7d", "7 days")];

/// A tab with its rows.
pub(super) struct Deliveries {
    pub(super) state: &'static str,
    pub(super) window: &'static str,
    /// `None` if they could not be read in time.
    pub(super) rows: Option<Vec<DeliveryRow>>,
    pub(super) tabs: Vec<Choice>,
    pub(super) windows: Vec<Choice>,
    pub(super) first: String,
    pub(super) next: String,
}

/// A row of `hookfast.deliveries`, of `hookfast.dead_letters` or of `hookfast.attempts`.
#[derive(Deserialize)]
pub(super) struct DeliveryRow {
    pub(super) delivery_id: i64,
    pub(super) event_id: String,
    #[serde(alias = "attempt_number")]
    pub(super) attempts: i32,
    pub(super) attempts_left: Option<i32>,
    pub(super) next_attempt_at: Option<Timestamp>,
    #[serde(alias = "died_at", alias = "finished_at")]
    pub(super) ended_at: Option<Timestamp>,
    pub(super) ordering_key: Option<String>,
    pub(super) last_error: Option<String>,
    pub(super) running_by: Option<String>,
    pub(super) duration_ms: Option<i64>,
}

impl DeliveryRow {
    pub(super) fn event(&self) -> String {
        Address::event(&self.event_id).href()
    }

    /// When it is due, or ended.
    pub(super) fn at(&self) -> Option<Timestamp> {
        self.ended_at.or(self.next_attempt_at)
    }

    /// What explains its state: the error, who runs it, or the key it waits for.
    pub(super) fn note(&self) -> Vec<Run<'_>> {
        let note = (self.running_by.as_deref())
            .or(self.last_error.as_deref())
            .or(self.ordering_key.as_deref());
        event_row::shown(note.unwrap_or_default(), 300)
    }

    pub(super) fn duration(&self) -> String {
        self.duration_ms
            .map(|ms| format!("{} ms", number::grouped(ms)))
            .unwrap_or_default()
    }

    /// The address of the next rows names this one.
    fn cursor(&self, state: &str) -> String {
        match (state, self.ended_at) {
            ("dead", Some(at)) => format!("{}.{}", at.0, self.delivery_id),
            ("delivered", _) => format!("{}.{}", self.event_id, self.delivery_id),
            _ => self.delivery_id.to_string(),
        }
    }

    pub(super) fn act(&self, function: &str) -> String {
        Address::act(function)
            .with("delivery_id", self.delivery_id)
            .href()
    }
}

impl Deliveries {
    pub(super) fn is_first(&self) -> bool {
        self.first.is_empty()
    }

    pub(super) fn is_pending(&self) -> bool {
        is_pending(self.state)
    }

    /// What the time of a row means.
    pub(super) fn time_label(&self) -> &'static str {
        match self.state {
            "dead" => "Died",
            "delivered" => "Delivered",
            _ => "Due",
        }
    }

    pub(super) fn empty(&self) -> String {
        match self.state {
            "delivered" => format!("Nothing of the last {} was delivered.", self.window),
            "dead" => "No dead letters.".to_owned(),
            state => format!("No delivery is {state}."),
        }
    }
}

pub(super) async fn read(
    request: &PageRequest,
    frame: &mut Frame,
    handler: &str,
    is_counted: bool,
) -> Result<Deliveries, PageError> {
    let state = (request.parameter("state"))
        .and_then(|state| STATES.into_iter().find(|known| *known == state))
        .unwrap_or(STATES[0]);
    let (window, interval) = (request.parameter("window"))
        .and_then(|window| WINDOWS.into_iter().find(|(known, _)| *known == window))
        .unwrap_or(WINDOWS[0]);
    let cursor = request.parameter("cursor");
    // What takes too long to be counted takes too long to be listed.
    let mut rows: Option<Vec<DeliveryRow>> = if is_pending(state) && !is_counted {
        None
    } else {
        let query = query(handler, state, interval, cursor.as_deref());
        if_in_time(request, frame, query).await?
    };
    let has_more = rows.as_ref().is_some_and(|rows| rows.len() > PAGE);
    if let Some(rows) = &mut rows {
        rows.truncate(PAGE);
    }
    let address = |state: &str, window: Option<&str>| {
        Address::handler(handler)
            .with("state", state)
            .with("window", window.unwrap_or_default())
    };
    let kept = (state == "delivered").then_some(window);
    let next = match rows.as_ref().and_then(|rows| rows.last()) {
        Some(last) if has_more => address(state, kept)
            .with("cursor", last.cursor(state))
            .href(),
        _ => String::new(),
    };
    Ok(Deliveries {
        state,
        window,
        rows,
        tabs: (STATES.into_iter())
            .map(|tab| Choice {
                href: address(tab, None).href(),
                label: tab.to_owned(),
                current: tab == state,
            })
            .collect(),
        windows: (WINDOWS.into_iter())
            .filter(|_| state == "delivered")
            .map(|(choice, _)| Choice {
                href: address(state, Some(choice)).href(),
                label: choice.to_owned(),
                current: choice == window,
            })
            .collect(),
        first: match cursor {
            Some(_) => address(state, kept).href(),
            None => String::new(),
        },
        next,
    })
}

fn is_pending(state: &str) -> bool {
    !["dead", "delivered"].contains(&state)
}

fn query(handler: &str, state: &str, interval: &str, cursor: Option<&str>) -> ViewQuery {
    let query = match state {
        "dead" => ViewQuery::of(&views::DEAD_LETTERS)
            .columns(&[
                "delivery_id",
                "event_id",
                "attempts",
                "died_at",
                "last_error",
            ])
            .key_below("died_at, delivery_id", cursor.and_then(after_death))
            .order("died_at DESC, delivery_id DESC"),
        // In the order of their primary key, which begins with the event.
        "delivered" => ViewQuery::of(&views::ATTEMPTS)
            .columns(&[
                "delivery_id",
                "event_id",
                "attempt_number",
                "finished_at",
                "duration_ms",
            ])
            .is("outcome", Some(SqlArg::text(state)))
            .ids_from("event_id", Some(SqlArg::ago(interval)))
            .key_below("event_id, delivery_id", cursor.and_then(after_event))
            .order("event_id DESC, delivery_id DESC"),
        _ => ViewQuery::of(&views::DELIVERIES)
            .columns(&[
                "delivery_id",
                "event_id",
                "attempts",
                "attempts_left",
                "next_attempt_at",
                "ordering_key",
                "last_error",
                "running_by",
            ])
            .is("state", Some(SqlArg::text(state)))
            .below("delivery_id", cursor.and_then(after_delivery)),
    };
    query
        .is("handler", Some(SqlArg::text(handler)))
        .limit(PAGE as u32 + 1)
}

// What is no cursor begins at the beginning.

fn after_delivery(cursor: &str) -> Option<SqlArg> {
    Some(SqlArg::number(cursor.parse().ok()?))
}

/// The time of its death and the delivery.
pub(in super::super) fn after_death(cursor: &str) -> Option<Vec<SqlArg>> {
    let (died_at, delivery) = cursor.split_once('.')?;
    let died_at = Timestamp(died_at.parse().ok()?);
    Some(vec![
        SqlArg::time(moment::exact(died_at)),
        SqlArg::number(delivery.parse().ok()?),
    ])
}

fn after_event(cursor: &str) -> Option<Vec<SqlArg>> {
    let (event, delivery) = cursor.split_once('.')?;
    let event = Uuid::parse_str(event).ok()?;
    Some(vec![
        SqlArg::id(event),
        SqlArg::number(delivery.parse().ok()?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_checked() {
        let event = "01a2216f-ac13-755d-9aa7-441aa8cdc63e";
        assert!(after_event(&format!("{event}.7")).is_some());
        for invalid in [
            "",
            "7",
            "x.7",
            &format!("{event}.x"),
            &format!("{event}-.7"),
        ] {
            assert!(after_event(invalid).is_none(), "{invalid}");
        }
        assert!(after_death("1795867384412345.17").is_some());
        assert!(after_death("1795867384412345").is_none());
        assert!(after_delivery("17").is_some());
        assert!(after_delivery("17; DROP").is_none());
    }
}
