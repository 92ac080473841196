//! The verdict in one sentence: whether intake is safe, and the name of what is not as it should be.

use super::StatusRow;
use crate::console::summary::{HandlerRow, SourceRow};
use crate::console::view::number;

/// `before`, the subject in the colour of its state, and `after` are one sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Headline {
    pub(super) kind: &'static str,
    pub(super) before: String,
    pub(super) subject: String,
    pub(super) after: String,
}

/// Something that is not as it should be: "all recent requests from" "paywise" "were rejected".
struct Problem {
    kind: &'static str,
    before: &'static str,
    subject: String,
    after: String,
}

impl Problem {
    fn new(
        row: &StatusRow,
        before: &'static str,
        subject: impl Into<String>,
        after: impl Into<String>,
    ) -> Self {
        let kind = if row.state == "critical" {
            "critical"
        } else {
            "warning"
        };
        Self {
            kind,
            before,
            subject: subject.into(),
            after: after.into(),
        }
    }
}

pub(super) fn headline(
    status: &[StatusRow],
    handlers: &[HandlerRow],
    sources: &[SourceRow],
) -> Headline {
    if let Some(row) = status
        .iter()
        .find(|row| row.area == "intake" && row.state == "critical")
    {
        return Headline {
            kind: "critical",
            before: String::new(),
            subject: "Webhooks are not received".to_owned(),
            after: format!(": {}.", row.message),
        };
    }
    let mut odd: Vec<_> = status.iter().filter(|row| row.state != "ok").collect();
    odd.sort_by_key(|row| (row.state != "critical", rank(&row.area)));
    let Some(first) = odd.first() else {
        return Headline {
            kind: "ok",
            before: "Intake is safe. Work is moving.".to_owned(),
            subject: String::new(),
            after: String::new(),
        };
    };
    let problem = problem(first, handlers, sources);
    let intake = match first.area.as_str() {
        "intake" | "source" => "Intake is up",
        _ => "Intake is safe",
    };
    Headline {
        kind: problem.kind,
        before: format!("{intake}, but {}", problem.before),
        subject: problem.subject,
        after: match odd.len() - 1 {
            0 => format!("{}.", problem.after),
            1 => format!("{}. One more thing needs attention.", problem.after),
            more => format!("{}. {more} more things need attention.", problem.after),
        },
    }
}

/// Areas whose problems affect the most come first.
fn rank(area: &str) -> usize {
    let order = [
        "intake", "source", "handler", "order", "conflict", "routing",
    ];
    order
        .iter()
        .position(|other| *other == area)
        .unwrap_or(order.len())
}

fn problem(row: &StatusRow, handlers: &[HandlerRow], sources: &[SourceRow]) -> Problem {
    match row.area.as_str() {
        "handler" => of_handler(row, handlers),
        "source" => of_source(row, sources),
        "order" => Problem::new(
            row,
            "orders of ",
            &row.subject,
            format!(" need attention: {}", row.brief()),
        ),
        "conflict" => Problem::new(row, "", &row.subject, format!(" sent {}", row.brief())),
        "routing" => Problem::new(row, "no handler subscribes to events of ", &row.subject, ""),
        _ => Problem::new(
            row,
            "",
            format!("{} {}", row.area, row.subject),
            format!(": {}", row.brief()),
        ),
    }
}

fn of_handler(row: &StatusRow, handlers: &[HandlerRow]) -> Problem {
    let handler = handlers
        .iter()
        .find(|handler| handler.handler == row.subject);
    let (before, after) = match handler.map(|handler| handler.state.as_str()) {
        Some("unserved") => ("no worker serves ", String::new()),
        Some("open") => ("", " is unavailable".to_owned()),
        Some(state @ ("paused" | "failing" | "behind" | "slow" | "retired")) => {
            ("", format!(" is {state}"))
        }
        _ => {
            let dead = handler.map_or(0, |handler| handler.dead_letters);
            let dead = number::counted(dead, "dead letter", "dead letters");
            ("", format!(" has {dead}"))
        }
    };
    Problem::new(row, before, &row.subject, after)
}

fn of_source(row: &StatusRow, sources: &[SourceRow]) -> Problem {
    let source = sources.iter().find(|source| source.source == row.subject);
    let (before, after) = match source.map(|source| source.state.as_str()) {
        Some("silent") => ("", " is silent"),
        Some("rejecting") => ("most requests from ", " are rejected"),
        Some("all_rejected") => ("all recent requests from ", " were rejected"),
        _ => ("most bodies of ", " are not JSON"),
    };
    Problem::new(row, before, &row.subject, after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn status(area: &str, subject: &str, state: &str, message: &str) -> StatusRow {
        StatusRow {
            area: area.to_owned(),
            subject: subject.to_owned(),
            state: state.to_owned(),
            message: message.to_owned(),
        }
    }

    fn row<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).expect("a row")
    }

    fn handler(state: &str) -> HandlerRow {
        row(json!({
            "handler": "shop", "kind": "http", "state": state, "why": null, "ready": 0, "oldest_ready_age": null,
            "per_minute": 0.0, "dead_letters": 14, "median_ms": null, "p95_ms": null,
        }))
    }

    fn source(state: &str) -> SourceRow {
        row(json!({
            "source": "paywise", "kind": "hmac", "state": state, "last_event_at": null, "last_hour": 0,
            "duplicates_last_hour": 0, "conflicts_last_hour": 0, "rejected_last_hour": 0, "quarantined": 0,
        }))
    }

    fn sentence(status: &[StatusRow], handler_state: &str, source_state: &str) -> String {
        let line = headline(status, &[handler(handler_state)], &[source(source_state)]);
        format!("{}{}{}", line.before, line.subject, line.after)
    }

    #[test]
    fn each_state_of_a_handler_has_a_sentence() {
        for (state, expected) in [
            ("failing", "Intake is safe, but shop is failing."),
            ("behind", "Intake is safe, but shop is behind."),
            ("paused", "Intake is safe, but shop is paused."),
            ("open", "Intake is safe, but shop is unavailable."),
            ("unserved", "Intake is safe, but no worker serves shop."),
            ("ok", "Intake is safe, but shop has 14 dead letters."),
        ] {
            let rows = [status("handler", "shop", "warning", "")];
            assert_eq!(sentence(&rows, state, "ok"), expected);
        }
    }

    #[test]
    fn a_source_that_is_rejected_comes_before_a_handler() {
        let rows = [
            status("handler", "shop", "warning", ""),
            status(
                "conflict",
                "paywise",
                "warning",
                "3 conflicts: see hookfast.conflicts",
            ),
            status("source", "paywise", "warning", "all_rejected: the last 25"),
        ];
        assert_eq!(
            sentence(&rows, "failing", "all_rejected"),
            "Intake is up, but all recent requests from paywise were rejected. 2 more things need attention."
        );
        assert_eq!(
            sentence(&rows[1..2], "ok", "ok"),
            "Intake is safe, but paywise sent 3 conflicts."
        );
    }

    #[test]
    fn a_critical_row_comes_first_and_intake_before_all() {
        let mut rows = vec![
            status("source", "paywise", "warning", ""),
            status("handler", "shop", "critical", ""),
        ];
        assert!(sentence(&rows, "unserved", "silent").contains("no worker serves shop"));
        rows.push(status(
            "intake",
            "ingress",
            "critical",
            "no live process receives webhooks",
        ));
        assert_eq!(
            sentence(&rows, "unserved", "silent"),
            "Webhooks are not received: no live process receives webhooks."
        );
        assert_eq!(sentence(&[], "ok", "ok"), "Intake is safe. Work is moving.");
    }
}
