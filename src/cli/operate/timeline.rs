//! Prints `hookfast events timeline`.

use super::session::Session;
use serde_json::{Value, json};

/// How many characters distinguish the events of a timeline. They are the last ones of an id, which
/// are random; the first ones are a time.
const SHORT: usize = 8;

/// Prints the lines in order, each with its event's short id. Below, it lists the events with their
/// whole ids, which other commands need.
pub(super) fn print(session: &Session, mut rows: Vec<Value>) {
    let mut events: Vec<Value> = Vec::new();
    if !session.json() {
        for row in &mut rows {
            let Some(id) = row["event_id"].as_str().map(str::to_owned) else {
                continue;
            };
            let short = id[id.len().saturating_sub(SHORT)..].to_owned();
            if events.iter().all(|event| event["event_id"] != *id) {
                events.push(json!({ "event": short, "event_id": id, "source": row["source"], "type": row["type"] }));
            }
            row["event"] = short.into();
        }
    }
    session.print(
        &rows,
        &["at", "event", "kind", "handler", "delivery_id", "message"],
        "no entries",
    );
    session.print_below("events", &events, &["event", "event_id", "source", "type"]);
}
