//! A check of the oracle itself: after a correct run, one thing at a time is falsified, in a
//! transaction that is rolled back, and the oracle has to find it.

use crate::{
    evidence::Evidence,
    exchange::Answer,
    oracle::{Failure, judge},
    sender::{Sent, customer},
};
use sqlx::{Connection, PgConnection};
use std::collections::HashMap;

/// A change to one event's rows, and the failures that the oracle has to report, no more and no
/// fewer.
const FALSIFIED: [(&str, &[Failure]); 10] = [
    (
        "DELETE FROM hookfast_data.events WHERE id = $1::uuid",
        &[Failure::AcknowledgedAndLost, Failure::ReceivedAndNotStored, Failure::NotBookedOnce],
    ),
    (
        "INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body)
         SELECT overlay(id::text placing '0000' from 33)::uuid, source_id, subscription_version, type, origin,
             idempotency_key, headers, body FROM hookfast_data.events WHERE id = $1::uuid",
        &[Failure::StoredTwice, Failure::NotDelivered, Failure::NotReceived, Failure::NotBookedOnce],
    ),
    (
        "UPDATE hookfast_data.events SET body = '{\"request_id\": \"other\"}' WHERE id = $1::uuid",
        &[Failure::AcknowledgedAndLost, Failure::StoredAndNeverSent],
    ),
    ("DELETE FROM hookfast_data.attempts WHERE event_id = $1::uuid", &[Failure::NotDelivered]),
    (
        "INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome)
         SELECT event_id, delivery_id, attempt_number + 100, handler_id, outcome FROM hookfast_data.attempts
         WHERE event_id = $1::uuid",
        &[Failure::DeliveredTwice],
    ),
    ("INSERT INTO torture.ledger (handler, event_id) VALUES ('ledger', $1::uuid)", &[Failure::NotBookedOnce]),
    ("DELETE FROM torture.ledger WHERE handler = 'pulled' AND event_id = $1::uuid", &[Failure::NotBookedOnce]),
    (
        "UPDATE torture.ledger SET position = DEFAULT WHERE handler = 'ordered' AND event_id = $1::uuid",
        &[Failure::OutOfOrder],
    ),
    (
        "INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left)
         SELECT handler_id, event_id, 1 FROM hookfast_data.attempts WHERE event_id = $1::uuid",
        &[Failure::Pending],
    ),
    (
        "INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason)
         SELECT DISTINCT ON (delivery_id) delivery_id, handler_id, event_id, attempt_number, 0, 'rejected'
         FROM hookfast_data.attempts WHERE event_id = $1::uuid",
        &[Failure::DeadLetter],
    ),
];

/// An acknowledged order, with its event, whose customer has a later one.
fn with_a_later_one(sent: &[Sent]) -> Option<(u64, String)> {
    let acknowledged = |sent: &Sent| match &sent.answer {
        Answer::Acknowledged { event_id, .. } => Some((sent.order, event_id.clone())),
        _ => None,
    };
    let last = sent.iter().rev().find_map(acknowledged)?.0;
    sent.iter()
        .filter_map(acknowledged)
        .find(|(order, _)| customer(*order) == customer(last) && *order < last)
}

/// The changes that the oracle did not find; empty if it works.
pub(crate) async fn check_oracle(
    database: &mut PgConnection,
    sent: &[Sent],
    received: &HashMap<String, usize>,
) -> sqlx::Result<Vec<String>> {
    let Some((order, event)) = with_a_later_one(sent) else {
        return Ok(vec![
            "no customer had two webhooks acknowledged, so nothing was tested".to_owned(),
        ]);
    };
    let mut missed = Vec::new();
    let mut expect = |what: &str, evidence: &Evidence, expected: &[Failure]| {
        let found: Vec<Failure> = judge(evidence).into_keys().collect();
        if found != expected {
            missed.push(format!(
                "the oracle reported {found:?} instead of {expected:?} after: {what}"
            ));
        }
    };
    for (statement, expected) in FALSIFIED {
        let mut falsified = database.begin().await?;
        sqlx::query(statement)
            .bind(&event)
            .execute(&mut *falsified)
            .await?;
        let evidence = Evidence::collect(&mut falsified, sent, received).await?;
        expect(statement, &evidence, expected);
        falsified.rollback().await?;
    }
    let mut not_received = received.clone();
    not_received.remove(&event);
    let evidence = Evidence::collect(database, sent, &not_received).await?;
    expect(
        "removing the event from the receiver's log",
        &evidence,
        &[Failure::NotReceived],
    );
    let mut never_acknowledged = sent.to_vec();
    never_acknowledged
        .iter_mut()
        .filter(|one| one.order == order)
        .for_each(|one| one.answer = Answer::Broken);
    let evidence = Evidence::collect(database, &never_acknowledged, received).await?;
    expect(
        "removing the answers from the sender's log",
        &evidence,
        &[Failure::NeverAcknowledged],
    );
    Ok(missed)
}
