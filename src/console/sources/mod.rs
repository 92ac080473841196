//! Sources: what each sends, and the requests that were rejected.

mod advice;
mod hours;
mod quarantined;
mod source;

pub(super) use {
    quarantined::{download as quarantined_body, page as quarantined},
    source::page as source,
};

use super::{
    address::Address,
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::{Span, Timestamp},
    view::{number, state, time},
};
use crate::store::catalog::views;
use crate::store::{ViewQuery, Work};
use askama::Template;
use axum::response::Response;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The columns of `hookfast.source_health` that pages show.
const COLUMNS: &[&str] = &[
    "source",
    "kind",
    "state",
    "last_event_at",
    "silence",
    "last_hour",
    "usual_hour",
    "duplicates_last_hour",
    "conflicts_last_hour",
    "rejected_last_hour",
    "rejects_by_reason",
    "quarantined",
    "rejected_in_a_row",
    "rejected_since",
    "not_json_last_hour",
    "configured_at",
];

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    frame: Frame,
    sources: Vec<HealthRow>,
}

/// A row of `hookfast.source_health`.
#[derive(Deserialize)]
struct HealthRow {
    source: String,
    kind: String,
    state: String,
    last_event_at: Option<Timestamp>,
    silence: Option<Span>,
    last_hour: i64,
    usual_hour: Option<f64>,
    duplicates_last_hour: i64,
    conflicts_last_hour: i64,
    rejected_last_hour: i64,
    rejects_by_reason: BTreeMap<String, i64>,
    quarantined: i64,
    rejected_in_a_row: i64,
    rejected_since: Option<Timestamp>,
    not_json_last_hour: i64,
    configured_at: Timestamp,
}

/// The state of a source in a sentence, and what to do.
#[derive(Debug)]
struct Verdict {
    kind: &'static str,
    sentence: String,
    todo: String,
}

impl HealthRow {
    fn address(&self) -> String {
        Address::source(&self.source).href()
    }

    fn usual(&self) -> String {
        self.usual_hour
            .map(|usual| number::grouped(usual.round() as i64))
            .unwrap_or_default()
    }

    /// `12 wrong signature, 1 body too large`
    fn reasons(&self) -> String {
        let reasons = self.rejects_by_reason.iter().map(|(reason, count)| {
            format!(
                "{} {}",
                number::grouped(*count),
                advice::for_reason(reason).words
            )
        });
        reasons.collect::<Vec<_>>().join(", ")
    }

    fn verdict(&self, now: Timestamp) -> Verdict {
        let last = match self.last_event_at {
            Some(at) => format!("The last event arrived {}.", at.age_of_minute(now)),
            None => "No event has ever arrived.".to_owned(),
        };
        let worst = self
            .rejects_by_reason
            .iter()
            .max_by_key(|(_, count)| **count)
            .map(|(reason, _)| advice::for_reason(reason));
        let todo = |otherwise: &str| {
            worst.map_or_else(|| otherwise.to_owned(), |advice| advice.todo.to_owned())
        };
        let (sentence, todo) = match self.state.as_str() {
            "silent" => (
                format!(
                    "Nothing has arrived for {}, which is not usual at this time of the day.",
                    self.silence.map_or_else(|| "long".to_owned(), Span::text)
                ),
                format!(
                    "From outside, call https://YOUR_HOST/webhooks/{}: any response of Hookfast is good. Then look into the \
                     sender's dashboard: is the URL right, is the webhook switched on, is there an outage? If all sources are \
                     silent, the cause is your network, DNS or proxy.{}",
                    self.source,
                    if self.kind == "airalo" {
                        " `hookfast airalo doctor` checks Airalo's side."
                    } else {
                        ""
                    }
                ),
            ),
            "rejecting" => (
                format!(
                    "Most requests are rejected: {} in the last hour ({}). {last}",
                    number::grouped(self.rejected_last_hour),
                    self.reasons()
                ),
                todo("See the reasons below."),
            ),
            "all_rejected" => (
                format!(
                    "Every request is rejected: {} in a row{}. {last}",
                    number::grouped(self.rejected_in_a_row),
                    self.rejected_since
                        .map(|at| format!(" since {}", time::near(at.0, now.0)))
                        .unwrap_or_default()
                ),
                todo(
                    "Usually the configured secret is wrong, or the webhook was set up wrongly at the sender. Correct it, send \
                     the processes SIGHUP, and reverify. Do not discard the quarantine before that.",
                ),
            ),
            "unconfigured" => (
                format!(
                    "No running process has this source in its configuration, since {}. Its requests get 404.",
                    time::near(self.configured_at.0, now.0)
                ),
                "If it was removed on purpose, there is nothing to do: its events stay. If not, add it again and restart the \
                 processes."
                    .to_owned(),
            ),
            _ if self.last_event_at.is_none() => (
                "It waits for its first event.".to_owned(),
                "Give the sender the address below, and let it send a test.".to_owned(),
            ),
            _ => (
                format!(
                    "It works. {last} {} in the last hour{}.",
                    number::counted(self.last_hour, "event", "events"),
                    match self.usual_hour {
                        Some(usual) if usual >= 1.0 => format!(", {} are usual", self.usual()),
                        _ => String::new(),
                    }
                ),
                match (self.rejected_last_hour, self.quarantined) {
                    (0, _) => String::new(),
                    (some, 0) => format!(
                        "{} rejected in the last hour ({}), and none is in quarantine any more.",
                        number::counted(some, "request was", "requests were"),
                        self.reasons()
                    ),
                    (some, _) => format!(
                        "{} rejected in the last hour ({}). Compare one of them with an event: a stranger sent them, or they \
                         are genuine and signed with another secret.",
                        number::counted(some, "request was", "requests were"),
                        self.reasons()
                    ),
                },
            ),
        };
        Verdict {
            kind: if self.last_event_at.is_none() && self.state == "ok" {
                "waiting"
            } else {
                state::kind(&self.state)
            },
            sentence,
            todo,
        }
    }
}

pub(super) async fn page(request: PageRequest) -> Result<Response, PageError> {
    let mut visit = request.visit(Work::Page).await?;
    let sources: Vec<HealthRow> = visit
        .rows(ViewQuery::of(&views::SOURCE_HEALTH).columns(COLUMNS))
        .await?;
    let frame = Frame::of(&request, &mut visit, "/sources", "Sources")
        .await?
        .refreshed(10);
    visit.finish().await?;
    written(&SourcesPage {
        sources: sources
            .into_iter()
            .filter(|source| source.kind != "hookfast")
            .collect(),
        frame,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_869_420_000_000);

    fn source(state: &str) -> HealthRow {
        HealthRow {
            source: "airalo".to_owned(),
            kind: "airalo".to_owned(),
            state: state.to_owned(),
            last_event_at: Some(Timestamp(NOW.0 - 60_000_000)),
            silence: Some(Span(60_000_000)),
            last_hour: 12,
            usual_hour: Some(9.6),
            duplicates_last_hour: 0,
            conflicts_last_hour: 0,
            rejected_last_hour: 0,
            rejects_by_reason: BTreeMap::new(),
            quarantined: 0,
            rejected_in_a_row: 0,
            rejected_since: None,
            not_json_last_hour: 0,
            configured_at: NOW,
        }
    }

    #[test]
    fn a_healthy_source_is_quiet() {
        let verdict = source("ok").verdict(NOW);
        assert_eq!(verdict.kind, "ok");
        assert_eq!(
            verdict.sentence,
            "It works. The last event arrived less than 2 min ago. 12 events in the last hour, 10 are usual."
        );
        assert_eq!(verdict.todo, "");
    }

    #[test]
    fn the_commonest_reason_decides_what_to_do() {
        let mut source = source("rejecting");
        source.rejected_last_hour = 13;
        source.rejects_by_reason = BTreeMap::from([
            ("wrong_signature".to_owned(), 12),
            ("too_large".to_owned(), 1),
        ]);
        let verdict = source.verdict(NOW);
        assert_eq!(verdict.kind, "critical");
        assert!(
            verdict
                .sentence
                .contains("13 in the last hour (1 body too large, 12 wrong signature)"),
            "{}",
            verdict.sentence
        );
        assert_eq!(verdict.todo, advice::for_reason("wrong_signature").todo);
    }

    #[test]
    fn each_state_has_a_sentence() {
        for state in ["silent", "rejecting", "all_rejected", "unconfigured"] {
            let verdict = source(state).verdict(NOW);
            assert!(
                !verdict.sentence.is_empty() && !verdict.todo.is_empty(),
                "{verdict:?}"
            );
        }
        let mut new = source("ok");
        new.last_event_at = None;
        assert_eq!(new.verdict(NOW).kind, "waiting");
    }
}
