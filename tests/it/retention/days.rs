//! Days of events: what is purged, what stays, and when.

use super::{Old, purged};
use hookfast::internals::store::PurgeReport;

#[tokio::test]
async fn the_first_purge_is_announced_a_day_ahead_and_drops_all_tables_of_a_day() {
    let old = Old::new().await;
    old.day(100, 5).await;
    old.day(89, 3).await;
    assert_eq!(
        old.round().await,
        PurgeReport::default(),
        "the purge is announced, and nothing is deleted"
    );
    let alerts = "SELECT string_agg((payload->>'class') || ' ' || (payload->>'rows'), ', ' ORDER BY received_at) FROM hookfast.alerts WHERE type = 'hookfast.retention.announced'";
    assert_eq!(old.text(alerts).await, "events 5");
    assert_eq!(old.round().await, PurgeReport::default(), "announced once");
    assert_eq!(old.text(alerts).await, "events 5");
    assert!(old.keys().await.starts_with("d100-1 d100-2"), "all exist");
    let preview = "SELECT string_agg(rows || ' ' || stays || ' ' || (purge_at > now() + interval '23 hours'), ', ') FROM hookfast.retention_preview() WHERE class = 'events'";
    assert_eq!(
        old.text(preview).await,
        "5 0 true",
        "the dry run reports the same"
    );

    old.announced().await;
    assert_eq!(old.round().await, purged(1, 0));
    assert_eq!(old.keys().await, "d89-1 d89-2 d89-3");
    assert_eq!(
        old.days().await.split(' ').count(),
        3,
        "the tables of the other day: {}",
        old.days().await
    );
    let keys = "SELECT count(*) FROM hookfast_data.idempotency_keys WHERE key LIKE 'd100-%'";
    assert_eq!(
        old.text(keys).await,
        "5",
        "the key of an event outlives the payload"
    );
    assert_eq!(
        old.text("SELECT count(*) FROM hookfast.find('term-d100-1')")
            .await,
        "0"
    );

    old.execute(
        "UPDATE hookfast_data.retention SET keep = interval '30 days' WHERE class = 'events'",
    )
    .await;
    assert_eq!(
        old.round().await,
        PurgeReport::default(),
        "a shorter retention is announced again"
    );
    assert_eq!(old.text(alerts).await, "events 5, events 3");
    old.announced().await;
    assert_eq!(old.round().await, purged(1, 0));
    assert_eq!(old.days().await, "none");
    let log = "SELECT string_agg(details->>'dropped', ' ' ORDER BY id) FROM hookfast_data.audit_log WHERE action = 'retention.day'";
    assert_eq!(old.text(log).await, "5 3");
}

#[tokio::test]
async fn pending_dead_held_conflicting_and_replayed_events_are_kept_until_released() {
    let old = Old::new().await;
    old.day(100, 8).await;
    old.day(95, 2).await;
    old.execute(
        "INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left) \
            SELECT h.id, e.id, 3 FROM hookfast_data.events e, hookfast_data.handlers h WHERE e.idempotency_key = 'd100-1'; \
         INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason) \
            SELECT 77, h.id, e.id, 3, 0, 'rejected' FROM hookfast_data.events e, hookfast_data.handlers h WHERE e.idempotency_key = 'd100-2'; \
         SELECT hookfast.hold_event(id, 'a lawyer asked') FROM hookfast_data.events WHERE idempotency_key = 'd100-3'; \
         UPDATE hookfast_data.events SET conflicts_with = (SELECT id FROM hookfast_data.events WHERE idempotency_key = 'd100-4') WHERE idempotency_key = 'd95-1'; \
         SELECT hookfast.replay_all('shop', received_after => received_at, received_before => received_at + interval '1 millisecond', at_most => 5, why => 'a test') \
            FROM (SELECT hookfast_data.event_id_time(id) AS received_at FROM hookfast_data.events WHERE idempotency_key = 'd100-5') e",
    )
    .await;
    old.announced().await;
    let preview = "SELECT string_agg(rows || ' ' || stays, ', ' ORDER BY day) FROM hookfast.retention_preview() WHERE class = 'events'";
    assert_eq!(old.text(preview).await, "8 5, 2 1");
    assert_eq!(old.round().await, purged(0, 2));
    assert_eq!(old.keys().await, "d100-1 d100-2 d100-3 d100-4 d100-5 d95-1");
    let history = "SELECT string_agg(e.idempotency_key, ' ' ORDER BY 1) FROM hookfast_data.attempts a JOIN hookfast_data.events e ON e.id = a.event_id WHERE e.idempotency_key LIKE 'd%'";
    assert_eq!(
        old.text(history).await,
        "d100-1 d100-2 d100-3 d100-4 d100-5 d95-1",
        "with their history"
    );
    assert_eq!(
        old.text("SELECT count(*) FROM hookfast.find('term-d100-2')")
            .await,
        "1",
        "they are found"
    );
    assert_eq!(
        old.days().await.split(' ').count(),
        6,
        "in days of the same names"
    );
    let log = "SELECT count(*) FROM hookfast_data.audit_log WHERE action = 'retention.day'";
    let before = old.text(log).await;
    assert_eq!(
        old.round().await,
        purged(0, 2),
        "the next round has nothing to do"
    );
    assert_eq!(old.text(log).await, before);

    old.execute(
        "DELETE FROM hookfast_data.outbox; SELECT hookfast.discard(77, 'done by hand'); \
         SELECT hookfast.unhold_event(event_id, why => 'a test') FROM hookfast.retention_holds; SELECT hookfast.cancel_replay(replay_id, why => 'a test') FROM hookfast.replays",
    )
    .await;
    assert_eq!(old.round().await, purged(0, 2));
    assert_eq!(
        old.keys().await,
        "d100-4 d95-1",
        "a conflict and the event it conflicts with stay forever"
    );
    old.execute(
        "UPDATE hookfast_data.retention SET keep = interval '90 days' WHERE class = 'conflicts'",
    )
    .await;
    assert_eq!(old.round().await, purged(2, 0));
    assert_eq!(old.days().await, "none");
}

#[tokio::test]
async fn nothing_is_purged_if_everything_is_kept_forever() {
    let old = Old::new().await;
    old.day(1000, 1).await;
    old.execute("UPDATE hookfast_data.retention SET keep = NULL")
        .await;
    assert_eq!(old.round().await, PurgeReport::default());
    assert_eq!(old.text("SELECT count(*) FROM hookfast.alerts").await, "0");
    assert_eq!(
        old.text("SELECT count(*) FROM hookfast.retention_preview()")
            .await,
        "0"
    );
    assert_eq!(old.keys().await, "d1000-1");
}
