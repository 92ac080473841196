//! What became of an event, handler by handler, and what to do about it.

use super::rows::{Attempt, Delivery, Explained, Rows};
use crate::console::{
    address::Address,
    event_row::plain,
    row::Timestamp,
    summary::HandlerRow,
    view::{
        number,
        path::{Act, Branch},
        state, time,
    },
};
use crate::store::{
    Visitor,
    catalog::{Function, functions},
};
use axum::http::StatusCode;

/// What the visitor may do.
pub(super) struct Rights {
    pub(super) replay: bool,
    pub(super) reschedule: bool,
    pub(super) retry: bool,
    pub(super) resume: bool,
}

impl Rights {
    pub(super) fn of(visitor: &Visitor) -> Self {
        let may = |function: &Function| visitor.may(function);
        Self {
            replay: may(&functions::REPLAY),
            reschedule: may(&functions::RESCHEDULE),
            retry: may(&functions::RETRY),
            resume: may(&functions::RESUME_HANDLER),
        }
    }
}

/// One handler, or one of several deliveries to it.
pub(super) struct Outcome<'a> {
    pub(super) explained: &'a Explained,
    pub(super) delivery: Option<&'a Delivery>,
    pub(super) last: Option<&'a Attempt>,
    health: Option<&'a HandlerRow>,
    dead_because: Option<&'a str>,
}

/// In the order of `hookfast.explain`: by handler and delivery.
pub(super) fn outcomes<'a>(rows: &'a Rows, handlers: &'a [HandlerRow]) -> Vec<Outcome<'a>> {
    let of_one = |explained: &'a Explained| {
        let id = explained.delivery_id;
        let dead = rows
            .dead_letters
            .iter()
            .find(|dead| Some(dead.delivery_id) == id);
        Outcome {
            explained,
            delivery: rows
                .deliveries
                .iter()
                .find(|delivery| Some(delivery.delivery_id) == id),
            last: rows
                .attempts
                .iter()
                .filter(|attempt| Some(attempt.delivery_id) == id)
                .max_by_key(|attempt| attempt.attempt_number),
            health: handlers
                .iter()
                .find(|handler| handler.handler == explained.handler),
            dead_because: dead.map(|dead| dead.reason.as_str()),
        }
    };
    rows.explained.iter().map(of_one).collect()
}

impl Outcome<'_> {
    /// The state of the delivery if there is one, else the verdict.
    pub(super) fn word(&self) -> &str {
        match self.delivery {
            Some(delivery) => &delivery.state,
            None => &self.explained.verdict,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        state::kind(self.word())
    }

    /// The reason of the state.
    pub(super) fn why(&self, now: Timestamp) -> String {
        let Some(delivery) = self.delivery else {
            return self.explained.message.clone();
        };
        let attempts = number::counted(delivery.attempts, "attempt", "attempts");
        let parts = match delivery.state.as_str() {
            "delivered" => vec![self.took(), format!("attempt {}", delivery.attempts)],
            "filtered" => vec!["its payload does not match the filter".to_owned()],
            "discarded" => vec![format!("by an operator, after {attempts}")],
            "dead" => vec![self.death(), self.failure(), attempts],
            "retrying" => vec![
                self.failure(),
                self.progress(delivery),
                self.next(delivery, now),
                self.trouble(),
            ],
            "running" => vec![
                format!("attempt {}", delivery.attempts),
                delivery
                    .running_by
                    .as_ref()
                    .map_or_else(String::new, |owner| format!("by {owner}")),
            ],
            "waiting" => vec!["an earlier delivery of its ordering key is not done".to_owned()],
            "retired" => vec![self.explained.message.clone()],
            "scheduled" => vec![self.next(delivery, now)],
            _ => vec![self.trouble(), self.failure()],
        };
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" · ")
    }

    fn took(&self) -> String {
        self.last
            .and_then(|last| last.duration_ms)
            .map_or_else(String::new, |ms| {
                format!("in {}", time::duration(ms.saturating_mul(1000)))
            })
    }

    fn death(&self) -> String {
        state::death(self.dead_because.unwrap_or_default()).to_owned()
    }

    fn failure(&self) -> String {
        self.last.map_or_else(String::new, failure)
    }

    fn progress(&self, delivery: &Delivery) -> String {
        match delivery.attempts_left {
            Some(left) => format!("{} so far, {left} left", delivery.attempts),
            None => format!("{} so far", delivery.attempts),
        }
    }

    fn next(&self, delivery: &Delivery, now: Timestamp) -> String {
        delivery.next_attempt_at.map_or_else(String::new, |at| {
            format!("next at {} ({})", at.near(now), at.age(now))
        })
    }

    /// What keeps the handler from working.
    fn trouble(&self) -> String {
        let Some(health) = self.health.filter(|health| health.state != "ok") else {
            return String::new();
        };
        match &health.why {
            // The word beside it says the state already.
            Some(why) if health.state == self.word() => plain(why, 120),
            Some(why) => format!(
                "{} {}: {}",
                health.handler,
                state::word(&health.state),
                plain(why, 120)
            ),
            None => format!("{} {}", health.handler, state::word(&health.state)),
        }
    }

    fn act(&self, event_id: &str, is_erased: bool, rights: &Rights) -> Option<Act> {
        let handler = &self.explained.handler;
        let id = self.delivery.map_or(0, |delivery| delivery.delivery_id);
        let act = |label: &str, function: &str, pairs: &[(&'static str, &str)], is_primary| Act {
            label: label.to_owned(),
            href: pairs
                .iter()
                .fold(Address::act(function), |act, (name, value)| {
                    act.with(name, value)
                })
                .href(),
            is_primary,
        };
        let id = id.to_string();
        let replay = |is_primary| {
            let parameters = [("event_id", event_id), ("handler", handler)];
            let is_allowed = rights.replay && !is_erased;
            is_allowed.then(|| act("Replay", "replay", &parameters, is_primary))
        };
        match self.word() {
            "retrying" | "scheduled" => rights.reschedule.then(|| {
                let parameters = [("delivery_id", id.as_str()), ("due_at", "now")];
                act("Try now", "reschedule", &parameters, true)
            }),
            "dead" if !is_erased => rights
                .retry
                .then(|| act("Retry", "retry", &[("delivery_id", &id)], true)),
            "paused" => rights
                .resume
                .then(|| act("Resume", "resume_handler", &[("handler", handler)], false)),
            "delivered" | "filtered" | "discarded" | "not subscribed" | "subscribed later" => {
                replay(false)
            }
            "not routed" => replay(true),
            _ => None,
        }
    }

    pub(super) fn branch(
        &self,
        event_id: &str,
        is_erased: bool,
        rights: &Rights,
        now: Timestamp,
    ) -> Branch {
        Branch {
            handler: self.explained.handler.clone(),
            href: Address::handler(&self.explained.handler).href(),
            kind: self.kind(),
            word: self.word().to_owned(),
            why: self.why(now),
            act: self.act(event_id, is_erased, rights),
        }
    }
}

/// `502 Bad Gateway`, or the kind of error.
pub(super) fn failure(attempt: &Attempt) -> String {
    if ["delivered", "filtered"].contains(&attempt.outcome.as_str()) {
        return String::new();
    }
    let status = attempt
        .status
        .and_then(|code| StatusCode::from_u16(code).ok());
    match (status, &attempt.error_kind) {
        (Some(status), kind)
            if kind
                .as_deref()
                .is_none_or(|kind| kind.starts_with("status")) =>
        {
            status.to_string()
        }
        (_, Some(kind)) if kind == "handler" => attempt.error.as_ref().map_or_else(
            || "the handler failed".to_owned(),
            |error| plain(error, 120),
        ),
        (_, Some(kind)) => kind.replace('_', " "),
        (_, None) => plain(attempt.error.as_deref().unwrap_or_default(), 120),
    }
}

#[cfg(test)]
pub(super) mod tests;
