//! Erasing: what is removed, what stays, and what is rejected.

use super::Story;

const LEFT: &str = "SELECT string_agg(concat_ws(' ', replace(idempotency_key, 'order:request-', ''), length(body), headers, erased_at IS NOT NULL), ', ' ORDER BY id) FROM hookfast_data.events";

#[tokio::test]
async fn payload_headers_terms_and_texts_are_erased_and_key_type_and_history_kept() {
    let story = Story::new().await;
    story
        .execute("SELECT order_arrived(1); SELECT died(1, 'status 500: no place for request-1')")
        .await;
    assert_eq!(story.index().await, "1");
    story
        .execute("SELECT hookfast.erase(event_of(1), 'requested by the customer')")
        .await;
    assert_eq!(story.text(LEFT).await, "1:completed 0 {} t");
    let event = story
        .row("SELECT type, payload, payload_error FROM hookfast.events")
        .await;
    assert_eq!(
        event,
        serde_json::json!({"type": "airalo.order.completed", "payload": null, "payload_error": "erased by an operator"})
    );
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast_data.search_terms")
            .await,
        "0"
    );
    assert_eq!(
        story
            .text("SELECT string_agg(outcome || ' ' || error, ',') FROM hookfast.attempts")
            .await,
        "dead erased by an operator"
    );
    assert_eq!(
        story
            .text("SELECT last_error FROM hookfast.dead_letters")
            .await,
        "erased by an operator"
    );
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast.find('order:request-1:completed')")
            .await,
        "1",
        "a repetition is still a duplicate"
    );
    assert_eq!(
        story
            .refused("SELECT hookfast.erase(event_of(1), 'again')")
            .await,
        "HF004"
    );
}

#[tokio::test]
async fn pending_events_are_not_erased() {
    let story = Story::new().await;
    story
        .execute("SELECT order_arrived(n, n) FROM generate_series(1, 5) n; SELECT pending(1)")
        .await;
    assert_eq!(
        story
            .refused("SELECT hookfast.erase(event_of(1), 'x')")
            .await,
        "HF006"
    );
    let counted = async |filter: &str| {
        story
            .text(&format!(
                "SELECT matching || ' ' || still_pending || ' ' || changed FROM hookfast.erase_all({filter})"
            ))
            .await
    };
    for (filter, matching) in [
        ("type => 'airalo.*'", "4 1 0"),
        ("term => 'request-2'", "1 0 0"),
        ("term => 'nothing'", "0 0 0"),
        ("payload => '$.data.quantity >= 4'", "2 0 0"),
        ("source => 'nobody'", "0 0 0"),
        ("received_after => now() - interval '5 minutes'", "0 0 0"),
        (
            "received_before => now(), term => '8900000000000000001'",
            "0 1 0",
        ),
    ] {
        assert_eq!(counted(filter).await, matching, "{filter}");
    }
    assert_eq!(
        story
            .refused("SELECT hookfast.erase_all(why => 'everything?')")
            .await,
        "22023"
    );
    assert_eq!(
        story
            .refused("SELECT hookfast.erase_all(type => '*', at_most => 3, why => 'a test')")
            .await,
        "HF005"
    );
    assert!(
        !story.text(LEFT).await.contains(" t"),
        "nothing has changed"
    );
    assert_eq!(
        counted("term => 'request-2', why => 'a request', at_most => 1").await,
        "1 0 1"
    );
    assert_eq!(
        counted("type => '*', at_most => 10, why => 'a request'").await,
        "3 1 3"
    );
    assert!(
        story.text(LEFT).await.starts_with("1:completed 1"),
        "that event is complete"
    );
    assert!(
        !story
            .text("SELECT string_agg(details::text, '') FROM hookfast.audit_log")
            .await
            .contains("request-2"),
        "the log does not contain the erased data"
    );
}

/// Functions that require a reason report that, instead of an error of the table.
#[tokio::test]
async fn every_act_without_a_reason_fails() {
    let story = Story::new().await;
    story
        .execute("SELECT order_arrived(1); SELECT died(1, 'x')")
        .await;
    for act in [
        "pause_handler('shop', W)",
        "pause_all_handlers(W)",
        "discard(1, W)",
        "hold_event(event_of(1), W)",
        "erase(event_of(1), W)",
        "replay(event_of(1), 'shop', W)",
    ] {
        for why in ["NULL", "' '"] {
            assert_eq!(
                story
                    .refused(&format!("SELECT hookfast.{}", act.replace('W', why)))
                    .await,
                "22023",
                "{act}"
            );
        }
    }
}

#[tokio::test]
async fn a_retention_hold_is_set_and_removed() {
    let story = Story::new().await;
    story
        .execute("SELECT order_arrived(1); SELECT hookfast.hold_event(event_of(1), 'a dispute')")
        .await;
    assert_eq!(
        story.text("SELECT why FROM hookfast.retention_holds").await,
        "a dispute"
    );
    assert_eq!(
        story
            .refused("SELECT hookfast.hold_event(gen_random_uuid(), 'x')")
            .await,
        "HF004"
    );
    assert_eq!(
        story
            .refused("SELECT hookfast.erase(event_of(1), 'x')")
            .await,
        "HF006"
    );
    let all = "SELECT concat_ws(' ', matching, still_pending, held, changed) FROM hookfast.erase_all(type => '*', at_most => 9, why => 'a test')";
    assert_eq!(story.text(all).await, "0 0 1 0");
    story
        .execute("SELECT hookfast.unhold_event(event_of(1), why => 'a test')")
        .await;
    assert_eq!(story.text(all).await, "1 0 0 1");
    assert_eq!(
        story
            .refused("SELECT hookfast.unhold_event(event_of(1), why => 'a test')")
            .await,
        "HF006"
    );
}

/// Tables with rows that contain a text, or its bytes, in any column.
async fn tables_with(story: &Story, text: &str) -> Vec<String> {
    let tables = "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'hookfast_data'::regnamespace AND c.relkind = 'r' ORDER BY 1";
    let tables: Vec<String> = sqlx::query_scalar(tables)
        .fetch_all(&story.pool)
        .await
        .expect("the tables");
    assert!(tables.len() > 30, "{tables:?}");
    let mut found = Vec::new();
    for table in tables {
        let rows = format!(
            "SELECT count(*) FROM hookfast_data.{table} t WHERE strpos(t::text, '{text}') > 0 OR strpos(t::text, encode('{text}', 'hex')) > 0"
        );
        if story.text(&rows).await != "0" {
            found.push(
                table
                    .trim_end_matches(|c: char| c.is_ascii_digit())
                    .trim_end_matches('_')
                    .to_owned(),
            );
        }
    }
    found
}

/// The payloads of an ordered handler, the errors of its attempts and dead letters, and the alerts
/// about them.
const EVERYWHERE: &str = r#"
INSERT INTO hookfast_data.sources (name, kind, search_fields) VALUES ('own', 'sql', '{customer}');
INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version, ordered_by, retry) VALUES
    ('books', 'pull', '{own.*}', 3, 0, '{customer}', '{"delays_ms": [1, 1]}'), ('post', 'pull', '{own.*}', 3, 0, NULL, '{"delays_ms": [1, 1]}');
SELECT hookfast.enqueue('own', 'own.paid', '{"customer": "Jane-Doe-77"}', headers => '{"x-customer": "Jane-Doe-77"}', topic => 'Jane-Doe-77');
SELECT hookfast_data.assign_ordering_keys(h.id, 10) FROM hookfast_data.handlers h WHERE h.name = 'books';
CREATE TEMP TABLE claimed AS SELECT h.name, c.* FROM hookfast_data.handlers h
    CROSS JOIN LATERAL hookfast.claim(h.name, 'a test', 5, interval '1 minute') c WHERE h.name IN ('books', 'post');
COMMIT;
SELECT hookfast.fail(c.lease_id, c.delivery_id, 'no such customer: Jane-Doe-77', dead => c.name = 'books') FROM claimed c;
SELECT hookfast_data.alert_dead_letters(10);
"#;

#[tokio::test]
async fn no_table_keeps_any_part_of_an_erased_payload() {
    let story = Story::new().await;
    story.execute(EVERYWHERE).await;
    let before = tables_with(&story, "Jane-Doe-77").await;
    for table in ["attempts", "dead_letters", "events", "search_terms"] {
        assert!(
            before.iter().any(|found| found.starts_with(table)),
            "{table} is not of {before:?}"
        );
    }
    let discard = "SELECT hookfast.discard(delivery_id, 'the customer left') FROM hookfast.deliveries WHERE state <> 'dead'";
    story.execute(discard).await;
    let erased = "SELECT changed FROM hookfast.erase_all(term => 'Jane-Doe-77', why => 'a request', at_most => 1)";
    assert_eq!(story.text(erased).await, "1");
    assert_eq!(tables_with(&story, "Jane-Doe-77").await, [""; 0]);
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast.dead_letters")
            .await,
        "1",
        "it is still a dead letter"
    );
}

/// An erased dead letter would no longer block its key, and the next delivery would overtake it
/// without a decision.
#[tokio::test]
async fn a_dead_letter_that_blocks_its_key_is_erased_once_it_is_discarded() {
    let story = Story::new().await;
    story.execute(EVERYWHERE).await;
    story
        .execute(
            "UPDATE hookfast_data.handlers SET on_dead = 'block' WHERE name = 'books'; \
            SELECT hookfast.discard(delivery_id, 'x') FROM hookfast.deliveries WHERE state <> 'dead'",
        )
        .await;
    let event = "(SELECT event_id FROM hookfast.dead_letters)";
    assert_eq!(
        story
            .refused(&format!("SELECT hookfast.erase({event}, 'a request')"))
            .await,
        "HF006"
    );
    let all = "SELECT concat_ws(' ', matching, still_pending, changed) FROM hookfast.erase_all(term => 'Jane-Doe-77', why => 'a request', at_most => 9)";
    assert_eq!(story.text(all).await, "0 1 0");
    story
        .execute(
            "SELECT hookfast.discard(delivery_id, 'the customer left') FROM hookfast.dead_letters",
        )
        .await;
    assert_eq!(story.text(all).await, "1 0 1");
    assert_eq!(tables_with(&story, "Jane-Doe-77").await, [""; 0]);
}
