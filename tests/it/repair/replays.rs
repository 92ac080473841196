//! Replays deliver events again, each once, oldest first, and never faster than allowed.

use super::Desk;

const REPLAYED: &str = "SELECT string_agg(ltrim(right(event_id::text, 12), '0'), ' ' ORDER BY id) FROM hookfast_data.outbox WHERE id >= 1000000";
const STATE: &str = "SELECT concat_ws(' ', state, replayed, matching, percent, ended_at IS NOT NULL) FROM hookfast.replays ORDER BY replay_id DESC LIMIT 1";

impl Desk {
    /// Starts a replay of all matching events, and returns its id.
    async fn replay_all(&self, arguments: &str) -> String {
        let why = if arguments.contains("why =>") {
            ""
        } else {
            ", why => 'a test'"
        };
        self.text(&format!(
            "SELECT replay_id FROM hookfast.replay_all({arguments}, at_most => 1000000{why})"
        ))
        .await
    }

    /// One step, the given time after the last one; returns how many deliveries it created.
    async fn step(&self, seconds: f64) -> i64 {
        self.time_passes(seconds).await;
        let step = "SELECT hookfast_data.advance_replay(max(id)) FROM hookfast_data.replays";
        self.text(step).await.parse().expect("a number")
    }

    async fn time_passes(&self, seconds: f64) {
        self.execute(&format!(
            "UPDATE hookfast_data.replays SET last_progress_at = clock_timestamp() - interval '{seconds} seconds'"
        ))
        .await;
    }

    /// Completes the deliveries of the handler.
    async fn done(&self) {
        self.execute("DELETE FROM hookfast_data.outbox").await;
    }
}

fn list(numbers: impl IntoIterator<Item = u32>) -> String {
    numbers
        .into_iter()
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
async fn a_replay_also_reaches_a_later_handler() {
    let desk = Desk::new().await;
    desk.events(1..=2, 1).await;
    let replay = desk
        .text(&format!(
            "hookfast.replay({}, 'shop', 'lost it')",
            desk.id(1)
        ))
        .await;
    let logged = desk.logged().await;
    assert!(
        logged.starts_with("event.replayed ") && logged.contains(r#""why": "lost it""#),
        "{logged}"
    );
    assert_eq!(desk.text(STATE).await, "done 1 1 100 t");
    assert_eq!(
        desk.text("SELECT concat_ws(' ', attempts_left, attempt_number, replay_id) FROM hookfast_data.outbox").await,
        "3 0"
    );
    desk.execute(
        "UPDATE hookfast_data.subscription_version SET version = 1; \
         INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version) VALUES ('late', 'rust', '{nothing}', 2, 1)",
    )
    .await;
    let again = desk
        .text(&format!(
            "hookfast.replay({}, 'late', 'new here', new_webhook_id => true)",
            desk.id(1)
        ))
        .await;
    assert_ne!(again, replay);
    assert_eq!(
        desk.text("SELECT replay_id FROM hookfast_data.outbox WHERE attempts_left = 2")
            .await,
        again,
        "receivers see another id"
    );
    assert_eq!(
        (
            desk.claim("shop").await.len(),
            desk.claim("late").await.len()
        ),
        (1, 1)
    );

    desk.refuses(
        "HF004",
        &format!("SELECT hookfast.replay({}, 'shoop', 'none')", desk.id(1)),
    )
    .await;
    desk.refuses(
        "HF004",
        &format!("SELECT hookfast.replay({}, NULL, 'none')", desk.id(1)),
    )
    .await;
    desk.refuses(
        "HF004",
        &format!("SELECT hookfast.replay({}, 'shop', 'none')", desk.id(99)),
    )
    .await;
    desk.execute(&format!(
        "SELECT hookfast.erase({}, 'a request')",
        desk.id(2)
    ))
    .await;
    desk.refuses(
        "HF007",
        &format!("SELECT hookfast.replay({}, 'shop', 'none')", desk.id(2)),
    )
    .await;
}

#[tokio::test]
async fn without_at_most_a_replay_returns_the_count_and_does_not_start() {
    let desk = Desk::new().await;
    desk.events(1..=9, 1).await;
    let before = desk.everything().await;
    let preview = "SELECT concat_ws(' ', coalesce(replay_id::text, 'no replay'), matching, (SELECT string_agg(e.idempotency_key, ',' ORDER BY e.event_id) FROM hookfast.events e WHERE e.event_id = ANY (sample_ids))) FROM hookfast.replay_all('shop')";
    assert_eq!(desk.text(preview).await, "no replay 9 e1,e2,e3,e4,e5");
    assert_eq!(desk.everything().await, before);
    desk.refuses(
        "HF005",
        "SELECT * FROM hookfast.replay_all('shop', at_most => 8, why => 'a test')",
    )
    .await;
    desk.refuses(
        "HF004",
        "SELECT * FROM hookfast.replay_all('shoop', at_most => 9, why => 'a test')",
    )
    .await;
    desk.refuses(
        "HF004",
        "SELECT * FROM hookfast.replay_all(NULL, at_most => 9, why => 'a test')",
    )
    .await;
    desk.refuses(
        "HF004",
        "SELECT * FROM hookfast.replay_all('shop', source => 'nobody', at_most => 9, why => 'a test')",
    )
    .await;
    desk.refuses(
        "22023",
        "SELECT * FROM hookfast.replay_all('shop', per_second => 0, at_most => 9, why => 'a test')",
    )
    .await;
    desk.replay_all("'shop', why => 'a bug'").await;
    assert_eq!(
        desk.text("SELECT per_second FROM hookfast.replays").await,
        "10",
        "it has created nothing yet"
    );
    let logged = desk.logged().await;
    assert!(
        logged.starts_with("replay.started ") && logged.contains(r#""matching": 9"#),
        "{logged}"
    );
}

#[tokio::test]
async fn each_event_is_replayed_once_oldest_first_and_at_its_rate() {
    let desk = Desk::new().await;
    desk.events(1..=23, 1).await;
    desk.replay_all("'shop', per_second => 2").await;
    assert_eq!(desk.step(0.4).await, 0, "none is due yet");
    assert_eq!(desk.step(1.6).await, 3);
    assert_eq!(desk.text(REPLAYED).await, "1 2 3");
    assert_eq!(
        desk.text("SELECT hookfast_data.advance_replay(1)").await,
        "0",
        "no time has passed"
    );
    assert_eq!(
        desk.step(3600.0).await,
        10,
        "never more than the rate allows in five seconds"
    );
    assert_eq!(desk.text(STATE).await, "running 13 23 56 f");
    assert_eq!(desk.step(3600.0).await, 10);
    assert_eq!(desk.text(REPLAYED).await, list(1..=23));
    assert_eq!(
        desk.text("SELECT count(*) FROM hookfast_data.outbox").await,
        "23"
    );
}

#[tokio::test]
async fn it_yields_while_ten_seconds_worth_waits_and_then_ends_as_done() {
    let desk = Desk::new().await;
    desk.events(1..=23, 1).await;
    desk.replay_all("'shop', per_second => 1").await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(desk.step(60.0).await);
    }
    assert_eq!(made, [5, 5, 0], "ten wait");
    desk.execute(
        "DELETE FROM hookfast_data.outbox WHERE id = (SELECT min(id) FROM hookfast_data.outbox)",
    )
    .await;
    assert_eq!(desk.step(60.0).await, 5, "nine wait");
    assert_eq!(desk.step(60.0).await, 0);
    desk.done().await;
    assert_eq!(desk.step(60.0).await, 5);
    desk.done().await;
    assert_eq!(desk.step(60.0).await, 3);
    assert_eq!(desk.text(STATE).await, "done 23 23 100 t");
    assert_eq!(desk.text(REPLAYED).await, "21 22 23");
    assert_eq!(desk.step(60.0).await, 0, "that was all");
}

#[tokio::test]
async fn a_step_that_reads_more_than_it_replays_neither_skips_nor_repeats() {
    let desk = Desk::new().await;
    for n in 1..=30 {
        desk.event(
            n,
            "airalo",
            if n % 3 == 0 { "order.done" } else { "level" },
            "{}",
        )
        .await;
    }
    desk.replay_all("'shop', type => 'order.*', per_second => 1000")
        .await;
    for _ in 0..5 {
        desk.time_passes(1.0).await;
        desk.execute("SELECT hookfast_data.advance_replay(1, 7)")
            .await;
    }
    assert_eq!(desk.text(STATE).await, "done 10 10 100 t");
    assert_eq!(desk.text(REPLAYED).await, list((3..=30).step_by(3)));
}

#[tokio::test]
async fn a_replay_step_bounds_the_filtered_bytes() {
    let desk = Desk::new().await;
    desk.events(1..=12, 1).await;
    desk.execute("UPDATE hookfast_data.events SET body = convert_to(jsonb_build_object('of', idempotency_key, 'x', repeat('x', 1048576))::text, 'UTF8')").await;
    desk.replay_all("'shop', payload => '$.of == \"e12\"', per_second => 1000")
        .await;
    assert_eq!(desk.step(1.0).await, 0);
    assert_eq!(desk.text(STATE).await, "running 0 1 0 f");
    assert_eq!(desk.step(1.0).await, 1);
    assert_eq!(desk.text(STATE).await, "done 1 1 100 t");
    assert_eq!(desk.text(REPLAYED).await, "12");
}

#[tokio::test]
async fn a_step_that_is_rolled_back_neither_skips_nor_repeats() {
    let desk = Desk::new().await;
    desk.events(1..=12, 1).await;
    desk.replay_all("'shop', per_second => 1").await;
    for made in [5, 5, 0] {
        desk.time_passes(60.0).await;
        let before = desk.everything().await;
        desk.execute("BEGIN; SELECT hookfast_data.advance_replay(1); ROLLBACK")
            .await;
        assert_eq!(desk.everything().await, before);
        assert_eq!(desk.step(60.0).await, made);
    }
    desk.execute(
        "DELETE FROM hookfast_data.outbox WHERE id IN (SELECT id FROM hookfast_data.outbox ORDER BY id LIMIT 9)",
    )
    .await;
    assert_eq!(desk.step(60.0).await, 2);
    assert_eq!(desk.text(REPLAYED).await, "10 11 12");
    assert_eq!(desk.text(STATE).await, "done 12 12 100 t");
}

#[tokio::test]
async fn two_concurrent_steps_replay_each_event_once() {
    let desk = Desk::new().await;
    desk.events(1..=3, 1).await;
    desk.replay_all("'shop', per_second => 100").await;
    desk.time_passes(60.0).await;
    let mut one = desk.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT hookfast_data.advance_replay(1)")
        .execute(&mut *one)
        .await
        .expect("a step");
    assert_eq!(
        desk.text("SELECT hookfast_data.advance_replay(1)").await,
        "0",
        "it does not wait for the other replay either"
    );
    one.commit().await.expect("committed");
    assert_eq!(desk.step(60.0).await, 0);
    assert_eq!(desk.text(REPLAYED).await, "1 2 3");
}

#[tokio::test]
async fn a_replay_can_be_paused_resumed_and_cancelled() {
    let desk = Desk::new().await;
    desk.events(1..=20, 1).await;
    let replay = desk.replay_all("'shop', per_second => 1").await;
    desk.refuses(
        "HF006",
        &format!("SELECT hookfast.resume_replay({replay}, why => 'a test')"),
    )
    .await;
    assert_eq!(desk.step(60.0).await, 5);
    desk.execute(&format!(
        "SELECT hookfast.pause_replay({replay}, why => 'a test')"
    ))
    .await;
    assert_eq!(
        desk.logged().await,
        format!("replay.paused {replay} {{\"why\": \"a test\"}}")
    );
    assert_eq!(desk.step(60.0).await, 0);
    assert_eq!(desk.text(STATE).await, "paused 5 20 25 f");
    desk.refuses(
        "HF006",
        &format!("SELECT hookfast.pause_replay({replay}, why => 'a test')"),
    )
    .await;
    desk.execute(&format!(
        "SELECT hookfast.resume_replay({replay}, why => 'a test')"
    ))
    .await;
    assert_eq!(
        desk.logged().await,
        format!("replay.resumed {replay} {{\"why\": \"a test\"}}")
    );
    assert_eq!(
        desk.text("SELECT hookfast_data.advance_replay(1)").await,
        "0",
        "the pause is not made up for"
    );
    assert_eq!(desk.step(2.0).await, 2);
    assert_eq!(desk.text(REPLAYED).await, list(1..=7));
    desk.execute(&format!(
        "SELECT hookfast.cancel_replay({replay}, why => 'a test')"
    ))
    .await;
    assert_eq!(
        desk.logged().await,
        format!("replay.cancelled {replay} {{\"why\": \"a test\"}}")
    );
    assert_eq!(desk.text(STATE).await, "cancelled 7 20 35 t");
    assert_eq!(desk.step(60.0).await, 0);
    assert_eq!(
        desk.text(REPLAYED).await,
        list(1..=7),
        "its deliveries stay pending"
    );
    for what in ["pause", "resume", "cancel"] {
        desk.refuses(
            "HF006",
            &format!("SELECT hookfast.{what}_replay({replay}, 'a test')"),
        )
        .await;
        desk.refuses(
            "HF004",
            &format!("SELECT hookfast.{what}_replay(99, 'a test')"),
        )
        .await;
    }
    let replay = desk.replay_all("'shop', per_second => 1").await;
    desk.execute(&format!(
        "SELECT hookfast.pause_replay({replay}, why => 'a test'); SELECT hookfast.cancel_replay({replay}, why => 'a test')"
    ))
    .await;
}

#[tokio::test]
async fn only_matching_events_that_were_not_erased_are_replayed() {
    let desk = Desk::new().await;
    for n in 1..=8 {
        let (source, kind) = (
            ["other", "airalo"][n as usize % 2],
            if n > 4 { "order.done" } else { "level" },
        );
        desk.event(n, source, kind, &format!(r#"{{"n": {n}}}"#))
            .await;
    }
    desk.event(9, "airalo", "order.done", "no JSON").await;
    desk.execute(&format!(
        "SELECT hookfast.erase({}, 'a request')",
        desk.id(7)
    ))
    .await;
    for (filter, expected) in [
        (String::new(), "1 2 3 4 5 6 8 9"),
        (", source => 'airalo'".to_owned(), "1 3 5 9"),
        (", type => 'order.*'".to_owned(), "5 6 8 9"),
        (", type => 'level'".to_owned(), "1 2 3 4"),
        (", payload => '$.n > 3'".to_owned(), "4 5 6 8"),
        (format!(", received_after => {}", desk.at(4)), "4 5 6 8 9"),
        (format!(", received_before => {}", desk.at(4)), "1 2 3"),
        (
            format!(
                ", source => 'other', type => 'order.*', payload => '$.n > 3', received_after => {}, received_before => {}",
                desk.at(2),
                desk.at(8)
            ),
            "6",
        ),
        (format!(", received_before => {}", desk.at(1)), "null"),
    ] {
        desk.replay_all(&format!("'shop', per_second => 100{filter}"))
            .await;
        desk.step(60.0).await;
        assert_eq!(desk.text(REPLAYED).await, expected, "{filter}");
        let many = if expected == "null" {
            0
        } else {
            expected.split(' ').count()
        };
        assert_eq!(
            desk.text(STATE).await,
            format!("done {many} {many} 100 t"),
            "{filter}"
        );
        desk.done().await;
    }
    desk.replay_all("'shop', per_second => 100").await;
    desk.execute(&format!(
        "SELECT hookfast.erase({}, 'meanwhile')",
        desk.id(1)
    ))
    .await;
    desk.step(60.0).await;
    assert_eq!(
        desk.text(REPLAYED).await,
        "2 3 4 5 6 8 9",
        "events erased since are excluded"
    );
}

#[tokio::test]
async fn an_ordered_handler_gets_them_without_a_key_and_in_order() {
    let desk = Desk::new().await;
    desk.events(1..=4, 1).await;
    desk.replay_all("'holds', per_second => 100").await;
    assert_eq!(desk.step(60.0).await, 4);
    assert_eq!(
        desk.text(
            "SELECT string_agg(concat_ws(' ', ordering_key = '', due_at IS NULL), ', ') FROM hookfast_data.outbox"
        )
        .await,
        "t t, t t, t t, t t"
    );
    desk.sequence().await;
    desk.deliver("holds", &[1_000_000, 1_000_001, 1_000_002, 1_000_003])
        .await;
    desk.execute(&format!(
        "SELECT hookfast.replay({}, 'holds', 'one')",
        desk.id(1)
    ))
    .await;
    assert_eq!(
        desk.text("SELECT ordering_key = '' AND due_at IS NULL FROM hookfast_data.outbox")
            .await,
        "true"
    );
}

/// Events after the request are delivered normally, whatever the filter is.
#[tokio::test]
async fn events_that_arrive_during_a_replay_are_not_replayed() {
    let desk = Desk::new().await;
    desk.events(1..=2, 1).await;
    desk.replay_all("'shop', per_second => 100, received_before => now() + interval '1 day'")
        .await;
    desk.execute(
        "INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body) \
            SELECT hookfast_data.new_event_id(), id, 0, 'order.done', 'webhook', 'new', '{}', '{}' FROM hookfast_data.sources WHERE name = 'airalo'",
    )
    .await;
    desk.step(60.0).await;
    assert_eq!(desk.text(REPLAYED).await, "1 2");
    assert_eq!(desk.text(STATE).await, "done 2 2 100 t");
}

/// As when an application stores an event in a transaction that is open for a while.
#[tokio::test]
async fn it_begins_when_the_transactions_that_were_writing_have_ended() {
    let desk = Desk::new().await;
    desk.events(1..=2, 1).await;
    let mut late = desk.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT pg_current_xact_id()")
        .execute(&mut *late)
        .await
        .expect("it writes");
    desk.replay_all("'shop', why => 'lost'").await;
    let mut later = desk.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT pg_current_xact_id()")
        .execute(&mut *later)
        .await
        .expect("it writes");
    assert_eq!(
        desk.step(3.0).await,
        0,
        "it may store an event that the replay passes"
    );
    late.commit().await.expect("committed");
    assert_eq!(
        desk.step(3.0).await,
        2,
        "later transactions are not waited for"
    );
    later.commit().await.expect("committed");

    let mut forgotten = desk.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT pg_current_xact_id()")
        .execute(&mut *forgotten)
        .await
        .expect("it writes");
    desk.replay_all("'shop', why => 'lost again'").await;
    assert_eq!(desk.step(3.0).await, 0);
    desk.execute(
        "UPDATE hookfast_data.replays SET requested_at = requested_at - interval '10 minutes'",
    )
    .await;
    assert_eq!(desk.step(3.0).await, 2, "not forever");
    forgotten.commit().await.expect("committed");
}
