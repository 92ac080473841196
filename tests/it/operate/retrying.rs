//! Dead letters: tried again, or given up.

use super::Story;

const LETTERS: &str = "SELECT coalesce(string_agg((delivery_id - 1000)::text, ' ' ORDER BY delivery_id), 'none') FROM hookfast.dead_letters";

async fn with_dead_letters() -> Story {
    let story = Story::new().await;
    story
        .run(
            "SELECT order_came(n, n) FROM generate_series(1, 5) n; SELECT died(1), died(2, 'timed out after 10 s: no answer'), \
             died(3, handler => 'crm'), died(4, died_at => now() - interval '2 days'), died(5)",
        )
        .await;
    story
}

#[tokio::test]
async fn a_retry_is_the_same_delivery_and_its_attempts_go_on() {
    let story = with_dead_letters().await;
    story.run("SELECT hookfast.retry(1001, why => 'it is back'), hookfast.retry(1003, tries => 1)").await;
    assert_eq!(story.text(LETTERS).await, "2 4 5");
    let owed = "SELECT string_agg(concat_ws(' ', id, attempt, tries_left, lost, due_at <= now()), ', ' ORDER BY id) FROM hookfast_data.outbox";
    assert_eq!(
        story.text(owed).await,
        "1001 3 3 0 t, 1003 3 1 0 t",
        "with the handler's tries, or as many as were given"
    );
    assert_eq!(story.log().await, "delivery.retried 1001, delivery.retried 1003");
    assert_eq!(story.refused("SELECT hookfast.retry(1001)").await, "HF006", "it is owed already");
    assert_eq!(story.refused("SELECT hookfast.retry(1002, tries => 0)").await, "22023");
    story.run("SELECT hookfast.erase(event_of(2), 'asked for')").await;
    assert_eq!(story.refused("SELECT hookfast.retry(1002)").await, "HF007", "there is nothing to deliver");
    assert_eq!(story.text(LETTERS).await, "2 4 5");

    story.run("BEGIN; SELECT hookfast.retry(1005); ROLLBACK").await;
    assert_eq!(story.text(LETTERS).await, "2 4 5", "what is rolled back never was");
    assert!(!story.log().await.contains("1005"));
}

#[tokio::test]
async fn many_are_counted_and_shown_before_they_are_touched() {
    let story = with_dead_letters().await;
    let preview = story.row("SELECT * FROM hookfast.retry_all(handler => 'shop')").await;
    assert_eq!((&preview["matching"], &preview["changed"]), (&4.into(), &0.into()));
    assert_eq!(preview["sample"][0]["idempotency_key"], "order:request-1:completed");
    assert_eq!(
        (story.text(LETTERS).await.as_str(), story.log().await.as_str()),
        ("1 2 3 4 5", "none"),
        "nothing has happened"
    );
    for (filter, matching) in [
        ("", 5),
        ("handler => 'crm'", 1),
        ("type => 'airalo.order.*'", 5),
        ("type => 'airalo.low_data.*'", 0),
        ("error => 'timed out%'", 1),
        ("error => '%OH'", 4),
        ("died_before => now() - interval '1 day'", 1),
        ("died_after => now() - interval '1 day', handler => 'shop'", 3),
        ("payload => '$.data.quantity > 3'", 2),
        ("payload => '$.data.quantity > 3', died_after => now() - interval '1 day'", 1),
    ] {
        let found = story.text(&format!("SELECT matching FROM hookfast.retry_all({filter})")).await;
        assert_eq!(found, matching.to_string(), "{filter}");
        let found = story.text(&format!("SELECT matching FROM hookfast.discard_all({filter})")).await;
        assert_eq!(found, matching.to_string(), "{filter}");
    }
    assert_eq!(story.refused("SELECT hookfast.retry_all(at_most => 4)").await, "HF005", "more match than were allowed");
    assert_eq!(story.refused("SELECT hookfast.retry_all(handler => 'nobody', at_most => 4)").await, "HF004");
    assert_eq!(story.text(LETTERS).await, "1 2 3 4 5");

    story.run("SELECT hookfast.erase(event_of(5), 'asked for')").await;
    assert_eq!(
        story.text("SELECT changed FROM hookfast.retry_all(handler => 'shop', why => 'back', at_most => 10)").await,
        "3"
    );
    assert_eq!(story.text(LETTERS).await, "3 5", "what was erased stays dead");
    assert_eq!(
        story.log().await,
        "event.erased ".to_owned() + &story.text("SELECT event_of(5)").await + ", deliveries.retried shop"
    );
}

#[tokio::test]
async fn a_discarded_delivery_is_over_and_the_history_says_so() {
    let story = with_dead_letters().await;
    story.run("SELECT order_came(6), order_came(7); SELECT owed(6), owed(7); UPDATE hookfast_data.outbox SET locked_by = 1 WHERE id = 1007").await;
    story.run("SELECT hookfast.discard(1001, 'refunded'), hookfast.discard(1006, 'too late')").await;
    assert_eq!(story.refused("SELECT hookfast.discard(1007, 'x')").await, "HF006", "it is running");
    assert_eq!(story.refused("SELECT hookfast.discard(1001, 'x')").await, "HF006", "it is over");
    assert_eq!(
        story
            .text("SELECT changed FROM hookfast.discard_all(error => 'timed out%', why => 'never', at_most => 1)")
            .await,
        "1"
    );
    assert_eq!(story.text(LETTERS).await, "3 4 5");
    let states = "SELECT string_agg(delivery_id || ' ' || state, ', ' ORDER BY delivery_id) FROM hookfast.deliveries WHERE state IN ('discarded', 'running')";
    assert_eq!(story.text(states).await, "1001 discarded, 1002 discarded, 1006 discarded, 1007 running");
    assert_eq!(
        story.text("SELECT verdict FROM hookfast.explain(event_of(1)) WHERE handler = 'shop'").await,
        "discarded"
    );
    let why = "SELECT string_agg(error, ', ' ORDER BY delivery_id) FROM hookfast.attempts WHERE outcome = 'discarded'";
    assert_eq!(story.text(why).await, "refunded, never, too late");
}
