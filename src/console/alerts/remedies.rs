//! The acts that do what the runbook says about a type of alerts, so that nobody needs psql.

use super::facts::{Fact, value};
use crate::console::{address::Address, view::short};
use crate::store::catalog::{Function, functions};

/// An act for a type of alerts.
struct Remedy {
    function: &'static Function,
    caption: &'static str,
    /// The parameter, which has the name of a member of the alert's payload.
    parameter: &'static str,
}

/// An act with the values of an alert.
pub(super) struct ActLink {
    pub(super) caption: String,
    pub(super) href: String,
    function: &'static Function,
}

impl ActLink {
    /// Whether it is about dead letters, of which a handler may have none.
    pub(super) fn needs_dead_letters(&self) -> bool {
        self.function.name == functions::RETRY_ALL.name
    }

    /// Whether statements call its function.
    pub(super) fn does(&self, code: &str) -> bool {
        code.contains(&format!("hookfast.{}(", self.function.name))
    }
}

const fn remedy(
    function: &'static Function,
    caption: &'static str,
    parameter: &'static str,
) -> Remedy {
    Remedy {
        function,
        caption,
        parameter,
    }
}

const PAUSE: Remedy = remedy(&functions::PAUSE_HANDLER, "Pause", "handler");
const RESUME: Remedy = remedy(&functions::RESUME_HANDLER, "Resume", "handler");
const RETIRE: Remedy = remedy(&functions::RETIRE_HANDLER, "Retire", "handler");
const RETRY: Remedy = remedy(&functions::RETRY, "Retry this delivery", "delivery_id");
const RETRY_ALL: Remedy = remedy(&functions::RETRY_ALL, "Retry dead letters of", "handler");
const DISCARD: Remedy = remedy(&functions::DISCARD, "Discard this delivery", "delivery_id");
const REVERIFY: Remedy = remedy(
    &functions::REVERIFY_QUARANTINED,
    "Verify quarantined requests again, of",
    "source",
);
const DISCARD_QUARANTINED: Remedy = remedy(
    &functions::DISCARD_QUARANTINED,
    "Discard quarantined requests of",
    "source",
);
const REPLAY: Remedy = remedy(&functions::REPLAY_ALL, "Replay events of", "source");
const ACKNOWLEDGE: Remedy = remedy(&functions::ACKNOWLEDGE_CONFLICT, "Acknowledge", "event_id");
const ACKNOWLEDGE_ALL: Remedy = remedy(
    &functions::ACKNOWLEDGE_CONFLICTS,
    "Acknowledge conflicts of",
    "source",
);
const HOLD: Remedy = remedy(&functions::HOLD_EVENT, "Hold the event", "event_id");
const LOOK: Remedy = remedy(&functions::AIRALO_CHECK_ORDER, "Look now", "description");
const FORGET: Remedy = remedy(
    &functions::AIRALO_FORGET_ORDER,
    "Forget the order",
    "description",
);

/// The acts of each type, the usual one first.
const REMEDIES: [(&str, &[Remedy]); 12] = [
    ("hookfast.delivery.dead", &[RETRY, RETRY_ALL, DISCARD]),
    ("hookfast.handler.paused", &[RESUME, PAUSE]),
    ("hookfast.handler.opened", &[RETRY_ALL]),
    ("hookfast.handler.failing", &[RETRY_ALL, PAUSE, RESUME]),
    ("hookfast.handler.unserved", &[PAUSE, RETIRE]),
    ("hookfast.lease.lost", &[PAUSE, RESUME]),
    ("hookfast.source.rejecting", &[REVERIFY]),
    ("hookfast.source.all_rejected", &[REVERIFY]),
    ("hookfast.source.unrouted", &[REPLAY]),
    ("hookfast.quarantine.full", &[REVERIFY, DISCARD_QUARANTINED]),
    ("hookfast.conflict", &[ACKNOWLEDGE, ACKNOWLEDGE_ALL, HOLD]),
    ("airalo.order.overdue", &[LOOK, FORGET]),
];

/// The acts for an alert that the visitor may do, and whose values the visitor sees.
pub(super) fn acts(
    alert_type: &str,
    facts: &[Fact],
    may: &dyn Fn(&Function) -> bool,
) -> Vec<ActLink> {
    let known = REMEDIES.iter().find(|(known, _)| *known == alert_type);
    let remedies = known.map(|(_, remedies)| *remedies).unwrap_or_default();
    let link = |remedy: &Remedy| {
        let value = value(facts, remedy.parameter)?;
        Some(ActLink {
            caption: match remedy.parameter {
                "handler" | "source" => format!("{} {}", remedy.caption, short::middle(&value, 40)),
                _ => remedy.caption.to_owned(),
            },
            href: Address::act(remedy.function.name)
                .with(remedy.parameter, value)
                .href(),
            function: remedy.function,
        })
    };
    remedies
        .iter()
        .filter(|remedy| may(remedy.function))
        .filter_map(link)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::view::runbook::{self, Block, Names};

    /// The statements of the runbook about a type.
    fn statements(alert_type: &str) -> String {
        let parts = runbook::section(alert_type, &Names::default());
        let blocks = parts.into_iter().flat_map(|part| part.blocks);
        let code = blocks.filter_map(|block| match block {
            Block::Code(code) => Some(code),
            _ => None,
        });
        code.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_act_is_in_the_runbook_and_takes_its_parameter() {
        for (alert_type, remedies) in REMEDIES {
            let statements = statements(alert_type);
            for remedy in remedies {
                let name = remedy.function.name;
                assert!(remedy.function.takes(remedy.parameter), "{name}");
                // The runbook has a command of the shell for these.
                if !["airalo_check_order", "retry_all"].contains(&name) {
                    assert!(
                        statements.contains(&format!("hookfast.{name}(")),
                        "{alert_type}: {name}"
                    );
                }
            }
        }
    }

    #[test]
    fn acts_have_the_values_of_the_alert_and_only_those_that_are_seen() {
        let fact = |name: &str, text: &str| Fact {
            name: name.to_owned(),
            text: text.to_owned(),
            href: String::new(),
        };
        let facts = [fact("handler", "a&b"), fact("delivery_id", "7")];
        let shown = |facts: &[Fact], may: &dyn Fn(&Function) -> bool| -> Vec<String> {
            let acts = acts("hookfast.delivery.dead", facts, may);
            acts.into_iter()
                .map(|act| format!("{} {}", act.caption, act.href))
                .collect()
        };
        assert_eq!(
            shown(&facts, &|_| true),
            [
                "Retry this delivery /act/retry?delivery_id=7",
                "Retry dead letters of a&b /act/retry_all?handler=a%26b",
                "Discard this delivery /act/discard?delivery_id=7",
            ]
        );
        assert_eq!(
            shown(&facts, &|function| function.name == "retry"),
            ["Retry this delivery /act/retry?delivery_id=7"]
        );
        assert!(shown(&[fact("handler", "***")], &|_| true).is_empty());
    }

    #[test]
    fn an_act_stands_before_the_statements_that_call_its_function() {
        let facts = [Fact {
            name: "handler".to_owned(),
            text: "shop".to_owned(),
            href: String::new(),
        }];
        let acts = acts("hookfast.handler.paused", &facts, &|_| true);
        let before = |code: &str| -> Vec<&str> {
            let acts = acts.iter().filter(|act| act.does(code));
            acts.map(|act| act.caption.as_str()).collect()
        };
        assert_eq!(
            before("SELECT hookfast.resume_handler('shop', 'x');"),
            ["Resume shop"]
        );
        assert!(before("SELECT hookfast.resume_handlers('shop');").is_empty());
    }
}
