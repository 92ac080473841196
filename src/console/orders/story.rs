//! An order as a path and as sentences for a ticket.

use super::super::{
    row::Timestamp,
    view::{
        marks::plain,
        path::{Reached, Step},
        time,
    },
};
use super::{
    row::{sentence, when},
    verdict::{Facts, Has},
};

impl Facts<'_> {
    /// Ordered, accepted, result received.
    pub(super) fn steps(&self) -> Vec<Step> {
        let (order, now) = (self.order, self.now);
        let near = |at: Timestamp| when(at, now);
        let has_result = order.received_at.is_some();
        let accepted = order.request_id.is_some() || has_result;
        let ordered = Step {
            label: "ordered".to_owned(),
            value: order
                .placed_at
                .or(order.ordered_at)
                .map_or_else(|| "not recorded".to_owned(), near),
            note: match (order.placed_at, order.ordered_at) {
                (Some(at), _) => at.age(now),
                (None, Some(_)) => "by Airalo's clock".to_owned(),
                (None, None) => "the shop recorded no order".to_owned(),
            },
            reached: Reached::Yes,
        };
        let accepting = Step {
            label: "Airalo accepted".to_owned(),
            value: if accepted { "yes" } else { "not known" }.to_owned(),
            note: match (&order.request_id, accepted) {
                (Some(request_id), _) => format!("request {}", plain(request_id)),
                (None, true) => "a result arrived".to_owned(),
                (None, false) => "no response arrived".to_owned(),
            },
            reached: if accepted {
                Reached::Yes
            } else {
                Reached::Broken
            },
        };
        let received = |at: Timestamp| match self.event.map(|event| event.origin.as_str()) {
            Some("api") => format!("{}, found in Airalo's list", near(at)),
            _ => near(at),
        };
        let (value, note, reached) = match (order.state.as_str(), order.received_at) {
            ("completed", Some(at)) => (order.esims(), received(at), Reached::Yes),
            (_, Some(at)) => ("refused".to_owned(), received(at), Reached::Broken),
            (state, None) => match order.late(now) {
                Some(late) if state != "unknown" => (late, "no result".to_owned(), Reached::Broken),
                Some(late) => ("no".to_owned(), late, Reached::No),
                None => (
                    "not yet".to_owned(),
                    order
                        .expected_by
                        .map_or_else(String::new, |at| format!("due by {}", near(at))),
                    Reached::No,
                ),
            },
        };
        let result = Step {
            label: "result received".to_owned(),
            value,
            note,
            reached,
        };
        vec![ordered, accepting, result]
    }

    /// Four sentences for a ticket: which order, what Airalo did, what the shop has, and as of when.
    /// They have no secret.
    pub(super) fn ticket(&self) -> [String; 4] {
        let (order, now) = (self.order, self.now);
        let utc = |at: Timestamp| format!("{} UTC", &time::full(at.0)[..16]);
        let ids: Vec<_> = [
            ("request", &order.request_id),
            ("Airalo's order", &order.order_id),
        ]
        .into_iter()
        .filter_map(|(name, id)| Some(format!("{name} {}", plain(id.as_deref()?))))
        .collect();
        let ids = match ids.as_slice() {
            [] => String::new(),
            some => format!(" ({})", some.join(", ")),
        };
        let which = format!(
            "Order “{}”{ids} {}.",
            order.plain_name(),
            match (order.placed_at, order.ordered_at) {
                (Some(at), _) | (None, Some(at)) => format!("was placed at {}", utc(at)),
                (None, None) => "has no recorded time".to_owned(),
            }
        );
        let due = match (order.expected_by, order.late(now)) {
            (Some(at), Some(late)) => format!("was due at {} ({late})", utc(at)),
            (Some(at), None) => format!("is due by {}", utc(at)),
            (None, _) => "has no due time".to_owned(),
        };
        let airalo = match (order.state.as_str(), order.received_at, &order.reason) {
            ("completed", Some(at), _) => {
                format!("Airalo's result arrived at {}: {}.", utc(at), order.esims())
            }
            (_, Some(at), Some(reason)) => {
                format!(
                    "Airalo refused it at {}: {}",
                    utc(at),
                    sentence(&plain(reason))
                )
            }
            (_, Some(at), None) => format!("Airalo refused it at {} without a reason.", utc(at)),
            ("unknown", None, _) => {
                format!("It is not known whether Airalo accepted it; the eSIM {due}.")
            }
            (_, None, _) => format!("Airalo accepted it and has sent no eSIM yet, which {due}."),
        };
        let shop = match (order.received_at, self.event, self.shop) {
            (None, ..) => "The shop has nothing, since there is no result.".to_owned(),
            (_, None, _) => "What the shop did with the result is not kept any more.".to_owned(),
            (_, _, []) => "No part of the shop was told.".to_owned(),
            (_, _, shop) => {
                let parts = shop.iter().map(|handler| {
                    let has = match handler.has {
                        Has::Yes => "has it",
                        Has::NotYet => "does not have it yet",
                        Has::Retrying => "does not take it, and Hookfast tries again",
                        Has::Failed => "does not have it, and nobody tries again",
                        Has::NotSent => "was not told",
                    };
                    format!("{} {has}", handler.name)
                });
                sentence(&format!(
                    "Of the shop's handlers, {}",
                    parts.collect::<Vec<_>>().join("; ")
                ))
            }
        };
        let looked = match &order.last_check_result {
            Some(result) if order.is_unfinished() => {
                format!("; the last check in Airalo's list said: {}", plain(result))
            }
            _ => String::new(),
        };
        let double = if order.is_possibly_double() {
            " (a second result exists: possibly bought twice)"
        } else {
            ""
        };
        [
            which,
            airalo,
            shop,
            sentence(&format!("As of {}{double}{looked}", utc(now))),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::{
        OrderRow,
        tests::{NOW, minutes_ago, order},
    };
    use super::*;

    fn overdue() -> OrderRow {
        let mut order = order("overdue");
        order.expected_by = Some(minutes_ago(30));
        order
    }

    #[test]
    fn the_ticket_has_four_sentences_of_one_line() {
        let mut order = overdue();
        order.description = Some("order\n4711\u{202e}".to_owned());
        order.last_check_result = Some("Airalo has order 7, in state 'pending'".to_owned());
        let facts = Facts {
            order: &order,
            source: None,
            event: None,
            shop: &[],
            now: NOW,
        };
        assert_eq!(
            facts.ticket(),
            [
                "Order “order[U+000A]4711[U+202E]” (request 3NhR3gKm) was placed at 2026-11-28 12:03 UTC.",
                "Airalo accepted it and has sent no eSIM yet, which was due at 2026-11-28 12:07 UTC (30 min late).",
                "The shop has nothing, since there is no result.",
                "As of 2026-11-28 12:37 UTC; the last check in Airalo's list said: Airalo has order 7, in state 'pending'.",
            ]
        );
        assert!(
            facts
                .ticket()
                .iter()
                .all(|sentence| !sentence.contains(char::is_control))
        );
    }

    #[test]
    fn the_path_breaks_at_airalo_or_goes_on() {
        let of = |order: &OrderRow| {
            let facts = Facts {
                order,
                source: None,
                event: None,
                shop: &[],
                now: NOW,
            };
            facts
                .steps()
                .iter()
                .map(|step| step.reached)
                .collect::<Vec<_>>()
        };
        use Reached::{Broken, No, Yes};
        assert_eq!(of(&order("expected")), [Yes, Yes, No]);
        assert_eq!(of(&overdue()), [Yes, Yes, Broken]);
        let mut unknown = order("unknown");
        unknown.request_id = None;
        assert_eq!(of(&unknown), [Yes, Broken, No]);
        let mut failed = order("failed");
        failed.received_at = Some(minutes_ago(1));
        assert_eq!(of(&failed), [Yes, Yes, Broken]);
    }
}
