//! Acknowledged conflicts are reported no longer, and later ones are reported.

use super::Story;
use hookfast::internals::{domain::RoleNames, store::ensure_roles};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// The rows of the status that need attention.
const OPEN: &str = "SELECT coalesce(string_agg(area || ' ' || message, '; ' ORDER BY area), 'nothing') FROM hookfast.status() WHERE area IN ('conflict', 'order')";

/// An event in conflict with that of order 1.
fn conflict(n: u32) -> String {
    format!(
        "SELECT order_arrived({n}); UPDATE hookfast_data.events SET conflicts_with = event_of(1) WHERE id = event_of({n})"
    )
}

#[tokio::test]
async fn only_unacknowledged_conflicts_are_reported() {
    let story = Story::new().await;
    story
        .execute(&format!(
            "SELECT order_arrived(1); {}; {}",
            conflict(2),
            conflict(3)
        ))
        .await;
    assert_eq!(
        story.text(OPEN).await,
        "conflict 2 conflicts in the last seven days: see hookfast.conflicts"
    );
    story
        .execute("SELECT hookfast.acknowledge_conflict(event_of(2), 'refund requested')")
        .await;
    assert_eq!(
        story.text(OPEN).await,
        "conflict 1 conflict in the last seven days: see hookfast.conflicts"
    );
    // By the first event: all events that conflict with it.
    story
        .execute("SELECT hookfast.acknowledge_conflict(event_of(1), 'refund requested')")
        .await;
    assert_eq!(story.text(OPEN).await, "nothing");
    assert_eq!(
        story
            .text("SELECT count(*) FROM hookfast.conflicts WHERE acknowledged_at IS NOT NULL")
            .await,
        "2"
    );
    let logged = "SELECT string_agg(action || ' ' || (details->>'conflicts') || ' ' || (details->>'why'), ', ' ORDER BY log_id) FROM hookfast.audit_log";
    assert_eq!(
        story.text(logged).await,
        "event.acknowledged 1 refund requested, event.acknowledged 1 refund requested"
    );
    story.execute(&conflict(4)).await;
    assert_eq!(
        story.text(OPEN).await,
        "conflict 1 conflict in the last seven days: see hookfast.conflicts"
    );
}

#[tokio::test]
async fn a_double_purchase_is_acknowledged_by_any_of_its_orders() {
    let story = Story::new().await;
    story
        .execute("SELECT order_arrived(n) FROM generate_series(1, 4) n")
        .await;
    // As the projection flags completed orders with one description: each has the others.
    let double = "INSERT INTO hookfast_data.airalo_orders (source_id, request_id, state, rank, description, event_id, received_at, conflicts) \
        SELECT s.id, 'r' || n, 'completed', 3, 'shop-1', event_of(n), now(), ARRAY(SELECT event_of(o) FROM generate_series(1, LAST) o WHERE o <> n) \
        FROM hookfast_data.sources s, generate_series(1, LAST) n WHERE s.name = 'airalo' \
        ON CONFLICT (source_id, request_id) DO UPDATE SET conflicts = excluded.conflicts";
    story.execute(&double.replace("LAST", "2")).await;
    assert_eq!(
        story.text(OPEN).await,
        "order 2 possible double purchases: see hookfast.airalo_orders"
    );
    story
        .execute("SELECT hookfast.acknowledge_conflict(event_of(2), 'one was refunded')")
        .await;
    assert_eq!(story.text(OPEN).await, "nothing");
    let orders = "SELECT string_agg(concat_ws(' ', request_id, possible_double_purchase, acknowledged_at IS NOT NULL), ', ' ORDER BY request_id) FROM hookfast.airalo_orders";
    assert_eq!(story.text(orders).await, "r1 t t, r2 t t");
    // A third order with that description is another double purchase.
    story.execute(&double.replace("LAST", "3")).await;
    assert_eq!(
        story.text(OPEN).await,
        "order 2 possible double purchases: see hookfast.airalo_orders"
    );
    story
        .execute("SELECT hookfast.acknowledge_conflict(event_of(3), 'this one too')")
        .await;
    assert_eq!(story.text(OPEN).await, "nothing");
}

#[tokio::test]
async fn only_a_conflict_is_acknowledged_and_with_a_reason() {
    let story = Story::new().await;
    story
        .execute(&format!(
            "SELECT order_arrived(1), order_arrived(5); {}",
            conflict(2)
        ))
        .await;
    assert_eq!(
        story
            .refused("SELECT hookfast.acknowledge_conflict(event_of(5), 'x')")
            .await,
        "HF004"
    );
    assert_eq!(
        story
            .refused("SELECT hookfast.acknowledge_conflict(gen_random_uuid(), 'x')")
            .await,
        "HF004"
    );
    assert_eq!(
        story
            .refused("SELECT hookfast.acknowledge_conflict(event_of(2), ' ')")
            .await,
        "22023"
    );
}

const MATCHING: &str = "SELECT concat_ws(' ', matching, changed, cardinality(sample_ids)) FROM hookfast.acknowledge_conflicts";

#[tokio::test]
async fn matching_conflicts_are_acknowledged_at_once() {
    let story = Story::new().await;
    let of_another_type = "UPDATE hookfast_data.events SET type = 'airalo.order.failed.conflict' WHERE id = event_of(9)";
    story
        .execute(&format!(
            "SELECT order_arrived(1); {}; {}; {of_another_type}; INSERT INTO hookfast_data.sources (name, kind) VALUES ('own', 'sql')",
            (2..=8).map(conflict).collect::<Vec<_>>().join("; "),
            conflict(9)
        ))
        .await;
    story
        .execute("SELECT hookfast.acknowledge_conflict(event_of(8), 'known')")
        .await;
    // The first event is in no conflict of its own, and that of order 8 is acknowledged already.
    for (filter, expected) in [
        ("", "7 0 5"),
        ("source => 'airalo'", "7 0 5"),
        ("source => 'own'", "0 0 0"),
        ("type => 'airalo.order.failed.*'", "1 0 1"),
        ("received_after => now() - interval '5 minutes'", "0 0 0"),
        ("received_before => now() - interval '5 minutes'", "7 0 5"),
    ] {
        assert_eq!(
            story.text(&format!("{MATCHING}({filter})")).await,
            expected,
            "{filter}"
        );
    }
    // One that arrives after the preview is left out by the bound, and without it there are too many.
    let before = story.text("now()").await;
    let later = "SELECT order_arrived(10, 1, -1); UPDATE hookfast_data.events SET conflicts_with = event_of(1) WHERE id = event_of(10)";
    story.execute(later).await;
    let bound = format!("received_before => '{before}'");
    for refused in ["at_most => 7", "source => 'airalo', at_most => 7"] {
        let call = format!("SELECT hookfast.acknowledge_conflicts(why => 'a test', {refused})");
        assert_eq!(story.refused(&call).await, "HF005", "{refused}");
    }
    let call = "SELECT hookfast.acknowledge_conflicts(why => ' ', at_most => 100)";
    assert_eq!(story.refused(call).await, "22023");
    let acknowledged = "SELECT count(*) FROM hookfast.conflicts WHERE acknowledged_at IS NOT NULL";
    assert_eq!(story.text(acknowledged).await, "1");
    let act = format!("{MATCHING}({bound}, source => 'airalo', why => 'one cause', at_most => 7)");
    assert_eq!(story.text(&act).await, "7 7 5");
    assert_eq!(story.text(acknowledged).await, "8");
    assert_eq!(story.text(&act).await, "0 0 0", "a second call finds none");
    let left = "SELECT string_agg(event_id::text, ' ') FROM hookfast.conflicts WHERE acknowledged_at IS NULL";
    assert_eq!(story.text(left).await, story.text("event_of(10)").await);
    let logged = "SELECT string_agg(concat_ws(' ', action, target, details->>'count', details->>'why', jsonb_array_length(details->'first_event_ids')), ', ' ORDER BY log_id) \
        FROM hookfast.audit_log WHERE action = 'events.acknowledged'";
    assert_eq!(
        story.text(logged).await,
        "events.acknowledged airalo 7 one cause 7, events.acknowledged airalo 0 one cause 0"
    );
}

#[tokio::test]
async fn a_reader_may_not_acknowledge_conflicts() {
    let story = Story::new().await;
    story
        .execute(&format!("SELECT order_arrived(1); {}", conflict(2)))
        .await;
    let reader = story.text("'readers_of_' || current_database()").await;
    let names = RoleNames {
        reader: Some(reader.parse().expect("a role's name")),
        ..RoleNames::default()
    };
    ensure_roles(&story.of, &names).await.expect("the roles");
    let rita = story.database().login("rita", &[&reader]).await;
    let mut rita = PgConnection::connect(&rita).await.expect("a connection");
    for arguments in ["", "why => 'a test', at_most => 9"] {
        let call = format!("SELECT hookfast.acknowledge_conflicts({arguments})");
        let error = sqlx::raw_sql(AssertSqlSafe(call))
            .execute(&mut rita)
            .await
            .expect_err(arguments);
        let error = error.into_database_error().expect("an error of Postgres");
        assert_eq!(error.code().as_deref(), Some("42501"), "{arguments}");
    }
    assert_eq!(story.text(&format!("{MATCHING}()")).await, "1 0 1");
}

/// Other events are not read, however many there are.
#[tokio::test]
async fn unacknowledged_conflicts_are_found_by_their_index() {
    let story = Story::new().await;
    story
        .execute(&format!(
            "SELECT order_arrived(n) FROM generate_series(10, 3000) n; SELECT order_arrived(1); {}; ANALYZE hookfast_data.events",
            conflict(2)
        ))
        .await;
    let mut caller = story.connect().await;
    let read = "SELECT sum(seq_tup_read)::bigint FROM pg_stat_xact_user_tables WHERE schemaname = 'hookfast_data' AND relname LIKE 'events%'";
    let mut transaction = caller.begin().await.expect("a transaction");
    let matching: i64 = sqlx::query_scalar("SELECT matching FROM hookfast.acknowledge_conflicts()")
        .fetch_one(&mut *transaction)
        .await
        .expect("a preview");
    let read: i64 = sqlx::query_scalar(read)
        .fetch_one(&mut *transaction)
        .await
        .expect("counters");
    assert_eq!((matching, read), (1, 0));
}
