//! The content of the timeline and the alerts, and what they leave out.

use super::Store;
use hookfast::internals::store::SettleOutcome;

/// Deliveries, replays and quarantined requests are each numbered from 1.
#[tokio::test]
async fn a_timeline_ignores_other_objects_with_the_same_number() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    let claims = store.claim_all(store.lease().await, 1).await;
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].delivery.0, 1);
    store.settle(claims[0], SettleOutcome::Rejected).await;
    store
        .execute(
            "INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body) \
                SELECT id, sha256('x'), 'wrong_signature', '{}', '' FROM hookfast_data.sources WHERE name = 'airalo'; \
             SELECT hookfast.approve_quarantined(1, 'genuine'); SELECT hookfast.replay_all('shop', at_most => 100, why => 'a test'); \
             SELECT hookfast.pause_replay(1, why => 'a test'); SELECT hookfast.retry(1, why => 'repaired')",
        )
        .await;
    let kinds = "SELECT string_agg(kind, ', ' ORDER BY at) FROM hookfast.timeline('o-000000')";
    assert_eq!(
        store.text(kinds).await,
        "received, dead, delivery.retried, pending"
    );
    let kinds = "SELECT string_agg(kind, ', ' ORDER BY at) FROM hookfast.timeline('o-000001')";
    assert_eq!(store.text(kinds).await, "received, pending");
}

/// Otherwise a handler that crashes on an alert would get another alert for each crash.
#[tokio::test]
async fn a_lost_alert_raises_no_alert() {
    let store = Store::new().await;
    store.fill("o", 1).await;
    store
        .execute("SELECT hookfast_data.raise_alert('hookfast.conflict', 'one', '{}')")
        .await;
    let lost = "INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, lease_id, error_kind) \
        SELECT e.id, 1, 1, h.id, 'lost', 5, 'lost' FROM hookfast_data.events e, hookfast_data.handlers h WHERE e.origin";
    let raised = "SELECT count(*) FROM hookfast.alerts WHERE type = 'hookfast.lease.lost'";
    for (origin, alerts) in [("= 'hookfast'", 0), ("= 'webhook'", 1)] {
        sqlx::query(sqlx::AssertSqlSafe(format!("{lost} {origin}")))
            .execute(&store.pool)
            .await
            .expect("lost");
        store
            .execute("SELECT hookfast_data.evaluate_alerts()")
            .await;
        assert_eq!(store.count(raised).await, alerts, "{origin}");
    }
}

/// 200 characters may be 800 bytes, and keys with the same beginning are still different.
#[tokio::test]
async fn a_long_key_of_an_alert_is_reported_once_whatever_its_letters_are() {
    let store = Store::new().await;
    let raise = "SELECT count(hookfast_data.raise_alert('hookfast.conflict', repeat('\u{1f980}', 200) || n, '{}')) FROM generate_series(1, 2) n";
    assert_eq!(store.count(raise).await, 2);
    assert_eq!(store.count(raise).await, 0, "each is known");
}
