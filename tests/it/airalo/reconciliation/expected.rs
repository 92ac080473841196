//! Orders whose results are expected, and orders that are not expected any more.

use super::{NEVER, Shop};
use crate::airalo::at_once;
use hookfast::airalo::{PlaceError, client::NewOrder, place_order};
use sqlx::AssertSqlSafe;

#[tokio::test]
async fn a_result_that_precedes_its_expected_order_is_joined_with_it() {
    let shop = Shop::start(at_once(), NEVER).await;
    let placed = shop
        .client
        .order_async(&shop.order("shop-1"))
        .await
        .expect("accepted");
    shop.until("SELECT state FROM hookfast.airalo_orders", "completed")
        .await;
    let expect = format!(
        "SELECT hookfast.airalo_expect_order('{}', 'shop-1')",
        placed.request_id
    );
    assert_eq!(shop.text(&expect).await, "completed");
    assert_eq!(
        shop.text(&expect).await,
        "completed",
        "the call can be repeated"
    );
    assert_eq!(
        shop.text("SELECT count(*) || ' ' || count(expected_by) FROM hookfast.airalo_orders")
            .await,
        "1 1"
    );
    // An open transaction that expects an order blocks no result.
    let mut open = shop.pool.begin().await.expect("a transaction");
    let mut state = async |request: &str| {
        let expect =
            sqlx::query_scalar::<_, String>("SELECT hookfast.airalo_expect_order($1, 'shop-2')")
                .bind(request.to_owned());
        expect.fetch_one(&mut *open).await.expect("expected")
    };
    let second = shop
        .client
        .order_async(&shop.order("shop-2"))
        .await
        .expect("accepted");
    assert!(["expected", "completed"].contains(&state(&second.request_id).await.as_str()));
    shop.until(
        "SELECT count(*) FROM hookfast.airalo_orders WHERE state = 'completed'",
        "2",
    )
    .await;
    assert_eq!(state(&second.request_id).await, "completed");
    drop(open);
    shop.end().await;
}

#[tokio::test]
async fn a_refused_order_is_not_expected() {
    let shop = Shop::start(at_once(), NEVER).await;
    let order = NewOrder {
        package_id: "test-out-of-stock-7days-1gb".into(),
        ..shop.order("shop-1")
    };
    let refused = place_order(&shop.pool, &shop.client, "airalo", &order, NEVER)
        .await
        .expect_err("refused");
    assert!(matches!(refused, PlaceError::Rejected(_)), "{refused}");
    assert_eq!(
        shop.text("SELECT count(*) FROM hookfast_data.airalo_expected")
            .await,
        "0"
    );
    shop.end().await;
}

#[tokio::test]
async fn erasing_removes_the_sims_from_the_projection() {
    let shop = Shop::start(at_once(), NEVER).await;
    shop.place("shop-1", NEVER).await.expect("accepted");
    shop.until("SELECT count(*) FROM hookfast.airalo_sims", "1")
        .await;
    shop.until("SELECT count(*) FROM hookfast_data.outbox", "0")
        .await;
    let erase = "SELECT changed FROM hookfast.erase_all(term => (SELECT iccid FROM hookfast.airalo_sims), why => 'a request', at_most => 1)";
    assert_eq!(shop.text(erase).await, "1");
    assert_eq!(
        shop.text("SELECT count(*) FROM hookfast.airalo_sims").await,
        "0"
    );
    assert_eq!(
        shop.text("SELECT count(*) FROM hookfast_data.airalo_orders WHERE description IS NOT NULL")
            .await,
        "0"
    );
    shop.end().await;
}

#[tokio::test]
async fn wrong_arguments_of_an_expected_order_are_explained() {
    let shop = Shop::start(at_once(), NEVER).await;
    for (wrong, code) in [
        ("airalo_expect_order('', 'd')", "22023"),
        ("airalo_expect_order('r', NULL)", "22023"),
        ("airalo_expect_order('r', repeat('d', 201))", "22023"),
        ("airalo_expect_order('r', 'd', interval '-1 hour')", "22023"),
        ("airalo_expect_order('r', 'd', source => 'nobody')", "HF004"),
        ("airalo_forget_order('d', ' ')", "22023"),
    ] {
        let query = format!("SELECT hookfast.{wrong}");
        let refused = sqlx::raw_sql(AssertSqlSafe(query))
            .execute(&shop.pool)
            .await
            .expect_err(wrong);
        let refused = refused.into_database_error().expect("ours");
        assert_eq!(refused.code().as_deref(), Some(code), "{wrong}");
        assert!(
            refused.message().ends_with("nothing was changed"),
            "{refused}"
        );
    }
    shop.end().await;
}
