//! Conflicts, and several results with one description.

use super::{Event, Projection, body};
use crate::support::wait_until;
use sqlx::AssertSqlSafe;
use std::sync::Arc;

#[tokio::test]
async fn a_conflict_keeps_all_iccids_and_is_flagged() {
    let projection = Projection::new().await;
    projection
        .bring(&Event::new(1, body("order.completed")))
        .await;
    projection
        .bring(&Event::conflict(2, body("order.conflict")))
        .await;
    let order = "SELECT count(*) || ' ' || bool_and(possible_double_purchase) || ' ' || max(cardinality(conflict_event_ids)) FROM hookfast.airalo_orders";
    assert_eq!(projection.text(order).await, "1 true 1");
    let sims = "SELECT count(DISTINCT order_id) || ' ' || count(*) FILTER (WHERE conflict) || ' ' || (count(*) > count(*) FILTER (WHERE conflict)) FROM hookfast.airalo_sims";
    assert_eq!(projection.text(sims).await, "2 1 true");
}

/// The first order of a request was found without its request, and the webhook of the second one
/// arrived, in either order.
#[tokio::test]
async fn a_conflict_links_its_request_to_the_order_that_was_found_without_it() {
    let projection = Projection::new().await;
    let found = r#"{"data":{"id":7,"description":"d","sims":[{"iccid":"8901"}]}}"#;
    let second =
        r#"{"request_id":"r","data":{"id":8,"description":"d","sims":[{"iccid":"8902"}]}}"#;
    let mut left = Vec::new();
    for first in [true, false] {
        projection.empty().await;
        sqlx::raw_sql("DELETE FROM hookfast_data.events")
            .execute(&projection.pool)
            .await
            .expect("emptied");
        let store = "INSERT INTO hookfast_data.events (id, source_id, subscription_version, received_at, type, origin, idempotency_key, headers, body) \
            SELECT hookfast_data.new_event_id(), id, 0, '2026-01-01', 'airalo.order.completed', 'api', 'order:id:7:completed', '{}', convert_to($1, 'UTF8') \
            FROM hookfast_data.sources WHERE name = 'airalo'";
        sqlx::query(store)
            .bind(found)
            .execute(&projection.pool)
            .await
            .expect("stored");
        let project = |one: &str| {
            let own = match one {
                "first" => "SELECT hookfast.airalo_project_event(ROW(e.id, 'airalo', e.type, NULL, e.origin, e.received_at, e.idempotency_key, NULL, \
                    '{}', hookfast_data.as_jsonb(e.body), e.body, 1, 1)::hookfast.event) FROM hookfast_data.events e".to_owned(),
                _ => format!("SELECT hookfast.airalo_project_event(ROW('ffffffff-0000-7000-8000-000000000000', 'airalo', 'airalo.order.completed.conflict', NULL, \
                    'webhook', '2026-01-02'::timestamptz, 'order:r:completed#conflict:x', e.id, '{{}}', '{second}'::jsonb, '{second}'::bytea, 1, 1)::hookfast.event) \
                    FROM hookfast_data.events e"),
            };
            let pool = projection.pool.clone();
            async move {
                sqlx::raw_sql(AssertSqlSafe(own))
                    .execute(&pool)
                    .await
                    .expect("projected")
            }
        };
        for one in if first {
            ["first", "second", "first"]
        } else {
            ["second", "first", "second"]
        } {
            project(one).await;
        }
        let orders = "SELECT string_agg(concat_ws(' ', request_id, order_id, state, cardinality(conflict_event_ids)), ', ') FROM hookfast.airalo_orders";
        let sims = "SELECT string_agg(concat_ws(' ', iccid, request_id, order_id, conflict), ', ' ORDER BY iccid) FROM hookfast.airalo_sims";
        left.push((projection.text(orders).await, projection.text(sims).await));
    }
    let expected = (
        "r 7 completed 1".to_owned(),
        "8901 r 7 f, 8902 r 8 t".to_owned(),
    );
    assert_eq!(left, [expected.clone(), expected]);
}

/// A completed order with a description and its own request and ICCID, made from a number.
fn described(number: u32) -> Event {
    let (request, iccid) = (format!("r{number}"), format!("89{number:05}"));
    Event::new(
        number,
        format!(
            r#"{{"meta":{{"message":"success"}},"request_id":"{request}","data":{{"id":{number},"description":"shop-1","sims":[{{"iccid":"{iccid}"}}]}}}}"#
        ),
    )
}

const DOUBLES: &str = "SELECT count(*) FROM hookfast.airalo_orders WHERE possible_double_purchase AND cardinality(conflict_event_ids) = 1";

/// Neither transaction sees the rows of the other, so one has to wait for the other.
#[tokio::test]
async fn two_results_of_one_description_at_once_are_flagged() {
    let projection = Projection::new().await;
    sqlx::raw_sql("SELECT hookfast.airalo_expect_order('r1', 'shop-1', source => 'airalo')")
        .execute(&projection.pool)
        .await
        .expect("expected");
    let mut first = projection.pool.begin().await.expect("a transaction");
    projection
        .try_bring_in(&mut first, "airalo", &described(1))
        .await
        .expect("projected");
    let projection = Arc::new(projection);
    let other = projection.clone();
    let second = tokio::spawn(async move { other.bring(&described(2)).await });
    wait_until("the second one", async || {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        projection.text(waiting).await == "1"
    })
    .await;
    first.commit().await.expect("committed");
    second.await.expect("projected");
    assert_eq!(projection.text(DOUBLES).await, "2");
}

/// Each result has its own row and flags the row of the other.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_repeats_of_results_of_one_description_do_not_deadlock() {
    let projection = Arc::new(Projection::new().await);
    sqlx::raw_sql("SELECT hookfast.airalo_expect_order('r1', 'shop-1', source => 'airalo')")
        .execute(&projection.pool)
        .await
        .expect("expected");
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let replay = |number| {
        let (projection, barrier) = (projection.clone(), barrier.clone());
        tokio::spawn(async move {
            for _ in 0..100 {
                barrier.wait().await;
                projection
                    .try_bring("airalo", &described(number))
                    .await
                    .expect("projected");
            }
        })
    };
    let (one, other) = (replay(1), replay(2));
    one.await.expect("without a deadlock");
    other.await.expect("without a deadlock");
    assert_eq!(projection.text(DOUBLES).await, "2");
}
