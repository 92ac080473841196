//! Identifies the event of a body: its idempotency keys, their window and its fingerprint.

use super::classify::{Kind, OrderRef, Word};
use crate::domain::{Fingerprint, IdempotencyKey, Identity};
use crate::sources::joined::joined;
use std::time::Duration;

/// Airalo retries for about 5 h. The same notification after that is a new event (a top-up, a
/// refill) and not a retry.
const RETRIES: Duration = Duration::from_secs(6 * 3600);

pub(super) fn identify(kind: &Kind, body: &[u8]) -> Identity {
    match kind {
        Kind::Completed { order, iccids } => {
            let (key, alias) = order_keys(order, "completed")
                .unwrap_or_else(|| (IdempotencyKey::of_body(body), None));
            Identity {
                key,
                alias,
                window: None,
                fingerprint: Some(order_fingerprint(order, iccids)),
            }
        }
        Kind::Failed { order } => match order_keys(order, "failed") {
            Some((key, alias)) => Identity {
                key,
                alias,
                window: None,
                fingerprint: None,
            },
            None => within_retries(IdempotencyKey::of_body(body)),
        },
        Kind::LowData {
            iccid,
            package,
            level,
        } => within_retries(match level {
            Word::Known(level) => key(&["low_data", iccid, package, level]),
            Word::Other(level) => key(&["low_data", iccid, package, "other", level]),
        }),
        Kind::CreditLimit {
            threshold,
            remaining,
        } => within_retries(match threshold {
            Word::Known(threshold) => key(&["credit_limit", threshold, remaining]),
            Word::Other(message) => key(&["credit_limit", "other", message, remaining]),
        }),
        Kind::Unknown => within_retries(IdempotencyKey::of_body(body)),
    }
}

fn within_retries(key: IdempotencyKey) -> Identity {
    Identity {
        key,
        alias: None,
        window: Some(RETRIES),
        fingerprint: None,
    }
}

/// The key made of the request id, and an alias made of the order id, because reconciliation may
/// know the order but not the request.
fn order_keys(order: &OrderRef, outcome: &str) -> Option<(IdempotencyKey, Option<IdempotencyKey>)> {
    let by_id = order
        .id
        .as_ref()
        .map(|id| key(&["order", "id", id, outcome]));
    match &order.request_id {
        Some(request_id) => Some((key(&["order", request_id, outcome]), by_id)),
        None => Some((by_id?, None)),
    }
}

/// A SIM without an ICCID counts as an empty part, so that two of them differ from one.
fn order_fingerprint(order: &OrderRef, iccids: &[String]) -> Fingerprint {
    let mut parts: Vec<&str> = iccids.iter().map(String::as_str).collect();
    parts.sort_unstable();
    parts.splice(0..0, ["order", order.id.as_deref().unwrap_or_default()]);
    Fingerprint::new(&joined(&parts))
}

fn key(parts: &[&str]) -> IdempotencyKey {
    IdempotencyKey::new(&joined(parts))
}
