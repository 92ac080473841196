//! Replays: each matching event once, oldest first, at a rate, whatever happens to who is at it.

use super::Story;

const STATE: &str = "SELECT state || ' ' || replayed || ' of ' || matching FROM hookfast.replays";
const MADE: &str = "SELECT coalesce(string_agg(replace(replace(e.idempotency_key, 'order:request-', ''), ':completed', ''), ' ' ORDER BY o.id), 'none') FROM hookfast_data.outbox o JOIN hookfast_data.events e ON e.id = o.event_id";

impl Story {
    /// A step, as if so many seconds had passed since the last one.
    async fn step(&self, seconds: u32) -> String {
        self.run(&format!("UPDATE hookfast_data.replays SET stepped_at = clock_timestamp() - interval '{seconds} seconds 10 milliseconds'")).await;
        self.text("SELECT hookfast_data.step_replay(id) FROM hookfast_data.replays").await
    }
}

#[tokio::test]
async fn one_event_is_delivered_again_also_to_a_handler_that_came_later() {
    let story = Story::new().await;
    story.run("SELECT order_came(1), order_came(2); SELECT delivered(1); INSERT INTO hookfast_data.handlers (name, kind, types, tries, registered_version) VALUES ('new', 'http', '{airalo.*}', 5, 9)").await;
    assert_eq!(
        story.text("SELECT verdict FROM hookfast.explain(event_of(1)) WHERE handler = 'new'").await,
        "came later"
    );
    story.run("SELECT hookfast.replay(event_of(1), 'new', 'it is new')").await;
    assert_eq!(story.text("SELECT verdict FROM hookfast.explain(event_of(1)) WHERE handler = 'new'").await, "owed");
    let replay =
        story.text("SELECT hookfast.replay(event_of(1), 'shop', 'they lost it', new_webhook_id => true)").await;
    let owed = "SELECT string_agg(concat_ws(' ', h.name, o.tries_left, o.due_at <= now(), o.replay_id), ', ' ORDER BY h.name) FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id";
    assert_eq!(story.text(owed).await, format!("new 5 t, shop 3 t {replay}"));
    assert_eq!(story.refused("SELECT hookfast.replay(event_of(1), 'nobody', 'x')").await, "HF004");
    assert_eq!(story.refused("SELECT hookfast.replay(gen_random_uuid(), 'shop', 'x')").await, "HF004");
    story.run("SELECT hookfast.erase(event_of(2), 'asked for')").await;
    assert_eq!(story.refused("SELECT hookfast.replay(event_of(2), 'shop', 'x')").await, "HF007");
}

#[tokio::test]
async fn many_go_oldest_first_at_their_rate_each_once_and_a_lost_step_is_made_again() {
    let story = Story::new().await;
    story
        .run("SELECT order_came(n) FROM generate_series(1, 30) n; SELECT hookfast.erase(event_of(7), 'asked for')")
        .await;
    let preview = story.row("SELECT * FROM hookfast.replay_all('shop', type => 'airalo.order.*')").await;
    assert_eq!(
        (&preview["matching"], &preview["replay_id"]),
        (&29.into(), &serde_json::Value::Null),
        "not what was erased"
    );
    assert_eq!(preview["sample"][0]["idempotency_key"], "order:request-1:completed");
    assert_eq!(story.refused("SELECT hookfast.replay_all('shop', at_most => 28)").await, "HF005");
    assert_eq!(story.refused("SELECT hookfast.replay_all('shop', source => 'nobody', at_most => 28)").await, "HF004");
    story.run("SELECT hookfast.replay_all('shop', per_second => 3, why => 'a test', at_most => 29)").await;
    assert_eq!(story.step(0).await, "0", "no time has passed");
    assert_eq!(story.step(1).await, "3");
    assert_eq!(story.text(MADE).await, "1 2 3");
    // The process dies in the middle of a step.
    story.run("BEGIN; UPDATE hookfast_data.replays SET stepped_at = now() - interval '2 seconds'; SELECT hookfast_data.step_replay(id) FROM hookfast_data.replays; ROLLBACK").await;
    assert_eq!(story.step(2).await, "6");
    assert_eq!(story.text(MADE).await, "1 2 3 4 5 6 8 9 10");
    assert_eq!(story.step(3600).await, "15", "never more than five seconds' worth");
    assert_eq!(story.text(STATE).await, "running 24 of 29");
    assert_eq!(story.step(5).await, "5");
    assert_eq!(story.text(STATE).await, "done 29 of 29");
    assert_eq!(story.text("SELECT count(DISTINCT event_id) FROM hookfast_data.outbox").await, "29");
    assert_eq!(story.step(5).await, "0");
}

#[tokio::test]
async fn a_replay_yields_to_what_waits_and_can_be_stopped_and_ended() {
    let story = Story::new().await;
    story.run("SELECT order_came(n) FROM generate_series(1, 60) n; SELECT hookfast.replay_all('shop', per_second => 2, why => 'a test', at_most => 60)").await;
    for _ in 0..2 {
        assert_eq!(story.step(5).await, "10");
    }
    assert_eq!(story.step(5).await, "0", "ten seconds' worth waits: live traffic goes first");
    story.run("DELETE FROM hookfast_data.outbox").await;
    story.run("SELECT hookfast.pause_replay(replay_id) FROM hookfast.replays").await;
    assert_eq!(story.step(5).await, "0");
    assert_eq!(story.refused("SELECT hookfast.pause_replay(replay_id) FROM hookfast.replays").await, "HF006");
    story.run("SELECT hookfast.resume_replay(replay_id) FROM hookfast.replays").await;
    assert_eq!(story.step(5).await, "10");
    story.run("SELECT hookfast.cancel_replay(replay_id) FROM hookfast.replays").await;
    assert_eq!(story.step(5).await, "0");
    assert_eq!(story.text(STATE).await, "cancelled 30 of 60");
    assert_eq!(story.refused("SELECT hookfast.resume_replay(replay_id) FROM hookfast.replays").await, "HF006");
    assert_eq!(story.refused("SELECT hookfast.cancel_replay(99)").await, "HF004");
}

#[tokio::test]
async fn a_replay_takes_what_its_filter_says_and_an_ordered_handlers_deliveries_get_their_keys_later() {
    let story = Story::new().await;
    story.run("SELECT order_came(n, n, 100 - n) FROM generate_series(1, 20) n; UPDATE hookfast_data.handlers SET ordered_by = '{request_id}' WHERE name = 'shop'").await;
    let filter = "source => 'airalo', type => 'airalo.order.completed', payload => '$.data.quantity >= 5', received_after => now() - interval '94 minutes 30 seconds', received_before => now() - interval '88 minutes 30 seconds'";
    story
        .run(&format!(
            "SELECT hookfast.replay_all('shop', {filter}, per_second => 100, why => 'a test', at_most => 20)"
        ))
        .await;
    story.step(5).await;
    assert_eq!(story.text(MADE).await, "6 7 8 9 10 11");
    assert_eq!(story.text("SELECT string_agg(DISTINCT coalesce(due_at::text, 'null') || ordering_key, ',') FROM hookfast_data.outbox").await, "null");
}
