//! Repairs beside other work: order is kept, previews block nothing, and work is found at once.

use super::Store;
use crate::support::wait_until;
use hookfast::internals::store::{Role, Watermarks};
use sqlx::{AssertSqlSafe, Executor};
use std::time::Instant;
use tokio::task::JoinHandle;

/// The deliveries of the key that may run.
const DUE: &str = "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), 'none') FROM hookfast_data.outbox WHERE due_at < 'infinity'";

/// Deliveries of one key of an ordered handler: 1 and 2 are dead, and `third` is the state of 3.
async fn one_key(third: &'static str) -> Store {
    let store = Store::new().await;
    store.fill("o", 3).await;
    store
        .execute(
            "UPDATE hookfast_data.handlers SET ordered_by = '{key}'; \
             UPDATE hookfast_data.events SET body = '{\"key\": \"k\"}'; \
             UPDATE hookfast_data.outbox SET ordering_key = 'k', due_at = 'infinity'; \
             INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, ordering_key, reason) \
                SELECT id, handler_id, event_id, 1, 0, 'k', 'rejected' FROM hookfast_data.outbox WHERE id < 3; \
             DELETE FROM hookfast_data.outbox WHERE id < 3",
        )
        .await;
    store.execute(third).await;
    store
}

impl Store {
    /// Starts a statement beside an open transaction, and waits until it has ended or waits for
    /// that transaction.
    async fn beside(&self, statement: &'static str) -> JoinHandle<()> {
        let pool = self.pool.clone();
        let other = tokio::spawn(async move {
            pool.execute(statement).await.expect(statement);
        });
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        wait_until("the other one", async || {
            other.is_finished() || self.count(waits).await > 0
        })
        .await;
        other
    }
}

const NOBODY_ELSE: &str = "DELETE FROM hookfast_data.outbox";
const COMES_IN: &str = "UPDATE hookfast_data.outbox SET ordering_key = '', due_at = NULL";
const WAKE: &str =
    "SELECT hookfast_data.make_next_due(id, '{k}') FROM hookfast_data.handlers WHERE name = 'shop'";
const SEQUENCE: &str = "SELECT hookfast_data.assign_ordering_keys(id, 10) FROM hookfast_data.handlers WHERE name = 'shop'";
const RETRY_1: &str = "SELECT hookfast.retry(1, why => 'a test')";
const RETRY_2: &str = "SELECT hookfast.retry(2, why => 'a test')";

/// Neither sees the changes of the other, and still one delivery of a key is due at a time, and
/// none is forgotten. If dead letters block their keys, order is kept as well.
#[tokio::test(flavor = "multi_thread")]
async fn one_delivery_of_a_key_is_due_whatever_runs_concurrently() {
    for (on_dead, third, first, second, order) in [
        // Two operators.
        ("skip", NOBODY_ELSE, RETRY_1, RETRY_2, "1 2"),
        ("block", NOBODY_ELSE, RETRY_1, RETRY_2, "1 2"),
        ("block", NOBODY_ELSE, RETRY_2, RETRY_1, "1 2"),
        ("block", "", RETRY_1, RETRY_2, "1 2 3"),
        // The sequencer, with a new delivery.
        ("skip", COMES_IN, RETRY_1, SEQUENCE, "3 1"),
        ("skip", COMES_IN, SEQUENCE, RETRY_1, "3 1"),
        (
            "block",
            COMES_IN,
            "SELECT hookfast.retry_all(at_most => 2, why => 'a test')",
            SEQUENCE,
            "1 2 3",
        ),
        (
            "block",
            COMES_IN,
            SEQUENCE,
            "SELECT hookfast.retry_all(at_most => 2, why => 'a test')",
            "1 2 3",
        ),
        // A worker that has settled the previous delivery and makes the next one due.
        ("skip", "", WAKE, RETRY_1, "3 1"),
        ("skip", "", RETRY_1, WAKE, "3 1"),
        (
            "block",
            "",
            "SELECT hookfast.retry_all(at_most => 2, why => 'a test')",
            WAKE,
            "1 2 3",
        ),
        (
            "block",
            "",
            WAKE,
            "SELECT hookfast.retry_all(at_most => 2, why => 'a test')",
            "1 2 3",
        ),
    ] {
        let store = one_key(third).await;
        sqlx::query("UPDATE hookfast_data.handlers SET on_dead = $1")
            .bind(on_dead)
            .execute(&store.pool)
            .await
            .expect("set");
        let mut open = store.pool.begin().await.expect("a transaction");
        open.execute(first).await.expect(first);
        let other = store.beside(second).await;
        open.commit().await.expect("committed");
        other.await.expect("it ends");
        let mut seen = Vec::new();
        while store
            .count("SELECT count(*) FROM hookfast_data.outbox")
            .await
            > 0
        {
            store.execute(SEQUENCE).await;
            seen.push(store.text(DUE).await);
            store
                .execute("DELETE FROM hookfast_data.outbox WHERE due_at < 'infinity'")
                .await;
            store.execute(WAKE).await;
            assert!(
                seen.len() < 9,
                "{on_dead}, {first} beside {second}: {seen:?}"
            );
        }
        assert_eq!(seen.join(" "), order, "{on_dead}, {first} beside {second}");
    }
}

/// As while an operator reads before committing: settlements, rescue and sweeps of other keys make
/// deliveries due as well.
#[tokio::test]
async fn waking_a_key_never_waits_for_a_lock_on_its_next_delivery() {
    let store = one_key("").await;
    let mut open = store.pool.begin().await.expect("a transaction");
    open.execute("UPDATE hookfast_data.outbox SET attempt_number = attempt_number")
        .await
        .expect("locked");
    let impatient = format!("SET statement_timeout = '1s'; {WAKE}");
    let mut other = store.pool.acquire().await.expect("a connection");
    other
        .execute(AssertSqlSafe(impatient))
        .await
        .expect("it does not wait");
    assert_eq!(
        store.text(DUE).await,
        "none",
        "it is left to the transaction that locked it"
    );
    open.rollback().await.expect("rolled back");
    store.execute(WAKE).await;
    assert_eq!(store.text(DUE).await, "3");
}

/// As an operator on a standby, or one who forgets to end the transaction.
#[tokio::test]
async fn a_preview_writes_nothing_and_blocks_nothing() {
    let store = one_key("UPDATE hookfast_data.outbox SET due_at = now()").await;
    store
        .execute(
            "INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body) \
                SELECT id, sha256('x'), 'wrong_signature', '{}', '' FROM hookfast_data.sources WHERE name = 'airalo'; \
                UPDATE hookfast_data.events SET conflicts_with = gen_random_uuid()",
        )
        .await;
    for (preview, meanwhile) in [
        ("retry_all()", "SELECT hookfast.retry(1, why => 'a test')"),
        ("discard_all()", "SELECT hookfast.discard(2, 'x')"),
        (
            "reschedule_all('shop', now() + interval '1 hour')",
            "UPDATE hookfast_data.outbox SET attempt_number = 2",
        ),
        (
            "erase_all(type => '*')",
            "SELECT hookfast.replay(event_id, 'shop', 'x') FROM hookfast.events LIMIT 1",
        ),
        (
            "replay_all('shop')",
            "SELECT hookfast.erase(event_id, 'x') FROM hookfast.events WHERE event_id NOT IN (SELECT event_id FROM hookfast_data.outbox) LIMIT 1",
        ),
        (
            "reverify_quarantined()",
            "UPDATE hookfast_data.quarantine SET count = count + 1",
        ),
        (
            "discard_quarantined()",
            "UPDATE hookfast_data.quarantine SET count = count + 1",
        ),
        (
            "acknowledge_conflicts()",
            "SELECT hookfast.acknowledge_conflict(event_id, 'x') FROM hookfast.conflicts",
        ),
    ] {
        let mut looking = store.pool.begin().await.expect("a transaction");
        looking
            .execute("SET TRANSACTION READ ONLY")
            .await
            .expect("read-only");
        let query = format!("SELECT matching FROM hookfast.{preview}");
        let matching: i64 = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(&mut *looking)
            .await
            .expect(preview);
        assert!(matching > 0, "{preview}");
        let mut other = store.pool.begin().await.expect("a transaction");
        other
            .execute("SET LOCAL lock_timeout = '2s'")
            .await
            .expect("impatient");
        other
            .execute(meanwhile)
            .await
            .unwrap_or_else(|error| panic!("{meanwhile} beside {preview}: {error}"));
        other.rollback().await.expect("rolled back");
        looking.rollback().await.expect("rolled back");
    }
}

/// It would match nothing, and the operator would believe that there is nothing.
#[tokio::test]
async fn an_invalid_payload_predicate_is_rejected() {
    let store = one_key("").await;
    for function in [
        "retry_all(",
        "discard_all(",
        "erase_all(",
        "replay_all('shop', ",
    ] {
        let ask = async |payload: &str| {
            let query = format!("SELECT matching FROM hookfast.{function}payload => '{payload}')");
            sqlx::query_scalar::<_, i64>(AssertSqlSafe(query))
                .fetch_one(&store.pool)
                .await
        };
        let refused = ask(r#"$ ? (@.key == "k")"#)
            .await
            .expect_err(function)
            .into_database_error()
            .expect("ours");
        assert_eq!(refused.code().as_deref(), Some("22023"), "{function}");
        assert!(
            refused.message().ends_with("nothing was changed"),
            "{refused}"
        );
        assert!(
            ask(r#"$.key == "k""#).await.expect("a predicate") > 0,
            "{function}"
        );
    }
}

/// Workers look back to the beginning of the transaction, and no further.
#[tokio::test]
async fn a_time_long_past_makes_it_due_at_once() {
    let store = Store::new().await;
    store.fill("o", 3).await;
    store
        .execute(
            "UPDATE hookfast_data.outbox SET due_at = CASE id WHEN 1 THEN now() ELSE now() + interval '1 hour' END",
        )
        .await;
    let (lease, mut claimer) = (store.lease().await, store.connection(Role::Claim).await);
    let mut watermarks = Watermarks::new(Instant::now());
    for claimed in [1, 0] {
        assert_eq!(
            store
                .claim(&mut claimer, lease, 10, &mut watermarks)
                .await
                .claimed
                .len(),
            claimed
        );
    }
    let before = store
        .count("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        .await;
    store
        .execute("SELECT hookfast.reschedule(2, '2020-01-01', why => 'a test'); SELECT hookfast.reschedule_all('shop', '2020-01-01', at_most => 2, why => 'a test')")
        .await;
    // The content of the notification: its transaction began after this.
    watermarks.lower_due(before);
    assert_eq!(
        store
            .claim(&mut claimer, lease, 10, &mut watermarks)
            .await
            .claimed
            .len(),
        2
    );
}

#[tokio::test]
async fn a_replay_ends_at_its_start_time_whatever_arrives_meanwhile() {
    let store = Store::new().await;
    store.fill("o", 3).await;
    // A replay ends at the current millisecond, so none of these events may be of that millisecond.
    wait_until("the next millisecond", async || {
        let newest =
            "SELECT count(*) FROM hookfast_data.events WHERE id >= hookfast.event_id_at(clock_timestamp())";
        store.count(newest).await == 0
    })
    .await;
    store.execute("DELETE FROM hookfast_data.outbox; SELECT hookfast.replay_all('shop', received_before => now() + interval '1 day', per_second => 10, at_most => 3, why => 'a test')").await;
    store.fill("live", 3).await;
    store.execute("UPDATE hookfast_data.replays SET last_progress_at = last_progress_at - interval '5 seconds'; SELECT hookfast_data.advance_replay(id) FROM hookfast_data.replays").await;
    let twice = "SELECT count(*) FROM (SELECT FROM hookfast_data.outbox GROUP BY event_id HAVING count(*) > 1) x";
    assert_eq!(store.count(twice).await, 0, "live deliveries run once");
    assert_eq!(
        store
            .text("SELECT state || replayed FROM hookfast.replays")
            .await,
        "done3"
    );
}

#[tokio::test]
async fn any_time_is_a_bound_on_ids() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    let counted = async |after: &str| {
        let query = format!(
            "SELECT count(*) FROM hookfast.events WHERE event_id >= hookfast.event_id_at('{after}')"
        );
        sqlx::query_scalar::<_, i64>(AssertSqlSafe(query))
            .fetch_one(&store.pool)
            .await
            .expect(after)
    };
    for (after, events) in [
        ("-infinity", 2),
        ("1960-01-01", 2),
        ("2020-01-01", 2),
        ("yesterday", 2),
        ("tomorrow", 0),
        ("infinity", 0),
    ] {
        assert_eq!(counted(after).await, events, "{after}");
    }
    assert_eq!(
        store
            .text("SELECT coalesce(hookfast.event_id_at(NULL)::text, 'null')")
            .await,
        "null"
    );
}
