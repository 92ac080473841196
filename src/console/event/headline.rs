//! One sentence: what became of the event, and what is broken.

use super::{branches::Outcome, rows::Rows};
use crate::console::row::Timestamp;

/// The kind of its mark, and the sentence.
pub(super) fn headline(
    rows: &Rows,
    outcomes: &[Outcome<'_>],
    now: Timestamp,
) -> (&'static str, String) {
    let latest = latest(outcomes);
    let (kind, mut sentence) = fate(&latest, rows.is_undecided(), now);
    if let Some(at) = rows.event.erased_at {
        let by = rows
            .erasure
            .as_ref()
            .map_or_else(String::new, |erasure| format!(" by {}", erasure.by()));
        sentence += &format!(" Its payload was erased{by} {}.", at.age(now));
    }
    if let Some((by, at)) = rows.acknowledged() {
        let of = format!(
            "It conflicts with an earlier event. {by} acknowledged the conflict {}.",
            at.age(now)
        );
        return (kind, format!("{of} {sentence}"));
    }
    if rows.is_undecided() {
        return (
            "critical",
            format!("It conflicts with an earlier event. {sentence}"),
        );
    }
    (kind, sentence)
}

/// The newest delivery of each handler counts: a replay may have repaired what failed.
fn latest<'a, 'b>(outcomes: &'a [Outcome<'b>]) -> Vec<&'a Outcome<'b>> {
    let mut latest: Vec<&Outcome<'b>> = Vec::new();
    for outcome in outcomes {
        match latest.last_mut() {
            Some(last) if last.explained.handler == outcome.explained.handler => {
                if outcome.explained.delivery_id > last.explained.delivery_id {
                    *last = outcome;
                }
            }
            _ => latest.push(outcome),
        }
    }
    latest
}

fn fate(latest: &[&Outcome<'_>], is_undecided: bool, now: Timestamp) -> (&'static str, String) {
    let of = |words: &[&str]| -> Vec<&Outcome<'_>> {
        let has = latest
            .iter()
            .filter(|outcome| words.contains(&outcome.word()));
        has.copied().collect()
    };
    let delivered = of(&["delivered"]);
    let dead = of(&["dead"]);
    let retrying = of(&["retrying"]);
    let paused = of(&["paused"]);
    let pending = of(&["ready", "running", "scheduled", "waiting"]);
    let missing = of(&["not routed"]);
    let ended = of(&["filtered", "discarded", "retired"]);
    let have = match delivered.as_slice() {
        [] => String::new(),
        some => format!(" {} it.", has(some)),
    };
    if let [first, ..] = dead.as_slice() {
        let why = why(first, now);
        return (
            "critical",
            format!("Not delivered to {}: {why}.{have}", names(&dead)),
        );
    }
    if let [first, ..] = retrying.as_slice() {
        return (
            "warning",
            format!(
                "Not delivered to {} yet: {}.{have}",
                names(&retrying),
                why(first, now)
            ),
        );
    }
    if let [first, ..] = paused.as_slice() {
        let why = why(first, now);
        let sentence = match why.is_empty() {
            true => format!("{} paused.{have}", is(&paused)),
            false => format!("It waits for {}: {why}.{have}", names(&paused)),
        };
        return ("paused", sentence);
    }
    if let [first, ..] = pending.as_slice() {
        let why = why(first, now);
        let why = match why.is_empty() {
            true => first.word().to_owned(),
            false => format!("{}, {why}", first.word()),
        };
        return (
            "waiting",
            format!("It is on its way to {}: {why}.{have}", names(&pending)),
        );
    }
    if !missing.is_empty() {
        let todo = if is_undecided { "" } else { " Replay it." };
        return (
            "warning",
            format!(
                "{} subscribed, but there is no delivery.{todo}{have}",
                is(&missing)
            ),
        );
    }
    match (delivered.as_slice(), ended.as_slice()) {
        ([], []) => (
            "none",
            "No handler subscribed to it, so it was stored and not delivered.".to_owned(),
        ),
        ([], [first, ..]) => (
            "none",
            format!(
                "Not delivered to {}: {}, {}.",
                names(&ended),
                first.word(),
                why(first, now)
            ),
        ),
        ([one], _) => ("ok", format!("Delivered to {}.", one.explained.handler)),
        (some, _) => (
            "ok",
            format!("Delivered to all {} handlers that get it.", some.len()),
        ),
    }
}

fn why(outcome: &Outcome<'_>, now: Timestamp) -> String {
    outcome.why(now).replace(" · ", ", ")
}

fn names(outcomes: &[&Outcome<'_>]) -> String {
    match outcomes {
        [] => String::new(),
        [one] => one.explained.handler.clone(),
        [one, two] => format!("{} and {}", one.explained.handler, two.explained.handler),
        [one, rest @ ..] => format!("{} and {} others", one.explained.handler, rest.len()),
    }
}

fn is(outcomes: &[&Outcome<'_>]) -> String {
    let verb = if outcomes.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names(outcomes))
}

fn has(outcomes: &[&Outcome<'_>]) -> String {
    let verb = if outcomes.len() == 1 { "has" } else { "have" };
    format!("{} {verb}", names(outcomes))
}

#[cfg(test)]
mod tests {
    use super::super::{
        branches::{
            outcomes,
            tests::{attempt, delivery, explained},
        },
        rows::EventDetails,
    };
    use super::*;

    fn of(handlers: &[(&str, &str, i64)], erased: bool, conflict: bool) -> (&'static str, String) {
        let event: EventDetails = serde_json::from_value(serde_json::json!({
            "event_id": "a", "source": "airalo", "type": "t", "origin": "webhook",
            "received_at": "1970-01-01T00:00:00+00:00",
            "erased_at": erased.then_some("1970-01-01T00:00:00+00:00"),
            "conflicts_with": conflict.then_some("b"),
        }))
        .expect("an event");
        let with_delivery = || handlers.iter().filter(|(.., id)| *id > 0);
        let rows = Rows {
            event,
            explained: handlers
                .iter()
                .map(|(name, word, id)| explained(name, word, *id))
                .collect(),
            deliveries: with_delivery()
                .map(|(name, word, id)| delivery(name, word, *id))
                .collect(),
            attempts: with_delivery()
                .map(|(name, word, id)| attempt(name, word, *id))
                .collect(),
            has_more_attempts: false,
            dead_letters: Vec::new(),
            timeline: Vec::new(),
            hold: None,
            acknowledgement: None,
            erasure: None,
            conflicting: Vec::new(),
        };
        headline(&rows, &outcomes(&rows, &[]), Timestamp(0))
    }

    #[test]
    fn the_worst_comes_first() {
        for (handlers, kind, sentence) in [
            (
                vec![],
                "none",
                "No handler subscribed to it, so it was stored and not delivered.",
            ),
            (vec![("shop", "delivered", 1)], "ok", "Delivered to shop."),
            (
                vec![("books", "delivered", 1), ("shop", "delivered", 2)],
                "ok",
                "Delivered to all 2 handlers that get it.",
            ),
            (
                vec![("books", "delivered", 1), ("shop", "dead", 2)],
                "critical",
                "Not delivered to shop: 502 Bad Gateway, 3 attempts. books has it.",
            ),
            (
                vec![("shop", "paused", 2)],
                "paused",
                "It waits for shop: 502 Bad Gateway.",
            ),
            (
                vec![("shop", "not routed", 0)],
                "warning",
                "shop is subscribed, but there is no delivery. Replay it.",
            ),
        ] {
            assert_eq!(of(&handlers, false, false), (kind, sentence.to_owned()));
        }
    }

    #[test]
    fn a_replay_repairs_what_failed() {
        let (kind, sentence) = of(
            &[("shop", "dead", 1), ("shop", "delivered", 2)],
            false,
            false,
        );
        assert_eq!((kind, sentence.as_str()), ("ok", "Delivered to shop."));
    }

    #[test]
    fn erasures_and_conflicts_are_in_the_sentence() {
        let (_, sentence) = of(&[("shop", "delivered", 1)], true, false);
        assert!(
            sentence.ends_with("Its payload was erased now."),
            "{sentence}"
        );
        let (kind, _) = of(&[("shop", "delivered", 1)], false, true);
        assert_eq!(kind, "critical");
    }
}
