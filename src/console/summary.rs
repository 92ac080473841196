//! What every page shows about the whole system.

use super::{
    address::Address,
    event_row,
    problem::PageError,
    row::Timestamp,
    view::{number, state, strip::Minute},
};
use crate::store::catalog::views;
use crate::store::{AsVisitor, SqlArg, ViewQuery};
use serde::Deserialize;

/// The minutes of the intake strip.
const MINUTES: i64 = 60;

/// Something that is not as it should be, or that people have to know on every page.
#[derive(Clone)]
pub(super) struct Exception {
    pub(super) kind: &'static str,
    pub(super) mark: &'static str,
    /// `shop failing`
    pub(super) brief: String,
    pub(super) text: String,
    pub(super) href: String,
    /// The type and the subject of its alert; empty if it has none.
    pub(super) alert: String,
}

/// The summary.
#[derive(Default)]
pub(super) struct Summary {
    pub(super) as_of: Timestamp,
    pub(super) exceptions: Vec<Exception>,
    pub(super) minutes: Vec<Minute>,
    pub(super) orders: i64,
    pub(super) handlers: i64,
    pub(super) dead_letters: i64,
    pub(super) alerts: i64,
    pub(super) sources: i64,
    pub(super) handler_rows: Vec<HandlerRow>,
    pub(super) source_rows: Vec<SourceRow>,
    /// The statements that read it.
    pub(super) ran: Vec<String>,
}

/// A row of `hookfast.handler_health`.
#[derive(Clone, Deserialize)]
pub(super) struct HandlerRow {
    pub(super) handler: String,
    pub(super) kind: String,
    pub(super) state: String,
    #[serde(deserialize_with = "super::row::brief")]
    pub(super) why: Option<String>,
    pub(super) ready: i64,
    pub(super) oldest_ready_age: Option<super::row::Span>,
    pub(super) per_minute: f64,
    pub(super) dead_letters: i64,
    pub(super) median_ms: Option<f64>,
    pub(super) p95_ms: Option<f64>,
}

/// A row of `hookfast.source_health`.
#[derive(Clone, Deserialize)]
pub(super) struct SourceRow {
    pub(super) source: String,
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) last_event_at: Option<Timestamp>,
    pub(super) last_hour: i64,
    pub(super) duplicates_last_hour: i64,
    pub(super) conflicts_last_hour: i64,
    pub(super) rejected_last_hour: i64,
    pub(super) quarantined: i64,
}

pub(super) async fn read(visit: &mut AsVisitor) -> Result<Summary, PageError> {
    let ran_before = visit.ran().len();
    let handler_rows: Vec<HandlerRow> = visit
        .rows(ViewQuery::of(&views::HANDLER_HEALTH).columns(&[
            "handler",
            "kind",
            "state",
            "why",
            "ready",
            "oldest_ready_age",
            "per_minute",
            "dead_letters",
            "median_ms",
            "p95_ms",
        ]))
        .await?;
    let source_rows: Vec<SourceRow> = visit
        .rows(ViewQuery::of(&views::SOURCE_HEALTH).columns(&[
            "source",
            "kind",
            "state",
            "last_event_at",
            "last_hour",
            "duplicates_last_hour",
            "conflicts_last_hour",
            "rejected_last_hour",
            "quarantined",
        ]))
        .await?;
    let order_rows: Vec<OrderRow> = visit.rows(ViewQuery::of(&views::ORDER_HEALTH)).await?;
    let replays: Vec<ReplayRow> = visit
        .rows(
            ViewQuery::of(&views::REPLAYS)
                .columns(&["replay_id", "handler", "state", "matching", "replayed"])
                .one_of("state", Some(SqlArg::text("running,paused")))
                .limit(20),
        )
        .await?;
    let counts: Vec<CountRow> = visit
        .rows(
            ViewQuery::of(&views::COUNTS)
                .from("minute", Some(SqlArg::ago("61 minutes")))
                .one_of(
                    "counter",
                    Some(SqlArg::text(
                        [COUNTED.as_slice(), &REJECTIONS].concat().join(","),
                    )),
                ),
        )
        .await?;
    let open_alerts: Vec<AlertRow> = visit
        .rows(
            ViewQuery::of(&views::ALERTS)
                .columns(&["type", "subject", "muted_at"])
                .holds("is_open")
                // No index has this order, so the few open alerts are found first.
                .order("received_at DESC, event_id DESC")
                .limit(1_000),
        )
        .await?;
    let mut exceptions: Vec<_> = handler_rows.iter().filter_map(of_handler).collect();
    exceptions.extend(source_rows.iter().filter_map(of_source));
    exceptions.extend(replays.iter().map(|replay| Exception {
        kind: "",
        mark: "",
        brief: format!("replay {} {}", replay.replay_id, replay.state),
        text: format!(
            "replay {} to {} is {}: {} of {}",
            replay.replay_id,
            replay.handler,
            replay.state,
            number::grouped(replay.replayed),
            number::grouped(replay.matching)
        ),
        href: Address::handler(&replay.handler).href(),
        alert: String::new(),
    }));
    for exception in &mut exceptions {
        let is_its = |alert: &&AlertRow| alert.is_muted() && exception.alert == alert.name();
        if open_alerts.iter().any(|alert| is_its(&alert)) {
            exception.mute();
        }
    }
    exceptions.sort_by_key(|exception| match exception.mark {
        "critical" => 0,
        "warning" => 1,
        "paused" => 2,
        _ => 3,
    });
    Ok(Summary {
        as_of: Timestamp(visit.as_of),
        minutes: minutes(&counts, visit.as_of / 60_000_000),
        orders: order_rows
            .iter()
            .map(|row| row.overdue + row.unknown + row.possible_double_purchases)
            .sum(),
        handlers: count(&handler_rows, |row| {
            ["open", "unserved", "failing"].contains(&row.state.as_str())
        }),
        dead_letters: handler_rows.iter().map(|row| row.dead_letters).sum(),
        alerts: count(&open_alerts, |alert| !alert.is_muted()),
        sources: count(&source_rows, |row| {
            !["ok", "unconfigured"].contains(&row.state.as_str())
        }),
        exceptions,
        handler_rows,
        source_rows,
        ran: visit.ran().get(ran_before..).unwrap_or_default().to_vec(),
    })
}

fn count<T>(rows: &[T], holds: impl Fn(&T) -> bool) -> i64 {
    rows.iter().map(|row| i64::from(holds(row))).sum()
}

#[derive(Deserialize)]
struct OrderRow {
    overdue: i64,
    unknown: i64,
    possible_double_purchases: i64,
}

#[derive(Deserialize)]
struct AlertRow {
    r#type: String,
    subject: Option<String>,
    muted_at: Option<Timestamp>,
}

impl AlertRow {
    fn is_muted(&self) -> bool {
        self.muted_at.is_some()
    }

    fn name(&self) -> String {
        let subject = self.subject.as_deref().unwrap_or_default();
        format!("{} {subject}", self.r#type)
    }
}

impl Exception {
    /// It stays visible, and is no part of the verdict.
    fn mute(&mut self) {
        self.kind = "";
        self.mark = "";
        self.brief.push_str(" (muted)");
        self.text.push_str(" (muted)");
    }
}

#[derive(Deserialize)]
struct ReplayRow {
    replay_id: i64,
    handler: String,
    state: String,
    matching: i64,
    replayed: i64,
}

#[derive(Deserialize)]
struct CountRow {
    minute: Timestamp,
    kind: String,
    counter: String,
    value: i64,
}

fn of_handler(row: &HandlerRow) -> Option<Exception> {
    let mark = match row.state.as_str() {
        "ok" | "retired" => return None,
        "paused" => "paused",
        "slow" | "behind" => "warning",
        _ => "critical",
    };
    Some(Exception {
        kind: if mark == "paused" { "warning" } else { mark },
        mark,
        brief: format!("{} {}", row.handler, state::word(&row.state)),
        text: sentence(&row.handler, state::word(&row.state), row.why.as_deref()),
        href: Address::handler(&row.handler).href(),
        alert: match row.state.as_str() {
            "open" => format!("hookfast.handler.opened {}", row.handler),
            state => format!("hookfast.handler.{state} {}", row.handler),
        },
    })
}

/// `shop unserved: no live worker registered it`
fn sentence(subject: &str, state: &str, why: Option<&str>) -> String {
    match why.map(|why| event_row::plain(why, 160)) {
        Some(why) => format!("{subject} {state}: {why}"),
        None => format!("{subject} {state}"),
    }
}

fn of_source(row: &SourceRow) -> Option<Exception> {
    let (brief, text) = match row.state.as_str() {
        "silent" => ("silent", " is silent"),
        "rejecting" => ("rejecting", ": most requests are rejected"),
        "all_rejected" => ("all rejected", ": all recent requests were rejected"),
        _ => return None,
    };
    Some(Exception {
        brief: format!("{} {brief}", row.source),
        text: format!("{}{text}", row.source),
        kind: state::kind(&row.state),
        mark: state::kind(&row.state),
        href: Address::source(&row.source).href(),
        alert: format!("hookfast.source.{} {}", row.state, row.source),
    })
}

/// The last sixty minutes, the newest last, from the rollups.
fn minutes(counts: &[CountRow], now: i64) -> Vec<Minute> {
    let first = now - MINUTES + 1;
    let mut minutes: Vec<_> = (first..=now)
        .map(|minute| Minute {
            start: minute * 60,
            ..Minute::default()
        })
        .collect();
    for row in counts {
        let Some(minute) = usize::try_from(row.minute.0 / 60_000_000 - first)
            .ok()
            .and_then(|n| minutes.get_mut(n))
        else {
            continue;
        };
        let value = u64::try_from(row.value).unwrap_or_default();
        let counted = match (row.kind.as_str(), row.counter.as_str()) {
            ("source", "stored" | "conflict") => &mut minute.stored,
            ("source", "duplicate") => &mut minute.duplicate,
            ("source", counter) if REJECTIONS.contains(&counter) => &mut minute.rejected,
            ("handler", "delivered" | "filtered") => &mut minute.delivered,
            ("handler", "retry" | "lost") => &mut minute.retried,
            ("handler", "dead") => &mut minute.dead,
            _ => continue,
        };
        *counted += value;
    }
    minutes
}

/// The counters of requests that were rejected.
pub(super) const REJECTIONS: [&str; 14] = [
    "missing_signature",
    "malformed_signature",
    "unsupported_signature",
    "stale_signature",
    "wrong_signature",
    "too_large",
    "too_slow",
    "broken_body",
    "bad_topic",
    "malformed",
    "too_many_headers",
    "headers_too_large",
    "headers_too_slow",
    "address_too_long",
];

/// The other counters of the strip.
const COUNTED: [&str; 8] = [
    "stored",
    "conflict",
    "duplicate",
    "delivered",
    "filtered",
    "retry",
    "lost",
    "dead",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_sentences() {
        let why = Some("no live worker registered it");
        assert_eq!(
            sentence("shop", "unserved", why),
            "shop unserved: no live worker registered it"
        );
        assert_eq!(sentence("shop", "paused", None), "shop paused");
        assert_eq!(
            sentence("shop", "paused", Some("a\u{202e}b")),
            "shop paused: aU+202Eb"
        );
    }
}
