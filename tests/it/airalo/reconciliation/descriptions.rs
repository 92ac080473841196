//! Several orders with one description are possible double purchases.

use super::{NEVER, STATE, Shop, reconcile};
use crate::{airalo::at_once, support::wait_until};
use hookfast::airalo::{Found, PlaceError};
use hookfast::internals::dev::airalo_emulator::FaultPlan;

/// The same order was placed twice, and no webhook arrived.
#[tokio::test]
async fn two_orders_with_one_description_are_a_possible_double_purchase() {
    let shop = Shop::start(
        FaultPlan {
            lost: 1.0,
            ..at_once()
        },
        NEVER,
    )
    .await;
    shop.place("shop-1", NEVER).await.expect("accepted");
    shop.client
        .order_async(&shop.order("shop-1"))
        .await
        .expect("accepted, although it should not have been sent");
    wait_until("both", async || shop.airalo.emulator.is_quiet()).await;
    let findings = reconcile(&shop).await;
    assert!(
        matches!(&findings[0].found, Found::Results { orders, new: 2 } if orders.len() == 2),
        "{findings:?}"
    );
    shop.until(
        "SELECT string_agg(possible_double_purchase::text, ' ') FROM hookfast.airalo_orders",
        "true",
    )
    .await;
    assert_eq!(
        shop.text(
            "SELECT count(*) || ' ' || count(*) FILTER (WHERE conflict) FROM hookfast.airalo_sims"
        )
        .await,
        "2 1"
    );
    assert!(
        reconcile(&shop).await.is_empty(),
        "a settled order is not searched again"
    );
    shop.end().await;
}

/// Two results with one description, and only later the application expects one of them.
#[tokio::test]
async fn doubles_are_found_if_the_application_registers_its_order_late() {
    let shop = Shop::start(at_once(), NEVER).await;
    let mut requests = Vec::new();
    for _ in 0..2 {
        requests.push(
            shop.client
                .order_async(&shop.order("shop-1"))
                .await
                .expect("accepted")
                .request_id,
        );
    }
    shop.until(STATE, "shop-1 completed, shop-1 completed")
        .await;
    let double = "SELECT bool_or(possible_double_purchase) || ' ' || bool_and(possible_double_purchase) FROM hookfast.airalo_orders";
    assert_eq!(
        shop.text(double).await,
        "false false",
        "a description identifies nothing until an order with it is expected"
    );
    shop.execute(&format!(
        "SELECT hookfast.airalo_expect_order('{}', 'shop-1')",
        requests[0]
    ))
    .await;
    assert!(reconcile(&shop).await.is_empty(), "both are settled");
    assert_eq!(shop.text(double).await, "true true");
    shop.end().await;
}

#[tokio::test]
async fn a_description_does_not_match_other_orders() {
    let shop = Shop::start(at_once(), NEVER).await;
    let first = shop.place("shop-1", NEVER).await.expect("accepted");
    shop.until(STATE, "shop-1 completed").await;
    let refused = shop
        .place("shop-1", NEVER)
        .await
        .expect_err("used")
        .to_string();
    assert!(
        refused.contains("'shop-1' was ordered at 2") && refused.contains(&first),
        "{refused}"
    );
    assert_eq!(
        shop.airalo.emulator.state()["requests"]
            .as_array()
            .expect("a list")
            .len(),
        1
    );
    shop.place_again("shop-1", NEVER)
        .await
        .expect("Airalo does not mind");
    let double = "SELECT count(*) || ' ' || bool_and(possible_double_purchase) || ' ' || min(cardinality(conflict_event_ids)) FROM hookfast.airalo_orders";
    shop.until(double, "2 true 1").await;
    shop.end().await;

    // While an order is unknown, no second one is sent.
    let faults = FaultPlan {
        broken_answer: 1.0,
        lost: 1.0,
        ..at_once()
    };
    let shop = Shop::start(faults, NEVER).await;
    assert!(matches!(
        shop.place("shop-1", NEVER).await,
        Err(PlaceError::Unknown(..))
    ));
    assert!(matches!(
        shop.place("shop-1", NEVER).await,
        Err(PlaceError::Used(..))
    ));
    let again = shop
        .place_again("shop-1", NEVER)
        .await
        .expect_err("it is unknown");
    assert!(
        matches!(again, PlaceError::NotSent(_)) && again.to_string().contains("is still unknown"),
        "{again}"
    );
    assert_eq!(
        shop.airalo.emulator.state()["requests"]
            .as_array()
            .expect("a list")
            .len(),
        1
    );
    shop.end().await;
}
