//! Data that is purged row by row: expired keys, counts, and dead letters if the operator
//! configured it.

use super::{Old, purged};
use hookfast::internals::domain::Retention;
use hookfast::internals::store::set_retention;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn expired_keys_and_old_counts_are_purged_a_day_after_the_alert() {
    let old = Old::new().await;
    old.execute(
        "INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id, expires_at) \
            SELECT s.id, 'expired-' || n, gen_random_uuid(), now() - interval '2 days' FROM hookfast_data.sources s, generate_series(1, 2500) n WHERE s.name = 'airalo'; \
         INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id, expires_at) \
            SELECT s.id, k.key, gen_random_uuid(), k.at FROM hookfast_data.sources s, (VALUES ('forever', NULL), ('just expired', now() - interval '1 hour'), ('holds', now() + interval '1 hour')) k (key, at) WHERE s.name = 'airalo'; \
         INSERT INTO hookfast_data.rollups (minute, subject, counter, value) VALUES (now() - interval '91 days', 'a', 'b', 1), (now() - interval '89 days', 'a', 'b', 1)",
    )
    .await;
    assert_eq!(old.round().await.rows, 0);
    let alerts = "SELECT string_agg((payload->>'class') || ' ' || (payload->>'rows'), ', ' ORDER BY payload->>'class') FROM hookfast.alerts";
    assert_eq!(old.text(alerts).await, "keys 2500, rollups 1");
    old.announced().await;
    assert_eq!(old.round().await.rows, 2501);
    let left = "SELECT string_agg(key, ', ' ORDER BY key) FROM hookfast_data.idempotency_keys k JOIN hookfast_data.sources s ON s.id = k.source_id WHERE s.name = 'airalo'";
    assert_eq!(old.text(left).await, "forever, holds, just expired");
    assert_eq!(
        old.text("SELECT count(*) FROM hookfast_data.rollups").await,
        "1"
    );
    assert_eq!(old.round().await.rows, 0);
}

#[tokio::test]
async fn dead_letters_are_kept_forever_by_default() {
    let old = Old::new().await;
    old.day(100, 2).await;
    old.execute(
        "INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason, died_at) \
            SELECT row_number() OVER (), h.id, e.id, 3, 0, 'rejected', now() - interval '99 days' FROM hookfast_data.events e, hookfast_data.handlers h WHERE e.idempotency_key LIKE 'd100-%'",
    )
    .await;
    old.announced().await;
    assert_eq!(old.round().await.rows, 0);
    assert_eq!(
        old.keys().await,
        "d100-1 d100-2",
        "their events stay with them"
    );

    set_retention(
        &old.pool,
        &Retention {
            dead_letters: Some(30 * DAY),
            ..Retention::default()
        },
    )
    .await
    .expect("set");
    let log = "SELECT string_agg(target || ' ' || (details->>'keep'), ', ') FROM hookfast_data.audit_log WHERE action = 'retention.set'";
    assert_eq!(
        old.text(log).await,
        "dead_letters 720:00:00",
        "only the change is in the log"
    );
    assert_eq!(old.round().await.rows, 0, "announced first");
    old.announced().await;
    let left = old.round().await;
    assert_eq!((left.rows, left.days), (2, 0), "the days are purged first");
    assert_eq!(
        old.round().await,
        purged(1, 0),
        "then their day has nothing left either"
    );
    assert_eq!(
        old.text("SELECT count(*) FROM hookfast.dead_letters").await,
        "0"
    );
}
