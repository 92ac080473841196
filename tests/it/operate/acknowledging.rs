//! Acknowledged conflicts are reported no longer, and later ones are reported.

use super::Story;

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
