//! What an alert names: the members of its payload.

use super::CONFLICT;
use crate::console::{
    address::{Address, is_segment},
    conflicts::Conflict,
    view::{
        marks::{self, Breaks, Run},
        runbook::Names,
        short,
    },
};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A member of the payload.
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) text: String,
    /// The page about it.
    pub(super) href: String,
}

impl Fact {
    pub(super) fn runs(&self) -> Vec<Run<'_>> {
        marks::runs(&self.text, Breaks::Mark)
    }

    pub(super) fn is_masked(&self) -> bool {
        self.text == "***"
    }
}

pub(super) fn facts(payload: Option<&RawValue>) -> Vec<Fact> {
    let members: BTreeMap<String, Box<RawValue>> = payload
        .and_then(|payload| serde_json::from_str(payload.get()).ok())
        .unwrap_or_default();
    members
        .into_iter()
        .filter(|(_, value)| value.get() != "null")
        .map(|(name, value)| {
            // Numbers and lists stay as they are written.
            let text = serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned());
            let page = match name.as_str() {
                "handler" => Some(Address::handler(&text)),
                "source" => Some(Address::source(&text)),
                "event_id" | "first_event_id" => Some(Address::event(&text)),
                _ => None,
            };
            let page = page.filter(|_| is_segment(&text));
            let href = page.map_or_else(String::new, |page| page.href());
            Fact { name, text, href }
        })
        .collect()
}

pub(super) fn value(facts: &[Fact], name: &str) -> Option<String> {
    let fact = facts.iter().find(|fact| fact.name == name)?;
    (!fact.is_masked()).then(|| fact.text.clone())
}

/// What distinguishes an alert from others of its type. Senders chose keys, types and descriptions.
pub(super) fn subject(alert_type: &str, facts: &[Fact], conflict: Option<&Conflict>) -> String {
    let value = |name| value(facts, name).map(|text| short::middle(&text, 48));
    let id = || value("event_id").map(|id| short::id(&id));
    let parts = match alert_type {
        CONFLICT => {
            let key = conflict.and_then(|conflict| conflict.idempotency_key.as_deref());
            let key = key.filter(|key| *key != "***");
            let key = key.map(|key| short::middle(key, 48));
            [value("source"), key.or_else(id), None]
        }
        "hookfast.delivery.dead" => [value("handler"), value("type"), id()],
        "airalo.order.overdue" => [value("description"), None, None],
        _ => {
            let names = ["handler", "source", "description", "class"];
            [names.into_iter().find_map(value), None, None]
        }
    };
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

pub(super) fn names(facts: &[Fact]) -> Names {
    Names {
        handler: value(facts, "handler"),
        source: value(facts, "source"),
        event_id: value(facts, "event_id"),
        delivery_id: value(facts, "delivery_id").and_then(|id| id.parse().ok()),
        description: value(facts, "description"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#""event_id": "01a2216f-ac13-755d-9aa7-441aa8cdc63e""#;

    #[test]
    fn a_heading_has_what_distinguishes_alerts_of_a_type() {
        for (alert_type, payload, expected) in [
            (
                CONFLICT,
                format!(r#"{{"source": "paywise", {EVENT}, "idempotency_key": "***"}}"#),
                "paywise, 01a2216…8cdc63e",
            ),
            (
                "hookfast.delivery.dead",
                format!(r#"{{"handler": "shop", "source": "x", "type": "order.paid", {EVENT}}}"#),
                "shop, order.paid, 01a2216…8cdc63e",
            ),
            (
                "airalo.order.overdue",
                r#"{"description": "order 4711", "request_id": null}"#.to_owned(),
                "order 4711",
            ),
            (
                "airalo.order.overdue",
                r#"{"description": null}"#.to_owned(),
                "",
            ),
            (
                "hookfast.handler.paused",
                r#"{"handler": "shop"}"#.to_owned(),
                "shop",
            ),
        ] {
            let payload = RawValue::from_string(payload).expect("JSON");
            let facts = facts(Some(&payload));
            assert_eq!(subject(alert_type, &facts, None), expected, "{payload}");
        }
    }

    #[test]
    fn the_heading_of_a_conflict_has_the_key_that_the_visitor_sees() {
        let payload = format!(r#"{{"source": "paywise", {EVENT}}}"#);
        let payload = RawValue::from_string(payload).expect("JSON");
        let facts = facts(Some(&payload));
        let long = "k".repeat(60);
        for (key, expected) in [
            ("order:7", "paywise, order:7".to_owned()),
            ("***", "paywise, 01a2216…8cdc63e".to_owned()),
            (&long, format!("paywise, {}…{}", &long[..24], &long[..23])),
        ] {
            let conflict = serde_json::json!({"event_id": "x", "idempotency_key": key});
            let conflict: Conflict = serde_json::from_value(conflict).expect("a conflict");
            assert_eq!(
                subject(CONFLICT, &facts, Some(&conflict)),
                expected,
                "{key}"
            );
        }
    }
}
