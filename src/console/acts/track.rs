//! The deliveries that an act changed, so that the page of proof can show what became of them.
//!
//! The address of that page has them, since a page is its address. So there are only so many.

use super::{arguments::Arguments, table::Act};
use crate::console::problem::PageError;
use crate::store::{AsVisitor, SqlArg, ViewQuery, VisitError, catalog::views};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use std::collections::HashSet;
use uuid::Uuid;

/// How many are followed. Each takes some 27 characters of the address.
pub(super) const MOST: usize = 60;
/// The length of a UUID in base64.
const UUID_TEXT: usize = 22;

/// A delivery, with its event, by which its history is found.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Tracked {
    pub(super) delivery_id: i64,
    pub(super) event_id: Uuid,
}

const COLUMNS: &[&str] = &["delivery_id", "event_id"];

/// Reads those that an act is about to change. Empty if the views have no such filter.
pub(super) async fn before(
    visit: &mut AsVisitor,
    act: &Act,
    arguments: &Arguments,
    until: Option<&str>,
) -> Result<Vec<Tracked>, VisitError> {
    let get = |name: &str| arguments.get(name);
    let number = |name: &str| get(name).and_then(|text| text.parse().ok());
    let query = match act.function.name {
        "retry" | "discard" | "reschedule" => {
            let states = act.subject.and_then(|subject| subject.states);
            let view = match states {
                Some(states) => {
                    ViewQuery::of(&views::DELIVERIES).one_of("state", Some(SqlArg::text(states)))
                }
                None => ViewQuery::of(&views::DEAD_LETTERS),
            };
            view.is("delivery_id", number("delivery_id").map(SqlArg::number))
        }
        "retry_all" | "discard_all" if get("payload").is_none() => {
            let until = arguments.bound(until).map(|(_, until)| until);
            ViewQuery::of(&views::DEAD_LETTERS)
                .is("handler", get("handler").map(SqlArg::text))
                .of_type("type", get("type"))
                .from("died_at", get("died_after").map(SqlArg::time))
                .below("died_at", get("died_before").or(until).map(SqlArg::time))
                .like("last_error", get("error").map(SqlArg::text))
        }
        "reschedule_all" if get("type").is_none() => ViewQuery::of(&views::DELIVERIES)
            .is("handler", get("handler").map(SqlArg::text))
            .one_of(
                "state",
                Some(SqlArg::text("ready,retrying,scheduled,paused")),
            ),
        _ => return Ok(Vec::new()),
    };
    visit.rows(query.columns(COLUMNS).limit(MOST as u32)).await
}

/// Leaves out those that the act did not change: dead letters that still are.
pub(super) async fn changed(
    visit: &mut AsVisitor,
    act: &Act,
    before: Vec<Tracked>,
) -> Result<Vec<Tracked>, VisitError> {
    if before.is_empty() || !act.function.name.ends_with("_all") {
        return Ok(before);
    }
    let ids: Vec<_> = before.iter().map(|one| one.delivery_id).collect();
    let left = ViewQuery::of(&views::DEAD_LETTERS)
        .columns(COLUMNS)
        .numbers("delivery_id", ids.iter().copied());
    let left: Vec<Tracked> = visit.rows(left).await?;
    Ok(before
        .into_iter()
        .filter(|one| !left.contains(one))
        .collect())
}

/// The delivery that a replay of one event has made.
pub(super) async fn replayed(
    visit: &mut AsVisitor,
    arguments: &Arguments,
) -> Result<Vec<Tracked>, VisitError> {
    let made = ViewQuery::of(&views::DELIVERIES)
        .columns(COLUMNS)
        .is("event_id", arguments.get("event_id").map(SqlArg::id))
        .is("handler", arguments.get("handler").map(SqlArg::text))
        .limit(1);
    visit.rows(made).await
}

/// A delivery as it is now.
#[derive(Deserialize)]
pub(super) struct State {
    pub(super) delivery_id: i64,
    pub(super) state: String,
}

/// What became of them. A delivery that was retried also has rows of its former attempts in the
/// history, but only one of the view.
pub(super) async fn states(
    visit: &mut AsVisitor,
    tracked: &[Tracked],
) -> Result<Vec<State>, PageError> {
    let events: HashSet<_> = tracked.iter().map(|one| one.event_id).collect();
    let Some(first) = events.iter().min() else {
        return Ok(Vec::new());
    };
    let first = first.to_string();
    let events: Vec<_> = events.iter().map(Uuid::to_string).collect();
    let query = ViewQuery::of(&views::DELIVERIES)
        .columns(&["delivery_id", "state"])
        .from("event_id", Some(SqlArg::id(first)))
        .ids("event_id", &events);
    let rows: Vec<State> = visit.rows(query).await?;
    let ids: HashSet<_> = tracked.iter().map(|one| one.delivery_id).collect();
    Ok(rows
        .into_iter()
        .filter(|row| ids.contains(&row.delivery_id))
        .collect())
}

/// For an address: each is the UUID in base64 and the delivery's id in hexadecimal.
pub(super) fn written(tracked: &[Tracked]) -> String {
    let texts: Vec<_> = tracked
        .iter()
        .map(|one| {
            let event = URL_SAFE_NO_PAD.encode(one.event_id);
            format!("{event}{:x}", one.delivery_id)
        })
        .collect();
    texts.join(".")
}

/// Those of an address. What is not one is left out.
pub(super) fn read(text: &str) -> Vec<Tracked> {
    let one = |text: &str| {
        let (event, delivery) = text.split_at_checked(UUID_TEXT)?;
        let event = URL_SAFE_NO_PAD.decode(event).ok()?;
        Some(Tracked {
            event_id: Uuid::from_slice(&event).ok()?,
            delivery_id: i64::from_str_radix(delivery, 16).ok()?,
        })
    };
    text.split('.').take(MOST).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_deliveries() {
        let tracked: Vec<_> = (1..=60)
            .map(|n| Tracked {
                delivery_id: n * 1_000_000,
                event_id: Uuid::from_u128(u128::MAX / n as u128),
            })
            .collect();
        let text = written(&tracked);
        assert_eq!(read(&text), tracked);
        assert!(text.len() < 2_000, "{}", text.len());
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        );
        for invalid in ["", "x", "é.é", &"A".repeat(22), &"A".repeat(99), "."] {
            assert_eq!(read(invalid), [], "{invalid}");
        }
    }
}
