//! A handler that no configuration has any more is retired: it gets nothing new, and its pending
//! deliveries are not run.

use super::Desk;

const RETIRE: &str = "SELECT hookfast.retire_handler('shop', 'renamed', at_most => 100)";

impl Desk {
    /// The result of a function with a preview: matching, changed, and the size of the sample.
    async fn answer(&self, call: &str) -> String {
        self.text(&format!(
            "SELECT concat_ws(' ', matching, changed, cardinality(sample_ids)) FROM hookfast.{call}"
        ))
        .await
    }

    /// An event of an application; returns the handlers that have deliveries of it.
    async fn enqueued(&self) -> String {
        self.text(
            "SELECT 'enqueued ' || hookfast.enqueue('other', 'order.new', '{\"key\": \"k9\"}')",
        )
        .await;
        self.text(
            "SELECT string_agg(d.handler, ' ' ORDER BY d.handler) FROM hookfast.deliveries d \
                WHERE d.event_id = (SELECT max(e.event_id::text)::uuid FROM hookfast.events e)",
        )
        .await
    }

    async fn explained(&self, handler: &str) -> String {
        self.text(&format!(
            "SELECT string_agg(x.verdict, ' ' ORDER BY e.event_id) FROM hookfast.events e, \
                hookfast.explain(e.event_id) x WHERE x.handler = '{handler}'"
        ))
        .await
    }

    async fn state_of(&self, handler: &str) -> String {
        self.text(&format!(
            "SELECT concat_ws(' ', h.state, h.retired, h.retired_why, b.retired, b.ready, b.unserved) \
                FROM hookfast.handler_health h JOIN hookfast.backlog b USING (handler) WHERE handler = '{handler}'"
        ))
        .await
    }
}

#[tokio::test]
async fn retiring_is_previewed_discards_pending_deliveries_and_stops_new_ones() {
    let desk = Desk::new().await;
    desk.events(1..=8, 2).await;
    for n in 1..=7 {
        desk.pending(n, if n <= 3 { "shop" } else { "skips" }).await;
    }
    assert_eq!(desk.enqueued().await, "holds mail shop skips");
    let before = desk.everything().await;
    assert_eq!(
        desk.answer("retire_handler('shop', 'renamed')").await,
        "4 0 4"
    );
    assert_eq!(desk.everything().await, before, "a preview changes nothing");
    desk.refuses(
        "HF005",
        "SELECT hookfast.retire_handler('shop', 'renamed', at_most => 3)",
    )
    .await;
    desk.refuses(
        "22023",
        "SELECT hookfast.retire_handler('shop', ' ', at_most => 100)",
    )
    .await;
    desk.refuses(
        "22023",
        "SELECT hookfast.retire_handler('shop', 'renamed', 'forget', at_most => 100)",
    )
    .await;
    desk.refuses(
        "22023",
        "SELECT hookfast.retire_handler(NULL, 'renamed', at_most => 100)",
    )
    .await;
    desk.refuses(
        "HF004",
        "SELECT hookfast.retire_handler('shopp', 'renamed', at_most => 100)",
    )
    .await;

    assert_eq!(
        desk.answer("retire_handler('shop', 'renamed', at_most => 4)")
            .await,
        "4 4 4"
    );
    assert!(
        desk.logged().await.starts_with("handler.retired shop {"),
        "{}",
        desk.logged().await
    );
    assert!(
        desk.states()
            .await
            .starts_with("1 discarded, 2 discarded, 3 discarded, 4 ready")
    );
    let errors = "SELECT DISTINCT a.error FROM hookfast.attempts a WHERE a.outcome = 'discarded'";
    assert_eq!(desk.text(errors).await, "its handler was retired: renamed");
    assert_eq!(
        desk.answer("retire_handler('skips', 'renamed', at_most => 5)")
            .await,
        "5 5 5",
        "with its waiting deliveries"
    );
    assert_eq!(desk.enqueued().await, "holds mail");
    assert_eq!(desk.state_of("shop").await, "retired 0 renamed 0 0 f");
    let last = "SELECT (string_to_array($$EXPLAINED$$, ' '))[10]"
        .replace("EXPLAINED", &desk.explained("shop").await);
    assert_eq!(desk.text(&last).await, "retired");
    let message = "SELECT count(*) FROM hookfast.status() WHERE area = 'handler' AND subject IN ('shop', 'skips')";
    assert_eq!(desk.text(message).await, "0", "it is not listed");
}

#[tokio::test]
async fn kept_deliveries_are_shown_not_run_and_can_be_discarded_later() {
    let desk = Desk::new().await;
    desk.events(1..=6, 1).await;
    for n in 1..=3 {
        desk.pending(n, "skips").await;
    }
    desk.execute("SELECT hookfast.pause_handler('skips', 'until it is decided')")
        .await;
    assert_eq!(
        desk.answer("retire_handler('skips', 'renamed', 'keep', at_most => 9)")
            .await,
        "3 0 3"
    );
    assert_eq!(desk.states().await, "1 retired, 2 retired, 3 retired");
    assert_eq!(desk.state_of("skips").await, "retired 3 renamed 3 0 f");
    assert_eq!(
        desk.explained("skips").await,
        "retired retired retired retired retired retired"
    );
    let message = "SELECT state || ' | ' || message FROM hookfast.status() WHERE subject = 'skips'";
    let message = desk.text(message).await;
    assert!(
        message.starts_with("ok | retired: since 2")
            && message.contains(": renamed; 3 pending deliveries not run;"),
        "{message}"
    );
    let timeline = "SELECT string_agg(kind || ' ' || message, ', ') FROM hookfast.timeline('e1') WHERE handler = 'skips'";
    desk.execute("INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) SELECT source_id, idempotency_key, id FROM hookfast_data.events WHERE idempotency_key = 'e1'").await;
    assert_eq!(desk.text(timeline).await, "pending retired");
    assert_eq!(
        desk.text("hookfast_data.discard_retired(NULL, 100)").await,
        "0",
        "workers do not run them"
    );
    assert_eq!(
        desk.answer("retire_handler('skips', 'no longer needed', at_most => 3)")
            .await,
        "3 3 3"
    );
    assert_eq!(desk.states().await, "1 discarded, 2 discarded, 3 discarded");
}

#[tokio::test]
async fn very_many_are_discarded_step_by_step() {
    let desk = Desk::new().await;
    desk.event(1, "airalo", "order.done", "{}").await;
    desk.execute(&format!(
        "INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left) \
            SELECT h.id, {}, 3 FROM hookfast_data.handlers h, generate_series(1, 10050) WHERE h.name = 'shop'",
        desk.id(1)
    ))
    .await;
    assert_eq!(
        desk.answer("retire_handler('shop', 'renamed', at_most => 20000)")
            .await,
        "10050 10000 5"
    );
    assert_eq!(
        desk.state_of("shop").await,
        "retired 50 renamed 50 0 f",
        "the rest is listed"
    );
    assert_eq!(
        desk.text("hookfast_data.discard_retired(NULL, 20)").await,
        "20"
    );
    assert_eq!(
        desk.text("hookfast_data.discard_retired(NULL, 100)").await,
        "30"
    );
    assert_eq!(
        desk.text("SELECT count(*) FROM hookfast_data.outbox").await,
        "0"
    );
}

#[tokio::test]
async fn retiring_fails_while_a_worker_process_or_client_has_the_handler() {
    let desk = Desk::new().await;
    desk.events(1..=2, 1).await;
    desk.pending(1, "shop").await;
    desk.claim_one("shop", 1).await;
    desk.refuses("HF006", RETIRE).await;
    let why = desk
        .text(
            "hookfast_data.served_by((SELECT id FROM hookfast_data.handlers WHERE name = 'shop'))",
        )
        .await;
    assert_eq!(why, "the worker a test serves it");
    desk.execute(
        "DELETE FROM hookfast_data.leases; \
         INSERT INTO hookfast_data.processes (owner, roles, version, handlers) VALUES ('host:7', '{worker}', '1', '{mail,shop}')",
    )
    .await;
    let error = sqlx::query(RETIRE)
        .execute(&desk.pool)
        .await
        .expect_err("refused")
        .to_string();
    let expected = "handler shop is in use: the process host:7 has it in its configuration; nothing was changed";
    assert!(error.contains(expected), "{error}");
    desk.execute("UPDATE hookfast_data.processes SET seen_at = now() - interval '21 seconds'")
        .await;
    desk.execute(RETIRE).await;

    desk.execute("UPDATE hookfast_data.handlers SET kind = 'pull' WHERE name = 'mail'")
        .await;
    desk.pending(2, "mail").await;
    desk.execute("SELECT hookfast.claim('mail', 'a client')")
        .await;
    desk.refuses(
        "HF006",
        "SELECT hookfast.retire_handler('mail', 'renamed', at_most => 100)",
    )
    .await;
    desk.execute("SELECT hookfast.complete(l.id, 2) FROM hookfast_data.leases l")
        .await;
    desk.execute("SELECT hookfast.retire_handler('mail', 'renamed', at_most => 100)")
        .await;
    let refused = sqlx::query("SELECT hookfast.claim('mail', 'a client')")
        .execute(&desk.pool)
        .await;
    let refused = refused.expect_err("it is retired").to_string();
    // Only operators see the reason.
    assert!(
        refused.contains("handler mail was retired at ")
            && refused.contains("; nothing was claimed")
            && !refused.contains("renamed"),
        "{refused}"
    );
}

#[tokio::test]
async fn no_act_gives_a_retired_handler_work() {
    let desk = Desk::new().await;
    desk.events(1..=3, 1).await;
    desk.pending(1, "shop").await;
    desk.dead(2, "shop", "status 500").await;
    desk.dead(3, "mail", "status 500").await;
    desk.execute(
        "SELECT hookfast.replay_all('shop', why => 'again', at_most => 10); \
         SELECT hookfast.replay_all('shop', why => 'later', at_most => 10); SELECT hookfast.pause_replay(2, why => 'a test'); \
         SELECT hookfast.retire_handler('shop', 'renamed', 'keep', at_most => 100)",
    )
    .await;
    let replays = "SELECT string_agg(state, ' ' ORDER BY replay_id) FROM hookfast.replays";
    assert_eq!(desk.text(replays).await, "cancelled cancelled");
    for act in [
        "retry(2, 'again')",
        "retry_all('shop', at_most => 10, why => 'a test')",
        &format!("replay({}, 'shop', 'again')", desk.id(1)),
        "replay_all('shop', at_most => 10, why => 'a test')",
        "pause_handler('shop', 'now')",
        "resume_handler('shop', 'again')",
        "reschedule(1, now(), 'again')",
        "reschedule_all('shop', now(), at_most => 10, why => 'a test')",
    ] {
        desk.refuses("HF006", &format!("SELECT hookfast.{act}"))
            .await;
    }
    assert_eq!(
        desk.text("hookfast.pause_all_handlers('now') || ' ' || hookfast.resume_all_handlers(why => 'a test')")
            .await,
        "3 3"
    );
    assert_eq!(
        desk.answer("retry_all(at_most => 10, why => 'a test')")
            .await,
        "1 1 1",
        "only the other handler's"
    );
    // A replay that was requested at the same moment.
    desk.execute("UPDATE hookfast_data.replays SET state = 'running', ended_at = NULL, last_progress_at = now() - interval '9 seconds' WHERE id = 1").await;
    assert_eq!(desk.text("hookfast_data.advance_replay(1)").await, "0");
    assert_eq!(desk.text(replays).await, "cancelled cancelled");
    desk.execute("SELECT hookfast.discard(2, 'no longer needed')")
        .await;
}

#[tokio::test]
async fn alerts_and_routing_forget_a_retired_handler() {
    let desk = Desk::new().await;
    desk.execute("UPDATE hookfast_data.handlers SET types = '{order.new,hookfast.*}' WHERE name = 'shop'; DELETE FROM hookfast_data.handlers WHERE name <> 'shop'").await;
    let raise = "SELECT hookfast_data.raise_alert('hookfast.handler.paused', 'k' || n, '{}') FROM generate_series(1, 1) n";
    desk.execute(raise).await;
    desk.enqueued().await;
    assert_eq!(
        desk.text("SELECT count(*) FROM hookfast_data.outbox").await,
        "2"
    );
    assert_eq!(
        desk.text("SELECT count(*) FROM hookfast.unrouted").await,
        "0"
    );
    desk.execute(
        "UPDATE hookfast_data.outbox SET due_at = now() - interval '1 hour'; SELECT hookfast_data.evaluate_alerts()",
    )
    .await;
    let wrong = "SELECT coalesce(string_agg(alert_type, ' ' ORDER BY alert_type), 'nothing') FROM hookfast_data.active_alerts";
    assert_eq!(desk.text(wrong).await, "hookfast.handler.unserved");
    desk.execute(
        "SELECT hookfast.retire_handler('shop', 'renamed', 'keep', at_most => 100); SELECT hookfast_data.evaluate_alerts()",
    )
    .await;
    assert_eq!(desk.text(wrong).await, "nothing");
    let kept = desk.text("SELECT count(*) FROM hookfast_data.outbox").await;
    desk.execute(&raise.replace("(1, 1)", "(2, 2)")).await;
    desk.enqueued().await;
    assert_eq!(
        desk.text("SELECT count(*) FROM hookfast_data.outbox").await,
        kept
    );
    assert_eq!(
        desk.text("SELECT source || ' ' || events FROM hookfast.unrouted")
            .await,
        "other 2"
    );
}
