//! Which event a body is: its key, how long the key holds, and what its content comes down to.

use super::classify::{Kind, OrderRef, Word};
use crate::domain::{Fingerprint, IdempotencyKey, Identity};
use std::time::Duration;

/// Airalo retries for about 5 h; a repeat after that is news (a top-up, a refill), not a retry.
const RETRIES: Duration = Duration::from_secs(6 * 3600);

pub(super) fn identify(kind: &Kind, body: &[u8]) -> Identity {
    match kind {
        Kind::Completed { order, iccids } => Identity {
            key: order_key(order, "completed").unwrap_or_else(|| IdempotencyKey::of_body(body)),
            window: None,
            fingerprint: Some(order_fingerprint(order, iccids)),
        },
        Kind::Failed { order } => match order_key(order, "failed") {
            Some(key) => Identity { key, window: None, fingerprint: None },
            None => within_retries(IdempotencyKey::of_body(body)),
        },
        Kind::LowData { iccid, package, level } => within_retries(match level {
            Word::Known(level) => key(&["low_data", iccid, package, level]),
            Word::Other(level) => key(&["low_data", iccid, package, "other", level]),
        }),
        Kind::CreditLimit { threshold, remaining } => within_retries(match threshold {
            Word::Known(threshold) => key(&["credit_limit", threshold, remaining]),
            Word::Other(message) => key(&["credit_limit", "other", message, remaining]),
        }),
        Kind::Unknown => within_retries(IdempotencyKey::of_body(body)),
    }
}

fn within_retries(key: IdempotencyKey) -> Identity {
    Identity { key, window: Some(RETRIES), fingerprint: None }
}

fn order_key(order: &OrderRef, outcome: &str) -> Option<IdempotencyKey> {
    match order {
        OrderRef { request_id: Some(request_id), .. } => Some(key(&["order", request_id, outcome])),
        OrderRef { id: Some(id), .. } => Some(key(&["order", "id", id, outcome])),
        OrderRef { request_id: None, id: None } => None,
    }
}

/// A SIM without an ICCID counts too, as an empty part: two of them are not one.
fn order_fingerprint(order: &OrderRef, iccids: &[String]) -> Fingerprint {
    let mut parts: Vec<&str> = iccids.iter().map(String::as_str).collect();
    parts.sort_unstable();
    parts.splice(0..0, ["order", order.id.as_deref().unwrap_or_default()]);
    Fingerprint::new(&joined(&parts))
}

fn key(parts: &[&str]) -> IdempotencyKey {
    IdempotencyKey::new(&joined(parts))
}

/// Joins by `:` so that different parts never make the same text.
fn joined(parts: &[&str]) -> String {
    let mut text = String::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            text.push(':');
        }
        for c in part.chars() {
            match c {
                ':' => text.push_str("%3A"),
                '%' => text.push_str("%25"),
                c => text.push(c),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::joined;
    use proptest::prelude::*;

    #[test]
    fn ordinary_parts_stay_readable() {
        assert_eq!(
            joined(&["order", "e_TESTrequest-id_00000001", "completed"]),
            "order:e_TESTrequest-id_00000001:completed"
        );
        assert_eq!(joined(&["a:b", "50%"]), "a%3Ab:50%25");
    }

    proptest! {
        /// Both are cut from the same words, so that they agree but for where a separator is and where it is said.
        #[test]
        fn different_parts_never_make_the_same_text(
            words in prop::collection::vec(prop::sample::select(vec!["a", "", "%", "%3A", "3A", "%25", "25"]), 2..6),
            cuts: [u8; 2],
            said: [bool; 2],
        ) {
            let parts = |cuts: u8, said: bool| {
                let mut parts = vec![words[0].to_owned()];
                for (i, word) in words.iter().enumerate().skip(1) {
                    match parts.last_mut() {
                        Some(part) if cuts & (1 << i) == 0 => *part += &format!("{}{word}", if said { "%3A" } else { ":" }),
                        _ => parts.push((*word).to_owned()),
                    }
                }
                parts
            };
            let (a, b) = (parts(cuts[0], said[0]), parts(cuts[1], said[1]));
            let text = |parts: &[String]| joined(&parts.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(a == b, text(&a) == text(&b), "{:?} {:?}", a, b);
        }
    }
}
