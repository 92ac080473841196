//! The fields by which a person chooses what an act applies to.

use super::{
    arguments::{Arguments, Pairs},
    rows::label,
    table::Act,
};
use crate::console::frame::Frame;
use crate::store::catalog::Parameter;

/// A field for a parameter.
pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) label: String,
    pub(super) value: String,
    pub(super) hint: &'static str,
    pub(super) error: String,
    pub(super) is_required: bool,
    pub(super) options: Vec<Choice>,
}

pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
}

/// The fields for the parameters. An act with one parameter, which is there, has none.
pub(super) fn inputs(
    act: &'static Act,
    arguments: &Arguments,
    pairs: &Pairs,
    frame: &Frame,
    is_complete: bool,
) -> Vec<Input> {
    if is_complete && act.parameters().count() <= 1 {
        return Vec::new();
    }
    let input = |parameter: &'static Parameter| {
        let given = arguments
            .iter()
            .find(|argument| argument.parameter.name == parameter.name);
        let error = match given {
            Some(argument) => argument.error,
            // Only if the form was sent without it.
            None if parameter.is_required && has_name(pairs, parameter.name) => "This is missing.",
            None => "",
        };
        Input {
            name: parameter.name,
            label: label(parameter.name),
            value: given
                .map(|argument| argument.text.clone())
                .unwrap_or_default(),
            hint: hint(parameter.name),
            error: error.to_owned(),
            is_required: parameter.is_required,
            options: options(parameter, frame),
        }
    };
    act.parameters().map(input).collect()
}

fn has_name(pairs: &Pairs, name: &str) -> bool {
    pairs.iter().any(|(key, _)| key == name)
}

/// What one can choose from; empty if one writes.
fn options(parameter: &Parameter, frame: &Frame) -> Vec<Choice> {
    let summary = &frame.summary;
    let values: Vec<String> = match parameter.name {
        "handler" => summary
            .handler_rows
            .iter()
            .map(|row| row.handler.clone())
            .collect(),
        "source" => summary
            .source_rows
            .iter()
            .map(|row| row.source.clone())
            .collect(),
        "pending" => vec!["discard".to_owned(), "keep".to_owned()],
        "new_webhook_id" => vec!["false".to_owned(), "true".to_owned()],
        _ => Vec::new(),
    };
    if values.is_empty() {
        return Vec::new();
    }
    let any = match parameter.is_required {
        true => "choose one",
        false if ["pending", "new_webhook_id"].contains(&parameter.name) => "default",
        false => "any",
    };
    let none = Choice {
        value: String::new(),
        label: any.to_owned(),
    };
    let named = values.into_iter().map(|value| Choice {
        label: value.clone(),
        value,
    });
    [none].into_iter().chain(named).collect()
}

fn hint(parameter: &str) -> &'static str {
    match parameter {
        "type" => "A type such as airalo.order.completed, or airalo.*",
        "error" => "A pattern for the last error. % stands for any text: status 5%",
        "payload" => "A jsonpath predicate: $.data.quantity == 1",
        "died_after" | "received_after" | "last_after" => {
            "2h (before now), 7d, or a time in UTC: 2026-11-28 14:00"
        }
        "died_before" | "received_before" | "last_before" => {
            "A time, or empty for everything up to this preview."
        }
        "due_at" => "now, +2h, or a time in UTC: 2026-11-28 14:00",
        "max_attempts" => "How many further attempts. Empty: the handler's maximum.",
        "per_second" => "Empty: half of what the handler does now, 10 to 200.",
        "new_webhook_id" => "true makes receivers do the work again, even if they did it before.",
        "pending" => "What becomes of its pending deliveries. By default they are discarded.",
        "term" => "An id, a key, or the value of a search field, such as an ICCID.",
        "reason" => "Why it was rejected, such as wrong_signature.",
        _ => "",
    }
}
