//! An order in plain words, for people who know orders and eSIMs and not Hookfast.

use super::super::{
    address::{Address, is_segment},
    row::Timestamp,
    view::{marks::plain, short, time},
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The columns of `hookfast.airalo_orders` that pages show.
pub(super) const COLUMNS: &[&str] = &[
    "source",
    "request_id",
    "description",
    "state",
    "order_id",
    "code",
    "package",
    "quantity",
    "validity_days",
    "data",
    "reason",
    "ordered_at",
    "received_at",
    "event_id",
    "possible_double_purchase",
    "conflict_event_ids",
    "placed_at",
    "expected_by",
    "last_check_result",
    "acknowledged_at",
];

/// A row of `hookfast.airalo_orders`.
#[derive(Deserialize)]
pub(super) struct OrderRow {
    pub(super) source: String,
    pub(super) request_id: Option<String>,
    pub(super) description: Option<String>,
    pub(super) state: String,
    pub(super) order_id: Option<String>,
    pub(super) code: Option<String>,
    pub(super) package: Option<String>,
    pub(super) quantity: Option<Box<RawValue>>,
    pub(super) validity_days: Option<Box<RawValue>>,
    pub(super) data: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) ordered_at: Option<Timestamp>,
    pub(super) received_at: Option<Timestamp>,
    pub(super) event_id: Option<String>,
    pub(super) possible_double_purchase: bool,
    pub(super) conflict_event_ids: Vec<String>,
    pub(super) placed_at: Option<Timestamp>,
    pub(super) expected_by: Option<Timestamp>,
    pub(super) last_check_result: Option<String>,
    pub(super) acknowledged_at: Option<Timestamp>,
}

impl OrderRow {
    /// Whether nobody has acknowledged yet that it may have been bought twice.
    pub(super) fn is_possibly_double(&self) -> bool {
        self.possible_double_purchase && self.acknowledged_at.is_none()
    }

    /// Its page.
    pub(super) fn address(&self) -> String {
        address(
            &self.source,
            self.request_id.as_deref(),
            self.description.as_deref(),
            self.order_id.as_deref(),
        )
    }

    /// What people call it.
    pub(super) fn name(&self) -> &str {
        [&self.description, &self.request_id, &self.order_id]
            .into_iter()
            .find_map(|name| name.as_deref().filter(|name| !name.is_empty()))
            .unwrap_or("an order without a description")
    }

    /// Its name as one line without characters that deceive, for sentences.
    pub(super) fn plain_name(&self) -> String {
        plain(&short::middle(self.name(), 80))
    }

    pub(super) fn is_unfinished(&self) -> bool {
        ["expected", "overdue", "unknown"].contains(&self.state.as_str())
    }

    /// `34 min late`, once it is.
    pub(super) fn late(&self, now: Timestamp) -> Option<String> {
        let late = now.0.saturating_sub(self.expected_by?.0);
        (late > 0).then(|| format!("{} late", time::duration(late)))
    }

    /// `1 eSIM`
    pub(super) fn esims(&self) -> String {
        match self.quantity.as_deref().map(RawValue::get) {
            Some("1") | None => "1 eSIM".to_owned(),
            Some(more) => format!("{more} eSIMs"),
        }
    }

    /// How long the result took.
    pub(super) fn took(&self) -> Option<String> {
        let took = self.received_at?.0.checked_sub(self.placed_at?.0)?;
        (took > 0).then(|| time::duration(took))
    }

    /// Its whole story, in sentences of the support desk.
    pub(super) fn story(&self, now: Timestamp) -> String {
        let mut story = Vec::new();
        if let Some(at) = self.placed_at.or(self.ordered_at) {
            story.push(format!("Ordered {}.", when(at, now)));
        }
        let reason = self.reason.as_deref().map(plain);
        let result = self
            .received_at
            .map_or_else(String::new, |at| format!(" {}", when(at, now)));
        match self.state.as_str() {
            "completed" => {
                let took = self
                    .took()
                    .map_or_else(String::new, |took| format!(", {took} after the order"));
                story.push(format!("{} arrived{result}{took}.", self.esims()));
            }
            "failed" => story.push(match reason {
                Some(reason) => format!("Airalo refused it{result}: {}", sentence(&reason)),
                None => format!("Airalo refused it{result}, without a reason."),
            }),
            "unknown" => {
                let why = reason.unwrap_or_else(|| "no response arrived".to_owned());
                story.push(format!(
                    "It is not known whether Airalo accepted it: {}",
                    sentence(&why)
                ));
                story.push(self.missing(now));
            }
            _ => {
                story.push("Airalo accepted it.".to_owned());
                story.push(self.missing(now));
            }
        }
        if self.is_unfinished()
            && let Some(result) = &self.last_check_result
        {
            story.push(format!("Last check: {}", sentence(&plain(result))));
        }
        if self.possible_double_purchase {
            story.push(match self.acknowledged_at {
                None => "Airalo sent another result too: possibly bought twice.".to_owned(),
                Some(at) => format!(
                    "Airalo sent another result too; dealt with {}.",
                    when(at, now)
                ),
            });
        }
        story.join(" ")
    }

    fn missing(&self, now: Timestamp) -> String {
        match (self.late(now), self.expected_by) {
            (Some(late), _) => format!("No eSIM yet, {late}."),
            (None, Some(at)) => {
                format!("No eSIM yet, due by {} ({}).", when(at, now), at.age(now))
            }
            (None, None) => "No eSIM yet.".to_owned(),
        }
    }
}

/// The page of an order, by its request id or else by what is known of it.
pub(in super::super) fn address(
    source: &str,
    request_id: Option<&str>,
    description: Option<&str>,
    order_id: Option<&str>,
) -> String {
    let orders = Address::to("/orders").part(source);
    let request_id = request_id.unwrap_or_default();
    if is_segment(request_id) {
        return orders.part(request_id).href();
    }
    let orders = orders.with("request_id", request_id);
    match description {
        Some(description) => orders.with("description", description),
        None => orders.with("order_id", order_id.unwrap_or_default()),
    }
    .href()
}

/// `12:03`, with the date if it is not today's.
pub(super) fn when(at: Timestamp, now: Timestamp) -> String {
    let full = time::full(at.0);
    let (date, clock) = full.split_once(' ').unwrap_or(("", &full));
    let clock = clock.get(..5).unwrap_or(clock);
    match time::full(now.0).split_once(' ') {
        Some((today, _)) if today == date => clock.to_owned(),
        _ => format!("{date} {clock}"),
    }
}

/// With a full stop.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const NOW: Timestamp = Timestamp(1_795_869_420_000_000); // 12:37

    pub(in super::super) fn minutes_ago(minutes: i64) -> Timestamp {
        Timestamp(NOW.0 - minutes * 60_000_000)
    }

    pub(in super::super) fn order(state: &str) -> OrderRow {
        OrderRow {
            source: "airalo".to_owned(),
            request_id: Some("3NhR3gKm".to_owned()),
            description: Some("order 4711".to_owned()),
            state: state.to_owned(),
            order_id: None,
            code: None,
            package: None,
            quantity: None,
            validity_days: None,
            data: None,
            reason: None,
            ordered_at: None,
            received_at: None,
            event_id: None,
            possible_double_purchase: false,
            conflict_event_ids: Vec::new(),
            placed_at: Some(minutes_ago(34)),
            expected_by: Some(minutes_ago(-4)),
            last_check_result: None,
            acknowledged_at: None,
        }
    }

    #[test]
    fn an_order_that_is_late_says_so() {
        let mut order = order("expected");
        assert_eq!(
            order.story(NOW),
            "Ordered 12:03. Airalo accepted it. No eSIM yet, due by 12:41 (in 4 min)."
        );
        order.state = "overdue".to_owned();
        order.placed_at = Some(minutes_ago(24 * 60 + 34));
        order.expected_by = Some(minutes_ago(34));
        order.last_check_result = Some("Airalo has order 7, in state 'pending'".to_owned());
        assert_eq!(
            order.story(NOW),
            "Ordered 2026-11-27 12:03. Airalo accepted it. No eSIM yet, 34 min late. Last check: Airalo has order 7, in \
             state 'pending'."
        );
    }

    #[test]
    fn results_are_told_with_their_time() {
        let mut order = order("completed");
        order.received_at = Some(minutes_ago(32));
        assert_eq!(
            order.story(NOW),
            "Ordered 12:03. 1 eSIM arrived 12:05, 2 min after the order."
        );
        order.quantity = RawValue::from_string("3".to_owned()).ok();
        order.possible_double_purchase = true;
        assert_eq!(
            order.story(NOW),
            "Ordered 12:03. 3 eSIMs arrived 12:05, 2 min after the order. Airalo sent another result too: possibly bought \
             twice."
        );
        order.state = "failed".to_owned();
        order.possible_double_purchase = false;
        order.reason = Some("out of stock\u{202e}".to_owned());
        assert_eq!(
            order.story(NOW),
            "Ordered 12:03. Airalo refused it 12:05: out of stock[U+202E]."
        );
    }

    #[test]
    fn an_unknown_order_may_have_been_accepted() {
        let mut order = order("unknown");
        order.request_id = None;
        order.reason = Some("the order was sent, and no response has arrived".to_owned());
        assert_eq!(
            order.story(NOW),
            "Ordered 12:03. It is not known whether Airalo accepted it: the order was sent, and no response has arrived. \
             No eSIM yet, due by 12:41 (in 4 min)."
        );
    }

    #[test]
    fn no_story_has_a_word_of_the_engine() {
        for state in ["expected", "overdue", "unknown", "completed", "failed"] {
            let story = order(state).story(NOW).to_lowercase();
            for word in ["deliver", "outbox", "dead letter", "event", "webhook"] {
                assert!(!story.contains(word), "{story}");
            }
        }
    }

    #[test]
    fn every_order_has_an_address() {
        let mut order = order("completed");
        assert_eq!(order.address(), "/orders/airalo/3NhR3gKm");
        order.request_id = Some("..".to_owned());
        assert_eq!(
            order.address(),
            "/orders/airalo?request_id=..&description=order+4711"
        );
        order.request_id = None;
        assert_eq!(order.address(), "/orders/airalo?description=order+4711");
        order.description = None;
        order.order_id = Some("12".to_owned());
        assert_eq!(order.address(), "/orders/airalo?order_id=12");
        assert_eq!(order.name(), "12");
    }
}
