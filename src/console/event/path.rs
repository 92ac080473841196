//! The path of the event: the steps that it took, and a branch for each handler.

use super::{
    body::Visible,
    branches::{Outcome, Rights},
    rows::{EventDetails, Rows},
};
use crate::console::{
    event_row,
    frame::Frame,
    view::{
        number,
        path::{EventPath, Reached, Step},
        time,
    },
};

/// Handlers that do not subscribe are branches up to this number, else one sentence.
const UNSUBSCRIBED: usize = 3;

/// The path of the event, and a sentence about handlers that do not subscribe, if there are many.
pub(super) fn path(
    rows: &Rows,
    outcomes: &[Outcome<'_>],
    visible: &Visible,
    rights: &Rights,
    frame: &Frame,
) -> (EventPath, String) {
    let event = &rows.event;
    let (unsubscribed, mut shown): (Vec<_>, Vec<_>) = outcomes
        .iter()
        .partition(|outcome| outcome.word() == "not subscribed");
    let mut sentence = String::new();
    if unsubscribed.len() > UNSUBSCRIBED {
        let names: Vec<_> = unsubscribed
            .iter()
            .map(|outcome| outcome.explained.handler.as_str())
            .collect();
        sentence = format!("Not subscribed: {}.", names.join(", "));
    } else {
        shown.extend(unsubscribed);
    }
    let is_undecided = rows.is_undecided();
    let rights = Rights {
        // Whether its content is right is decided first.
        replay: rights.replay && !is_undecided,
        ..*rights
    };
    let branch = |outcome: &&Outcome<'_>| {
        let is_erased = event.erased_at.is_some();
        outcome.branch(&event.event_id, is_erased, &rights, frame.as_of)
    };
    let branches = shown.iter().map(branch).collect();
    let path = EventPath::new(steps(event, visible, frame), branches, is_undecided);
    (path, sentence)
}

fn steps(event: &EventDetails, visible: &Visible, frame: &Frame) -> Vec<Step> {
    let step = |label: String, value: String, note: String| Step {
        label,
        value,
        note,
        reached: Reached::Yes,
    };
    let topic = event.topic.as_deref().unwrap_or_default();
    let sent = match event.origin.as_str() {
        "enqueue" => format!("{} enqueued", event.source),
        "api" => format!("found at {}", event.source),
        "hookfast" => "Hookfast raised".to_owned(),
        _ => format!("{} sent", event.source),
    };
    let size = visible
        .exact()
        .map_or_else(String::new, |bytes| number::bytes(bytes.len() as u64));
    let (label, value) = match (&event.verified_by, event.origin.as_str()) {
        (Some(secret), _) => match secret.strip_prefix("operator:") {
            Some(name) => ("approved", name.to_owned()),
            None => ("verified", secret.clone()),
        },
        (None, "enqueue") => ("not signed", "called in SQL".to_owned()),
        (None, _) => ("not signed", "nobody sent it".to_owned()),
    };
    let conflict = match event.conflicts_with {
        Some(_) => "conflict",
        None => "no conflict",
    };
    let at = time::clock_millis(event.received_at.0);
    vec![
        step(sent, event.origin.clone(), event_row::plain(topic, 40)),
        step(label.to_owned(), event_row::plain(&value, 24), size),
        step(
            "stored".to_owned(),
            at,
            format!("{}, {conflict}", event.received_at.age(frame.as_of)),
        ),
    ]
}
