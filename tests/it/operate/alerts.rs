//! Alerts: each condition is reported once, to the handlers that subscribe to it.

use super::Story;

const REPORTED: &str = "SELECT coalesce(string_agg(replace(type, 'hookfast.', '') || coalesce(' ' || coalesce(payload->>'handler', payload->>'source', payload->>'class'), ''), ', ' ORDER BY type, event_id), 'nothing') FROM hookfast.alerts";

impl Story {
    async fn reported(&self) -> String {
        self.text(REPORTED).await
    }

    async fn watch(&self) -> String {
        self.execute("SELECT hookfast_data.evaluate_alerts()").await;
        self.reported().await
    }
}

#[tokio::test]
async fn each_dead_letter_raises_one_alert_and_dead_alerts_raise_none() {
    let story = Story::new().await;
    story
        .execute(
            "INSERT INTO hookfast_data.handlers (name, kind, types, sources, max_attempts, registered_version) VALUES ('all', 'http', '{*}', NULL, 3, 0), \
                ('on_call', 'http', '{hookfast.*}', NULL, 3, 0), ('projection', 'airalo', '{hookfast.*}', NULL, 3, 0), ('by_source', 'http', '{*}', '{hookfast}', 3, 0), ('lost_only', 'http', '{hookfast.lease.lost}', NULL, 3, 0), ('shop_only', 'http', '{hookfast.*}', '{airalo}', 3, 0); \
             SELECT order_arrived(n) FROM generate_series(1, 3) n; SELECT died(n) FROM generate_series(1, 3) n",
        )
        .await;
    assert_eq!(
        story
            .text("SELECT hookfast_data.alert_dead_letters(2)")
            .await,
        "2"
    );
    assert_eq!(
        story
            .text("SELECT hookfast_data.alert_dead_letters(10)")
            .await,
        "1"
    );
    assert_eq!(
        story
            .text("SELECT hookfast_data.alert_dead_letters(10)")
            .await,
        "0"
    );
    assert_eq!(
        story.reported().await,
        "delivery.dead shop, delivery.dead shop, delivery.dead shop"
    );
    let pending = "SELECT string_agg(n, ', ' ORDER BY n) FROM (SELECT h.name || ' ' || count(*) FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id GROUP BY h.name) x (n)";
    assert_eq!(story.text(pending).await, "by_source 3, on_call 3");
    story.execute("INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason) SELECT id, handler_id, event_id, 3, 0, 'rejected' FROM hookfast_data.outbox").await;
    assert_eq!(
        story
            .text("SELECT hookfast_data.alert_dead_letters(100)")
            .await,
        "6"
    );
    assert_eq!(
        story.reported().await.split(", ").count(),
        3,
        "a failed alert delivery raises no alert"
    );
    // The same delivery dies a second time: that is another alert.
    story.execute("SELECT hookfast.retry(1001, why => 'a test'); DELETE FROM hookfast_data.outbox WHERE id = 1001; INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason) SELECT 1001, id, event_of(1), 6, 0, 'attempts_exhausted' FROM hookfast_data.handlers WHERE name = 'shop'; SELECT hookfast_data.alert_dead_letters(10)").await;
    assert_eq!(story.reported().await.split(", ").count(), 4);
}

#[tokio::test]
async fn a_condition_is_reported_when_it_begins_and_again_only_after_it_has_ended() {
    let story = Story::new().await;
    story.execute("INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at) SELECT 'worker', 'x', array_agg(id), now() + interval '1 hour' FROM hookfast_data.handlers").await;
    assert_eq!(story.watch().await, "nothing");
    story
        .execute("SELECT hookfast.pause_handler('shop', 'x')")
        .await;
    assert_eq!(story.watch().await, "handler.paused shop");
    assert_eq!(story.watch().await, "handler.paused shop", "once");
    assert_eq!(
        story
            .text("SELECT is_open || ' ' || (resolved_at IS NULL) FROM hookfast.alerts")
            .await,
        "true true"
    );
    story
        .execute("SELECT hookfast.resume_handler('shop', why => 'a test')")
        .await;
    assert_eq!(story.watch().await, "handler.paused shop, resolved shop");
    assert_eq!(
        story.text("SELECT is_open || ' ' || (abs(extract(epoch FROM resolved_at - now())) < 60) FROM hookfast.alerts WHERE type = 'hookfast.handler.paused'").await,
        "false true"
    );
    assert_eq!(
        story.row("SELECT payload - 'since' AS p FROM hookfast.alerts WHERE type = 'hookfast.resolved'").await["p"],
        serde_json::json!({"type": "hookfast.handler.paused", "handler": "shop"})
    );
    assert_eq!(
        story.watch().await,
        "handler.paused shop, resolved shop",
        "the end is reported once as well"
    );
    story
        .execute("SELECT hookfast.pause_handler('shop', 'x')")
        .await;
    assert_eq!(
        story.watch().await,
        "handler.paused shop, handler.paused shop, resolved shop",
        "reported again"
    );
    story.execute("SELECT hookfast.resume_handler('shop', why => 'a test'); UPDATE hookfast_data.handlers SET breaker_opened_at = now(), breaker_until = now() WHERE name = 'crm'").await;
    assert!(story.watch().await.starts_with("handler.opened crm, "));

    story.execute("UPDATE hookfast_data.handlers SET breaker_opened_at = NULL, breaker_until = NULL; DELETE FROM hookfast_data.events WHERE origin = 'hookfast'; SELECT order_arrived(1, minutes_ago => 10), order_arrived(2, minutes_ago => 0); SELECT pending(2)").await;
    assert_eq!(story.watch().await, "resolved crm", "a worker serves it");
    story
        .execute("UPDATE hookfast_data.leases SET expires_at = now() - interval '1 second'")
        .await;
    assert_eq!(
        story.watch().await,
        "resolved crm",
        "for a moment no worker does, as in a deployment"
    );
    story.execute("SELECT pending(1)").await;
    story
        .execute("DELETE FROM hookfast_data.outbox WHERE id = 1002")
        .await;
    assert_eq!(story.watch().await, "handler.unserved shop, resolved crm");
    // When a worker serves it again, only the delay remains.
    story
        .execute("UPDATE hookfast_data.leases SET expires_at = now() + interval '1 hour'")
        .await;
    let resolved = "handler.behind shop, handler.unserved shop, resolved crm, resolved shop";
    assert_eq!(story.watch().await, resolved);
}

#[tokio::test]
async fn a_source_that_is_silent_or_rejects_is_reported_and_a_quiet_night_is_not() {
    let story = Story::new().await;
    let counted = |subject: &str, counter: &str, ago: &str, value: u32| {
        format!(
            "INSERT INTO hookfast_data.rollups (minute, subject, counter, value) VALUES (date_trunc('minute', now()) - interval '{ago}', 'source:{subject}', '{counter}', {value}) ON CONFLICT (minute, subject, counter) DO UPDATE SET value = excluded.value;"
        )
    };
    story.execute("INSERT INTO hookfast_data.sources (name, kind) VALUES ('night', 'airalo'), ('forged', 'airalo'), ('young', 'airalo')").await;
    for day in 1..=14 {
        // Half an hour ago, on each of these days, airalo was busy. The other source is busy at
        // another time.
        story
            .execute(&counted(
                "airalo",
                "stored",
                &format!("{day} days 30 minutes"),
                40,
            ))
            .await;
        story
            .execute(&counted(
                "night",
                "stored",
                &format!("{day} days 5 hours"),
                400,
            ))
            .await;
    }
    for source in ["airalo", "night", "young"] {
        story
            .execute(&counted(source, "stored", "2 hours", 5))
            .await;
    }
    story
        .execute(&counted("forged", "stored", "1 minute", 5))
        .await;
    assert_eq!(story.watch().await, "source.silent airalo");
    let health =
        story.row("SELECT state, last_hour, usual_hour FROM hookfast.source_health WHERE source = 'airalo'").await;
    assert_eq!(
        health,
        serde_json::json!({"state": "silent", "last_hour": 0, "usual_hour": 40.0})
    );
    story
        .execute(&counted("forged", "wrong_signature", "1 minute", 20))
        .await;
    story
        .execute(&counted("night", "quarantine_full", "1 minute", 1))
        .await;
    story
        .execute(&counted("airalo", "stored", "0 minutes", 1))
        .await;
    assert_eq!(
        story.watch().await,
        "quarantine.full night, resolved airalo, source.rejecting forged, source.silent airalo"
    );
    assert_eq!(
        story
            .text("SELECT rejects_by_reason FROM hookfast.source_health WHERE source = 'forged'")
            .await,
        r#"{"wrong_signature": 20}"#
    );
}

/// The quarantine has room, and their senders still get 503.
#[tokio::test]
async fn wrong_signatures_too_fast_for_the_quarantine_raise_its_alert() {
    let story = Story::new().await;
    story.execute("INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at) SELECT 'worker', 'x', array_agg(id), now() + interval '1 hour' FROM hookfast_data.handlers").await;
    assert_eq!(story.watch().await, "nothing");
    story.execute("INSERT INTO hookfast_data.rollups (minute, subject, counter, value) VALUES (date_trunc('minute', now()), 'source:airalo', 'quarantine_busy', 7)").await;
    assert_eq!(story.watch().await, "quarantine.full airalo");
    let payload = story
        .row("SELECT payload FROM hookfast.alerts WHERE type = 'hookfast.quarantine.full'")
        .await;
    assert_eq!(
        payload["payload"],
        serde_json::json!({"source": "airalo", "rows": 0, "too_fast": 7})
    );
}

#[tokio::test]
async fn lost_leases_and_conflicts_are_reported() {
    let story = Story::new().await;
    story
        .execute(
            "SELECT order_arrived(n) FROM generate_series(1, 2) n; \
             INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, lease_id, error_kind) SELECT event_of(n), n, 1, h.id, 'lost', 77, 'lost' FROM hookfast_data.handlers h, generate_series(1, 2) n WHERE h.name = 'shop'; \
             UPDATE hookfast_data.events SET conflicts_with = event_of(1) WHERE id = event_of(2); SELECT hookfast_data.alert_conflicts(10)",
        )
        .await;
    assert_eq!(story.watch().await, "conflict airalo, lease.lost shop");
    assert_eq!(story.watch().await, "conflict airalo, lease.lost shop");
    assert_eq!(
        story.text("SELECT payload->>'deliveries' FROM hookfast.alerts WHERE type = 'hookfast.lease.lost'").await,
        "2"
    );
    story.execute("INSERT INTO hookfast_data.sources (name, kind) VALUES ('own', 'sql'); SELECT hookfast.enqueue('own', 'own.paid', '1', 'k'), hookfast.enqueue('own', 'own.paid', '2', 'k')").await;
    assert_eq!(
        story.reported().await,
        "conflict airalo, conflict own, lease.lost shop"
    );
}

#[tokio::test]
async fn a_source_whose_requests_are_rejected_unread_is_reported_with_the_reasons() {
    let story = Story::new().await;
    story.execute("INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at) SELECT 'worker', 'x', array_agg(id), now() + interval '1 hour' FROM hookfast_data.handlers").await;
    let counted = |counter: &str, n: u32| {
        format!(
            "INSERT INTO hookfast_data.rollups (minute, subject, counter, value) VALUES (date_trunc('minute', now()), 'source:airalo', '{counter}', {n})"
        )
    };
    for ours in [
        "no_room",
        "busy",
        "unavailable",
        "evicted",
        "wrong_method",
        "address_check",
        "no_connection",
        "invalid_data",
    ] {
        story.execute(&counted(ours, 100)).await;
    }
    assert_eq!(story.watch().await, "nothing");
    let reasons = [
        "too_large",
        "too_slow",
        "broken_body",
        "bad_topic",
        "malformed",
        "too_many_headers",
        "headers_too_large",
        "headers_too_slow",
        "address_too_long",
    ];
    for reason in reasons {
        story.execute(&counted(reason, 2)).await;
    }
    assert_eq!(story.watch().await, "source.rejecting airalo");
    let shown = "SELECT rejected_last_hour AS n, (SELECT count(*) FROM jsonb_object_keys(rejects_by_reason)) AS reasons \
        FROM hookfast.source_health WHERE source = 'airalo'";
    assert_eq!(
        story.row(shown).await,
        serde_json::json!({"n": 18, "reasons": 9})
    );
}
