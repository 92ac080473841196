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

/// Deliveries that a page reads to find those of a state.
const SCAN: u32 = 10_000;

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
    /// The address of the rows behind those that were read, if there may be more.
    pub(super) stopped: Option<String>,
}

/// A row of `hookfast.pending_deliveries`, of `hookfast.dead_letters` or of `hookfast.attempts`.
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

    pub(super) fn order(&self) -> &'static str {
        match self.state {
            "dead" | "delivered" => "newest first",
            state if is_by_time(state) => "next first",
            _ => "oldest first",
        }
    }

    pub(super) fn scanned(&self) -> String {
        number::grouped(SCAN.into())
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
    first_tab: &'static str,
) -> Result<Deliveries, PageError> {
    let state = (request.parameter("state"))
        .and_then(|state| STATES.into_iter().find(|known| *known == state))
        .unwrap_or(first_tab);
    let (window, interval) = (request.parameter("window"))
        .and_then(|window| WINDOWS.into_iter().find(|(known, _)| *known == window))
        .unwrap_or(WINDOWS[0]);
    let cursor = request.parameter("cursor");
    let list = List {
        handler,
        state,
        interval,
        cursor: cursor.as_deref(),
    };
    let mut keys: Option<Vec<Key>> = if_in_time(request, frame, list.matching()).await?;
    let has_more = keys.as_ref().is_some_and(|keys| keys.len() > PAGE);
    let stopped_at = match &keys {
        Some(_) if !has_more && state != "dead" => {
            let last = list.scanned().skip(SCAN - 1).limit(1);
            if_in_time::<Key>(request, frame, last)
                .await?
                .and_then(|mut last| last.pop())
        }
        _ => None,
    };
    if let Some(keys) = &mut keys {
        keys.truncate(PAGE);
    }
    let mut rows: Option<Vec<DeliveryRow>> = match &keys {
        Some(keys) if keys.is_empty() => Some(Vec::new()),
        Some(keys) => if_in_time(request, frame, list.rows(keys)).await?,
        None => None,
    };
    if let (Some(rows), Some(keys)) = (&mut rows, &keys) {
        let position = |row: &DeliveryRow| keys.iter().position(|key| key.is_of(row));
        rows.retain(|row| position(row).is_some());
        rows.sort_by_key(position);
    }
    let address = |state: &str, window: Option<&str>| {
        Address::handler(handler)
            .with("state", state)
            .with("window", window.unwrap_or_default())
    };
    let kept = (state == "delivered").then_some(window);
    let behind = |key: &Key| {
        address(state, kept)
            .with("cursor", key.cursor(state))
            .href()
    };
    let next = match keys.as_ref().and_then(|keys| keys.last()) {
        Some(last) if has_more => behind(last),
        _ => String::new(),
    };
    let stopped = stopped_at.as_ref().map(behind);
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
        stopped,
    })
}

fn is_pending(state: &str) -> bool {
    !["dead", "delivered"].contains(&state)
}

/// The states whose deliveries are listed by when they are due.
fn is_by_time(state: &str) -> bool {
    ["retrying", "scheduled"].contains(&state)
}

/// What identifies a row, and where it is in its list.
#[derive(Deserialize)]
struct Key {
    delivery_id: i64,
    event_id: Option<String>,
    #[serde(alias = "died_at")]
    due_at: Option<Timestamp>,
}

impl Key {
    fn is_of(&self, row: &DeliveryRow) -> bool {
        self.delivery_id == row.delivery_id
            && (self.event_id.as_ref()).is_none_or(|event_id| *event_id == row.event_id)
    }

    /// The address of the next rows names this one.
    fn cursor(&self, state: &str) -> String {
        match (&self.event_id, self.due_at) {
            (Some(event_id), _) if state == "delivered" => {
                format!("{event_id}.{}", self.delivery_id)
            }
            (_, Some(at)) => format!("{}.{}", at.0, self.delivery_id),
            _ => self.delivery_id.to_string(),
        }
    }
}

/// A list of deliveries, which is read in two steps: the keys of a bounded number of deliveries in
/// the order of an index, and then the rows of those that match.
struct List<'a> {
    handler: &'a str,
    state: &'a str,
    interval: &'a str,
    cursor: Option<&'a str>,
}

impl List<'_> {
    fn of_handler(&self, query: ViewQuery) -> ViewQuery {
        query.of_handler(Some(SqlArg::text(self.handler)))
    }

    /// The deliveries that the list is a part of.
    fn scanned(&self) -> ViewQuery {
        let cursor = self.cursor;
        let pending = || self.of_handler(ViewQuery::of(&views::PENDING_DELIVERIES));
        match self.state {
            "dead" => self
                .of_handler(ViewQuery::of(&views::DEAD_LETTERS))
                .columns(&["delivery_id", "died_at"])
                .key_below("died_at, delivery_id", cursor.and_then(after_death))
                .order("died_at DESC, delivery_id DESC"),
            // In the order of their primary key, which begins with the event.
            "delivered" => ViewQuery::of(&views::ATTEMPTS)
                .columns(&["delivery_id", "event_id"])
                .ids_from("event_id", Some(SqlArg::ago(self.interval)))
                .key_below("event_id, delivery_id", cursor.and_then(after_event))
                .order("event_id DESC, delivery_id DESC"),
            "waiting" => pending()
                .columns(&["delivery_id"])
                .is("due_at", Some(SqlArg::time("infinity")))
                .above("delivery_id", cursor.and_then(after_delivery)),
            state if is_by_time(state) => pending()
                .columns(&["delivery_id", "due_at"])
                .above("due_at", Some(SqlArg::ago("0 seconds")))
                .below("due_at", Some(SqlArg::time("infinity")))
                .key_above("due_at, delivery_id", cursor.and_then(after_death))
                .order("due_at, delivery_id"),
            _ => pending()
                .columns(&["delivery_id"])
                .above("delivery_id", cursor.and_then(after_delivery)),
        }
    }

    /// Those of them that match.
    fn matching(&self) -> ViewQuery {
        let state = Some(SqlArg::text(self.state));
        let query = match self.state {
            "dead" => self.scanned(),
            "delivered" => (self.scanned().among(SCAN))
                .is("outcome", state)
                .is("handler", Some(SqlArg::text(self.handler))),
            _ => self.scanned().among(SCAN).is("state", state),
        };
        query.limit(PAGE as u32 + 1)
    }

    fn rows(&self, keys: &[Key]) -> ViewQuery {
        let ids = || keys.iter().map(|key| key.delivery_id);
        match self.state {
            "dead" => ViewQuery::of(&views::DEAD_LETTERS)
                .columns(&[
                    "delivery_id",
                    "event_id",
                    "attempts",
                    "died_at",
                    "last_error",
                ])
                .numbers("delivery_id", ids()),
            "delivered" => {
                let events: Vec<_> = keys.iter().filter_map(|key| key.event_id.clone()).collect();
                ViewQuery::of(&views::ATTEMPTS)
                    .columns(&[
                        "delivery_id",
                        "event_id",
                        "attempt_number",
                        "finished_at",
                        "duration_ms",
                    ])
                    .is("outcome", Some(SqlArg::text(self.state)))
                    .ids("event_id", &events)
                    .numbers("delivery_id", ids())
            }
            _ => self
                .of_handler(ViewQuery::of(&views::PENDING_DELIVERIES))
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
                .numbers("delivery_id", ids()),
        }
    }
}

// What is no cursor begins at the beginning.

fn after_delivery(cursor: &str) -> Option<SqlArg> {
    Some(SqlArg::number(cursor.parse().ok()?))
}

/// The time of its death, or when it is due, and the delivery.
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
