//! Dead letters are retried as the same deliveries, or end for good. Bulk changes need a stated
//! maximum.

use super::Desk;
use crate::support::wait_until;
use hookfast::internals::store::{Channel, Listener, SettleOutcome, WakeUp, Watermarks};
use std::time::{Duration, Instant};

const DEAD: &str =
    "SELECT string_agg(delivery_id::text, ' ' ORDER BY delivery_id) FROM hookfast.dead_letters";

/// Four dead letters that differ in everything a filter reads. They died at noon of the 1st, 2nd,
/// 3rd and 4th.
async fn four() -> Desk {
    let desk = Desk::new().await;
    desk.event(1, "airalo", "order.done", r#"{"n": 1}"#).await;
    desk.event(2, "airalo", "order.failed", r#"{"n": 2}"#).await;
    desk.event(3, "other", "level", r#"{"n": 3}"#).await;
    desk.event(4, "other", "order.done", r#"{"n": 4}"#).await;
    desk.dead(1, "shop", "connection refused").await;
    desk.dead(2, "shop", "status 500").await;
    desk.dead(3, "shop", "Connection reset").await;
    desk.dead(4, "mail", "status 404").await;
    desk.execute(
        "UPDATE hookfast_data.dead_letters SET died_at = make_timestamptz(2026, 1, delivery_id::integer, 12, 0, 0)",
    )
    .await;
    desk
}

#[tokio::test]
async fn a_retry_is_the_same_delivery_and_its_attempts_continue() {
    let desk = four().await;
    desk.execute("SELECT hookfast.retry(1, why => 'it is up again')")
        .await;
    desk.execute("SELECT hookfast.retry(2, max_attempts => 1, why => 'a test')")
        .await;
    let pending = "SELECT string_agg(concat_ws(' ', delivery_id, state, attempts, attempts_left), ', ' ORDER BY delivery_id) FROM hookfast.deliveries WHERE state <> 'dead'";
    assert_eq!(
        desk.text(pending).await,
        "1 ready 3 3, 2 ready 3 1",
        "the handler's attempts, or the given number"
    );
    let log = "SELECT string_agg(concat_ws(' ', action, target, details->>'max_attempts', details->>'why'), ', ' ORDER BY log_id) FROM hookfast.audit_log";
    assert_eq!(
        desk.text(log).await,
        "delivery.retried 1 it is up again, delivery.retried 2 1 a test"
    );
    let claims = desk.claim("shop").await;
    assert_eq!(claims.len(), 2);
    for claim in claims {
        assert_eq!(claim.attempt, 4);
        let outcome = SettleOutcome::Retry(Duration::ZERO);
        desk.settle(
            claim,
            if claim.delivery.0 == 1 {
                SettleOutcome::Delivered
            } else {
                outcome
            },
        )
        .await;
    }
    assert_eq!(
        desk.states().await,
        "1 delivered, 2 dead, 3 dead, 4 dead",
        "its one attempt is used up"
    );
    let history = "SELECT string_agg(concat_ws(' ', delivery_id, attempt_number, outcome), ', ' ORDER BY delivery_id, attempt_number) FROM hookfast.attempts WHERE delivery_id < 3";
    assert_eq!(
        desk.text(history).await,
        "1 3 dead, 1 4 delivered, 2 3 dead, 2 4 dead"
    );
}

#[tokio::test]
async fn an_impossible_retry_fails_and_changes_nothing() {
    let desk = four().await;
    desk.refuses("HF006", "SELECT hookfast.retry(99, why => 'a test')")
        .await;
    desk.execute("SELECT hookfast.retry(1, why => 'a test')")
        .await;
    desk.refuses("HF006", "SELECT hookfast.retry(1, why => 'a test')")
        .await;
    desk.refuses(
        "22023",
        "SELECT hookfast.retry(2, max_attempts => 0, why => 'a test')",
    )
    .await;
    desk.refuses(
        "22023",
        "SELECT hookfast.retry(2, max_attempts => 1001, why => 'a test')",
    )
    .await;
    desk.refuses(
        "22023",
        "SELECT * FROM hookfast.retry_all(max_attempts => 0, at_most => 9, why => 'a test')",
    )
    .await;
    desk.execute(&format!(
        "SELECT hookfast.erase({}, 'a request')",
        desk.id(2)
    ))
    .await;
    desk.refuses("HF007", "SELECT hookfast.retry(2, why => 'a test')")
        .await;
    assert_eq!(
        desk.text(
            "SELECT (matching, changed) FROM hookfast.retry_all(at_most => 9, why => 'a test')"
        )
        .await,
        "(2,2)"
    );
    assert_eq!(desk.text(DEAD).await, "2", "erased events are excluded");
    desk.execute("SELECT hookfast.discard(2, 'erased')").await;
    assert_eq!(desk.text(DEAD).await, "null");
}

#[tokio::test]
async fn without_at_most_it_returns_the_count_and_a_sample_and_changes_nothing() {
    let desk = four().await;
    desk.events(5..=8, 9).await;
    for n in 5..=8 {
        desk.dead(n, "shop", "status 500").await;
    }
    let before = desk.everything().await;
    for all in ["retry_all", "discard_all"] {
        let preview = format!(
            "SELECT concat_ws(' ', matching, changed, sample_ids) FROM hookfast.{all}(handler => 'shop')"
        );
        assert_eq!(desk.text(&preview).await, "7 0 {1,2,3,5,6}", "{all}");
    }
    assert_eq!(desk.everything().await, before);
}

#[tokio::test]
async fn each_filter_counts_alone_and_all_of_them_together() {
    let desk = four().await;
    for (filter, expected) in [
        ("handler => 'shop'", "1 2 3"),
        ("type => 'order.*'", "1 2 4"),
        ("type => 'level'", "3"),
        ("died_after => '2026-01-02 12:00Z'", "2 3 4"),
        ("died_before => '2026-01-02 12:00Z'", "1"),
        (
            "died_after => '2026-01-02Z', died_before => '2026-01-04Z'",
            "2 3",
        ),
        ("error => 'connection%'", "1 3"),
        ("payload => '$.n > 2'", "3 4"),
        (
            "handler => 'shop', type => 'order.*', died_after => '2026-01-01Z', died_before => '2026-01-04Z', error => '%500%', payload => '$.n < 3'",
            "2",
        ),
        ("handler => 'mail', payload => '$.n < 3'", "none"),
        ("at_most => 4, why => 'a test'", "1 2 3 4"),
    ] {
        for all in ["retry_all", "discard_all"] {
            let mut trial = desk.pool.begin().await.expect("a transaction");
            let changed = format!(
                "SELECT changed FROM hookfast.{all}({}{filter})",
                if filter.starts_with("at_most") {
                    ""
                } else {
                    "at_most => 4, why => 'a test', "
                }
            );
            let changed: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(changed))
                .fetch_one(&mut *trial)
                .await
                .expect(filter);
            let left = "SELECT coalesce(string_agg(n::text, ' ' ORDER BY n), 'none') FROM generate_series(1, 4) n WHERE n NOT IN (SELECT delivery_id FROM hookfast.dead_letters)";
            let gone: String = sqlx::query_scalar(left)
                .fetch_one(&mut *trial)
                .await
                .expect("dead letters");
            assert_eq!(gone, expected, "{all}({filter})");
            assert_eq!(
                changed,
                if gone == "none" {
                    0
                } else {
                    gone.split(' ').count() as i64
                }
            );
            trial.rollback().await.expect("rolled back");
        }
    }
}

#[tokio::test]
async fn more_than_at_most_are_not_changed() {
    let desk = four().await;
    for all in ["retry_all", "discard_all"] {
        desk.refuses(
            "HF005",
            &format!(
                "SELECT * FROM hookfast.{all}(handler => 'shop', at_most => 2, why => 'a test')"
            ),
        )
        .await;
        desk.refuses(
            "HF005",
            &format!("SELECT * FROM hookfast.{all}(at_most => 0, why => 'a test')"),
        )
        .await;
    }
    assert_eq!(desk.text("SELECT (matching, changed) FROM hookfast.retry_all(handler => 'shop', max_attempts => 7, why => 'fixed', at_most => 3)").await, "(3,3)");
    assert_eq!(
        desk.text(
            "SELECT string_agg(concat_ws(' ', id, attempt_number, attempts_left), ', ' ORDER BY id) FROM hookfast_data.outbox"
        )
        .await,
        "1 3 7, 2 3 7, 3 3 7"
    );
    assert_eq!(
        desk.logged().await,
        r#"deliveries.retried shop {"why": "fixed", "count": 3, "max_attempts": 7}"#
    );
}

#[tokio::test]
async fn an_unknown_handler_is_an_error_even_without_dead_letters() {
    let desk = Desk::new().await;
    for all in ["retry_all", "discard_all"] {
        desk.refuses(
            "HF004",
            &format!("SELECT * FROM hookfast.{all}(handler => 'shoop')"),
        )
        .await;
    }
    desk.events(1..=1, 1).await;
    desk.dead(1, "shop", "no").await;
    for all in ["retry_all", "discard_all"] {
        desk.refuses(
            "HF004",
            &format!(
                "SELECT * FROM hookfast.{all}(handler => 'shoop', at_most => 9, why => 'a test')"
            ),
        )
        .await;
    }
}

#[tokio::test]
async fn a_rolled_back_act_changes_nothing() {
    let desk = four().await;
    let before = desk.everything().await;
    for statement in [
        "SELECT hookfast.retry(1, why => 'a test')",
        "SELECT hookfast.discard(1, 'no')",
        "SELECT hookfast.retry_all(at_most => 9, why => 'a test')",
        "SELECT hookfast.discard_all(at_most => 9, why => 'a test')",
    ] {
        desk.execute(&format!("BEGIN; {statement}; ROLLBACK")).await;
        assert_eq!(desk.everything().await, before, "{statement}");
    }
}

#[tokio::test]
async fn a_discarded_delivery_has_ended_and_is_listed_as_discarded() {
    let desk = four().await;
    desk.execute("SELECT hookfast.discard(1, 'the customer has left')")
        .await;
    assert_eq!(
        desk.logged().await,
        r#"delivery.discarded 1 {"why": "the customer has left"}"#
    );
    assert_eq!(
        desk.text(
            "SELECT (matching, changed) FROM hookfast.discard_all(type => 'order.*', why => 'old', at_most => 9)"
        )
        .await,
        "(2,2)"
    );
    assert_eq!(
        desk.logged().await,
        r#"deliveries.discarded all {"why": "old", "type": "order.*", "count": 2}"#
    );
    assert_eq!(
        desk.states().await,
        "1 discarded, 2 discarded, 3 dead, 4 discarded"
    );
    let explained = format!(
        "SELECT concat_ws(' ', verdict, delivery_id) FROM hookfast.explain({}) WHERE handler = 'shop'",
        desk.id(1)
    );
    assert_eq!(desk.text(&explained).await, "discarded 1");
    let tried = "SELECT string_agg(concat_ws(' ', attempt_number, outcome, error), ', ' ORDER BY attempt_number) FROM hookfast.attempts WHERE delivery_id = 1";
    assert_eq!(
        desk.text(tried).await,
        "3 dead connection refused, 4 discarded the customer has left"
    );
    assert!(desk.claim("shop").await.is_empty());
    desk.refuses("HF006", "SELECT hookfast.discard(1, 'again')")
        .await;
    desk.refuses("HF006", "SELECT hookfast.retry(1, why => 'a test')")
        .await;
}

#[tokio::test]
async fn a_discard_is_not_an_attempt() {
    let desk = four().await;
    desk.pending(1, "mail").await;
    desk.execute("DELETE FROM hookfast_data.dead_letters WHERE delivery_id = 1")
        .await;
    desk.execute(
        "SELECT hookfast.discard(1, 'never tried'), hookfast.discard(2, 'tried three times')",
    )
    .await;
    let attempts = "SELECT string_agg(delivery_id || ' ' || attempts, ', ' ORDER BY delivery_id) FROM hookfast.deliveries WHERE state = 'discarded'";
    assert_eq!(desk.text(attempts).await, "1 0, 2 3");
    let explained = format!(
        "SELECT message FROM hookfast.explain({}) WHERE verdict = 'discarded'",
        desk.id(2)
    );
    assert!(
        desk.text(&explained).await.ends_with(", after 3 attempts"),
        "{}",
        desk.text(&explained).await
    );
}

#[tokio::test]
async fn two_operators_who_retry_the_same_do_it_once() {
    let desk = four().await;
    for (first, second, expected) in [
        (
            "SELECT hookfast.retry(1, why => 'a test')",
            "SELECT hookfast.retry(1, why => 'a test')",
            "HF006",
        ),
        (
            "SELECT hookfast.retry_all(handler => 'shop', at_most => 2, why => 'a test')",
            "SELECT hookfast.discard(2, 'no')",
            "HF006",
        ),
        (
            "SELECT hookfast.discard(4, 'no')",
            "SELECT hookfast.retry(4, why => 'a test')",
            "HF006",
        ),
    ] {
        let mut one = desk.pool.begin().await.expect("a transaction");
        sqlx::query(first).execute(&mut *one).await.expect(first);
        let other = async {
            let done = sqlx::query(second).execute(&desk.pool).await;
            done.err().map_or("nothing".to_owned(), |error| {
                assert!(!error.to_string().contains("running"), "{error}");
                error
                    .as_database_error()
                    .and_then(|error| error.code())
                    .expect("a SQLSTATE")
                    .into_owned()
            })
        };
        let committing = async {
            wait_until("the other to wait", async || {
                desk.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").await == "1"
            })
            .await;
            one.commit().await.expect("committed");
        };
        let (refused, ()) = tokio::join!(other, committing);
        assert_eq!(refused, expected, "{first}, then {second}");
    }
    let twice = "SELECT count(*) FROM (SELECT id FROM hookfast_data.outbox UNION ALL SELECT delivery_id FROM hookfast_data.dead_letters UNION ALL SELECT delivery_id FROM hookfast_data.attempts WHERE outcome = 'discarded') d";
    assert_eq!(desk.text(twice).await, "4", "each delivery is in one place");
}

/// The workers' watermark has passed it by the time it commits: the notification contains how far
/// to look back.
#[tokio::test]
async fn a_late_commit_is_found_below_the_watermark_of_the_workers() {
    let desk = four().await;
    desk.execute("SELECT hookfast_data.requeue_dead_letters('{2}', NULL)")
        .await;
    for late in [
        "SELECT hookfast.retry(1, why => 'a test')",
        "SELECT hookfast.retry_all(at_most => 1, payload => '$.n == 3', why => 'a test')",
        "SELECT hookfast.reschedule(2, now(), why => 'a test')",
        "SELECT hookfast.reschedule_all('shop', '2020-01-01', at_most => 9, why => 'a test')",
    ] {
        let mut listener = Listener::connect(&desk.of, Channel::Wake)
            .await
            .expect("a listener");
        let mut watermarks = Watermarks::new(Instant::now());
        let _ = watermarks.for_claim(Instant::now());
        let mut operator = desk.pool.begin().await.expect("a transaction");
        wait_until("a transaction that is 20 ms old", async || {
            let is_old = "SELECT clock_timestamp() - now() > interval '20 ms'";
            sqlx::query_scalar::<_, bool>(is_old)
                .fetch_one(&mut *operator)
                .await
                .expect("an answer")
        })
        .await;
        sqlx::query(late).execute(&mut *operator).await.expect(late);
        // As if others had been claimed for half a minute.
        let half_a_minute = "SELECT floor(extract(epoch FROM clock_timestamp() + interval '31 seconds') * 1000000)::bigint";
        let ahead = desk.text(half_a_minute).await.parse().expect("a time");
        watermarks.saw_due(ahead, ahead);
        operator.commit().await.expect("committed");
        assert!(
            desk.claim_from("shop", &mut watermarks).await.is_empty(),
            "{late}: the watermark has passed it"
        );
        let wake_up = tokio::time::timeout(Duration::from_secs(10), listener.next())
            .await
            .expect("a wake-up");
        let WakeUp::Late(due) = wake_up.expect("a connection") else {
            panic!("{late}: the notification contains how far workers must look back")
        };
        watermarks.lower_due(due);
        let found = desk.claim_from("shop", &mut watermarks).await;
        assert!(!found.is_empty(), "{late}");
        let free =
            "UPDATE hookfast_data.outbox SET lease_id = NULL, due_at = now() - interval '1 day'";
        desk.execute(if late.contains("reschedule(") { free } else { "UPDATE hookfast_data.outbox SET lease_id = NULL, due_at = now() + interval '1 day' WHERE id = 2; DELETE FROM hookfast_data.outbox WHERE id <> 2" }).await;
    }
}

/// Its worker runs the whole time, and does not know it before.
#[tokio::test(flavor = "multi_thread")]
async fn a_retried_dead_letter_reaches_its_worker_within_seconds() {
    use hookfast::internals::app::{Builder, Subscription};
    use hookfast::internals::domain::{Delivery, OnDeadLetter, Order, Outcome};
    let desk = Desk::new().await;
    desk.execute("DELETE FROM hookfast_data.handlers; DELETE FROM hookfast_data.sources")
        .await;
    let refuse_first_step = |delivery: Delivery| async move {
        if delivery.attempt == 1 && delivery.event.event_type.to_string() == "step" {
            Outcome::dead("not yet")
        } else {
            Outcome::Delivered
        }
    };
    let mut builder = Builder::new(desk.url())
        .expect("a URL")
        .sql_source("steps".parse().expect("a name"));
    for (name, on_dead) in [
        ("plain", None),
        ("skips", Some(OnDeadLetter::Skip)),
        ("holds", Some(OnDeadLetter::Block)),
    ] {
        let mut subscription = Subscription::new(name, &["step", "later"]).expect("a name");
        subscription.policy.order = on_dead.map(|on_dead| Order {
            by: "/key".parse().expect("a path"),
            on_dead,
        });
        builder = builder.handler(subscription, refuse_first_step);
    }
    let stop = tokio_util::sync::CancellationToken::new();
    let (app, stopping) = (builder.build(), stop.clone());
    let task = tokio::spawn(async move { app.run(stopping).await.expect("it runs") });
    wait_until("the registry", async || desk.text("SELECT count(*) FROM hookfast_data.handlers h, hookfast_data.sources WHERE h.name IN ('plain', 'skips', 'holds')").await == "3").await;
    desk.execute("SELECT hookfast.enqueue('steps', 'step', '{\"key\": \"a\"}')")
        .await;
    wait_until("three dead letters", async || {
        desk.text("SELECT count(*) FROM hookfast.dead_letters")
            .await
            == "3"
    })
    .await;
    let mut operator = desk.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT hookfast.retry_all(at_most => 3, why => 'a test')")
        .execute(&mut *operator)
        .await
        .expect("retried");
    // The worker claims for each handler before the commit.
    desk.execute("SELECT hookfast.enqueue('steps', 'later', '{\"key\": \"b\"}')")
        .await;
    let delivered = "SELECT count(*) FROM hookfast.deliveries WHERE state = 'delivered'";
    wait_until("the later event, delivered to all three", async || {
        desk.text(delivered).await == "3"
    })
    .await;
    operator.commit().await.expect("committed");
    let committed = Instant::now();
    wait_until("all three", async || desk.text(delivered).await == "6").await;
    assert!(
        committed.elapsed() < Duration::from_secs(8),
        "{:?}: before the sweep that finds missed deliveries",
        committed.elapsed()
    );
    stop.cancel();
    task.await.expect("it ends normally");
}

#[tokio::test]
async fn a_reason_limits_what_is_retried_and_discarded() {
    let desk = Desk::new().await;
    desk.events(1..=4, 1).await;
    for n in 1..=4 {
        desk.dead(n, "shop", "no").await;
    }
    desk.execute(
        "UPDATE hookfast_data.dead_letters SET reason = 'lost' WHERE delivery_id IN (1, 2)",
    )
    .await;
    for (call, expected, left) in [
        ("retry_all(reason => 'lost')", "(2,0)", "1,2,3,4"),
        ("retry_all(reason => 'event_missing')", "(0,0)", "1,2,3,4"),
        (
            "retry_all(reason => 'lost', at_most => 9, why => 'a test')",
            "(2,2)",
            "3,4",
        ),
        (
            "discard_all(reason => 'lost', at_most => 9, why => 'a test')",
            "(0,0)",
            "3,4",
        ),
        (
            "discard_all(reason => 'rejected', at_most => 9, why => 'a test')",
            "(2,2)",
            "",
        ),
    ] {
        let done = desk
            .text(&format!("SELECT (matching, changed) FROM hookfast.{call}"))
            .await;
        assert_eq!(done, expected, "{call}");
        let letters = "SELECT coalesce(string_agg(delivery_id::text, ',' ORDER BY delivery_id), '') \
            FROM hookfast_data.dead_letters";
        assert_eq!(desk.text(letters).await, left, "{call}");
    }
}
