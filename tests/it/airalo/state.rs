//! A thousand orders with every fault at random: the projection equals Airalo's own books.

use super::reconciliation::Shop;
use crate::support::wait_until_within;
use hookfast::internals::app::{Builder, Subscription};
use hookfast::internals::dev::airalo_emulator::FaultPlan;
use hookfast::internals::domain::Outcome;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::task::JoinSet;

const ORDERS: usize = 1000;

/// By description: completed or failed, the orders, the SIMs, and whether there is more than one
/// order.
type Orders = BTreeMap<String, Value>;

fn airalos(books: &Value) -> Orders {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let orders: BTreeMap<u64, Value> = list(&books["orders"])
        .into_iter()
        .map(|order| (order["id"].as_u64().expect("an id"), order))
        .collect();
    list(&books["requests"])
        .into_iter()
        .map(|request| {
            let ours: Vec<_> = list(&request["orders"])
                .iter()
                .map(|id| orders[&id.as_u64().expect("an id")].clone())
                .collect();
            let failed = ours.iter().all(|order| !order["reason"].is_null());
            let mut iccids: Vec<String> = ours
                .iter()
                .flat_map(|order| list(&order["iccids"]))
                .map(|iccid| iccid.as_str().expect("text").to_owned())
                .collect();
            iccids.sort_unstable();
            let state = if failed { "failed" } else { "completed" };
            let double = !failed && ours.len() > 1;
            (
                request["description"].as_str().expect("text").to_owned(),
                json!({"state": state, "iccids": iccids, "double": double}),
            )
        })
        .collect()
}

const OURS: &str = "SELECT coalesce(jsonb_object_agg(o.description, jsonb_build_object('state', o.state, 'double', o.possible_double_purchase, \
    'iccids', (SELECT coalesce(jsonb_agg(s.iccid ORDER BY s.iccid), '[]') FROM hookfast_data.airalo_sims s WHERE s.order_row = o.id))), '{}') \
    FROM (SELECT v.*, i.id FROM hookfast.airalo_orders v LEFT JOIN hookfast_data.airalo_orders i ON i.event_id = v.event_id \
        WHERE v.description IS NOT NULL) o";

async fn ours(shop: &Shop) -> Orders {
    serde_json::from_str(&shop.text(OURS).await).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_orders_under_all_faults_match_the_emulators_state() {
    let faults = FaultPlan {
        failed: 0.1,
        duplicate: 0.15,
        new_order: 0.1,
        lost: 0.1,
        slow_answer: 0.02,
        broken_answer: 0.08,
        slow_for: Duration::from_secs(3),
        delay: Duration::from_millis(200),
        seed: 2026,
    };
    let with_handler = |builder: Builder| {
        builder.handler(
            Subscription::new(
                "shop",
                &["airalo.order.completed", "airalo.order.completed.*"],
            )
            .expect("a name"),
            |_| async { Outcome::Delivered },
        )
    };
    let shop = Arc::new(Shop::with(faults, Duration::from_millis(100), with_handler).await);
    let mut placing = JoinSet::new();
    let mut unknown = 0;
    for number in 0..ORDERS {
        let shop = shop.clone();
        if placing.len() == 16 {
            unknown += placing
                .join_next()
                .await
                .map_or(0, |placed| placed.expect("placed"));
        }
        placing.spawn(async move {
            let placed = shop
                .place(&format!("shop-{number}"), Duration::from_millis(1500))
                .await;
            usize::from(placed.is_err())
        });
    }
    while let Some(placed) = placing.join_next().await {
        unknown += placed.expect("placed");
    }
    assert!(unknown > 30, "lost answers: {unknown}");
    let long = Duration::from_secs(60);
    wait_until_within(long, "Airalo to end", async || {
        shop.airalo.emulator.is_quiet()
    })
    .await;
    let books = airalos(&shop.airalo.emulator.state());
    assert_eq!(books.len(), ORDERS, "each was ordered once");
    for (part, least) in [("failed", 50), ("completed", 700)] {
        assert!(
            books
                .values()
                .filter(|order| order["state"] == part)
                .count()
                >= least,
            "{part}"
        );
    }
    assert!(
        books
            .values()
            .filter(|order| order["double"] == true)
            .count()
            >= 30
    );
    // Not `wait_until`: if the two still differ at the end, the assertion below shows where.
    let until = std::time::Instant::now() + long;
    while ours(&shop).await != books && std::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // The state does not change when the last deliveries are settled.
    shop.until("SELECT count(*) FROM hookfast_data.outbox", "0")
        .await;
    let kept = ours(&shop).await;
    let different: Vec<_> = books
        .iter()
        .filter(|(order, as_is)| kept.get(*order) != Some(as_is))
        .map(|(order, as_is)| (order, as_is, kept.get(order)))
        .collect();
    assert!(
        different.is_empty(),
        "{}, as {:?}",
        different.len(),
        different.first()
    );
    assert_eq!(kept.len(), ORDERS);
    // If the answer to an order was lost, only its failure names the request, and nothing else is
    // known about it.
    let strange = "SELECT coalesce(string_agg(DISTINCT state, ','), 'failed') FROM hookfast.airalo_orders WHERE description IS NULL";
    assert_eq!(shop.text(strange).await, "failed");
    let strangers = shop
        .text("SELECT count(*) FROM hookfast.airalo_orders WHERE description IS NULL")
        .await;
    assert!(
        strangers.parse::<usize>().expect("a number") <= unknown,
        "{strangers}"
    );
    // Each order is one event, however its result arrived.
    let made = shop.airalo.emulator.state();
    let completed = made["orders"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|order| order["reason"].is_null())
        .count();
    let events = "SELECT count(*) FROM hookfast.events WHERE type LIKE 'airalo.order.completed%'";
    assert_eq!(
        shop.text(events).await,
        completed.to_string(),
        "an event for each of Airalo's orders"
    );
    let deliveries = "SELECT count(*) || ' ' || count(DISTINCT event_id) FROM hookfast.deliveries WHERE handler = 'shop'";
    let handled = shop.text(deliveries).await;
    assert_eq!(handled, format!("{completed} {completed}"));
    let dead = "SELECT count(*) FROM hookfast.dead_letters";
    assert_eq!(shop.text(dead).await, "0");
    let by_list = "SELECT count(*) FROM hookfast.events WHERE origin = 'api'";
    assert!(
        shop.text(by_list).await.parse::<u32>().expect("a number") >= 50,
        "missing webhooks were found"
    );
    Arc::into_inner(shop).expect("all have ended").end().await;
}
