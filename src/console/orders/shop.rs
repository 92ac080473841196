//! Whether the handlers of the shop have the result of an order, and what can be done.

use super::super::{
    address::Address,
    row::Timestamp,
    view::{
        marks::plain,
        path::{Act, Branch},
        short, state,
    },
};
use super::{
    row::{OrderRow, when},
    verdict::{Has, ShopHandler},
};
use crate::store::Visitor;
use crate::store::catalog::functions;
use serde::Deserialize;

/// A row of `hookfast.explain`.
#[derive(Deserialize)]
pub(super) struct Explained {
    pub(super) handler: String,
    pub(super) verdict: String,
    pub(super) delivery_id: Option<i64>,
}

/// A row of `hookfast.deliveries`.
#[derive(Deserialize)]
pub(super) struct Delivery {
    pub(super) delivery_id: i64,
    pub(super) state: String,
    pub(super) attempts: i64,
    pub(super) next_attempt_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) last_error: Option<String>,
}

fn has(row: &Explained, deliveries: &[Delivery]) -> Has {
    match row.verdict.as_str() {
        "delivered" => Has::Yes,
        "pending" => match delivery_of(row, deliveries) {
            Some(delivery) if delivery.state == "retrying" => Has::Retrying,
            _ => Has::NotYet,
        },
        "dead" => Has::Failed,
        _ => Has::NotSent,
    }
}

fn delivery_of<'a>(row: &Explained, deliveries: &'a [Delivery]) -> Option<&'a Delivery> {
    deliveries
        .iter()
        .find(|delivery| Some(delivery.delivery_id) == row.delivery_id)
}

/// Each handler once. It has the result if any of its deliveries ended well.
pub(super) fn shop_handlers(explained: &[&Explained], deliveries: &[Delivery]) -> Vec<ShopHandler> {
    let mut handlers: Vec<ShopHandler> = Vec::new();
    // A retired handler that never had it is no part of the shop any more.
    let told = |row: &&&Explained| row.verdict != "retired" || row.delivery_id.is_some();
    for row in explained.iter().filter(told) {
        let has = has(row, deliveries);
        match handlers.last_mut() {
            Some(last) if last.name == row.handler => {
                if last.has != Has::Yes {
                    last.has = has;
                }
            }
            _ => handlers.push(ShopHandler {
                name: row.handler.clone(),
                has,
            }),
        }
    }
    handlers
}

pub(super) fn branch(
    row: &Explained,
    deliveries: &[Delivery],
    order: &OrderRow,
    visitor: &Visitor,
    now: Timestamp,
) -> Branch {
    let delivery = delivery_of(row, deliveries);
    let word = match row.verdict.as_str() {
        "delivered" => "has it",
        "pending" => "not yet",
        "dead" => "failed",
        "filtered" => "filtered out",
        "discarded" => "given up",
        "retired" => "no longer in use",
        _ => "not told",
    };
    let state = delivery.map_or(row.verdict.as_str(), |delivery| &delivery.state);
    let event_id = order.event_id.as_deref().unwrap_or_default();
    let act = match delivery {
        Some(delivery) if row.verdict == "dead" && visitor.may(&functions::RETRY) => Some(Act {
            label: "Try again".to_owned(),
            href: Address::act("retry")
                .with("delivery_id", delivery.delivery_id)
                .href(),
            is_primary: true,
        }),
        // Which result is right is decided first.
        _ if order.is_possibly_double() => None,
        _ if !["pending", "retired"].contains(&row.verdict.as_str())
            && visitor.may(&functions::REPLAY) =>
        {
            Some(Act {
                label: match delivery {
                    Some(_) => "Send again".to_owned(),
                    None => "Send".to_owned(),
                },
                href: Address::act("replay")
                    .with("event_id", event_id)
                    .with("handler", &row.handler)
                    .href(),
                is_primary: ["dead", "not routed", "subscribed later"]
                    .contains(&row.verdict.as_str()),
            })
        }
        _ => None,
    };
    Branch {
        href: Address::handler(&row.handler).href(),
        handler: row.handler.clone(),
        kind: state::kind(state),
        word: word.to_owned(),
        why: why(row, delivery, now),
        act,
    }
}

/// Since when, after how many attempts, and why not.
fn why(row: &Explained, delivery: Option<&Delivery>, now: Timestamp) -> String {
    let Some(delivery) = delivery else {
        return match row.verdict.as_str() {
            "subscribed later" => "it was added after this result arrived",
            _ => "",
        }
        .to_owned();
    };
    let mut parts = Vec::new();
    parts.extend(delivery.ended_at.map(|at| when(at, now)));
    parts.push(match delivery.attempts {
        0 => "not tried yet".to_owned(),
        1 => "tried once".to_owned(),
        more => format!("tried {more} times"),
    });
    if let Some(next) = delivery.next_attempt_at.filter(|next| next.0 < i64::MAX) {
        parts.push(format!("next {}", next.age(now)));
    }
    if let Some(error) = delivery
        .last_error
        .as_deref()
        .filter(|_| row.verdict != "delivered")
    {
        parts.push(plain(&short::middle(error, 120)));
    }
    parts.join(" · ")
}

/// What can be done about an order without a result.
pub(super) fn acts(order: &OrderRow, visitor: &Visitor) -> Vec<Act> {
    let Some(description) = order
        .description
        .as_deref()
        .filter(|_| order.is_unfinished())
    else {
        return Vec::new();
    };
    let of_order = |function: &str| {
        Address::act(function)
            .with("description", description)
            .with("source", &order.source)
            .href()
    };
    let mut acts = Vec::new();
    if visitor.may(&functions::AIRALO_CHECK_ORDER) {
        acts.push(Act {
            label: "Look in Airalo's list now".to_owned(),
            href: of_order("airalo_check_order"),
            is_primary: true,
        });
    }
    if visitor.may(&functions::AIRALO_FORGET_ORDER) {
        acts.push(Act {
            label: "Forget this order".to_owned(),
            href: of_order("airalo_forget_order"),
            is_primary: false,
        });
    }
    acts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(handler: &str, verdict: &str) -> Explained {
        Explained {
            handler: handler.to_owned(),
            verdict: verdict.to_owned(),
            delivery_id: Some(7),
        }
    }

    #[test]
    fn a_handler_that_got_it_once_has_it() {
        let rows = [
            explained("books", "pending"),
            explained("shop", "dead"),
            explained("shop", "delivered"),
            explained("shop", "dead"),
        ];
        let handlers = shop_handlers(&rows.iter().collect::<Vec<_>>(), &[]);
        let has: Vec<_> = handlers.iter().map(|handler| handler.has).collect();
        assert_eq!(has, [Has::NotYet, Has::Yes]);
    }

    #[test]
    fn a_branch_says_how_often_and_why_not() {
        let delivery = Delivery {
            delivery_id: 7,
            state: "retrying".to_owned(),
            attempts: 3,
            next_attempt_at: Some(Timestamp(240_000_000)),
            ended_at: None,
            last_error: Some("502 \u{202e}".to_owned()),
        };
        assert_eq!(
            why(&explained("shop", "pending"), Some(&delivery), Timestamp(0)),
            "tried 3 times · next in 4 min · 502 [U+202E]"
        );
    }
}
