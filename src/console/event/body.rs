//! The body of the event: formatted, raw, in hexadecimal, and the headers; and as a command.

use super::rows::EventDetails;
use crate::console::{
    address::Address,
    event_row,
    view::{
        marks::Run,
        payload::{Payload, Shape},
        shell, sql_literal,
    },
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, value::RawValue};
use std::collections::BTreeMap;

/// Bodies up to this size are in commands to be copied. The download has any size.
const COPIED: usize = 16 * 1024;

/// What the page shows of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Body(Shape),
    Headers,
}

const TABS: [(&str, &str, Tab); 4] = [
    ("", "Pretty", Tab::Body(Shape::Pretty)),
    ("raw", "Raw", Tab::Body(Shape::Raw)),
    ("hex", "Hex", Tab::Body(Shape::Hex)),
    ("headers", "Headers", Tab::Headers),
];

pub(super) struct TabLink {
    pub(super) href: String,
    pub(super) label: &'static str,
    pub(super) current: bool,
}

/// An unknown name is the first tab.
pub(super) fn tab(name: Option<&str>) -> Tab {
    let found = TABS.iter().find(|(known, ..)| Some(*known) == name);
    found.map_or(Tab::Body(Shape::Pretty), |(.., tab)| *tab)
}

pub(super) fn tabs(event: &Address, current: Tab) -> Vec<TabLink> {
    TABS.iter()
        .map(|(name, label, tab)| TabLink {
            href: event.clone().with("body", name).at("body").href(),
            label,
            current: *tab == current,
        })
        .collect()
}

/// What the visitor may see of the body.
pub(super) enum Visible {
    /// The bytes as they were received.
    Exact(Vec<u8>),
    /// The payload with masks, as text.
    Masked(String),
    /// It is not JSON, and the bytes are hidden.
    Hidden,
    Erased,
}

pub(super) fn visible(event: &EventDetails) -> Visible {
    if event.erased_at.is_some() {
        return Visible::Erased;
    }
    let exact = event.body.as_deref().and_then(bytes);
    match (exact, &event.payload, &event.payload_error) {
        (Some(bytes), ..) => Visible::Exact(bytes),
        (None, Some(payload), _) => Visible::Masked(payload.get().to_owned()),
        // The payload `null` looks like none.
        (None, None, None) => Visible::Masked("null".to_owned()),
        (None, None, Some(_)) => Visible::Hidden,
    }
}

/// `bytea` as the database writes it: `\x00ff`.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.strip_prefix(r"\x")?).ok()
}

impl Visible {
    pub(super) fn exact(&self) -> Option<&[u8]> {
        match self {
            Self::Exact(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Why there is no command to copy.
    pub(super) fn why_not_copied(&self) -> &'static str {
        match self.exact() {
            Some(body) if body.len() > COPIED => {
                "The body is longer than 16 KiB, so there is no command to copy it. Download it, and send the file with \
                 curl --data-binary @FILE."
            }
            _ => "",
        }
    }

    pub(super) fn is_hidden(&self) -> bool {
        matches!(self, Self::Masked(_) | Self::Hidden)
    }

    /// Why it is not what was received.
    pub(super) fn note(&self, shape: Shape) -> &'static str {
        match (self, shape) {
            (Self::Exact(_), _) => "",
            (Self::Masked(_), Shape::Pretty) => {
                "This is the payload as the database gives it to you: *** is in place of secret members, and the order of \
                 members is not that of the sender."
            }
            (Self::Masked(_), _) => "The exact bytes are hidden, since they may contain secrets.",
            (Self::Hidden, _) => "The body is not JSON, and its bytes are hidden from readers.",
            (Self::Erased, _) => "The payload was erased forever. The history of the event stays.",
        }
    }

    /// What is compared with the body of another event.
    pub(super) fn comparable(&self) -> Option<&[u8]> {
        match self {
            Self::Exact(bytes) => Some(bytes),
            Self::Masked(text) => Some(text.as_bytes()),
            Self::Hidden | Self::Erased => None,
        }
    }

    pub(super) fn is_masked(&self) -> bool {
        matches!(self, Self::Masked(_))
    }

    pub(super) fn payload(&self, shape: Shape) -> Option<Payload<'_>> {
        match (self, shape) {
            (Self::Exact(bytes), _) => {
                Some(Payload::new(bytes, shape, "The download has all of it."))
            }
            (Self::Masked(text), Shape::Pretty) => Some(Payload::new(
                text.as_bytes(),
                shape,
                "The first of the statements below returns all of it.",
            )),
            _ => None,
        }
    }
}

/// A header that the visitor sees.
pub(super) struct Header {
    pub(super) name: Vec<Run<'static>>,
    pub(super) values: Vec<Vec<Run<'static>>>,
}

pub(super) fn headers(event: &EventDetails) -> Vec<Header> {
    let values = |value: &RawValue| -> Vec<Vec<Run<'static>>> {
        let texts = texts(value);
        texts
            .iter()
            .map(|text| event_row::shown(text, 2_000))
            .collect()
    };
    stored(event)
        .iter()
        .map(|(name, value)| Header {
            name: event_row::shown(name, 200),
            values: values(value),
        })
        .collect()
}

/// By name. An application may enqueue any JSON as headers.
fn stored(event: &EventDetails) -> BTreeMap<String, Box<RawValue>> {
    let text = event.headers.as_ref().map_or("{}", |headers| headers.get());
    serde_json::from_str(text).unwrap_or_default()
}

/// One text, a list of texts, or any other JSON as it is written.
fn texts(value: &RawValue) -> Vec<String> {
    if let Ok(one) = serde_json::from_str::<String>(value.get()) {
        return vec![one];
    }
    serde_json::from_str(value.get()).unwrap_or_else(|_| vec![value.get().to_owned()])
}

/// A text to be copied into a terminal.
pub(super) struct Command {
    pub(super) label: &'static str,
    pub(super) id: &'static str,
    pub(super) text: String,
    pub(super) note: &'static str,
}

/// The event as SQL and as curl. `None` of them without the exact bytes.
pub(super) fn commands(event: &EventDetails, visible: &Visible) -> Vec<Command> {
    let Some(body) = visible.exact().filter(|body| body.len() <= COPIED) else {
        return Vec::new();
    };
    let sql = sql(event, body).map(|text| Command {
        label: "As SQL",
        id: "as-sql",
        text,
        note: "It returns the event as one row, in any database.",
    });
    let curl = curl(event, body).map(|text| Command {
        label: "As curl",
        id: "as-curl",
        text,
        note: "It has the exact body and the headers that you see. The signature is not among them, so Hookfast rejects it \
               unless you sign it again. Replace the address by yours.",
    });
    sql.into_iter().chain(curl).collect()
}

fn sql(event: &EventDetails, body: &[u8]) -> Option<String> {
    let text = |value: &Option<String>| match value {
        Some(value) => sql_literal::text(value),
        None => Some("NULL::text".to_owned()),
    };
    Some(format!(
        "SELECT {} AS source, {} AS type, {} AS topic, {} AS idempotency_key,\n    {} AS body;",
        sql_literal::text(&event.source)?,
        sql_literal::text(&event.r#type)?,
        text(&event.topic)?,
        text(&event.idempotency_key)?,
        sql_literal::bytes(body)
    ))
}

fn curl(event: &EventDetails, body: &[u8]) -> Option<String> {
    if !["webhook", "quarantine"].contains(&event.origin.as_str()) {
        return None;
    }
    let part = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut address = format!("http://127.0.0.1:8080/webhooks/{}", event.source);
    if let Some(topic) = &event.topic {
        address += &format!("/{}", part(topic));
    }
    let text = event.headers.as_ref().map_or("{}", |headers| headers.get());
    let stored: BTreeMap<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let headers: Vec<(&str, Vec<u8>)> = stored
        .iter()
        .flat_map(|(name, value)| {
            let values = crate::domain::header_values(value);
            values.into_iter().map(|value| (name.as_str(), value))
        })
        .collect();
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_slice()))
        .collect();
    shell::curl(&address, &headers, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(more: Value) -> EventDetails {
        let mut event = json!({
            "event_id": "a", "source": "airalo", "type": "t", "topic": "a b", "origin": "webhook",
            "received_at": "1970-01-01T00:00:00+00:00", "idempotency_key": "it's",
        });
        let all = event.as_object_mut().expect("an object");
        all.extend(more.as_object().expect("an object").clone());
        serde_json::from_str(&event.to_string()).expect("an event")
    }

    #[test]
    fn the_bytes_are_exact_or_masked_or_hidden() {
        let exact = visible(&event(
            json!({"body": r"\x00ff", "payload_error": "not UTF-8"}),
        ));
        assert_eq!(exact.exact(), Some(b"\x00\xff".as_slice()));
        let masked = visible(&event(json!({"payload": {"pin": "***"}})));
        assert!(masked.is_hidden() && masked.payload(Shape::Hex).is_none());
        assert!(matches!(visible(&event(json!({}))), Visible::Masked(text) if text == "null"));
        let hidden = visible(&event(json!({"payload_error": "not JSON"})));
        assert!(hidden.payload(Shape::Pretty).is_none());
        let erased = event(json!({"body": r"\x", "erased_at": "1970-01-01T00:00:00+00:00"}));
        assert!(matches!(visible(&erased), Visible::Erased));
    }

    #[test]
    fn commands_need_the_exact_bytes() {
        let masked = event(json!({"payload": {}}));
        assert!(commands(&masked, &visible(&masked)).is_empty());
        let exact = event(json!({"body": r"\x7b7d", "headers": {"x": ["1", "2"], "n": 7}}));
        let commands = commands(&exact, &visible(&exact));
        assert_eq!(commands.len(), 2);
        assert!(commands[0].text.contains("'it''s' AS idempotency_key"));
        assert!(commands[0].text.contains("decode('7b7d', 'hex') AS body"));
        let curl = &commands[1].text;
        assert!(curl.contains("/webhooks/airalo/a%20b'"), "{curl}");
        assert!(curl.contains("'x: 1'") && curl.contains("'x: 2'"), "{curl}");
    }

    #[test]
    fn headers_may_be_any_json() {
        let event = event(json!({"headers": {"b": "1", "a": ["x", "y"], "c": {"d": 1}}}));
        let headers = headers(&event);
        assert_eq!(headers.len(), 3);
        assert_eq!(headers[0].values.len(), 2);
        assert_eq!(headers[2].values[0][0].text(), "{\"d\":1}");
    }

    #[test]
    fn unknown_tabs_are_the_first() {
        assert_eq!(tab(None), Tab::Body(Shape::Pretty));
        assert_eq!(tab(Some("x")), Tab::Body(Shape::Pretty));
        assert_eq!(tab(Some("hex")), Tab::Body(Shape::Hex));
    }
}
