//! One source: its health and what to do, its last 24 hours, its secrets, and its quarantine.

use super::super::{
    address::Address,
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::{
        marks::{self, Breaks, Run},
        number, short, state, time,
    },
};
use super::{
    COLUMNS, HealthRow, Verdict, advice,
    hours::{CountRow, Hours},
};
use crate::store::catalog::{functions, views};
use crate::store::{AsVisitor, SqlArg, ViewQuery, Work};
use askama::Template;
use axum::{
    extract::{Path, rejection::PathRejection},
    response::Response,
};
use serde::{Deserialize, de::IgnoredAny};

const ROWS: usize = 50;
const READ: u32 = 51;
/// Newer requests are counted up to this number.
const NEWER: u32 = 100;

#[derive(Template)]
#[template(path = "source.html")]
struct SourcePage {
    frame: Frame,
    health: HealthRow,
    verdict: Verdict,
    hours: Hours,
    topics: Vec<String>,
    events: i64,
    secrets: Vec<Secret>,
    groups: Vec<Group>,
    /// How the quarantined requests were answered.
    answered: String,
    /// The reason that the rows are filtered by.
    reason: String,
    rows: Vec<Quarantined>,
    /// `12 newer`, on a page behind a cursor.
    newer: String,
    older: String,
    reverify: String,
    discard: String,
}

/// An event, without its contents.
#[derive(Deserialize)]
struct Event {
    topic: Option<String>,
    verified_by: Option<String>,
    received_at: Timestamp,
}

/// Which secret verified how many of the last events.
struct Secret {
    label: String,
    events: i64,
    last_at: Timestamp,
}

/// The quarantined requests of one reason.
#[derive(Deserialize)]
struct Group {
    reason: String,
    requests: i64,
    times: i64,
    first_at: Timestamp,
    last_at: Timestamp,
    /// How many were answered 200.
    responded_ok: i64,
}

/// A row of `hookfast.quarantine`, without its contents.
#[derive(Deserialize)]
struct Quarantined {
    quarantine_id: i64,
    reason: String,
    count: i64,
    last_at: Timestamp,
    topic: Option<String>,
    bytes: i64,
    requested_action: Option<String>,
    last_result: Option<String>,
    responded_ok: bool,
    is_excerpt: bool,
}

impl Group {
    fn words(&self) -> &'static str {
        advice::for_reason(&self.reason).words
    }

    fn meaning(&self) -> &'static str {
        advice::for_reason(&self.reason).meaning
    }
}

impl Quarantined {
    fn words(&self) -> &'static str {
        advice::for_reason(&self.reason).words
    }

    fn size(&self) -> String {
        number::bytes(u64::try_from(self.bytes).unwrap_or_default())
    }

    /// What is done about it.
    fn status(&self) -> String {
        if let Some(action) = &self.requested_action {
            return format!("{action} requested");
        }
        let mut notes = Vec::new();
        notes.extend(self.last_result.as_deref().map(advice::last_result));
        if self.responded_ok {
            notes.push("answered 200, so not repeated".to_owned());
        }
        if self.is_excerpt && notes.is_empty() {
            notes.push("beginning only".to_owned());
        }
        notes.join("; ")
    }
}

impl SourcePage {
    fn runs<'a>(&self, text: &'a str) -> Vec<Run<'a>> {
        marks::runs(text, Breaks::Mark)
    }

    fn here(&self) -> Address {
        Address::source(&self.health.source).at("quarantine")
    }

    /// The rows of one reason, or of all.
    fn of_reason(&self, reason: &str) -> String {
        self.here().with("reason", reason).href()
    }

    fn discard_of(&self, reason: &str) -> String {
        Address::act("discard_quarantined")
            .with("source", &self.health.source)
            .with("reason", reason)
            .href()
    }

    /// The address for the sender, without the host, which only the proxy knows.
    fn webhook_path(&self) -> String {
        format!("/webhooks/{}", self.health.source)
    }
}

pub(in super::super) async fn page(
    path: Result<Path<String>, PathRejection>,
    request: PageRequest,
) -> Result<Response, PageError> {
    let Ok(Path(name)) = path else {
        return Err(PageError::Missing(
            "The address of the source is not text.".to_owned(),
        ));
    };
    let reason = request.parameter("reason").unwrap_or_default();
    let cursor = match request.parameter("cursor").map(|text| text.parse::<i64>()) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => {
            return Err(PageError::Missing(
                "The address has an invalid cursor. The link “Older” makes it. Nothing was changed.".to_owned(),
            ));
        }
    };
    let mut visit = request.visit(Work::Page).await?;
    let source = || Some(SqlArg::text(&name));
    let health: Option<HealthRow> = visit
        .rows(
            ViewQuery::of(&views::SOURCE_HEALTH)
                .columns(COLUMNS)
                .is("source", source()),
        )
        .await?
        .pop();
    let Some(health) = health else {
        return Err(PageError::Missing(format!(
            "No source is named {}. The page Sources has those that were ever configured.",
            marks::plain(&short::middle(&name, 80))
        )));
    };
    let counts: Vec<CountRow> = visit.rows(counts(&name)).await?;
    let events = last_events(&mut visit, &health).await?;
    let groups: Vec<Group> = visit.rows(groups(&name)).await?;
    let newer: Vec<IgnoredAny> = match cursor {
        Some(last) => visit.rows(newer(&name, &reason, last)).await?,
        None => Vec::new(),
    };
    let mut rows: Vec<Quarantined> = visit.rows(rows(&name, &reason, cursor)).await?;
    let frame = Frame::of(&request, &mut visit, "/sources", &name)
        .await?
        .refreshed(30);
    let may = |function| visit.visitor.may(function);
    let link = |allowed: bool, function: &str| match allowed {
        true => Address::act(function).with("source", &name).href(),
        false => String::new(),
    };
    let reverify = link(
        may(&functions::REVERIFY_QUARANTINED),
        "reverify_quarantined",
    );
    let discard = link(may(&functions::DISCARD_QUARANTINED), "discard_quarantined");
    visit.finish().await?;

    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let older = match rows.last() {
        Some(last) if more => Address::source(&name)
            .with("reason", &reason)
            .with("cursor", last.quarantine_id)
            .at("quarantine")
            .href(),
        _ => String::new(),
    };
    let mut verdict = health.verdict(frame.as_of);
    if let Some(sentence) = since_the_last_event(&groups, &events) {
        verdict.kind = "warning";
        verdict.sentence = sentence;
        verdict.todo = advice::for_reason(&groups[0].reason).todo.to_owned();
    }
    written(&SourcePage {
        verdict,
        answered: answered(&groups),
        hours: Hours::new(&counts, frame.as_of),
        topics: topics(&events),
        secrets: secrets(&events),
        events: events.len() as i64,
        health,
        groups,
        reason,
        rows,
        newer: number::newer(newer.len(), NEWER),
        older,
        reverify,
        discard,
        frame,
    })
}

fn counts(source: &str) -> ViewQuery {
    ViewQuery::of(&views::COUNTS)
        .grouped(
            &[
                "date_trunc('hour', v.minute, 'UTC') AS hour",
                "v.counter",
                "sum(v.value)::bigint AS value",
            ],
            "1, 2",
        )
        .from("minute", Some(SqlArg::ago("24 hours")))
        .is("kind", Some(SqlArg::text("source")))
        .is("name", Some(SqlArg::text(source)))
        .order("1, 2")
}

/// The last 200 events, of the day before the last one: so many events of other sources are not
/// read for a source that has been silent for long.
async fn last_events(visit: &mut AsVisitor, health: &HealthRow) -> Result<Vec<Event>, PageError> {
    const DAY: i64 = 86_400_000_000;
    // Rollups have it to the minute, and are added some seconds later.
    const MARGIN: i64 = 120_000_000;
    let Some(last) = health.last_event_at else {
        return Ok(Vec::new());
    };
    let at = |micros: i64| Some(SqlArg::time(Timestamp(micros).iso()));
    let query = ViewQuery::of(&views::EVENTS)
        .columns(&["topic", "verified_by", "received_at"])
        .is("source", Some(SqlArg::text(&health.source)))
        .ids_from("event_id", at(last.0 - DAY))
        .ids_below("event_id", at(last.0 + MARGIN))
        .limit(200);
    Ok(visit.rows(query).await?)
}

fn groups(source: &str) -> ViewQuery {
    ViewQuery::of(&views::QUARANTINE)
        .grouped(
            &[
                "v.reason",
                "count(*) AS requests",
                "sum(v.count)::bigint AS times",
                "min(v.first_at) AS first_at",
                "max(v.last_at) AS last_at",
                "count(*) FILTER (WHERE v.responded_ok) AS responded_ok",
            ],
            "1",
        )
        .is("source", Some(SqlArg::text(source)))
        .order("2 DESC, 1")
}

fn rows(source: &str, reason: &str, cursor: Option<i64>) -> ViewQuery {
    ViewQuery::of(&views::QUARANTINE)
        .columns(&[
            "quarantine_id",
            "reason",
            "count",
            "last_at",
            "topic",
            "bytes",
            "requested_action",
            "last_result",
            "responded_ok",
            "is_excerpt",
        ])
        .is("source", Some(SqlArg::text(source)))
        .is("reason", (!reason.is_empty()).then(|| SqlArg::text(reason)))
        .below("quarantine_id", cursor.map(SqlArg::number))
        .limit(READ)
}

/// Those before a page, the last of which is this one.
fn newer(source: &str, reason: &str, last: i64) -> ViewQuery {
    rows(source, reason, None)
        .columns(&["quarantine_id"])
        .from("quarantine_id", Some(SqlArg::number(last)))
        .limit(NEWER + 1)
}

/// Rejections after the last event of a source that is `ok` by its counts: those are by the minute, and
/// do not show the order within it.
fn since_the_last_event(groups: &[Group], events: &[Event]) -> Option<String> {
    let last = events.first()?;
    let rejected = groups
        .first()
        .filter(|group| group.last_at > last.received_at)?;
    Some(format!(
        "Since the last event, of {}, requests were rejected and none could be verified: {}, the last at {}.",
        time::near(last.received_at.0, rejected.last_at.0),
        rejected.words(),
        time::near(rejected.last_at.0, last.received_at.0),
    ))
}

fn answered(groups: &[Group]) -> String {
    let all: i64 = groups.iter().map(|group| group.requests).sum();
    let ok: i64 = groups.iter().map(|group| group.responded_ok).sum();
    let told = match (ok, all - ok) {
        (_, 0) => "They were answered 200, so the sender does not repeat them.".to_owned(),
        (0, _) => {
            "They were answered 401. Many senders repeat them; some, such as GitHub, never do."
                .to_owned()
        }
        (some, rest) => format!(
            "{} answered 200, and the sender does not repeat them; {} 401.",
            number::counted(some, "was", "were"),
            number::counted(rest, "was answered", "were answered"),
        ),
    };
    format!("{told} They are no events.")
}

/// The topics, each once.
fn topics(events: &[Event]) -> Vec<String> {
    let mut topics: Vec<_> = events
        .iter()
        .filter_map(|event| event.topic.clone())
        .collect();
    topics.sort();
    topics.dedup();
    topics.truncate(20);
    topics
}

/// Events are newest first, so the first of a secret is its last.
fn secrets(events: &[Event]) -> Vec<Secret> {
    let mut secrets: Vec<Secret> = Vec::new();
    for event in events {
        let label = event.verified_by.as_deref().unwrap_or("no secret");
        match secrets.iter_mut().find(|secret| secret.label == label) {
            Some(secret) => secret.events += 1,
            None => secrets.push(Secret {
                label: label.to_owned(),
                events: 1,
                last_at: event.received_at,
            }),
        }
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(topic: Option<&str>, verified_by: Option<&str>, at: i64) -> Event {
        Event {
            topic: topic.map(str::to_owned),
            verified_by: verified_by.map(str::to_owned),
            received_at: Timestamp(at),
        }
    }

    fn group(last_at: i64, requests: i64, responded_ok: i64) -> Group {
        Group {
            reason: "wrong_signature".to_owned(),
            requests,
            times: requests,
            first_at: Timestamp(last_at),
            last_at: Timestamp(last_at),
            responded_ok,
        }
    }

    #[test]
    fn rejections_after_the_last_event_are_reported() {
        const MINUTE: i64 = 60_000_000;
        let events = [event(None, None, 20_000 * MINUTE)];
        let later = since_the_last_event(&[group(20_000 * MINUTE + 1, 25, 25)], &events);
        assert!(later.is_some_and(|text| text.contains("none could be verified: wrong signature")));
        let earlier = [group(20_000 * MINUTE - 1, 25, 25)];
        assert_eq!(since_the_last_event(&earlier, &events), None);
    }

    #[test]
    fn the_response_to_the_sender_is_reported() {
        assert!(answered(&[group(1, 25, 25)]).starts_with("They were answered 200"));
        assert!(answered(&[group(1, 25, 0)]).starts_with("They were answered 401"));
        assert_eq!(
            answered(&[group(1, 2, 2), group(1, 1, 0)]),
            "2 were answered 200, and the sender does not repeat them; 1 was answered 401. They are no events."
        );
    }

    #[test]
    fn secrets_are_counted_with_their_last_use() {
        let events = [
            event(Some("b"), Some("new"), 9),
            event(Some("a"), Some("old"), 8),
            event(Some("b"), Some("new"), 7),
            event(None, None, 6),
        ];
        let secrets = secrets(&events);
        let counted: Vec<_> = secrets
            .iter()
            .map(|secret| (secret.label.as_str(), secret.events, secret.last_at.0))
            .collect();
        assert_eq!(counted, [("new", 2, 9), ("old", 1, 8), ("no secret", 1, 6)]);
        assert_eq!(topics(&events), ["a", "b"]);
    }
}
