//! Everything that happened to the event, in order.

use super::rows::Entry;
use crate::console::{
    address::Address,
    event_row,
    row::Timestamp,
    view::{marks::Run, short, time},
};

/// Lines of a page.
const MOST: usize = 200;

pub(super) struct Line {
    pub(super) iso: String,
    pub(super) time: String,
    pub(super) subject: String,
    pub(super) kind: &'static str,
    pub(super) word: String,
    pub(super) message: Vec<Run<'static>>,
    /// It has not happened yet.
    pub(super) later: bool,
    /// Another event that the line is about: its id, short, and its address.
    pub(super) other: Option<(String, String)>,
}

/// The newest lines, and how many older ones were left out.
pub(super) fn story(entries: &[Entry], event_id: &str, now: Timestamp) -> (Vec<Line>, usize) {
    let omitted = entries.len().saturating_sub(MOST);
    let line = |entry: &Entry| {
        let later = entry.kind == "pending";
        let other = entry.event_id.as_ref().filter(|id| *id != event_id);
        Line {
            iso: entry.at.iso(),
            time: match (later, is_same_day(entry.at, now)) {
                (true, _) => "now".to_owned(),
                (false, true) => time::clock_millis(entry.at.0),
                (false, false) => time::full(entry.at.0),
            },
            subject: entry
                .handler
                .clone()
                .or(entry.source.clone())
                .unwrap_or_else(|| "operator".to_owned()),
            kind: kind(&entry.kind),
            word: word(&entry.kind).to_owned(),
            message: event_row::shown(entry.message.as_deref().unwrap_or_default(), 400),
            later,
            other: other.map(|id| (short::id(id), Address::event(id).href())),
        }
    };
    (entries.iter().skip(omitted).map(line).collect(), omitted)
}

fn is_same_day(at: Timestamp, now: Timestamp) -> bool {
    const DAY: i64 = 86_400_000_000;
    at.0.div_euclid(DAY) == now.0.div_euclid(DAY)
}

/// What is as it should be has no mark.
fn kind(kind: &str) -> &'static str {
    match kind {
        "delivered" => "ok",
        "retry" | "lost" => "warning",
        "dead" | "dead letter" | "conflict" => "critical",
        "pending" => "waiting",
        _ => "",
    }
}

fn word(kind: &str) -> &str {
    match kind {
        "retry" => "failed",
        "dead" => "failed for good",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, event_id: &str) -> Entry {
        Entry {
            at: Timestamp(1_000_000),
            kind: kind.to_owned(),
            event_id: Some(event_id.to_owned()),
            source: Some("airalo".to_owned()),
            handler: None,
            message: Some("attempt 1: \u{202e}".to_owned()),
        }
    }

    #[test]
    fn other_events_are_linked_and_what_is_pending_is_later() {
        let (lines, omitted) = story(
            &[entry("pending", "a"), entry("retry", "b")],
            "a",
            Timestamp(0),
        );
        assert_eq!(omitted, 0);
        assert!(lines[0].later && lines[0].other.is_none());
        assert_eq!(
            (lines[1].word.as_str(), lines[1].kind),
            ("failed", "warning")
        );
        assert_eq!(
            lines[1].other.as_ref().map(|other| other.1.as_str()),
            Some("/events/b")
        );
        assert!(lines[1].message.iter().any(Run::is_mark));
    }

    #[test]
    fn a_long_story_has_its_end() {
        let entries: Vec<_> = (0..MOST + 3).map(|_| entry("retry", "a")).collect();
        let (lines, omitted) = story(&entries, "a", Timestamp(0));
        assert_eq!((lines.len(), omitted), (MOST, 3));
    }
}
