//! Orders for which it is not known whether Airalo accepted them.

use super::{NEVER, STATE, Shop, reconcile};
use crate::{airalo::at_once, support::wait_until};
use hookfast::airalo::{Found, PlaceError};
use hookfast::internals::app::Subscription;
use hookfast::internals::dev::airalo_emulator::FaultPlan;
use std::{sync::Arc, time::Duration};

#[tokio::test]
async fn an_order_whose_answer_is_lost_is_unknown_and_found_by_its_description() {
    for lost in [0.0, 1.0] {
        let faults = FaultPlan {
            broken_answer: 1.0,
            lost,
            ..at_once()
        };
        let shop = Shop::start(faults, Duration::from_millis(100)).await;
        let error = shop
            .place("shop-1", Duration::from_millis(300))
            .await
            .expect_err("no answer");
        assert!(
            matches!(error, PlaceError::Unknown(..))
                && error.to_string().contains("was not sent again"),
            "{error}"
        );
        // Found by the webhook, whose request is unknown, or by the list.
        shop.until(STATE, "shop-1 completed").await;
        wait_until("every webhook to be sent", async || {
            shop.airalo.emulator.is_quiet()
        })
        .await;
        shop.until("SELECT count(*) FROM hookfast_data.outbox", "0")
            .await;
        assert_eq!(shop.text(STATE).await, "shop-1 completed");
        assert_eq!(
            shop.text("SELECT bool_or(possible_double_purchase) FROM hookfast.airalo_orders")
                .await,
            "false"
        );
        assert_eq!(
            shop.airalo.emulator.state()["requests"]
                .as_array()
                .expect("a list")
                .len(),
            1,
            "the order was sent once"
        );
        shop.end().await;
    }
}

/// The order is found in Airalo's list without its request, and then its webhook arrives: both are
/// one event.
#[tokio::test]
async fn an_unknown_order_found_before_its_webhook_is_one_event_and_one_delivery() {
    let deliveries = Arc::new(std::sync::Mutex::new(Vec::new()));
    let received = deliveries.clone();
    let handler = move |delivery: hookfast::internals::domain::Delivery| {
        let received = received.clone();
        async move {
            received
                .lock()
                .expect("whole")
                .push(delivery.event.event_type.to_string());
            hookfast::internals::domain::Outcome::Delivered
        }
    };
    let faults = FaultPlan {
        broken_answer: 1.0,
        lost: 1.0,
        ..at_once()
    };
    let shop = Shop::with(faults, Duration::from_millis(100), |builder| {
        builder.handler(
            Subscription::new("shop", &["airalo.order.*"]).expect("a name"),
            handler,
        )
    })
    .await;
    assert!(matches!(
        shop.place("shop-1", Duration::from_millis(300)).await,
        Err(PlaceError::Unknown(..))
    ));
    shop.until(STATE, "shop-1 completed").await;
    let books = shop.airalo.emulator.state();
    let request = books["requests"][0]["request_id"]
        .as_str()
        .expect("text")
        .to_owned();
    let order = shop
        .client
        .order(&books["orders"][0]["id"].to_string())
        .await
        .expect("listed");
    let webhook = |json: &str| {
        format!(r#"{{"meta":{{"message":"success"}},"request_id":"{request}","data":{json}}}"#)
    };
    for _ in 0..2 {
        let (status, answer) =
            crate::support::airalo::post(shop.ingress(), webhook(order.json.get()).as_bytes())
                .await;
        assert_eq!(
            (status, answer["status"].as_str()),
            (200, Some("duplicate")),
            "{answer}"
        );
    }
    // A second order of the request conflicts with the order that was found, and belongs to the
    // same request.
    let second = r#"{"id":666,"description":"shop-1","sims":[{"iccid":"8966"}]}"#;
    let (status, answer) =
        crate::support::airalo::post(shop.ingress(), webhook(second).as_bytes()).await;
    assert_eq!(
        (status, answer["status"].as_str()),
        (200, Some("conflict")),
        "{answer}"
    );
    let orders = "SELECT string_agg(concat_ws(' ', request_id, state, possible_double_purchase), ', ') FROM hookfast.airalo_orders";
    shop.until(orders, &format!("{request} completed t")).await;
    shop.until("SELECT count(*) FROM hookfast_data.outbox", "0")
        .await;
    let each = "SELECT string_agg(DISTINCT n::text, ' ') FROM (SELECT count(*) AS n FROM hookfast.deliveries GROUP BY event_id, handler) d";
    assert_eq!(shop.text(each).await, "1");
    let types = deliveries.lock().expect("whole").clone();
    assert_eq!(
        types,
        ["airalo.order.completed", "airalo.order.completed.conflict"]
    );
    shop.end().await;
}

/// The application learns later under which request Airalo accepted the order, and then expects
/// nothing more.
#[tokio::test]
async fn an_order_that_was_found_before_its_request_was_known_settles_that_request() {
    let shop = Shop::start(
        FaultPlan {
            broken_answer: 1.0,
            lost: 1.0,
            ..at_once()
        },
        NEVER,
    )
    .await;
    assert!(matches!(
        shop.place("shop-1", NEVER).await,
        Err(PlaceError::Unknown(..))
    ));
    wait_until("the order", async || shop.airalo.emulator.is_quiet()).await;
    assert!(matches!(
        &reconcile(&shop).await[0].found,
        Found::Results { new: 1, .. }
    ));
    shop.until(STATE, "shop-1 completed").await;
    shop.execute("SELECT hookfast.airalo_expect_order('the-request', 'shop-1')")
        .await;
    let findings = reconcile(&shop).await;
    assert!(
        matches!(&findings[..], [one] if matches!(one.found, Found::Results { new: 0, .. })),
        "{findings:?}"
    );
    assert_eq!(
        shop.text(
            "SELECT string_agg(request_id || ' ' || state, ', ') FROM hookfast.airalo_orders"
        )
        .await,
        "the-request completed"
    );
    assert!(
        reconcile(&shop).await.is_empty(),
        "a settled order is not searched again"
    );
    shop.end().await;
}
