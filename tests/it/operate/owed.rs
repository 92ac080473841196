//! What is owed: postponed, paused; and the order of keys, which no repair breaks.

use super::Story;
use crate::support::wait_until;

#[tokio::test]
async fn deliveries_wait_until_a_time_or_are_tried_at_once() {
    let story = Story::new().await;
    story.run("SELECT order_came(n) FROM generate_series(1, 5) n; SELECT owed(1), owed(2, now() + interval '1 hour'), owed(3), owed(4, 'infinity'), owed(5, handler => 'crm'); UPDATE hookfast_data.outbox SET locked_by = 1 WHERE id = 1003").await;
    story
        .run("SELECT hookfast.postpone(1001, now() + interval '2 hours', 'asked'), hookfast.postpone(1002, now())")
        .await;
    let states =
        "SELECT string_agg((delivery_id - 1000) || ' ' || state, ', ' ORDER BY delivery_id) FROM hookfast.deliveries";
    assert_eq!(story.text(states).await, "1 postponed, 2 ready, 3 running, 4 waiting, 5 ready");
    for refused in [
        "SELECT hookfast.postpone(1003, now())",
        "SELECT hookfast.postpone(1004, now())",
        "SELECT hookfast.postpone(9, now())",
    ] {
        assert_eq!(story.refused(refused).await, "HF006", "{refused}");
    }
    assert_eq!(story.refused("SELECT hookfast.postpone(1001, 'infinity')").await, "22023");
    assert_eq!(
        story.text("SELECT matching FROM hookfast.postpone_all('shop', now())").await,
        "2",
        "not what runs or waits for its key"
    );
    assert_eq!(story.text(states).await, "1 postponed, 2 ready, 3 running, 4 waiting, 5 ready", "a preview");
    assert_eq!(
        story.text("SELECT changed FROM hookfast.postpone_all('shop', now() + interval '1 day', at_most => 2)").await,
        "2"
    );
    assert_eq!(story.text(states).await, "1 postponed, 2 postponed, 3 running, 4 waiting, 5 ready");
    assert_eq!(
        story.text("SELECT matching FROM hookfast.postpone_all('shop', now(), type => 'airalo.low_data.*')").await,
        "0"
    );
    assert_eq!(
        story.text("SELECT later || ' ' || due_in_120_minutes FROM hookfast.backlog WHERE handler = 'shop'").await,
        "2 0"
    );
}

#[tokio::test]
async fn everything_can_be_stopped_at_once_and_goes_on() {
    let story = Story::new().await;
    story.run("SELECT hookfast.pause('crm', 'before')").await;
    assert_eq!(story.text("SELECT hookfast.pause_all('the network is down')").await, "1");
    let why = "SELECT string_agg(split_part(why, ': ', 2), ', ' ORDER BY handler) FROM hookfast.handler_health WHERE state = 'paused'";
    assert_eq!(story.text(why).await, "before, the network is down");
    assert_eq!(story.text("SELECT hookfast.resume_all()").await, "2");
    assert_eq!(story.refused("SELECT hookfast.pause('nobody', 'x')").await, "HF004");
    assert_eq!(story.log().await, "handler.paused crm, handler.paused shop, handler.resumed crm, handler.resumed shop");
}

/// An ordered handler whose delivery n has the key and is in this state.
async fn ordered(on_dead: &str) -> Story {
    let story = Story::new().await;
    story
        .run(&format!(
            "UPDATE hookfast_data.handlers SET ordered_by = '{{key}}', on_dead = '{on_dead}' WHERE name = 'shop'; \
             SELECT order_came(n) FROM generate_series(1, 5) n; SELECT died(1), died(2), owed(3, 'infinity'), owed(4, 'infinity'); \
             UPDATE hookfast_data.outbox SET ordering_key = 'a'; UPDATE hookfast_data.dead_letters SET ordering_key = 'a'"
        ))
        .await;
    story
}

const DUE: &str = "SELECT coalesce(string_agg((id - 1000)::text, ' ' ORDER BY id), 'none') FROM hookfast_data.outbox WHERE due_at <= now()";

#[tokio::test]
async fn a_key_that_waits_for_its_dead_letters_goes_on_with_them_and_one_at_a_time() {
    let story = ordered("hold").await;
    story.run("SELECT hookfast_data.wake(id, '{a}') FROM hookfast_data.handlers WHERE name = 'shop'").await;
    assert_eq!(story.text(DUE).await, "none", "the key is held");
    story.run("SELECT hookfast.retry(1001)").await;
    assert_eq!(story.text(DUE).await, "none", "another dead letter holds it still");
    story.run("SELECT hookfast.discard(1002, 'done by hand')").await;
    assert_eq!(story.text(DUE).await, "1", "the oldest first");

    let story = ordered("hold").await;
    story.run("SELECT hookfast.retry_all(handler => 'shop', at_most => 2)").await;
    assert_eq!(story.text(DUE).await, "1", "of two that are retried at once the first alone");
    let story = ordered("hold").await;
    story.run("SELECT hookfast.discard_all(handler => 'shop', why => 'x', at_most => 2)").await;
    assert_eq!(story.text(DUE).await, "3", "with nothing left that holds it, the next");
}

#[tokio::test]
async fn a_retried_delivery_does_not_overtake_what_runs_of_its_key() {
    let story = ordered("skip").await;
    story
        .run("UPDATE hookfast_data.outbox SET due_at = now() - interval '1 second', locked_by = 1 WHERE id = 1003")
        .await;
    story.run("SELECT hookfast.retry(1001)").await;
    assert_eq!(story.text(DUE).await, "3", "that one is at it");
    story.run("DELETE FROM hookfast_data.outbox WHERE id = 1003; SELECT hookfast_data.wake(id, '{a}') FROM hookfast_data.handlers WHERE name = 'shop'").await;
    assert_eq!(story.text(DUE).await, "1", "and then this, before the later ones");
}

/// Its transaction was open while the workers claimed what was due later: they look back.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_retried_in_a_long_transaction_arrives_at_once_when_that_commits() {
    use hookfast::{
        app::{Builder, Subscription},
        domain::{Delivery, Outcome},
    };
    use sqlx::Connection;
    let story = Story::new().await;
    story.run("SELECT order_came(n) FROM generate_series(1, 40) n; SELECT died(1)").await;
    let stop = tokio_util::sync::CancellationToken::new();
    let mut shop = Subscription::new("shop", &["airalo.*"]).expect("a name");
    shop.policy.retry = hookfast::domain::RetryPolicy::Delays(vec![std::time::Duration::from_millis(10)]);
    let app = Builder::new(story.database.url())
        .expect("a URL")
        .handler(shop, async |_: Delivery| Outcome::Delivered)
        .build();
    let running = tokio::spawn(app.run(stop.clone()));
    let mut connection = story.database.connect().await;
    let mut open = connection.begin().await.expect("a transaction");
    sqlx::query("SELECT hookfast.retry(1001)").execute(&mut *open).await.expect("retried");
    for n in 2..40 {
        story.run(&format!("SELECT hookfast.replay(event_of({n}), 'shop', 'meanwhile')")).await;
    }
    wait_until("what came meanwhile", async || {
        story.text("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered'").await == "38"
    })
    .await;
    open.commit().await.expect("committed");
    let begun = std::time::Instant::now();
    wait_until("the retried one", async || {
        story.text("SELECT count(*) FROM hookfast.attempts WHERE delivery_id = 1001 AND outcome = 'delivered'").await
            == "1"
    })
    .await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(25), "long before the net of a minute");
    stop.cancel();
    running.await.expect("no panic").expect("it runs");
}
