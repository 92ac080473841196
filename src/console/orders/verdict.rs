//! What an order's page concludes: whether the provider is silent or we failed, what to do, and the
//! sentences for a ticket.

use super::super::{
    row::Timestamp,
    summary::SourceRow,
    view::{marks::plain, number},
};
use super::row::{OrderRow, when};
use serde::Deserialize;

/// What the shop has of a result, by handler.
pub(super) struct ShopHandler {
    pub(super) name: String,
    pub(super) has: Has,
}

/// Whether a handler has the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Has {
    Yes,
    NotYet,
    /// It rejected the result, or was not reached, and Hookfast tries again.
    Retrying,
    /// It was tried, and it is not tried again.
    Failed,
    /// It was never sent, or somebody ended it.
    NotSent,
}

/// The event of a result.
#[derive(Deserialize)]
pub(super) struct ResultEvent {
    pub(super) origin: String,
    pub(super) received_at: Timestamp,
    pub(super) verified_by: Option<String>,
    pub(super) erased_at: Option<Timestamp>,
}

/// Everything that the conclusion depends on.
pub(super) struct Facts<'a> {
    pub(super) order: &'a OrderRow,
    pub(super) source: Option<&'a SourceRow>,
    /// `None` if the event of the result is not kept any more, or there is none.
    pub(super) event: Option<&'a ResultEvent>,
    pub(super) shop: &'a [ShopHandler],
    pub(super) now: Timestamp,
}

/// The conclusion.
pub(super) struct Verdict {
    pub(super) kind: &'static str,
    pub(super) sentence: String,
    /// What to do, or that nothing has to be done.
    pub(super) advice: String,
}

impl Verdict {
    fn new(kind: &'static str, sentence: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            kind,
            sentence: sentence.into(),
            advice: advice.into(),
        }
    }
}

impl Facts<'_> {
    pub(super) fn verdict(&self) -> Verdict {
        let order = self.order;
        if order.is_possibly_double() {
            return Verdict::new(
                "critical",
                "Airalo sent more than one result for this order: it may have been bought twice.",
                "Compare the results below before anything is sent to the shop again. Then acknowledge the conflict on the \
                 page of the other result.",
            );
        }
        match order.state.as_str() {
            "completed" | "failed" => self.with_result(),
            "unknown" => Verdict::new(
                "critical",
                "Nobody knows yet whether Airalo accepted this order.",
                "Do not order again before that is known: you may pay twice. Hookfast looks for the order in Airalo's list \
                 by its description. If the list does not have it after an hour, ask Airalo, and forget the order once \
                 Airalo confirms that it was never placed.",
            ),
            _ => match order.late(self.now) {
                None => Verdict::new(
                    "waiting",
                    "Airalo accepted the order, and the eSIM is not late.",
                    "Wait. Hookfast reports the order if the eSIM is late.",
                ),
                Some(late) => self.overdue(&late),
            },
        }
    }

    /// Airalo accepted the order and no result is here: it did not send one, or we rejected it.
    fn overdue(&self, late: &str) -> Verdict {
        let ask = "If Airalo's list still has no result after an hour, ask Airalo with the request id. Until Airalo \
                   answers, do not order again: you may pay twice.";
        let Some(source) = self.source else {
            return Verdict::new("critical", format!("Airalo is silent: {late}."), ask);
        };
        let name = &source.source;
        if source.rejected_last_hour > 0
            && ["rejecting", "all_rejected"].contains(&source.state.as_str())
        {
            return Verdict::new(
                "critical",
                format!(
                    "We may have failed: the eSIM is {late}, and we rejected {} of {name} in the last hour. The result may be \
                     among them.",
                    number::counted(source.rejected_last_hour, "request", "requests")
                ),
                format!("See why on the page of the source {name}, and repair that first."),
            );
        }
        match source.last_event_at {
            _ if source.state == "silent" => Verdict::new(
                "critical",
                format!(
                    "Airalo is silent, and not only about this order: nothing has arrived since {}.",
                    source
                        .last_event_at
                        .map_or_else(|| "the start".to_owned(), |at| when(at, self.now))
                ),
                format!("See the page of the source {name}: this order is not the cause."),
            ),
            Some(at) if Some(at) > self.order.placed_at => Verdict::new(
                "critical",
                format!(
                    "Airalo is silent about this order: it accepted it, and the eSIM is {late}. We receive what Airalo sends: \
                     the last arrived {}.",
                    when(at, self.now)
                ),
                ask,
            ),
            _ => Verdict::new(
                "critical",
                format!(
                    "Airalo is silent: the eSIM is {late}, and nothing has arrived since the order."
                ),
                ask,
            ),
        }
    }

    fn with_result(&self) -> Verdict {
        let order = self.order;
        let (what, kind) = match (order.state.as_str(), &order.reason) {
            ("completed", _) => ("Airalo sent the eSIM".to_owned(), "ok"),
            (_, Some(reason)) => (
                format!("Airalo refused the order ({})", plain(reason)),
                "warning",
            ),
            (_, None) => ("Airalo refused the order".to_owned(), "warning"),
        };
        if self.event.is_none() {
            return Verdict::new(
                kind,
                format!("{what}. What the shop did with that is not kept any more."),
                "",
            );
        }
        let of = |has: Has| {
            let names: Vec<_> = self
                .shop
                .iter()
                .filter(|handler| handler.has == has)
                .map(|handler| handler.name.as_str())
                .collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        if let Some(names) = of(Has::Failed) {
            return Verdict::new(
                "critical",
                format!("{what}. We failed: {names} does not have it, and nobody tries again."),
                format!("Find out what {names} answers, and send it again."),
            );
        }
        if let Some(names) = of(Has::Retrying) {
            return Verdict::new(
                "warning",
                format!("{what}. We are late: {names} does not take it. Hookfast tries again."),
                format!("Nothing is lost. The reason is beside {names}."),
            );
        }
        if let Some(names) = of(Has::NotYet) {
            let moment = self.now.0 - self.event.map_or(self.now.0, |event| event.received_at.0);
            return if moment < 60_000_000 {
                Verdict::new(
                    "waiting",
                    format!("{what}. It is on its way to {names}."),
                    "",
                )
            } else {
                Verdict::new(
                    "warning",
                    format!("{what}. We are late: {names} does not have it yet."),
                    format!("Nothing is lost. See on the page of {names} whether it works."),
                )
            };
        }
        if of(Has::Yes).is_some() {
            let advice = match kind {
                "ok" => "If the customer has nothing, look in the shop: its part begins there.",
                _ => "The shop knows of it. Refund, or order again under another description.",
            };
            return Verdict::new(kind, format!("{what}, and the shop has it."), advice);
        }
        Verdict::new(
            "warning",
            format!("{what}. No part of the shop was told."),
            "No handler of the shop has it. If one should have it, send it again.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::{NOW, minutes_ago, order};
    use super::*;

    fn source(state: &str, rejected: i64, last: i64) -> SourceRow {
        SourceRow {
            source: "airalo".to_owned(),
            kind: "airalo".to_owned(),
            state: state.to_owned(),
            last_event_at: Some(minutes_ago(last)),
            last_hour: 5,
            duplicates_last_hour: 0,
            conflicts_last_hour: 0,
            rejected_last_hour: rejected,
            quarantined: rejected,
        }
    }

    fn overdue() -> OrderRow {
        let mut order = order("overdue");
        order.expected_by = Some(minutes_ago(30));
        order
    }

    fn conclude(order: &OrderRow, source: &SourceRow, shop: &[ShopHandler]) -> Verdict {
        let event = ResultEvent {
            origin: "webhook".to_owned(),
            received_at: minutes_ago(10),
            verified_by: None,
            erased_at: None,
        };
        Facts {
            order,
            source: Some(source),
            event: order.received_at.map(|_| &event),
            shop,
            now: NOW,
        }
        .verdict()
    }

    #[test]
    fn silence_of_the_provider_is_told_from_our_failure() {
        let order = overdue();
        let ours = conclude(&order, &source("rejecting", 12, 1), &[]);
        assert!(
            ours.sentence.starts_with("We may have failed"),
            "{}",
            ours.sentence
        );
        let silent = conclude(&order, &source("silent", 0, 200), &[]);
        assert!(
            silent.sentence.contains("not only about this order"),
            "{}",
            silent.sentence
        );
        let this = conclude(&order, &source("ok", 0, 1), &[]);
        assert!(
            this.sentence
                .starts_with("Airalo is silent about this order"),
            "{}",
            this.sentence
        );
        let nothing = conclude(&order, &source("ok", 0, 600), &[]);
        assert!(
            nothing
                .sentence
                .contains("nothing has arrived since the order"),
            "{}",
            nothing.sentence
        );
    }

    #[test]
    fn a_result_that_the_shop_does_not_have_is_our_failure() {
        let mut order = order("completed");
        order.received_at = Some(minutes_ago(10));
        let shop = |has| {
            [ShopHandler {
                name: "shop".to_owned(),
                has,
            }]
        };
        let ok = source("ok", 0, 1);
        assert_eq!(conclude(&order, &ok, &shop(Has::Yes)).kind, "ok");
        let failed = conclude(&order, &ok, &shop(Has::Failed));
        assert_eq!(failed.kind, "critical");
        assert!(
            failed.sentence.contains("We failed: shop"),
            "{}",
            failed.sentence
        );
        assert_eq!(conclude(&order, &ok, &shop(Has::NotYet)).kind, "warning");
        assert_eq!(conclude(&order, &ok, &[]).kind, "warning");
    }
}
