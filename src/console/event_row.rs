//! A row of a list of events, on the pages Events and Find.

use super::{
    address::Address,
    conflicts,
    row::Timestamp,
    view::{
        marks::{self, Breaks, Run},
        short,
    },
};
use crate::store::catalog::views;
use crate::store::{AsVisitor, SqlArg, ViewQuery, VisitError};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

/// The columns of a list. The payload is not among them: a list has to be cheap.
pub(super) const COLUMNS: [&str; 7] = [
    "event_id",
    "received_at",
    "source",
    "type",
    "idempotency_key",
    "origin",
    "conflicts_with",
];

/// Ended attempts that a list reads.
const ENDED: u32 = 1_000;

/// A row of `hookfast.events`.
#[derive(Debug, Deserialize)]
pub(super) struct EventRow {
    pub(super) event_id: String,
    pub(super) received_at: Timestamp,
    pub(super) source: String,
    pub(super) r#type: String,
    idempotency_key: Option<String>,
    pub(super) origin: String,
    conflicts_with: Option<String>,
    /// Whether it is a conflict that somebody has acknowledged, which is read apart.
    #[serde(skip)]
    is_acknowledged: bool,
    /// What became of its deliveries, which is read apart.
    #[serde(skip)]
    settled: Settled,
}

/// How many deliveries of an event have ended, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Settled {
    delivered: HashSet<i64>,
    dead: HashSet<i64>,
}

impl Settled {
    /// `1 dead, 2 delivered`
    fn text(&self) -> String {
        let part = |count: usize, word: &str| (count > 0).then(|| format!("{count} {word}"));
        let parts = [
            part(self.dead.len(), "dead"),
            part(self.delivered.len(), "delivered"),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl EventRow {
    pub(super) fn address(&self) -> String {
        Address::event(&self.event_id).href()
    }

    pub(super) fn short_id(&self) -> String {
        short::id(&self.event_id)
    }

    /// A stranger chose it. Its middle is left out before it is split, so that no mark is cut.
    pub(super) fn key(&self) -> Vec<Run<'static>> {
        let key = self.idempotency_key.as_deref().unwrap_or_default();
        shown(key, 48)
    }

    pub(super) fn is_conflict(&self) -> bool {
        self.conflicts_with.is_some()
    }

    /// The mark of a conflict, with its kind.
    fn conflict(&self) -> (&'static str, &'static str) {
        match self.is_acknowledged {
            true => ("none", "acknowledged"),
            false => ("critical", "conflict"),
        }
    }

    pub(super) fn settled(&self) -> String {
        self.settled.text()
    }

    pub(super) fn settled_kind(&self) -> &'static str {
        match self.settled.dead.is_empty() {
            true => "ok",
            false => "critical",
        }
    }

    pub(super) fn conflict_kind(&self) -> &'static str {
        self.conflict().0
    }

    pub(super) fn conflict_word(&self) -> &'static str {
        self.conflict().1
    }
}

/// Reads what a list shows besides the rows of the view, with at most three statements: which
/// conflicts are acknowledged, and how deliveries have ended.
pub(super) async fn complete(
    visit: &mut AsVisitor,
    events: &mut [EventRow],
) -> Result<(), VisitError> {
    let conflicts = events.iter().filter(|event| event.is_conflict());
    let ids: Vec<_> = conflicts.map(|event| event.event_id.clone()).collect();
    let acknowledged = conflicts::acknowledged(visit, &ids).await?;
    let mut settled = settled(visit, events).await?;
    for event in events {
        event.is_acknowledged = acknowledged.contains(&event.event_id);
        event.settled = settled.remove(&event.event_id).unwrap_or_default();
    }
    Ok(())
}

#[derive(Deserialize)]
struct AttemptRow {
    event_id: String,
    delivery_id: i64,
    outcome: String,
}

#[derive(Deserialize)]
struct DeadRow {
    delivery_id: i64,
}

/// The deliveries of these events that have ended. One that died and was retried is pending again,
/// so that it counts as dead only while it is a dead letter.
async fn settled(
    visit: &mut AsVisitor,
    events: &[EventRow],
) -> Result<HashMap<String, Settled>, VisitError> {
    if events.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<_> = events.iter().map(|event| event.event_id.clone()).collect();
    let ended = ViewQuery::of(&views::ATTEMPTS)
        .columns(&["event_id", "delivery_id", "outcome"])
        .ids("event_id", &ids)
        .one_of("outcome", Some(SqlArg::text("delivered,dead")))
        .order("event_id DESC, delivery_id")
        .limit(ENDED);
    let ended: Vec<AttemptRow> = visit.rows(ended).await?;
    let died = || ended.iter().filter(|row| row.outcome == "dead");
    let mut dead: HashSet<i64> = HashSet::new();
    if died().next().is_some() {
        let letters = ViewQuery::of(&views::DEAD_LETTERS)
            .columns(&["delivery_id"])
            .numbers("delivery_id", died().map(|row| row.delivery_id));
        let letters: Vec<DeadRow> = visit.rows(letters).await?;
        dead.extend(letters.into_iter().map(|row| row.delivery_id));
    }
    let mut settled: HashMap<String, Settled> = HashMap::new();
    for row in &ended {
        let of = settled.entry(row.event_id.clone()).or_default();
        if dead.contains(&row.delivery_id) {
            of.dead.insert(row.delivery_id);
        } else if row.outcome == "delivered" {
            of.delivered.insert(row.delivery_id);
        }
    }
    Ok(settled)
}

/// At most so many characters of a stranger's text in one line, with marks.
pub(super) fn shown(text: &str, most: usize) -> Vec<Run<'static>> {
    marks::owned(&short::middle(text, most), Breaks::Mark)
}

/// The same as one text, for sentences: a deceptive character is its number.
pub(super) fn plain(text: &str, most: usize) -> String {
    let text = short::middle(text, most);
    let runs = marks::runs(&text, Breaks::Mark);
    runs.iter().map(Run::text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_deliveries_come_first() {
        let mut settled = Settled::default();
        assert_eq!(settled.text(), "");
        settled.delivered.extend([1, 2]);
        assert_eq!(settled.text(), "2 delivered");
        settled.dead.insert(3);
        assert_eq!(settled.text(), "1 dead, 2 delivered");
    }

    #[test]
    fn a_sentence_has_the_numbers_of_deceptive_characters() {
        assert_eq!(plain("a\u{202e}b\nc", 20), "aU+202EbU+000Ac");
        assert_eq!(plain("abcdefgh", 5), "ab…gh");
        assert_eq!(shown("a\u{200b}", 9).len(), 2);
    }
}
