//! Overdue orders: Hookfast looks for them in Airalo's list, and raises an alert if they are not
//! there.

use super::{NEVER, STATE, Shop, reconcile};
use crate::{airalo::at_once, support::wait_until};
use hookfast::airalo::Found;
use hookfast::internals::app::Subscription;
use hookfast::internals::dev::airalo_emulator::FaultPlan;
use sqlx::AssertSqlSafe;
use std::{sync::Arc, time::Duration};

const OVERDUE: &str = "SELECT count(*) FROM hookfast.alerts WHERE type = 'airalo.order.overdue'";

#[tokio::test]
async fn a_missing_webhook_is_found_in_airalos_list() {
    let shop = Shop::start(
        FaultPlan {
            lost: 1.0,
            ..at_once()
        },
        Duration::from_millis(100),
    )
    .await;
    // Long enough for the answer; otherwise the order is searched without its request.
    let request = shop
        .place("shop-1", Duration::from_secs(1))
        .await
        .expect("accepted");
    shop.until(STATE, "shop-1 completed").await;
    let event = format!(
        "SELECT origin || ' ' || idempotency_key || ' ' || verified_by FROM hookfast.events WHERE type = 'airalo.order.completed' AND idempotency_key LIKE '%{request}%'"
    );
    assert_eq!(
        shop.text(&event).await,
        format!("api order:{request}:completed api:airalo")
    );
    // If the webhook arrives later, it is a duplicate.
    let books = shop.airalo.emulator.state();
    let order = shop
        .client
        .order(&books["orders"][0]["id"].to_string())
        .await
        .expect("listed");
    let late = format!(
        r#"{{"meta":{{"message":"success"}},"request_id":"{request}","data":{}}}"#,
        order.json
    );
    let (status, answer) = crate::support::airalo::post(shop.ingress(), late.as_bytes()).await;
    assert_eq!(
        (status, answer["status"].as_str()),
        (200, Some("duplicate")),
        "{answer}"
    );
    assert_eq!(
        shop.text("SELECT bool_or(possible_double_purchase) FROM hookfast.airalo_orders")
            .await,
        "false"
    );
    shop.end().await;
}

#[tokio::test]
async fn an_order_that_airalo_does_not_have_raises_one_alert_and_can_be_forgotten() {
    let shop = Shop::start(at_once(), Duration::from_millis(50)).await;
    shop.execute(
        "SELECT hookfast.airalo_expect_order('nobody-knows-this-request', 'shop-9', interval '1 millisecond')",
    )
    .await;
    shop.until(OVERDUE, "1").await;
    shop.until(
        "SELECT min(checks) >= 3 FROM hookfast_data.airalo_expected",
        "true",
    )
    .await;
    assert_eq!(shop.text(OVERDUE).await, "1");
    assert_eq!(shop.text(STATE).await, "shop-9 overdue");
    let payload = "SELECT concat_ws(' ', payload->>'request_id', payload->>'description', payload->>'message') FROM hookfast.alerts WHERE type = 'airalo.order.overdue'";
    assert_eq!(
        shop.text(payload).await,
        "nobody-knows-this-request shop-9 Airalo's list has no order with this description"
    );
    shop.execute("SELECT hookfast.airalo_forget_order('shop-9', 'it was never placed')")
        .await;
    assert_eq!(shop.text(STATE).await, "null");
    let refused = sqlx::raw_sql("SELECT hookfast.airalo_forget_order('shop-9', 'again')")
        .execute(&shop.pool)
        .await;
    assert_eq!(
        refused
            .expect_err("none")
            .into_database_error()
            .expect("ours")
            .code()
            .as_deref(),
        Some("HF004")
    );
    shop.end().await;
}

/// A handler of `airalo.*` receives the alert like any event of Airalo.
#[tokio::test]
async fn a_shops_handler_receives_the_alert_of_an_overdue_order() {
    let received = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = received.clone();
    let handler = move |delivery: hookfast::internals::domain::Delivery| {
        let sink = sink.clone();
        async move {
            sink.lock()
                .expect("whole")
                .push(delivery.event.event_type.to_string());
            hookfast::internals::domain::Outcome::Delivered
        }
    };
    let shop = Shop::with(at_once(), Duration::from_millis(50), |builder| {
        builder.handler(
            Subscription::new("shop", &["airalo.order.*"]).expect("a name"),
            handler,
        )
    })
    .await;
    shop.execute(
        "SELECT hookfast.airalo_expect_order('nobody-knows-this-request', 'shop-9', interval '1 millisecond')",
    )
    .await;
    wait_until("the alerts", async || {
        received
            .lock()
            .expect("whole")
            .contains(&"airalo.order.overdue".to_owned())
    })
    .await;
    shop.end().await;
}

/// The checks become less frequent and stop after two weeks. The order stays overdue.
#[tokio::test]
async fn a_missing_order_is_searched_less_and_less_often_for_two_weeks() {
    let shop = Shop::start(at_once(), NEVER).await;
    shop.execute("SELECT hookfast.airalo_expect_order('a-request', 'shop-9')")
        .await;
    let look = "WITH due AS (UPDATE hookfast_data.airalo_expected SET check_at = now() RETURNING source_id) SELECT count(*) FROM due";
    let take = "SELECT count(*) FROM hookfast_data.airalo_claim_due_checks(ARRAY(SELECT id FROM hookfast_data.sources), 9)";
    let next = "SELECT round(extract(epoch FROM check_at - clock_timestamp()) / 60) FROM hookfast_data.airalo_expected";
    let checked = "SELECT hookfast_data.airalo_schedule_check(id, interval '1 minute') FROM hookfast_data.airalo_expected";
    for minutes in ["1", "2", "4", "8"] {
        shop.execute(look).await;
        assert_eq!(shop.text(take).await, "1");
        assert_eq!(
            shop.text(next).await,
            "15",
            "the checking process may end before it has checked"
        );
        shop.execute(checked).await;
        assert_eq!(shop.text(next).await, minutes);
        assert_eq!(shop.text(take).await, "0", "not before the due time");
    }
    shop.execute("UPDATE hookfast_data.airalo_expected SET expected_by = now() - interval '15 days', check_at = now()")
        .await;
    assert_eq!(shop.text(take).await, "1");
    shop.execute(checked).await;
    assert_eq!(
        shop.text("SELECT check_at FROM hookfast_data.airalo_expected")
            .await,
        "infinity"
    );
    assert_eq!(shop.text(STATE).await, "shop-9 overdue");
    shop.end().await;
}

/// A result that cannot be stored does not count as known.
#[tokio::test]
async fn a_result_that_cannot_be_stored_is_searched_again() {
    let shop = Shop::start(
        FaultPlan {
            lost: 1.0,
            ..at_once()
        },
        NEVER,
    )
    .await;
    let request = shop.place("shop-1", NEVER).await.expect("accepted");
    wait_until("the order", async || shop.airalo.emulator.is_quiet()).await;
    let mut holder = shop.pool.begin().await.expect("a transaction");
    let key = format!(
        "INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) \
         SELECT id, 'order:{request}:completed', gen_random_uuid() FROM hookfast_data.sources WHERE name = 'airalo'"
    );
    sqlx::raw_sql(AssertSqlSafe(key))
        .execute(&mut *holder)
        .await
        .expect("held");
    let findings = reconcile(&shop).await;
    assert!(
        matches!(&findings[0].found, Found::Nothing(why) if why.contains("cannot be stored")),
        "{findings:?}"
    );
    holder.rollback().await.expect("released");
    assert!(matches!(
        &reconcile(&shop).await[0].found,
        Found::Results { new: 1, .. }
    ));
    shop.end().await;
}
