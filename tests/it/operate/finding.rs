//! Finding events, showing their timeline, and explaining them handler by handler.

use super::Story;
use sqlx::{Connection, Executor};

const FOUND: &str = "SELECT coalesce(string_agg(replace(e.idempotency_key, 'order:request-', ''), ' ' ORDER BY e.event_id), 'none') FROM hookfast.find('TERM') f JOIN hookfast.events e USING (event_id)";

impl Story {
    async fn find(&self, term: &str) -> String {
        self.text(&FOUND.replace("TERM", term)).await
    }
}

#[tokio::test]
async fn an_order_is_found_by_any_of_its_values_before_and_after_indexing() {
    let story = Story::new().await;
    story
        .execute("SELECT order_arrived(n) FROM generate_series(1, 3) n")
        .await;
    let event = story.text("SELECT event_of(2)").await;
    let terms = [
        event.as_str(),
        "order:request-2:completed",
        "request-2",
        "2026-2",
        "8900000000000000002",
        "2",
    ];
    for term in terms {
        assert_eq!(story.find(term).await, "2:completed", "{term}");
    }
    assert_eq!(story.index().await, "3");
    for term in terms {
        assert_eq!(story.find(term).await, "2:completed", "{term}");
    }
    for nothing in ["secret", "request-4", "", "request-%"] {
        assert_eq!(story.find(nothing).await, "none", "{nothing}");
    }
    story
        .execute(
            "INSERT INTO hookfast_data.events (id, source_id, subscription_version, conflicts_with, type, origin, idempotency_key, headers, body) \
                SELECT hookfast_data.new_event_id(), source_id, 1, id, type || '.conflict', 'webhook', idempotency_key || '#conflict:x', '{}', '{\"no\": \"terms\"}' FROM hookfast_data.events WHERE id = event_of(2); \
             INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) SELECT source_id, idempotency_key, id FROM hookfast_data.events WHERE conflicts_with IS NOT NULL",
        )
        .await;
    for term in terms {
        assert_eq!(
            story.find(term).await,
            "2:completed 2:completed#conflict:x",
            "conflicting events are included: {term}"
        );
    }
}

#[tokio::test]
async fn an_event_that_commits_late_is_not_skipped() {
    let story = Story::new().await;
    story.execute("SELECT order_arrived(1)").await;
    let mut late = story.connect().await;
    late.execute("SET application_name = 'hookfast ingest'")
        .await
        .expect("set");
    let mut open = late.begin().await.expect("a transaction");
    open.execute("SELECT order_arrived(2)")
        .await
        .expect("stored, not committed");
    story
        .execute("SELECT order_arrived(3, minutes_ago => 0)")
        .await;
    assert_eq!(
        story.index().await,
        "1",
        "the reader stays behind the open transaction, and ten seconds behind the current time"
    );
    open.commit().await.expect("committed");
    assert_eq!(
        story.text("SELECT (SELECT upto FROM hookfast_data.event_cursors WHERE reader = 'terms') = event_of(1)").await,
        "true"
    );
    // Its id is greater than that of order 1, which was read.
    assert_eq!(story.index().await, "2");
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast_data.search_terms WHERE term = 'request-2'")
            .await,
        "1"
    );
}

#[tokio::test]
async fn an_enqueued_event_is_found_at_once() {
    let story = Story::new().await;
    story.execute("INSERT INTO hookfast_data.sources (name, kind, search_fields) VALUES ('own', 'sql', '{order}')").await;
    story.execute("SELECT hookfast.enqueue('own', 'own.paid', '{\"order\": \"o-17\", \"deep\": [{\"ORDER\": 18}]}', 'key-17')").await;
    for term in ["o-17", "18"] {
        assert_eq!(
            story
                .text(&format!(
                    "SELECT count(*) FROM hookfast_data.search_terms WHERE term = '{term}'"
                ))
                .await,
            "1"
        );
        assert_eq!(story.find(term).await, "key-17", "{term}");
    }
}

#[tokio::test]
async fn a_timeline_lists_everything_in_order() {
    let story = Story::new().await;
    story.execute("SELECT order_arrived(1); SELECT died(1); SELECT hookfast.retry(1001, why => 'it is back'); SELECT hookfast.reschedule(1001, now() + interval '1 hour', why => 'a test')").await;
    story
        .execute(
            "SELECT order_arrived(2); SELECT delivered(2); SELECT order_arrived(3); SELECT died(3)",
        )
        .await;
    let kinds = |n: u32| {
        format!(
            "SELECT string_agg(kind, ', ' ORDER BY ord) FROM hookfast.timeline('request-{n}') WITH ORDINALITY t (at, kind, event_id, source, type, handler, delivery_id, message, ord)"
        )
    };
    assert_eq!(
        story.text(&kinds(1)).await,
        "received, dead, delivery.retried, delivery.rescheduled, pending"
    );
    assert_eq!(story.text(&kinds(2)).await, "received, delivered");
    assert_eq!(story.text(&kinds(3)).await, "received, dead, dead letter");
    assert_eq!(
        story.text(&kinds(4)).await,
        "null",
        "nothing about an event that never arrived"
    );
    let message =
        "SELECT message FROM hookfast.timeline('request-1') WHERE kind = 'delivery.retried'";
    assert!(
        story.text(message).await.ends_with("it is back"),
        "{}",
        story.text(message).await
    );
}

#[tokio::test]
async fn each_handler_has_its_verdict() {
    let story = Story::new().await;
    story
        .execute(
            "INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version, sources) VALUES \
                ('d_delivered', 'http', '{*}', 3, 0, NULL), ('e_dead', 'http', '{*}', 3, 0, NULL), ('f_pending', 'http', '{*}', 3, 0, NULL), \
                ('g_other_type', 'http', '{airalo.low_data.*}', 3, 0, NULL), ('h_other_source', 'http', '{*}', 3, 0, '{acme}'), ('i_later', 'http', '{*}', 3, 5, NULL), \
                ('j_filtered', 'http', '{*}', 3, 0, NULL), ('k_alerts', 'http', '{hookfast.*}', 3, 0, NULL); \
             DELETE FROM hookfast_data.handlers WHERE name IN ('shop', 'crm'); \
             SELECT order_arrived(1); SELECT delivered(1, 'd_delivered'), died(1, handler => 'e_dead'), pending(1, handler => 'f_pending'); \
             INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome) SELECT event_of(1), 7, 1, id, 'filtered' FROM hookfast_data.handlers WHERE name = 'j_filtered'",
        )
        .await;
    let verdicts =
        "SELECT string_agg(verdict, ', ' ORDER BY handler) FROM hookfast.explain(event_of(1))";
    assert_eq!(
        story.text(verdicts).await,
        "delivered, dead, pending, not subscribed, not subscribed, subscribed later, filtered, not subscribed"
    );
    assert_eq!(
        story
            .refused("SELECT hookfast.explain(gen_random_uuid())")
            .await,
        "HF004"
    );
}
