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
use crate::store::{AsVisitor, VisitError};
use serde::Deserialize;

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

    pub(super) fn conflict_kind(&self) -> &'static str {
        self.conflict().0
    }

    pub(super) fn conflict_word(&self) -> &'static str {
        self.conflict().1
    }
}

/// Reads which conflicts of a page are acknowledged, with one statement.
pub(super) async fn mark_acknowledged(
    visit: &mut AsVisitor,
    events: &mut [EventRow],
) -> Result<(), VisitError> {
    let conflicts = events.iter().filter(|event| event.is_conflict());
    let ids: Vec<_> = conflicts.map(|event| event.event_id.clone()).collect();
    let acknowledged = conflicts::acknowledged(visit, &ids).await?;
    for event in events {
        event.is_acknowledged = acknowledged.contains(&event.event_id);
    }
    Ok(())
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
    fn a_sentence_has_the_numbers_of_deceptive_characters() {
        assert_eq!(plain("a\u{202e}b\nc", 20), "aU+202EbU+000Ac");
        assert_eq!(plain("abcdefgh", 5), "ab…gh");
        assert_eq!(shown("a\u{200b}", 9).len(), 2);
    }
}
