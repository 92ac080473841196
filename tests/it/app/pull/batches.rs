//! Several deliveries of a lease that are settled at once.

use super::{claim, code, in_order_of_steps, running};
use crate::{app::Running, support::postgres::database};
use sqlx::{Connection, PgConnection, PgExecutor};

async fn complete_many(
    to: impl PgExecutor<'_>,
    lease: i64,
    deliveries: impl Into<Option<Vec<Option<i64>>>>,
) -> Result<(), String> {
    let done = sqlx::query("SELECT hookfast.complete_many($1, $2)")
        .bind(lease)
        .bind(deliveries.into())
        .execute(to)
        .await;
    done.map(drop).map_err(code)
}

const PENDING: &str = "SELECT count(*) FROM hookfast_data.outbox";
const DELIVERED: &str = "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered'";

async fn counted(running: &Running, counter: &str) -> i64 {
    let counted = "SELECT coalesce(sum(value), 0)::bigint FROM hookfast.counts WHERE name = 'shop' AND counter = $1";
    sqlx::query_scalar(counted)
        .bind(counter)
        .fetch_one(&running.pool)
        .await
        .expect("a number")
}

async fn roll_up(running: &Running) {
    running
        .execute("SELECT hookfast_data.roll_up_counts()")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_completed_all_or_none() {
    let database = database().await;
    let running = running(&database, 6).await;
    let mut early = running.pool.begin().await.expect("a transaction");
    let in_one = "SELECT hookfast.complete_many(lease_id, array_agg(delivery_id)) FROM hookfast.claim('shop', 'a test', 2) GROUP BY lease_id";
    let in_one = sqlx::query(in_one).execute(&mut *early).await;
    assert_eq!(in_one.map_err(code).err().as_deref(), Some("HF003"));
    early.rollback().await.expect("rolled back");
    let claimed = claim(&running.pool, 6).await;
    let (lease, id) = (claimed[0].0, |n: usize| Some(claimed[n].1));
    assert!(claimed.iter().all(|held| held.0 == lease));
    for (stale, expected) in [
        (Some(vec![id(0), id(1), Some(999_999)]), "HF002"),
        (Some(vec![id(0), None]), "HF002"),
        (None, "22004"),
    ] {
        let done = complete_many(&running.pool, lease, stale.clone()).await;
        assert_eq!(done, Err(expected.to_owned()), "{stale:?}");
    }
    let other = complete_many(&running.pool, lease + 1, vec![id(0)]).await;
    assert_eq!(other, Err("HF002".to_owned()));
    assert_eq!(complete_many(&running.pool, lease, vec![]).await, Ok(()));
    let mut transaction = running.pool.begin().await.expect("a transaction");
    let all: Vec<_> = (0..6).map(id).collect();
    let done = complete_many(&mut *transaction, lease, all).await;
    assert_eq!(done, Ok(()));
    transaction.rollback().await.expect("rolled back");
    assert_eq!(running.count(PENDING).await, 6);
    assert_eq!(running.count(DELIVERED).await, 0);
    // One id twice is one delivery.
    let twice = vec![id(3), id(0), id(3), id(1)];
    assert_eq!(complete_many(&running.pool, lease, twice).await, Ok(()));
    assert_eq!(running.count(PENDING).await, 3);
    assert_eq!(running.count(DELIVERED).await, 3);
    let again = complete_many(&running.pool, lease, vec![id(2), id(0)]).await;
    assert_eq!(again, Err("HF002".to_owned()));
    assert_eq!(running.count(PENDING).await, 3);
    roll_up(&running).await;
    assert_eq!(counted(&running, "delivered").await, 3);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_fail_together_each_by_its_own_attempts() {
    let database = database().await;
    let running = running(&database, 5).await;
    let claimed = claim(&running.pool, 5).await;
    let lease = claimed[0].0;
    let ids = |numbers: &[usize]| -> Vec<i64> { numbers.iter().map(|n| claimed[*n].1).collect() };
    running
        .execute(&format!(
            "UPDATE hookfast_data.outbox SET attempts_left = 1 WHERE id = {}",
            claimed[1].1
        ))
        .await;
    let fail = |deliveries: Vec<i64>, dead: Option<bool>| {
        let fail = "SELECT hookfast.fail_many($1, $2, 'the shop is closed', retry_after => '1 hour', dead => $3)";
        let fail = sqlx::query(fail).bind(lease).bind(deliveries).bind(dead);
        async { fail.execute(&running.pool).await.map(drop).map_err(code) }
    };
    let stale = [ids(&[0]), vec![999_999]].concat();
    assert_eq!(fail(stale, None).await, Err("HF002".to_owned()));
    assert_eq!(running.count(PENDING).await, 5);
    assert_eq!(fail(ids(&[0, 1, 2]), None).await, Ok(()));
    let later = "SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NULL AND due_at > clock_timestamp() + interval '59 minutes'";
    assert_eq!(running.count(later).await, 2);
    assert_eq!(fail(ids(&[3, 4]), Some(true)).await, Ok(()));
    let dead = "SELECT string_agg(reason || ':' || last_error, ' ' ORDER BY reason, delivery_id) FROM hookfast.dead_letters";
    assert_eq!(
        running.text(dead).await,
        "attempts_exhausted:the shop is closed rejected:the shop is closed rejected:the shop is closed"
    );
    let attempts = "SELECT string_agg(outcome || ' ' || error_kind, ', ' ORDER BY outcome, delivery_id) FROM hookfast_data.attempts";
    assert_eq!(
        running.text(attempts).await,
        "dead handler, dead handler, dead handler, retry handler, retry handler"
    );
    roll_up(&running).await;
    assert_eq!(counted(&running, "retry").await, 2);
    assert_eq!(counted(&running, "dead").await, 3);
    running.end().await;
}

/// The last delivery of each key is completed in the same batch, so its successor becomes due.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_delivery_of_each_key_is_due_after_a_batch() {
    let database = database().await;
    let running = in_order_of_steps(&database).await;
    for step in 0..9 {
        let key = step % 3;
        let payload = format!("{{\"key\": \"key {key}\", \"step\": {step}}}");
        running
            .execute(&format!(
                "SELECT hookfast.enqueue('steps', 'step', '{payload}')"
            ))
            .await;
    }
    for round in 0..3 {
        let claimed = claim(&running.pool, 10).await;
        assert_eq!(claimed.len(), 3, "one of each key in round {round}");
        let ids = claimed.iter().map(|held| Some(held.1)).collect::<Vec<_>>();
        let done = complete_many(&running.pool, claimed[0].0, ids).await;
        assert_eq!(done, Ok(()));
    }
    assert_eq!(running.count(PENDING).await, 0);
    running.end().await;
}

/// A plan made for a small outbox is used for a large one.
#[tokio::test(flavor = "multi_thread")]
async fn settling_reads_no_other_delivery_whatever_it_was_planned_for() {
    let database = database().await;
    let running = running(&database, 0).await;
    let insert = |rows: u32| {
        format!(
            "INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left) \
             SELECT h.id, hookfast_data.new_event_id(), 9 FROM hookfast_data.handlers h, generate_series(1, {rows}) WHERE h.name = 'shop'"
        )
    };
    let mut client = PgConnection::connect(database.url())
        .await
        .expect("a connection");
    let settle = [
        "SELECT hookfast.complete_many($1, $2)",
        "SELECT hookfast.fail_many($1, $2, 'no')",
    ];
    let mut settled = async |batch: i32| {
        let mut read = Vec::new();
        for statement in settle {
            let claimed = claim(&running.pool, batch).await;
            let ids: Vec<i64> = claimed.iter().map(|held| held.1).collect();
            let mut transaction = client.begin().await.expect("a transaction");
            sqlx::query(statement)
                .bind(claimed[0].0)
                .bind(&ids)
                .execute(&mut *transaction)
                .await
                .expect("held");
            let rows = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_all_tables WHERE relid = 'hookfast_data.outbox'::regclass";
            let rows: i64 = sqlx::query_scalar(rows)
                .fetch_one(&mut *transaction)
                .await
                .expect("a number");
            transaction.commit().await.expect("committed");
            read.push((ids.len(), rows));
        }
        read
    };
    running.execute(&insert(40)).await;
    for _ in 0..7 {
        settled(2).await;
    }
    running.execute("DELETE FROM hookfast_data.outbox").await;
    running.execute("VACUUM ANALYZE hookfast_data.outbox").await;
    running.execute(&insert(30_000)).await;
    for (deliveries, rows) in settled(100).await {
        assert_eq!(deliveries, 100);
        // The index has an entry for each version of a row that is not yet removed.
        assert!(rows <= 1_000, "{rows} of 30,000 rows were read");
    }
    running.end().await;
}
