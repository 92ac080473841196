//! What is above the list: windows of time, active filters, and filters to add.

use super::filter::{Filter, TIMES, Times, WINDOWS, Window, minute_text};
use crate::console::{address::Parameter, event_row, frame::Frame};

/// One window of time.
pub(super) struct Choice {
    pub(super) href: String,
    pub(super) label: &'static str,
    pub(super) current: bool,
}

/// An active filter.
pub(super) struct Chip {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) without: String,
}

/// A filter with a fixed choice: addresses and values.
pub(super) struct Menu {
    pub(super) label: &'static str,
    pub(super) items: Vec<(String, String)>,
}

/// A filter that is typed, with the parameters that stay.
pub(super) struct Form {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) kept: Vec<Parameter>,
}

pub(super) fn windows(filter: &Filter) -> Vec<Choice> {
    let here = filter.here.clone().without(&TIMES);
    let choice = |window: &'static Window| Choice {
        href: here.clone().with("window", window.value).href(),
        label: window.label,
        current: matches!(filter.times, Times::Window(current) if current.value == window.value),
    };
    WINDOWS.iter().map(choice).collect()
}

pub(super) fn chips(filter: &Filter) -> Vec<Chip> {
    let mut chips: Vec<_> = filter
        .here
        .parameters()
        .iter()
        .filter(|parameter| !["window", "cursor"].contains(&parameter.name))
        .map(|parameter| Chip {
            name: parameter.name,
            value: event_row::plain(&parameter.value, 60),
            without: filter
                .here
                .clone()
                .without(&[parameter.name, "cursor"])
                .href(),
        })
        .collect();
    if let Times::Minute(start) = filter.times
        && let Some(chip) = chips.iter_mut().find(|chip| chip.name == "minute")
    {
        chip.value = minute_text(start);
    }
    chips
}

pub(super) fn menus(filter: &Filter, frame: &Frame) -> Vec<Menu> {
    let menu = |name: &'static str, label, values: Vec<String>| Menu {
        label,
        items: values
            .into_iter()
            .map(|value| {
                let here = filter.here.clone().without(&["cursor"]);
                (here.with(name, &value).href(), value)
            })
            .collect(),
    };
    let mut menus = Vec::new();
    if filter.source.is_none() {
        let sources = &frame.summary.source_rows;
        let names = sources.iter().map(|row| row.source.clone()).collect();
        menus.push(menu("source", "Source", names));
    }
    if filter.origin.is_none() {
        let origins = ["webhook", "enqueue", "api", "quarantine", "hookfast"];
        menus.push(menu("origin", "Origin", origins.map(str::to_owned).into()));
    }
    if !filter.conflicts {
        menus.push(menu("conflicts", "Conflicts", vec!["only".to_owned()]));
    }
    menus
}

pub(super) fn forms(filter: &Filter) -> Vec<Form> {
    let given = |name: &str| filter.here.parameters().iter().any(|p| p.name == name);
    [
        (
            "type",
            "Type",
            "A type, or its beginning and a star: orders.paid, orders.*",
        ),
        (
            "payload",
            "Payload",
            "A jsonpath predicate, such as $.data.quantity > 1. Masked members do not match.",
        ),
        ("after", "After", "In UTC, such as 2026-11-28 14:00"),
        ("before", "Before", "In UTC, such as 2026-11-28 15:00"),
    ]
    .into_iter()
    .filter(|(name, ..)| !given(name))
    .map(|(name, label, hint)| {
        let mut here = filter.here.clone().without(&["cursor"]);
        if ["after", "before"].contains(&name) {
            here = here.without(&["window", "minute"]);
        }
        Form {
            name,
            label,
            hint,
            kept: here.parameters().to_vec(),
        }
    })
    .collect()
}

/// What the strip counted in the minute besides stored events.
pub(super) fn minute_note(frame: &Frame, start: i64) -> String {
    let minutes = &frame.summary.minutes;
    let Some(minute) = minutes.iter().find(|minute| minute.start == start) else {
        return String::new();
    };
    let parts = [
        (minute.stored, "stored"),
        (minute.duplicate, "duplicate"),
        (minute.rejected, "rejected"),
        (minute.delivered, "delivered"),
        (minute.retried, "retried"),
        (minute.dead, "dead"),
    ];
    let counted = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"));
    let counted: Vec<_> = counted.collect();
    match counted.is_empty() {
        true => String::new(),
        false => format!("The counters of this minute: {}.", counted.join(", ")),
    }
}
