//! The rows of `status()` in each situation that must not be ok.

use super::Story;
use hookfast::internals::store::Process;

impl Story {
    /// The state and the text of a row.
    async fn status(&self, area: &str, subject: &str) -> String {
        self.text(&format!(
            "SELECT state || ' | ' || message FROM hookfast.status() WHERE area = '{area}' AND subject = '{subject}'"
        ))
        .await
    }

    /// Adds counts of a source or handler in a minute in the past.
    async fn counted(&self, subject: &str, counter: &str, minutes_ago: u32, value: u32) {
        self.execute(&format!(
            "INSERT INTO hookfast_data.rollups (minute, subject, counter, value) \
             VALUES (date_trunc('minute', now()) - interval '{minutes_ago} minutes', '{subject}', '{counter}', {value}) \
             ON CONFLICT (minute, subject, counter) DO UPDATE SET value = rollups.value + excluded.value"
        ))
        .await;
    }

    /// The types and subjects of the alerts that one evaluation raises.
    async fn raised(&self) -> String {
        self.execute("DELETE FROM hookfast_data.events WHERE origin = 'hookfast'; SELECT hookfast_data.evaluate_alerts()")
            .await;
        self.text(
            "SELECT coalesce(string_agg(concat_ws(' ', replace(type, 'hookfast.', ''), replace(payload->>'type', \
                'hookfast.', ''), coalesce(payload->>'handler', payload->>'source')), ', ' \
                ORDER BY type, payload->>'source'), 'nothing') \
             FROM hookfast.alerts",
        )
        .await
    }

    /// A live worker serves all handlers.
    async fn served(&self) {
        self.execute(
            "INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at) \
             SELECT 'worker', 'x', array_agg(id), now() + interval '1 hour' FROM hookfast_data.handlers",
        )
        .await;
    }
}

#[track_caller]
fn begins(text: &str, beginning: &str) {
    assert!(text.starts_with(beginning), "{text}");
}

#[tokio::test]
async fn three_refusals_without_a_genuine_request_since_warn_at_any_traffic() {
    let story = Story::new().await;
    story.counted("source:airalo", "stored", 5, 27).await;
    story
        .counted("source:airalo", "wrong_signature", 6, 40)
        .await;
    begins(
        &story.status("source", "airalo").await,
        "critical | rejecting: ",
    );
    story
        .execute("DELETE FROM hookfast_data.rollups WHERE counter = 'wrong_signature'")
        .await;
    story
        .counted("source:airalo", "wrong_signature", 6, 9)
        .await;
    begins(&story.status("source", "airalo").await, "ok | last event ");
    story
        .counted("source:airalo", "wrong_signature", 3, 2)
        .await;
    begins(&story.status("source", "airalo").await, "ok | ");
    story
        .counted("source:airalo", "wrong_signature", 2, 10)
        .await;
    let refused = "warning | all_rejected: the last 12 requests were rejected, and none was verified since; last event ";
    begins(&story.status("source", "airalo").await, refused);
    story.counted("source:airalo", "duplicate", 1, 1).await;
    begins(&story.status("source", "airalo").await, "ok | ");
}

#[tokio::test]
async fn a_source_that_never_had_a_genuine_request_warns_and_then_raises_an_alert() {
    let story = Story::new().await;
    story.served().await;
    // Two an hour.
    story
        .counted("source:airalo", "wrong_signature", 70, 1)
        .await;
    story
        .counted("source:airalo", "missing_signature", 40, 1)
        .await;
    begins(&story.status("source", "airalo").await, "ok | ");
    assert_eq!(story.raised().await, "nothing");
    story
        .counted("source:airalo", "wrong_signature", 10, 1)
        .await;
    begins(
        &story.status("source", "airalo").await,
        "warning | all_rejected: the last 3 requests were rejected, ",
    );
    assert_eq!(story.raised().await, "source.all_rejected airalo");
    story.counted("source:airalo", "stored", 1, 1).await;
    assert_eq!(story.raised().await, "resolved source.all_rejected airalo");
}

#[tokio::test]
async fn a_burst_of_refusals_is_no_alert() {
    let story = Story::new().await;
    story.served().await;
    story
        .counted("source:airalo", "wrong_signature", 2, 5)
        .await;
    story
        .counted("source:airalo", "wrong_signature", 3, 4)
        .await;
    begins(
        &story.status("source", "airalo").await,
        "warning | all_rejected: ",
    );
    assert_eq!(story.raised().await, "nothing");
}

#[tokio::test]
async fn a_handler_that_fails_now_warns_whatever_it_delivered_in_the_hour() {
    let story = Story::new().await;
    story.served().await;
    story.counted("handler:shop", "delivered", 20, 159).await;
    story.counted("handler:shop", "retry", 2, 2).await;
    begins(&story.status("handler", "shop").await, "ok | 0 ready, ");
    assert_eq!(story.raised().await, "nothing");
    story.counted("handler:shop", "retry", 1, 3).await;
    let failing = "warning | failing: the last 5 attempts failed, and none was delivered since: see hookfast.failures; 0 ready, ";
    begins(&story.status("handler", "shop").await, failing);
    begins(&story.status("handler", "crm").await, "ok | ");
    assert_eq!(story.raised().await, "handler.failing shop");
    // Some requests are accepted.
    story.counted("handler:shop", "delivered", 1, 4).await;
    let failing = "warning | failing: 5 attempts failed and 4 were delivered in the last five minutes: see hookfast.failures; ";
    begins(&story.status("handler", "shop").await, failing);
    assert_eq!(story.raised().await, "nothing", "it is the same condition");
    story.counted("handler:shop", "delivered", 0, 1).await;
    begins(&story.status("handler", "shop").await, "ok | ");
    assert_eq!(story.raised().await, "resolved handler.failing shop");
}

#[tokio::test]
async fn a_backlog_older_than_behind_after_warns_and_raises_an_alert() {
    let story = Story::new().await;
    story.served().await;
    story.execute("SELECT order_arrived(1, minutes_ago => 4), order_arrived(2, minutes_ago => 7); SELECT pending(1)").await;
    begins(
        &story.status("handler", "shop").await,
        "ok | 1 ready (oldest 00:04:0",
    );
    assert_eq!(story.raised().await, "nothing");
    story
        .execute("UPDATE hookfast_data.handlers SET behind_after = '2 minutes' WHERE name = 'shop'")
        .await;
    begins(
        &story.status("handler", "shop").await,
        "warning | behind: a delivery has been ready for 00:04:0",
    );
    assert_eq!(story.raised().await, "handler.behind shop");
    story.execute("DELETE FROM hookfast_data.outbox").await;
    assert_eq!(story.raised().await, "resolved handler.behind shop");
    // A retry counts from its due time.
    story.execute("SELECT pending(2, now() - interval '1 minute', 'crm'), pending(1, now() - interval '6 minutes')").await;
    begins(
        &story.status("handler", "crm").await,
        "ok | 1 ready (oldest 00:01:0",
    );
    assert!(
        story
            .status("handler", "shop")
            .await
            .contains("longer than behind_after (00:02:00); 1 ready")
    );
}

#[tokio::test]
async fn an_open_breaker_is_one_alert_and_not_three() {
    let story = Story::new().await;
    story.served().await;
    story
        .execute("UPDATE hookfast_data.handlers SET breaker_opened_at = now(), breaker_until = now() WHERE name = 'shop'")
        .await;
    story
        .execute("SELECT order_arrived(1); SELECT pending(1)")
        .await;
    story.counted("handler:shop", "retry", 2, 20).await;
    begins(
        &story.status("handler", "shop").await,
        "critical | open: unavailable since ",
    );
    assert_eq!(story.raised().await, "handler.opened shop");
    story.execute("UPDATE hookfast_data.handlers SET breaker_opened_at = NULL, breaker_until = NULL; DELETE FROM hookfast_data.outbox").await;
    story.counted("handler:shop", "delivered", 1, 1).await;
    assert_eq!(story.raised().await, "resolved handler.opened shop");
}

#[tokio::test]
async fn durations_are_shown_and_a_rising_95th_percentile_warns() {
    let story = Story::new().await;
    story.served().await;
    for (counter, n) in [("took_le_20", 90), ("took_le_50", 9), ("took_le_5000", 1)] {
        story.counted("handler:shop", counter, 20, n).await;
    }
    let shown = "SELECT attempts_last_hour AS n, median_ms_last_hour AS median, p95_ms_last_hour AS p95, p95_ms_last_5_minutes AS now FROM hookfast.durations WHERE handler = 'shop'";
    assert_eq!(
        story.row(shown).await,
        serde_json::json!({"n": 100, "median": 20, "p95": 50, "now": null})
    );
    begins(&story.status("handler", "shop").await, "ok | ");
    story.counted("handler:shop", "took_le_100", 1, 9).await;
    begins(&story.status("handler", "shop").await, "ok | ");
    story.counted("handler:shop", "took_le_2000", 1, 10).await;
    let slow = "warning | slow: the 95th percentile of its durations rose from 50 to 2000 ms: see hookfast.durations; 0 ready";
    begins(&story.status("handler", "shop").await, slow);
    assert_eq!(story.row(shown).await["now"], 2000);
}

#[tokio::test]
async fn conflicts_possible_double_purchases_and_missing_orders_warn() {
    let story = Story::new().await;
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast.status() WHERE area IN ('order', 'conflict')")
            .await,
        "0"
    );
    story
        .execute(
            "SELECT order_arrived(n) FROM generate_series(1, 3) n; \
             UPDATE hookfast_data.events SET conflicts_with = event_of(1) WHERE id = event_of(2); \
             INSERT INTO hookfast_data.airalo_orders (source_id, request_id, description, state, rank, event_id, received_at, conflicts) \
             SELECT s.id, 'request-' || n, 'order ' || n, 'completed', 3, event_of(n), now(), CASE WHEN n < 3 THEN ARRAY[event_of(2)] ELSE '{}' END \
             FROM hookfast_data.sources s, generate_series(1, 3) n WHERE s.name = 'airalo'; \
             INSERT INTO hookfast_data.airalo_expected (source_id, request_id, description, expected_by, unknown_why, check_at) \
             SELECT s.id, x.request_id, x.description, now() + x.due, x.unknown_why, now() FROM hookfast_data.sources s, (VALUES \
                ('request-3', 'order 3', interval '-1 hour', NULL), ('request-7', 'order 7', interval '-1 hour', NULL), \
                ('request-8', 'order 8', interval '1 hour', NULL), (NULL, 'order 9', interval '1 hour', 'no answer')) x (request_id, description, due, unknown_why) \
             WHERE s.name = 'airalo'",
        )
        .await;
    let order =
        "warning | 2 possible double purchases, 1 overdue, 1 unknown: see hookfast.airalo_orders";
    assert_eq!(story.status("order", "airalo").await, order);
    assert_eq!(
        story.status("conflict", "airalo").await,
        "warning | 1 conflict in the last seven days: see hookfast.conflicts"
    );
    let shown = "SELECT string_agg(state, ' ' ORDER BY state) FROM hookfast.airalo_orders WHERE state IN ('overdue', 'unknown')";
    assert_eq!(
        story.text(shown).await,
        "overdue unknown",
        "the same as in the view"
    );
}

#[tokio::test]
async fn events_without_a_handler_are_shown_and_above_a_tenth_raise_an_alert() {
    let story = Story::new().await;
    story.served().await;
    story
        .execute("SELECT order_arrived(n) FROM generate_series(1, 100) n")
        .await;
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast.status() WHERE area = 'routing'")
            .await,
        "0"
    );
    let renamed = "UPDATE hookfast_data.events SET type = 'strip.paid' WHERE id IN (SELECT event_of(n) FROM generate_series(1, COUNT) n)";
    story.execute(&renamed.replace("COUNT", "10")).await;
    let printed =
        "ok | 10 of the newest 100 events of the last hour matched no handler: strip.paid";
    assert_eq!(story.status("routing", "airalo").await, printed);
    assert_eq!(story.raised().await, "nothing");
    story.execute(&renamed.replace("COUNT", "11")).await;
    begins(
        &story.status("routing", "airalo").await,
        "warning | 11 of the newest 100 ",
    );
    assert_eq!(story.raised().await, "source.unrouted airalo");
    story
        .execute("UPDATE hookfast_data.handlers SET types = '{*}' WHERE name = 'crm'")
        .await;
    assert_eq!(story.raised().await, "resolved source.unrouted airalo");
}

#[tokio::test]
async fn the_reason_is_listed_first() {
    let story = Story::new().await;
    begins(
        &story.status("handler", "shop").await,
        "critical | unserved: no live worker serves it, and no live process has it in its configuration: start one that has it, or end its subscription with hookfast.retire_handler; 0 ready, ",
    );
    story.served().await;
    story.execute("SELECT order_arrived(1); SELECT died(1); SELECT hookfast.pause_handler('crm', 'a deployment')").await;
    begins(
        &story.status("handler", "shop").await,
        "warning | 1 dead letter; 0 ready, ",
    );
    let paused = story.status("handler", "crm").await;
    assert!(
        paused.starts_with("warning | paused: since ")
            && paused.contains(": a deployment; 0 ready, "),
        "{paused}"
    );
}

/// GitHub's preselected content type is a form.
#[tokio::test]
async fn a_source_whose_bodies_are_mostly_not_json_warns_with_a_hint() {
    let story = Story::new().await;
    story.counted("source:airalo", "stored", 5, 10).await;
    story.counted("source:airalo", "not_json", 5, 5).await;
    begins(&story.status("source", "airalo").await, "ok | last event ");
    story.counted("source:airalo", "not_json", 4, 1).await;
    begins(
        &story.status("source", "airalo").await,
        "warning | most bodies are not JSON",
    );
    assert!(
        story
            .status("source", "airalo")
            .await
            .contains("choose application/json in the sender's settings")
    );
}

/// As after the source was renamed or removed.
#[tokio::test]
async fn a_source_that_no_live_process_has_is_unconfigured_and_not_silent() {
    let story = Story::new().await;
    story
        .execute("INSERT INTO hookfast_data.sources (name, kind) VALUES ('own', 'sql')")
        .await;
    for source in ["source:airalo", "source:own"] {
        for day in 1..=14 {
            story
                .counted(source, "stored", day * 24 * 60 + 30, 40)
                .await;
        }
        story.counted(source, "stored", 120, 5).await;
    }
    assert_eq!(
        story.raised().await,
        "source.silent airalo, source.silent own"
    );
    let process = |number: u32, sources: &[&str]| Process {
        owner: format!("host:{number}"),
        roles: vec!["ingress"],
        handlers: Vec::new(),
        sources: sources.iter().map(ToString::to_string).collect(),
    };
    let (renamed, before) = (process(1, &["renamed"]), process(2, &["airalo", "own"]));
    before.is_alive(&story.pool, None).await.expect("alive");
    assert_eq!(
        story.text("SELECT sources FROM hookfast.processes").await,
        "{airalo,own}"
    );
    before.has_ended(&story.pool).await.expect("ended");
    story
        .execute("UPDATE hookfast_data.sources SET configured_at = now() - interval '9 minutes'")
        .await;
    renamed.is_alive(&story.pool, None).await.expect("alive");
    begins(
        &story.status("source", "airalo").await,
        "critical | silent: ",
    );

    story
        .execute("UPDATE hookfast_data.sources SET configured_at = now() - interval '11 minutes'")
        .await;
    assert_eq!(
        story.raised().await,
        "resolved source.silent airalo, resolved source.silent own"
    );
    for source in ["airalo", "own"] {
        begins(
            &story.status("source", source).await,
            "ok | unconfigured: no live process has had it in its configuration since ",
        );
    }
    // Requests that it rejected before it was removed.
    story
        .counted("source:airalo", "wrong_signature", 100, 20)
        .await;
    story
        .counted("source:airalo", "wrong_signature", 5, 20)
        .await;
    assert_eq!(story.raised().await, "nothing");

    before.is_alive(&story.pool, None).await.expect("alive");
    begins(&story.status("source", "own").await, "critical | silent: ");
    story.execute("UPDATE hookfast_data.sources SET configured_at = now() - interval '11 minutes'; DELETE FROM hookfast_data.processes").await;
    begins(&story.status("source", "own").await, "critical | silent: ");
}
