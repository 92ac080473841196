//! One order is one event, and two orders with one description are distinguished.

use super::{
    at_once,
    reconciliation::{NEVER, STATE, Shop, reconcile},
};
use crate::support::{airalo::post, wait_until};
use hookfast::airalo::client::NewOrder;
use hookfast::airalo::{Found, PlaceError, place_order_again};
use hookfast::internals::dev::airalo_emulator::FaultPlan;

const TYPES: &str = "SELECT string_agg(type, ' ' ORDER BY event_id) FROM hookfast.events WHERE type LIKE 'airalo.order.%'";

/// Without the request, only the description shows that both may be results of one order.
#[tokio::test]
async fn two_listed_orders_of_an_unknown_request_are_a_result_and_a_conflict() {
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
    shop.client
        .order_async(&shop.order("shop-1"))
        .await
        .expect_err("its answer is lost too");
    wait_until("both", async || shop.airalo.emulator.is_quiet()).await;
    let findings = reconcile(&shop).await;
    assert!(
        matches!(&findings[0].found, Found::Results { orders, new: 2 } if orders.len() == 2),
        "{findings:?}"
    );
    assert_eq!(
        shop.text(TYPES).await,
        "airalo.order.completed airalo.order.completed.conflict"
    );
    let double =
        "SELECT string_agg(possible_double_purchase::text, ' ') FROM hookfast.airalo_orders";
    shop.until(&format!("SELECT ({double}) LIKE '%true%'"), "true")
        .await;
    // The webhook of either order is the same event.
    let books = shop.airalo.emulator.state();
    for (request, order) in books["requests"]
        .as_array()
        .expect("a list")
        .iter()
        .zip(books["orders"].as_array().expect("a list"))
    {
        let (request, order) = (
            request["request_id"].as_str().expect("text"),
            order["id"].to_string(),
        );
        let listed = shop.client.order(&order).await.expect("listed");
        let late = format!(
            r#"{{"meta":{{"message":"success"}},"request_id":"{request}","data":{}}}"#,
            listed.json
        );
        let (status, answer) = post(shop.ingress(), late.as_bytes()).await;
        assert_eq!(
            (status, answer["status"].as_str()),
            (200, Some("duplicate")),
            "{answer}"
        );
    }
    shop.end().await;
}

/// Its webhook names only a request, and Airalo's list only the order: they have no value in
/// common. A guess (the only unknown order) would be wrong if the failure belongs to an order that
/// another system placed with this account.
#[tokio::test]
async fn an_unknown_order_that_failed_is_an_event_by_the_list_and_one_by_its_webhook() {
    let shop = Shop::start(
        FaultPlan {
            broken_answer: 1.0,
            lost: 1.0,
            failed: 1.0,
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
    shop.until(STATE, "shop-1 failed").await;
    let request = shop.airalo.emulator.state()["requests"][0]["request_id"]
        .as_str()
        .expect("text")
        .to_owned();
    let webhook = format!(
        r#"{{"data":{{"reason":"out of stock"}},"meta":{{"message":"error"}},"request_id":"{request}"}}"#
    );
    let (status, answer) = post(shop.ingress(), webhook.as_bytes()).await;
    assert_eq!(
        (status, answer["status"].as_str()),
        (200, Some("stored")),
        "{answer}"
    );
    assert_eq!(
        shop.text(TYPES).await,
        "airalo.order.failed airalo.order.failed"
    );
    // Neither order is paid for, so neither is a double purchase.
    let orders = "SELECT string_agg(concat_ws(' ', state, description, possible_double_purchase), ', ' ORDER BY description) FROM hookfast.airalo_orders";
    shop.until(orders, "failed shop-1 f, failed f").await;
    assert!(reconcile(&shop).await.is_empty(), "the order is settled");
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_orders_with_one_description_placed_at_once_one_is_sent() {
    let shop = Shop::start(at_once(), NEVER).await;
    for round in 0..10 {
        let description = format!("shop-{round}");
        let (one, other) = tokio::join!(
            shop.place(&description, NEVER),
            shop.place(&description, NEVER)
        );
        let refused = [one, other]
            .into_iter()
            .filter_map(Result::err)
            .collect::<Vec<_>>();
        assert!(
            matches!(&refused[..], [PlaceError::Used(..)]),
            "{refused:?}"
        );
    }
    assert_eq!(
        shop.airalo.emulator.state()["requests"]
            .as_array()
            .expect("a list")
            .len(),
        10
    );
    shop.end().await;
}

/// The transaction of the first order is not committed when the second order begins.
#[tokio::test]
async fn a_second_placing_of_one_order_waits_for_the_first_and_is_refused() {
    let shop = Shop::start(at_once(), NEVER).await;
    let place =
        "SELECT hookfast_data.airalo_record_sending('airalo', 'shop-1', interval '1 hour', false)";
    let mut first = shop.pool.begin().await.expect("a transaction");
    let row: Option<i64> = sqlx::query_scalar(place)
        .fetch_one(&mut *first)
        .await
        .expect("placed");
    let row = row.expect("it is the first");
    let pool = shop.pool.clone();
    let second = tokio::spawn(async move {
        sqlx::query_scalar::<_, Option<i64>>(place)
            .fetch_one(&pool)
            .await
    });
    shop.until(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
        "1",
    )
    .await;
    sqlx::query("SELECT hookfast_data.airalo_record_placed($1, 'r1')")
        .bind(row)
        .execute(&mut *first)
        .await
        .expect("accepted");
    first.commit().await.expect("committed");
    assert_eq!(second.await.expect("ended").expect("answered"), None);
    shop.end().await;
}

/// Airalo's list has both with one description: the first result does not become the second order's
/// result too.
#[tokio::test]
async fn an_order_placed_again_gets_its_own_result_and_not_that_of_the_first() {
    let shop = Shop::start(at_once(), NEVER).await;
    shop.place("shop-1", NEVER).await.expect("accepted");
    shop.until(STATE, "shop-1 completed").await;
    let lost = NewOrder {
        package_id: "emulated-lost".into(),
        ..shop.order("shop-1")
    };
    let placed = place_order_again(&shop.pool, &shop.client, "airalo", &lost, NEVER)
        .await
        .expect("accepted");
    wait_until("the second order", async || shop.airalo.emulator.is_quiet()).await;
    let findings = reconcile(&shop).await;
    assert!(
        matches!(&findings[..], [one] if matches!(one.found, Found::Results { new: 1, .. })),
        "{findings:?}"
    );
    assert_eq!(
        shop.text(TYPES).await,
        "airalo.order.completed airalo.order.completed"
    );
    let second = "SELECT idempotency_key FROM hookfast.events WHERE origin = 'api'";
    assert_eq!(
        shop.text(second).await,
        format!("order:{}:completed", placed.request_id)
    );
    shop.end().await;
}
