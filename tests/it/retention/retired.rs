//! Deliveries that are kept for a retired handler retain no event: they are deleted with the day of
//! their event.

use super::{Old, purged};

#[tokio::test]
async fn pending_deliveries_of_a_retired_handler_are_purged_with_their_events() {
    let old = Old::new().await;
    old.day(100, 6).await;
    old.day(99, 2).await;
    old.execute(
        "INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version) VALUES ('crm', 'rust', '{*}', 3, 0); \
         INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left, ordering_key, due_at) \
            SELECT h.id, e.id, 3, CASE e.idempotency_key WHEN 'd100-3' THEN 'k' END, CASE e.idempotency_key WHEN 'd100-3' THEN 'infinity' END::timestamptz \
            FROM hookfast_data.events e, hookfast_data.handlers h WHERE h.name = 'shop' AND e.idempotency_key <> 'd100-6' AND e.idempotency_key LIKE 'd%'; \
         INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left) \
            SELECT h.id, e.id, 3 FROM hookfast_data.events e, hookfast_data.handlers h WHERE h.name = 'crm' AND e.idempotency_key = 'd100-4'; \
         SELECT hookfast.hold_event(id, 'a lawyer asked') FROM hookfast_data.events WHERE idempotency_key = 'd100-5'",
    )
    .await;
    old.announced().await;
    let preview = "SELECT string_agg(rows || ' ' || stays, ', ' ORDER BY day) FROM hookfast.retention_preview() WHERE class = 'events'";
    assert_eq!(old.text(preview).await, "6 5, 2 2");
    old.execute("SELECT hookfast.retire_handler('shop', 'renamed', 'keep', at_most => 100)")
        .await;
    assert_eq!(old.text(preview).await, "6 2, 2 0");
    assert_eq!(old.round().await, purged(1, 1));
    assert_eq!(old.keys().await, "d100-4 d100-5");
    let pending = "SELECT string_agg(d.handler || ' ' || d.state || ' ' || e.idempotency_key, ', ' ORDER BY e.idempotency_key, d.handler) FROM hookfast.deliveries d JOIN hookfast.events e USING (event_id) WHERE d.state <> 'delivered'";
    assert_eq!(
        old.text(pending).await,
        "crm ready d100-4, shop retired d100-4, shop retired d100-5"
    );
    assert_eq!(
        old.text("SELECT count(*) FROM hookfast_data.outbox").await,
        "3",
        "none without its event"
    );
    let log = "SELECT string_agg(details->>'expired_deliveries', ' ' ORDER BY id) FROM hookfast_data.audit_log WHERE action = 'retention.day'";
    assert_eq!(old.text(log).await, "3 2");
}
