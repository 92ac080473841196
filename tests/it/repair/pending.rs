//! Pending deliveries can be discarded or rescheduled, and handlers paused and resumed, one or all.

use super::Desk;
use hookfast::internals::store::SettleOutcome::{Delivered, Retry};
use std::time::Duration;

#[tokio::test]
async fn waiting_deliveries_can_be_discarded_and_running_ones_cannot() {
    let desk = Desk::new().await;
    desk.events(1..=3, 1).await;
    desk.pending(1, "shop").await;
    let running = desk.claim_one("shop", 1).await;
    desk.refuses("HF006", "SELECT hookfast.discard(1, 'enough')")
        .await;
    desk.settle(running, Retry(Duration::from_secs(600))).await;
    desk.execute("SELECT hookfast.discard(1, 'enough')").await;
    assert_eq!(
        desk.logged().await,
        r#"delivery.discarded 1 {"why": "enough"}"#
    );
    desk.pending(2, "shop").await;
    desk.execute("SELECT hookfast.discard(2, 'never tried')")
        .await;
    assert_eq!(desk.states().await, "1 discarded, 2 discarded");
    desk.refuses("HF006", "SELECT hookfast.discard(99, 'none')")
        .await;
}

#[tokio::test]
async fn discarding_the_first_of_a_key_releases_the_next() {
    let desk = Desk::new().await;
    desk.events(1..=3, 1).await;
    for n in 1..=3 {
        desk.pending(n, "holds").await;
    }
    desk.execute("SELECT hookfast.discard(2, 'one that waits')")
        .await;
    assert_eq!(desk.states().await, "1 ready, 2 discarded, 3 waiting");
    desk.execute("SELECT hookfast.discard(1, 'the first')")
        .await;
    desk.deliver("holds", &[3]).await;
}

#[tokio::test]
async fn a_scheduled_delivery_waits_and_now_runs_it_at_once() {
    let desk = Desk::new().await;
    desk.events(1..=2, 1).await;
    desk.pending(1, "shop").await;
    desk.execute("SELECT hookfast.reschedule(1, now() + interval '1 hour', 'they are down')")
        .await;
    assert_eq!(desk.states().await, "1 scheduled");
    assert!(
        desk.logged().await.starts_with("delivery.rescheduled 1 {"),
        "{}",
        desk.logged().await
    );
    assert!(desk.claim("shop").await.is_empty());
    desk.execute("SELECT hookfast.reschedule(1, now(), why => 'a test')")
        .await;
    let running = desk.claim_one("shop", 1).await;
    desk.refuses(
        "HF006",
        "SELECT hookfast.reschedule(1, now(), why => 'a test')",
    )
    .await;
    desk.settle(running, Retry(Duration::from_secs(600))).await;
    assert!(desk.claim("shop").await.is_empty());
    desk.execute("SELECT hookfast.reschedule(1, now(), why => 'a test')")
        .await;
    desk.settle(desk.claim_one("shop", 1).await, Delivered)
        .await;
    desk.refuses(
        "HF006",
        "SELECT hookfast.reschedule(1, now(), why => 'a test')",
    )
    .await;
    desk.pending(2, "shop").await;
    for no_time in ["NULL", "'infinity'", "'-infinity'"] {
        desk.refuses(
            "22023",
            &format!("SELECT hookfast.reschedule(2, {no_time}, why => 'a test')"),
        )
        .await;
    }
}

/// Workers look back no further than the start of the transaction.
#[tokio::test]
async fn a_past_time_means_now() {
    let desk = Desk::new().await;
    desk.events(1..=2, 1).await;
    for (n, reschedule) in [
        (1, "hookfast.reschedule(1, '2020-01-01', why => 'a test')"),
        (
            2,
            "hookfast.reschedule_all('shop', '2020-01-01', at_most => 2, why => 'a test')",
        ),
    ] {
        desk.pending(n, "shop").await;
        desk.execute(&format!("SELECT {reschedule}")).await;
        let late = format!(
            "SELECT count(*) FROM hookfast_data.outbox WHERE id = {n} AND due_at > now() - interval '10 seconds' AND due_at <= now()"
        );
        assert_eq!(desk.text(&late).await, "1", "{reschedule}");
    }
}

#[tokio::test]
async fn a_waiting_delivery_cannot_be_rescheduled_and_the_first_of_a_key_delays_the_rest() {
    let desk = Desk::new().await;
    desk.events(1..=3, 1).await;
    for n in 1..=2 {
        desk.pending(n, "skips").await;
    }
    desk.refuses(
        "HF006",
        "SELECT hookfast.reschedule(2, now(), why => 'a test')",
    )
    .await;
    desk.execute("SELECT hookfast.reschedule(1, now() + interval '1 hour', why => 'a test')")
        .await;
    desk.execute("SELECT hookfast_data.wake_stalled_keys(id) FROM hookfast_data.handlers")
        .await;
    assert_eq!(desk.states().await, "1 scheduled, 2 waiting");
    desk.execute("SELECT hookfast.reschedule_all('skips', now(), at_most => 1, why => 'a test')")
        .await;
    desk.deliver("skips", &[1, 2]).await;
    // It has no key yet.
    desk.execute(&format!("INSERT INTO hookfast_data.outbox (handler_id, id, event_id, attempts_left, ordering_key) SELECT id, 3, {}, 3, '' FROM hookfast_data.handlers WHERE name = 'skips'", desk.id(3))).await;
    desk.refuses(
        "HF006",
        "SELECT hookfast.reschedule(3, now(), why => 'a test')",
    )
    .await;
    assert_eq!(
        desk.text("SELECT matching FROM hookfast.reschedule_all('skips', now())")
            .await,
        "0"
    );
}

#[tokio::test]
async fn all_deliveries_of_a_handler_are_rescheduled_up_to_at_most() {
    let desk = Desk::new().await;
    desk.events(1..=6, 1).await;
    desk.event(7, "other", "level", "{}").await;
    desk.pending(1, "shop").await;
    desk.claim_one("shop", 1).await;
    for n in 2..=7 {
        desk.pending(n, "shop").await;
    }
    let before = desk.everything().await;
    let until = "now() + interval '1 hour'";
    let preview = format!(
        "SELECT concat_ws(' ', matching, changed, cardinality(sample_ids), sample_ids) FROM hookfast.reschedule_all('shop', {until})"
    );
    assert_eq!(
        desk.text(&preview).await,
        "6 0 5 {2,3,4,5,6}",
        "running deliveries are excluded"
    );
    assert_eq!(desk.everything().await, before);
    desk.refuses(
        "HF005",
        &format!("SELECT hookfast.reschedule_all('shop', {until}, at_most => 5, why => 'a test')"),
    )
    .await;
    desk.refuses(
        "HF004",
        &format!("SELECT hookfast.reschedule_all('shoop', {until}, at_most => 5, why => 'a test')"),
    )
    .await;
    desk.refuses(
        "22023",
        "SELECT hookfast.reschedule_all('shop', NULL, at_most => 5, why => 'a test')",
    )
    .await;
    let typed = format!(
        "SELECT (matching, changed) FROM hookfast.reschedule_all('shop', {until}, type => 'order.*', why => 'sale', at_most => 5)"
    );
    assert_eq!(desk.text(&typed).await, "(5,5)");
    assert_eq!(
        desk.states().await,
        "1 running, 2 scheduled, 3 scheduled, 4 scheduled, 5 scheduled, 6 scheduled, 7 ready"
    );
    let logged = "SELECT concat_ws(' ', action, target, details->>'count', details->>'type', details->>'why') FROM hookfast.audit_log";
    assert_eq!(
        desk.text(logged).await,
        "deliveries.rescheduled shop 5 order.* sale"
    );
    assert_eq!(
        desk.text(
            "SELECT (matching, changed) FROM hookfast.reschedule_all('shop', now(), at_most => 6, why => 'a test')"
        )
        .await,
        "(6,6)"
    );
    assert_eq!(desk.claim("shop").await.len(), 6);
}

#[tokio::test]
async fn all_handlers_are_paused_and_resumed() {
    let desk = Desk::new().await;
    desk.events(1..=1, 1).await;
    desk.pending(1, "shop").await;
    desk.execute("SELECT hookfast.pause_handler('mail', 'mine')")
        .await;
    assert_eq!(
        desk.text("hookfast.pause_all_handlers('the move')").await,
        "3",
        "one is already paused"
    );
    assert_eq!(
        desk.text("hookfast.pause_all_handlers('the move')").await,
        "0"
    );
    assert_eq!(desk.states().await, "1 paused");
    assert!(desk.claim("shop").await.is_empty());
    assert_eq!(
        desk.text("SELECT string_agg(paused_why, ', ' ORDER BY name) FROM hookfast_data.handlers")
            .await,
        "the move, mine, the move, the move"
    );
    assert_eq!(
        desk.text("hookfast.resume_all_handlers(why => 'a test')")
            .await,
        "4"
    );
    desk.deliver("shop", &[1]).await;
    let logged = "SELECT string_agg(n || ' ' || action, ', ' ORDER BY action) FROM (SELECT action, count(*) AS n FROM hookfast.audit_log GROUP BY action) l";
    assert_eq!(
        desk.text(logged).await,
        "4 handler.paused, 4 handler.resumed"
    );
}

#[tokio::test]
async fn a_running_delivery_shows_its_worker_and_no_next_attempt() {
    let desk = Desk::new().await;
    desk.events(1..=2, 1).await;
    desk.pending(1, "shop").await;
    desk.pending(2, "mail").await;
    desk.execute(
        "UPDATE hookfast_data.outbox SET due_at = now() - interval '1 minute'; \
         UPDATE hookfast_data.handlers SET kind = 'pull' WHERE name = 'mail'; \
         INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) SELECT source_id, idempotency_key, id FROM hookfast_data.events",
    )
    .await;
    desk.claim_one("shop", 1).await;
    desk.execute("SELECT hookfast.claim('mail', 'a client')")
        .await;
    let next = "SELECT string_agg(concat_ws(' ', delivery_id, running_by, next_attempt_at, running_since IS NULL), ', ' ORDER BY delivery_id) FROM hookfast.deliveries";
    assert_eq!(desk.text(next).await, "1 a test t, 2 a client f");
    let explain = "SELECT x.message FROM hookfast.events e, hookfast.explain(e.event_id) x WHERE x.delivery_id = ";
    assert_eq!(
        desk.text(&format!("{explain} 1")).await,
        "running by a test, 1 attempt including this one"
    );
    let since = "SELECT 'running by a client since ' || registered_at::timestamptz(0) FROM hookfast_data.leases WHERE kind = 'pull'";
    let since = desk.text(since).await;
    assert_eq!(
        desk.text(&format!("{explain} 2")).await,
        format!("{since}, 1 attempt including this one")
    );
    let timeline = "SELECT message FROM hookfast.timeline('e2') WHERE kind = 'pending'";
    assert_eq!(desk.text(timeline).await, since);
}

#[tokio::test]
async fn failures_are_grouped_by_kind_and_by_the_first_words_of_a_handlers_error() {
    let desk = Desk::new().await;
    desk.events(1..=6, 1).await;
    for (n, error) in [
        (
            1,
            "timed out after 700 ms: the handler did not end in this time (setting timeout)",
        ),
        (
            2,
            "timed out after 30 s: the handler did not end in this time (setting timeout)",
        ),
        (
            3,
            "timed out after 5 s: no connection to shop.example.com:443",
        ),
        (4, "the books are closed: until Monday"),
        (5, "the books are closed: until Tuesday"),
        (6, "no stock: of anything"),
    ] {
        desk.dead(n, "shop", error).await;
    }
    let kinds = "SELECT string_agg(concat_ws(' ', error_kind, count, split_part(sample_error, ':', 1)), ', ' \
        ORDER BY error_kind, sample_error) FROM hookfast.failures WHERE error_kind <> 'timeout'";
    assert_eq!(
        desk.text(kinds).await,
        "handler 1 no stock, handler 2 the books are closed",
        "a handler's own errors are grouped by their first words"
    );
    let timeouts =
        "SELECT string_agg(count::text, ', ') FROM hookfast.failures WHERE error_kind = 'timeout'";
    assert_eq!(desk.text(timeouts).await, "3");
    let types = "SELECT string_agg(array_to_string(types, '+'), ', ' ORDER BY count) FROM hookfast.failures \
        WHERE error_kind = 'handler'";
    let one = desk.text(types).await;
    assert_eq!(one, "order.done, order.done");
    // The newest failure is of another type, and an event is gone.
    desk.execute(
        "UPDATE hookfast_data.events SET type = 'order.failed' WHERE idempotency_key = 'e5'; \
         DELETE FROM hookfast_data.events WHERE idempotency_key = 'e6'",
    )
    .await;
    assert_eq!(desk.text(types).await, ", order.done+order.failed");
}
