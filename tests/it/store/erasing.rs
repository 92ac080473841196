//! Erased data is in no table any more, whatever ran at that moment.

use super::Store;
use crate::support::wait_until;
use hookfast::internals::store::EventIndexer;
use sqlx::Executor;

/// Two events of a minute ago, the first with a dead letter whose error repeats its payload.
const STORY: &str = r#"
UPDATE hookfast_data.sources SET search_fields = '{iccid}' WHERE name = 'airalo';
INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body)
SELECT (left(hookfast_data.event_id_at(now() - interval '1 minute')::text, 35) || n)::uuid, s.id, 1, 'airalo.x', 'webhook', 'k' || n, '{}',
    convert_to('{"iccid": "8900000' || n || '"}', 'UTF8') FROM hookfast_data.sources s, generate_series(1, 2) n WHERE s.name = 'airalo';
INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, error, status, error_kind)
SELECT e.id, 7, 3, h.id, 'dead', 'status 422: no such 89000001', 422, 'status' FROM hookfast_data.events e, hookfast_data.handlers h WHERE e.idempotency_key = 'k1';
INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason, last_error)
SELECT a.delivery_id, a.handler_id, a.event_id, a.attempt_number, 0, 'rejected', a.error FROM hookfast_data.attempts a;
"#;

const ERASE: &str =
    "SELECT hookfast.erase(id, 'a request') FROM hookfast_data.events WHERE idempotency_key = 'k1'";

#[tokio::test]
async fn the_alert_of_a_dead_letter_does_not_keep_erased_text() {
    let store = Store::new().await;
    store.execute(STORY).await;
    store
        .execute("SELECT hookfast_data.alert_dead_letters(10)")
        .await;
    let errors = "SELECT string_agg(payload->>'error', ', ') FROM hookfast.alerts";
    assert_eq!(store.text(errors).await, "status 422: no such 89000001");
    store.execute(ERASE).await;
    assert_eq!(store.text(errors).await, "erased by an operator");
    assert_eq!(
        store
            .text("SELECT payload->>'handler' FROM hookfast.alerts")
            .await,
        "shop",
        "the rest is still shown"
    );
    // In no table of the database.
    let kept = "SELECT count(*) FROM (SELECT convert_from(body, 'UTF8') FROM hookfast_data.events UNION ALL SELECT error FROM hookfast_data.attempts \
        UNION ALL SELECT last_error FROM hookfast_data.dead_letters UNION ALL SELECT details::text FROM hookfast_data.audit_log) x (text) WHERE text LIKE '%89000001%'";
    assert_eq!(store.count(kept).await, 0);
}

/// The indexer has read the payload when it is erased, and would write its search terms afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_erased_during_its_indexing_is_not_found() {
    let store = Store::new().await;
    store.execute(STORY).await;
    let mut reading = store.pool.begin().await.expect("a transaction");
    reading
        .execute(
            "CREATE TEMP TABLE read AS SELECT * FROM hookfast_data.next_events(10, 1000, 1000)",
        )
        .await
        .expect("read");
    let pool = store.pool.clone();
    let erasing = tokio::spawn(async move { pool.execute(ERASE).await.expect("erased") });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    wait_until("the erasing", async || {
        erasing.is_finished() || store.count(waits).await > 0
    })
    .await;
    reading.execute("INSERT INTO hookfast_data.search_terms SELECT convert_from(body, 'UTF8')::jsonb->>'iccid', id FROM pg_temp.read").await.expect("indexed");
    reading.commit().await.expect("committed");
    erasing.await.expect("it ends");
    assert_eq!(
        store
            .text("SELECT string_agg(term, ' ') FROM hookfast_data.search_terms")
            .await,
        "89000002"
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast.find('89000001')")
            .await,
        0
    );
}

/// The opposite order: the erasure waits and runs a little later.
#[tokio::test]
async fn the_indexer_does_not_wait_for_an_erasing() {
    let store = Store::new().await;
    store.execute(STORY).await;
    let mut erasing = store.pool.begin().await.expect("a transaction");
    erasing.execute(ERASE).await.expect("erased");
    assert!(
        !EventIndexer::of_new_events()
            .step(&store.pool)
            .await
            .expect("a step")
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.search_terms")
            .await,
        0
    );
    erasing.commit().await.expect("committed");
    EventIndexer::of_new_events()
        .step(&store.pool)
        .await
        .expect("a step");
    assert_eq!(
        store
            .text("SELECT string_agg(term, ' ') FROM hookfast_data.search_terms")
            .await,
        "89000002"
    );
}
