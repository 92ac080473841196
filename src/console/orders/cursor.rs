//! Where a page of orders ends. Each list is paged by a unique key.

use super::{super::view::time, LowData, OrderRow};
use crate::store::{SqlArg, ViewQuery};
use url::form_urlencoded;

/// The last row of the page before.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cursor {
    /// There is no page before.
    Start,
    /// An order without a result: time, source, description, request id.
    Waiting(i64, [String; 3]),
    /// An order with a result: time, event.
    Result(i64, String),
    /// A notification: time, source, ICCID, package.
    LowData(i64, [String; 3]),
}

const WAITING: &str = "v.placed_at, v.source, v.description, coalesce(v.request_id, '')";
const RESULT: &str = "v.received_at, v.event_id";
const LOW_DATA: &str = "v.received_at, v.source, v.iccid, v.package";

/// Where an order is in the list of all: by time, and at one time the results before the others.
pub(super) fn position(order: &OrderRow) -> (i64, bool, &str) {
    let at = order.received_at.or(order.placed_at);
    (
        at.map_or(0, |at| at.0),
        order.received_at.is_some(),
        order.event_id.as_deref().unwrap_or_default(),
    )
}

impl Cursor {
    /// Parses the parameter of a page. `None` if no page made it.
    pub(super) fn of(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else {
            return Some(Self::Start);
        };
        let mut parts = form_urlencoded::parse(text.as_bytes()).map(|(_, part)| part.into_owned());
        let (kind, at) = (parts.next()?, parts.next()?.parse().ok()?);
        let rest: Vec<String> = parts.collect();
        Some(match (kind.as_str(), rest.len()) {
            ("waiting", 3) => Self::Waiting(at, rest.try_into().ok()?),
            ("low", 3) => Self::LowData(at, rest.try_into().ok()?),
            ("result", 1) => Self::Result(at, uuid::Uuid::parse_str(&rest[0]).ok()?.to_string()),
            _ => return None,
        })
    }

    pub(super) fn after(order: &OrderRow) -> Option<Self> {
        Some(match (order.received_at, &order.event_id) {
            (Some(at), Some(event_id)) => Self::Result(at.0, event_id.clone()),
            _ => Self::Waiting(
                order.placed_at?.0,
                [
                    order.source.clone(),
                    order.description.clone().unwrap_or_default(),
                    order.request_id.clone().unwrap_or_default(),
                ],
            ),
        })
    }

    pub(super) fn after_low_data(row: &LowData) -> Self {
        Self::LowData(
            row.received_at.0,
            [row.source.clone(), row.iccid.clone(), row.package.clone()],
        )
    }

    /// The parameter of the next page.
    pub(super) fn text(&self) -> String {
        let (kind, at, rest) = match self {
            Self::Start => return String::new(),
            Self::Waiting(at, rest) => ("waiting", at, rest.as_slice()),
            Self::LowData(at, rest) => ("low", at, rest.as_slice()),
            Self::Result(at, event_id) => ("result", at, std::slice::from_ref(event_id)),
        };
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.append_pair("k", kind)
            .append_pair("t", &at.to_string());
        text.extend_pairs(rest.iter().map(|part| ("v", part)));
        text.finish()
    }

    /// The orders without a result that follow.
    pub(super) fn waiting(&self, query: ViewQuery) -> ViewQuery {
        match self {
            Self::Waiting(at, rest) => query.key_below(WAITING, Some(key(*at, rest))),
            Self::Result(at, _) => query.below("placed_at", Some(at_micros(at.saturating_add(1)))),
            Self::Start | Self::LowData(..) => query,
        }
    }

    /// A time before which there are only results that follow.
    pub(super) fn before(&self) -> SqlArg {
        match self {
            Self::Result(at, _) | Self::Waiting(at, _) => at_micros(*at),
            Self::Start | Self::LowData(..) => SqlArg::time("infinity"),
        }
    }

    /// The orders with a result that follow.
    pub(super) fn results(&self, query: ViewQuery) -> ViewQuery {
        match self {
            Self::Result(at, event_id) => {
                query.key_below(RESULT, Some(vec![at_micros(*at), SqlArg::id(event_id)]))
            }
            Self::Waiting(at, _) => query.below("received_at", Some(at_micros(*at))),
            Self::Start | Self::LowData(..) => query,
        }
    }

    /// The orders without a result before this one.
    pub(super) fn newer_waiting(&self, query: ViewQuery) -> ViewQuery {
        match self {
            Self::Waiting(at, rest) => query.key_above(WAITING, Some(key(*at, rest))),
            Self::Result(at, _) => query.above("placed_at", Some(at_micros(*at))),
            Self::Start | Self::LowData(..) => query,
        }
    }

    /// The orders with a result before this one.
    pub(super) fn newer_results(&self, query: ViewQuery) -> ViewQuery {
        match self {
            Self::Result(at, event_id) => {
                let key = vec![at_micros(*at), SqlArg::id(event_id)];
                query.key_above(RESULT, Some(key))
            }
            Self::Waiting(at, _) => query.from("received_at", Some(at_micros(*at))),
            Self::Start | Self::LowData(..) => query,
        }
    }

    /// The notifications before this one.
    pub(super) fn newer_low_data(&self, query: ViewQuery) -> ViewQuery {
        match self {
            Self::LowData(at, rest) => query.key_above(LOW_DATA, Some(key(*at, rest))),
            _ => query,
        }
    }

    /// The notifications that follow.
    pub(super) fn low_data(&self, query: ViewQuery) -> ViewQuery {
        match self {
            Self::LowData(at, rest) => query.key_below(LOW_DATA, Some(key(*at, rest))),
            _ => query,
        }
    }
}

fn key(at: i64, rest: &[String]) -> Vec<SqlArg> {
    let rest = rest.iter().map(SqlArg::text);
    std::iter::once(at_micros(at)).chain(rest).collect()
}

/// To the microsecond, as Postgres keeps it.
fn at_micros(at: i64) -> SqlArg {
    SqlArg::time(format!(
        "{}.{:06}Z",
        time::full(at),
        at.rem_euclid(1_000_000)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_they_are_written() {
        let texts = ["airalo", "order 4711 & more=less", ""].map(str::to_owned);
        for cursor in [
            Cursor::Start,
            Cursor::Waiting(1_795_867_384_412_345, texts.clone()),
            Cursor::LowData(-1, texts),
            Cursor::Result(5, "01a2216f-ac13-755d-9aa7-441aa8cdc63e".to_owned()),
        ] {
            let text = cursor.text();
            let text = (!text.is_empty()).then_some(text.as_str());
            assert_eq!(Cursor::of(text), Some(cursor));
        }
        for text in [
            "k=result",
            "k=result&t=1&v=x",
            "k=waiting&t=x&v=&v=&v=",
            "x",
        ] {
            assert_eq!(Cursor::of(Some(text)), None, "{text}");
        }
    }
}
