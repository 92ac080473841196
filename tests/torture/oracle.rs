//! The judgement: the answers to the sender, the stored events and the arrived deliveries have to
//! agree.

use crate::{
    evidence::{BOOKING, Evidence, HANDLERS, ORDERED},
    exchange::Answer,
    sender::{Sent, customer, request_id},
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    AcknowledgedAndLost,
    NeverAcknowledged,
    StoredTwice,
    StoredAndNeverSent,
    NotDelivered,
    DeliveredTwice,
    NotReceived,
    ReceivedAndNotStored,
    NotBookedOnce,
    OutOfOrder,
    DeadLetter,
    Pending,
}

impl Failure {
    /// Every kind, with its line in the table.
    pub(crate) const ALL: [(Self, &str); 12] = [
        (
            Self::AcknowledgedAndLost,
            "acknowledged and not stored (lost)",
        ),
        (Self::NeverAcknowledged, "never acknowledged"),
        (Self::StoredTwice, "one order stored as several events"),
        (Self::StoredAndNeverSent, "stored and never sent"),
        (Self::NotDelivered, "stored and not delivered to a handler"),
        (Self::DeliveredTwice, "recorded as delivered more than once"),
        (Self::NotReceived, "stored and never at the receiver"),
        (Self::ReceivedAndNotStored, "at the receiver and not stored"),
        (Self::NotBookedOnce, "not exactly once in the ledger"),
        (
            Self::OutOfOrder,
            "booked before an earlier order of the customer",
        ),
        (Self::DeadLetter, "dead letters"),
        (Self::Pending, "deliveries still pending"),
    ];
}

/// The failures: for each kind the orders or events concerned, with details.
pub(crate) type Failures = BTreeMap<Failure, BTreeSet<String>>;

/// What the sender knows of one order.
#[derive(Default)]
struct Order<'a> {
    acknowledged_as: BTreeSet<&'a str>,
    is_abandoned: bool,
}

/// Compares all evidence.
pub(crate) fn judge(evidence: &Evidence) -> Failures {
    let mut found = Failures::new();
    let mut report = |kind, text| {
        found.entry(kind).or_default().insert(text);
    };
    judge_orders(evidence, &mut report);
    judge_events(evidence, &mut report);
    judge_sequences(evidence, &mut report);
    found
}

fn judge_orders(evidence: &Evidence, report: &mut impl FnMut(Failure, String)) {
    let mut orders: HashMap<String, Order> = HashMap::new();
    for sent in &evidence.sent {
        let order = orders.entry(request_id(sent.order)).or_default();
        match &sent.answer {
            Answer::Acknowledged { event_id, .. } => {
                order.acknowledged_as.insert(event_id);
            }
            Answer::NotAwaited => order.is_abandoned = true,
            Answer::Refused(_) | Answer::Broken => {}
        }
    }
    let mut stored: HashMap<&str, Vec<&str>> = HashMap::new();
    for (event, request) in &evidence.events {
        stored.entry(request).or_default().push(event);
        if !orders.contains_key(request) {
            report(
                Failure::StoredAndNeverSent,
                format!("event {event}, request {request:?}"),
            );
        }
    }
    for (request, order) in orders {
        let events = stored.get(request.as_str()).map_or(&[][..], Vec::as_slice);
        if events.len() > 1 {
            report(
                Failure::StoredTwice,
                format!("request {request}: events {}", events.join(", ")),
            );
        }
        for event in order
            .acknowledged_as
            .iter()
            .filter(|event| !events.contains(event))
        {
            let text = format!(
                "request {request}: acknowledged as event {event:?}, stored are {events:?}"
            );
            report(Failure::AcknowledgedAndLost, text);
        }
        if order.acknowledged_as.is_empty() && !order.is_abandoned {
            report(Failure::NeverAcknowledged, format!("request {request}"));
        }
    }
}

fn judge_events(evidence: &Evidence, report: &mut impl FnMut(Failure, String)) {
    for (event, request) in &evidence.events {
        let name = format!("event {event}, request {request}");
        for handler in HANDLERS {
            match evidence.delivered.get(&(handler.to_owned(), event.clone())) {
                None => report(Failure::NotDelivered, format!("{name}, handler {handler}")),
                Some(1) => {}
                Some(times) => report(
                    Failure::DeliveredTwice,
                    format!("{name}, handler {handler}: {times} times"),
                ),
            }
        }
        if !evidence.received.contains_key(event) {
            report(Failure::NotReceived, name.clone());
        }
        for handler in BOOKING {
            let times = evidence
                .ledger
                .get(&(handler.to_owned(), event.clone()))
                .map_or(0, |booked| booked.times);
            if times != 1 {
                report(
                    Failure::NotBookedOnce,
                    format!("{name}, handler {handler}: {times} times"),
                );
            }
        }
    }
    let events: HashSet<&str> = evidence
        .events
        .iter()
        .map(|(event, _)| event.as_str())
        .collect();
    for event in evidence
        .received
        .keys()
        .filter(|event| !events.contains(event.as_str()))
    {
        report(Failure::ReceivedAndNotStored, format!("event {event}"));
    }
    for (handler, event) in evidence
        .ledger
        .keys()
        .filter(|(_, event)| !events.contains(event.as_str()))
    {
        report(
            Failure::NotBookedOnce,
            format!("event {event} is booked by {handler} and not stored"),
        );
    }
    for (event, why) in &evidence.dead {
        report(Failure::DeadLetter, format!("event {event}, {why}"));
    }
    for (event, state) in &evidence.pending {
        report(Failure::Pending, format!("event {event}, {state}"));
    }
}

/// Of two orders of one customer the second was sent after the first had been acknowledged, so it
/// was stored later. An order whose answer the sender did not await may be stored at any time.
fn judge_sequences(evidence: &Evidence, report: &mut impl FnMut(Failure, String)) {
    let mut sequences: BTreeMap<u64, BTreeMap<u64, &str>> = BTreeMap::new();
    for Sent { order, answer, .. } in &evidence.sent {
        if let Answer::Acknowledged { event_id, .. } = answer {
            sequences
                .entry(customer(*order))
                .or_default()
                .insert(*order, event_id);
        }
    }
    for handler in ORDERED {
        let position = |event: &str| {
            Some(
                evidence
                    .ledger
                    .get(&(handler.to_owned(), event.to_owned()))?
                    .position,
            )
        };
        for (customer, orders) in &sequences {
            // An order that is not booked at all is reported elsewhere.
            let booked: Vec<_> = orders
                .iter()
                .filter_map(|(order, event)| Some((order, position(event)?)))
                .collect();
            for pair in booked.windows(2).filter(|pair| pair[0].1 > pair[1].1) {
                let (earlier, later) = (request_id(*pair[0].0), request_id(*pair[1].0));
                report(
                    Failure::OutOfOrder,
                    format!(
                        "handler {handler}, customer {customer}: request {later} before {earlier}"
                    ),
                );
            }
        }
    }
}
