//! Clients that claim and complete through SQL.

use super::{Running, source, subscription};
use crate::support::{airalo::order, postgres::database, wait_until};
use hookfast::domain::{OnDeadLetter, OnInvalidSignature::Reject, Order, RetryPolicy};
use sqlx::{PgExecutor, PgPool, Row};
use std::time::Duration;

async fn running(database: &crate::support::postgres::Database, orders: u64) -> Running {
    let running = Running::start(database, |builder| {
        let mut shop = subscription("shop");
        shop.types = vec!["airalo.order.*".parse().expect("a pattern")];
        builder.source(source(Reject)).pull_handler(shop)
    })
    .await;
    for i in 0..orders {
        assert_eq!(
            running.post(&order(&format!("order-{i:019}"), i)).await.0,
            200
        );
    }
    running
}

/// What a claim answers, as far as these tests look: lease, delivery, attempt.
async fn claim(pool: &PgPool, batch: i32) -> Vec<(i64, i64, i32)> {
    let rows = sqlx::query("SELECT * FROM hookfast.claim('shop', 'a test', $1)")
        .bind(batch)
        .fetch_all(pool)
        .await;
    let read = |row: &sqlx::postgres::PgRow| {
        (
            row.get("lease_id"),
            row.get("delivery_id"),
            row.get("attempt_number"),
        )
    };
    rows.expect("a claim").iter().map(read).collect()
}

async fn complete(
    to: impl PgExecutor<'_>,
    (lease, delivery, _): (i64, i64, i32),
) -> Result<(), String> {
    let done = sqlx::query("SELECT hookfast.complete($1, $2)")
        .bind(lease)
        .bind(delivery)
        .execute(to)
        .await;
    done.map(drop).map_err(code)
}

fn code(error: sqlx::Error) -> String {
    error
        .into_database_error()
        .and_then(|error| error.code().map(|code| code.into_owned()))
        .expect("the server's")
}

async fn expire(running: &Running) {
    running
        .execute(
            "UPDATE hookfast_data.leases SET expires_at = clock_timestamp() - interval '1 minute' WHERE kind = 'pull'",
        )
        .await;
}

/// A client that may pull could otherwise settle what another holds, by counting.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_guess_a_lease_and_readers_do_not_see_it() {
    let database = database().await;
    let running = running(&database, 4).await;
    let mut leases = Vec::new();
    for _ in 0..4 {
        leases.push(claim(&running.pool, 1).await[0].0);
    }
    leases.sort_unstable();
    assert!(
        leases.windows(2).all(|pair| pair[1] - pair[0] > 1_000_000),
        "{leases:?}"
    );
    assert!(leases[0] > 1_000_000, "{leases:?}");
    let role = format!(
        "CREATE ROLE reads_{0} NOLOGIN; GRANT USAGE ON SCHEMA hookfast TO reads_{0}; \
        GRANT SELECT ON hookfast.workers TO reads_{0}",
        leases[3]
    );
    running.execute(&role).await;
    let mut reader = running.pool.begin().await.expect("a transaction");
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "SET LOCAL ROLE reads_{}",
        leases[3]
    )))
    .execute(&mut *reader)
    .await
    .expect("a reader");
    let shown = "SELECT count(*), count(lease_id) FROM hookfast.workers WHERE kind = 'pull'";
    let shown: (i64, i64) = sqlx::query_as(shown)
        .fetch_one(&mut *reader)
        .await
        .expect("the workers");
    assert_eq!(shown, (4, 0));
    reader.rollback().await.expect("rolled back");
    running
        .execute(&format!(
            "DROP OWNED BY reads_{0}; DROP ROLE reads_{0}",
            leases[3]
        ))
        .await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_completed_commits_with_its_work_and_once() {
    let database = database().await;
    let running = running(&database, 5).await;
    running
        .execute("CREATE TABLE ledger (delivery_id bigint)")
        .await;
    let claimed = claim(&running.pool, 3).await;
    assert_eq!((claimed.len(), claimed.iter().all(|c| c.2 == 1)), (3, true));
    assert_eq!(
        claim(&running.pool, 10).await.len(),
        2,
        "what is held is not claimed again"
    );
    let row = sqlx::query("SELECT source, type, origin, payload->>'request_id' AS request, headers->>'host' AS host, body = convert_to(payload::text, 'UTF8') IS NOT NULL AS body FROM hookfast.events WHERE type LIKE 'airalo.order%' LIMIT 1").fetch_one(&running.pool).await.expect("a row");
    assert_eq!(row.get::<String, _>("source"), "airalo");
    // Rolled back: neither the work nor the end.
    let mut transaction = running.pool.begin().await.expect("a transaction");
    sqlx::query("INSERT INTO ledger VALUES ($1)")
        .bind(claimed[0].1)
        .execute(&mut *transaction)
        .await
        .expect("work");
    complete(&mut *transaction, claimed[0]).await.expect("held");
    transaction.rollback().await.expect("rolled back");
    for claim in &claimed {
        let mut transaction = running.pool.begin().await.expect("a transaction");
        sqlx::query("INSERT INTO ledger VALUES ($1)")
            .bind(claim.1)
            .execute(&mut *transaction)
            .await
            .expect("work");
        complete(&mut *transaction, *claim).await.expect("held");
        transaction.commit().await.expect("committed");
    }
    assert_eq!(
        complete(&running.pool, claimed[0]).await,
        Err("HF002".into()),
        "twice"
    );
    assert_eq!(running.count("SELECT count(*) FROM ledger").await, 3);
    assert_eq!(
        running.count("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered' AND duration_ms >= 0").await,
        3
    );
    running.end().await;
}

/// From the claim to the end, as the attempts in a process are counted.
#[tokio::test(flavor = "multi_thread")]
async fn how_long_clients_take_is_in_the_health_of_their_handler() {
    let database = database().await;
    let running = running(&database, 2).await;
    let claimed = claim(&running.pool, 2).await;
    running
        .execute(
            "UPDATE hookfast_data.leases SET registered_at = registered_at - interval '3 seconds' WHERE kind = 'pull'",
        )
        .await;
    complete(&running.pool, claimed[0]).await.expect("held");
    let failing = sqlx::query("SELECT hookfast.fail($1, $2, 'oh')")
        .bind(claimed[1].0)
        .bind(claimed[1].1);
    failing.execute(&running.pool).await.expect("held");
    running
        .execute("SELECT hookfast_data.roll_up_counts()")
        .await;
    let health = "SELECT count(*) FROM hookfast.handler_health h JOIN hookfast.durations d USING (handler) \
        WHERE h.handler = 'shop' AND h.median_ms = 5000 AND h.p95_ms = 5000 AND d.attempts_last_5_minutes = 2";
    wait_until("the durations", async || running.count(health).await == 1).await;
    running.end().await;
}

/// The process and the functions of clients count into the same counters.
#[tokio::test]
async fn durations_are_counted_by_the_same_bounds_in_sql_as_in_a_process() {
    let database = database().await;
    let pool = database.pool().await;
    let metrics = hookfast::telemetry::metrics::Metrics::default();
    for bound in (0..10).flat_map(|power| [1u64, 2, 5].map(|n| n * 10u64.pow(power))) {
        for millis in [bound - 1, bound, bound + 1] {
            metrics.attempt_took("shop", Duration::from_millis(millis));
            let counter = sqlx::query_scalar("SELECT hookfast_data.duration_counter($1::bigint)");
            let counter: String = counter
                .bind(i64::try_from(millis).expect("small"))
                .fetch_one(&pool)
                .await
                .expect("a counter");
            assert_eq!(metrics.take_pending()[0].1, counter, "{millis}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_back_too_late_cannot_commit() {
    let database = database().await;
    let running = running(&database, 2).await;
    let (late, other) = {
        let claimed = claim(&running.pool, 2).await;
        (claimed[0], claimed[1])
    };
    expire(&running).await;
    let mut again = Vec::new();
    wait_until("another client to get them", async || {
        again.extend(claim(&running.pool, 2).await);
        again.len() == 2
    })
    .await;
    assert_eq!(again[0].2, 2, "the attempt was counted");
    assert_eq!(complete(&running.pool, late).await, Err("HF002".into()));
    let failed = sqlx::query("SELECT hookfast.fail($1, $2, 'x')")
        .bind(other.0)
        .bind(other.1)
        .execute(&running.pool)
        .await;
    assert_eq!(failed.map(drop).map_err(code), Err("HF002".into()));
    let extended = sqlx::query("SELECT hookfast.extend_lease($1)")
        .bind(late.0)
        .execute(&running.pool)
        .await;
    assert_eq!(extended.map(drop).map_err(code), Err("HF002".into()));
    for claim in again {
        complete(&running.pool, claim).await.expect("held");
    }
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast_data.outbox")
            .await,
        0
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_expired_may_be_prolonged_while_nobody_has_taken_over() {
    let database = database().await;
    let running = running(&database, 1).await;
    let claimed = claim(&running.pool, 1).await[0];
    running.execute("UPDATE hookfast_data.leases SET expires_at = now() - interval '1 ms' WHERE kind = 'pull'").await;
    let extend = "SELECT hookfast.extend_lease($1, '90 seconds') > clock_timestamp() + interval '80 seconds'";
    let prolonged: bool = sqlx::query_scalar(extend)
        .bind(claimed.0)
        .fetch_one(&running.pool)
        .await
        .expect("prolonged");
    assert!(prolonged);
    complete(&running.pool, claimed).await.expect("held");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_tried_again_until_its_tries_are_used_up() {
    let database = database().await;
    let running = running(&database, 2).await;
    let refused = claim(&running.pool, 1).await[0];
    let fail = "SELECT hookfast.fail($1, $2, $3, dead => $4)";
    let fail = |claim: (i64, i64, i32), error: &'static str, dead: bool| {
        sqlx::query(fail)
            .bind(claim.0)
            .bind(claim.1)
            .bind(error)
            .bind(dead)
            .execute(&running.pool)
    };
    fail(refused, "never", true).await.expect("held");
    for attempt in 1..=4 {
        let mut claimed = Vec::new();
        wait_until("the next try", async || {
            claimed = claim(&running.pool, 10).await;
            !claimed.is_empty()
        })
        .await;
        assert_eq!((claimed.len(), claimed[0].2), (1, attempt));
        fail(claimed[0], "the shop is closed", false)
            .await
            .expect("held");
    }
    let dead = "SELECT string_agg(reason || ':' || last_error || ':' || attempts, ' ' ORDER BY reason) FROM hookfast.dead_letters";
    assert_eq!(
        running.text(dead).await,
        "attempts_exhausted:the shop is closed:4 refused:never:1"
    );
    let waited = "SELECT hookfast_data.retry_delay('{\"delays_ms\": [1000, 60000]}', 7) BETWEEN interval '60 s' AND interval '72 s' \
        AND hookfast_data.retry_delay('{\"delays_ms\": []}', 1) = interval '0' \
        AND hookfast_data.retry_delay('{\"base_ms\": 1000, \"max_ms\": 4000, \"max_attempts\": 9}', 500) <= interval '4 s'";
    assert!(
        sqlx::query_scalar::<_, bool>(waited)
            .fetch_one(&running.pool)
            .await
            .expect("an answer")
    );
    running.end().await;
}

/// As the configuration writes it: a client whose shop is away for minutes must not use up all attempts within seconds.
#[tokio::test(flavor = "multi_thread")]
async fn an_exponential_delay_grows_with_each_failure() {
    let database = database().await;
    let (base, max) = (Duration::from_secs(10), Duration::from_secs(3600));
    let running = Running::start(&database, |builder| {
        let mut shop = subscription("shop");
        shop.policy.retry = RetryPolicy::Exponential {
            base,
            max,
            max_attempts: 10,
        };
        builder.source(source(Reject)).pull_handler(shop)
    })
    .await;
    let mut longest = 0.0_f64;
    for failure in 1..=9 {
        running
            .execute("UPDATE hookfast_data.outbox SET due_at = clock_timestamp()")
            .await;
        let mut claimed = Vec::new();
        wait_until("a claim", async || {
            claimed = claim(&running.pool, 1).await;
            !claimed.is_empty()
        })
        .await;
        let failed = sqlx::query("SELECT hookfast.fail($1, $2, 'away')")
            .bind(claimed[0].0)
            .bind(claimed[0].1);
        failed.execute(&running.pool).await.expect("held");
        let delay = "SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM hookfast_data.outbox";
        let delay: f64 = sqlx::query_scalar(delay)
            .fetch_one(&running.pool)
            .await
            .expect("pending");
        assert!(
            delay <= 10.0 * 2.0_f64.powi(failure - 1),
            "{delay} s after failure {failure}"
        );
        longest = longest.max(delay);
    }
    // Each is random between nothing and its bound: that the last five are all this short does not happen by chance.
    assert!(longest > 10.0, "{longest} s");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_can_do_wrong_says_what_to_do() {
    let database = database().await;
    let running = running(&database, 1).await;
    let mut transaction = running.pool.begin().await.expect("a transaction");
    let row = sqlx::query("SELECT * FROM hookfast.claim('shop', 'a test')")
        .fetch_one(&mut *transaction)
        .await
        .expect("claimed");
    let claimed = (
        row.get("lease_id"),
        row.get("delivery_id"),
        row.get("attempt_number"),
    );
    assert_eq!(
        complete(&mut *transaction, claimed).await,
        Err("HF003".into()),
        "a crash would not count"
    );
    transaction.rollback().await.expect("rolled back");
    // Nor where the claim was behind a savepoint.
    let mut transaction = running.pool.begin().await.expect("a transaction");
    sqlx::raw_sql("SAVEPOINT before")
        .execute(&mut *transaction)
        .await
        .expect("a savepoint");
    let row = sqlx::query("SELECT * FROM hookfast.claim('shop', 'a test')")
        .fetch_one(&mut *transaction)
        .await;
    let row = row.expect("claimed");
    sqlx::raw_sql("RELEASE before")
        .execute(&mut *transaction)
        .await
        .expect("released");
    let claimed = (
        row.get("lease_id"),
        row.get("delivery_id"),
        row.get("attempt_number"),
    );
    assert_eq!(
        complete(&mut *transaction, claimed).await,
        Err("HF003".into()),
        "a crash would not count"
    );
    transaction.rollback().await.expect("rolled back");
    for (statement, expected) in [
        ("SELECT * FROM hookfast.claim('nobody', 'x')", "HF004"),
        ("SELECT * FROM hookfast.claim('shop', 'x', 0)", "22023"),
        (
            "SELECT * FROM hookfast.claim('shop', 'x', 10, '0 s')",
            "22023",
        ),
        ("SELECT hookfast.complete(1, 1)", "HF002"),
    ] {
        let error = sqlx::query(statement)
            .execute(&running.pool)
            .await
            .expect_err(statement);
        assert_eq!(code(error), expected, "{statement}");
    }
    running
        .execute("SELECT hookfast.pause_handler('shop', 'a test')")
        .await;
    assert!(claim(&running.pool, 1).await.is_empty());
    running
        .execute("SELECT hookfast.resume_handler('shop', why => 'a test')")
        .await;
    assert_eq!(claim(&running.pool, 1).await.len(), 1);
    running.end().await;
}

/// Two clients, one of which gives keys to new deliveries while the other ends the one before: whatever the two see of
/// each other, the next of the key is woken, and nothing but a claim looks for it.
#[tokio::test(flavor = "multi_thread")]
async fn no_wake_up_between_two_clients_is_lost() {
    const STEPS: i64 = 600;
    let database = database().await;
    let running = Running::start(&database, |builder| {
        let mut shop = subscription("shop");
        shop.types = vec!["step".parse().expect("a pattern")];
        shop.policy.order = Some(Order {
            by: "/key".parse().expect("a path"),
            on_dead: OnDeadLetter::Skip,
        });
        builder
            .source(source(Reject))
            .sql_source("steps".parse().expect("a name"))
            .pull_handler(shop)
    })
    .await;
    running
        .execute("CREATE TABLE ledger (at bigint GENERATED ALWAYS AS IDENTITY, delivery_id bigint)")
        .await;
    let mut tasks = tokio::task::JoinSet::new();
    let pool = running.pool.clone();
    tasks.spawn(async move {
        for step in 0..STEPS {
            // While the one before is being ended, and nothing else of the key is there that could wake it.
            let begun = "SELECT count(*) >= $1 FROM hookfast_data.attempts a FULL JOIN hookfast_data.outbox o ON o.id = a.delivery_id WHERE a.attempt_number = 1 OR o.attempt_number = 1";
            while !sqlx::query_scalar::<_, bool>(begun).bind(step).fetch_one(&pool).await.expect("an answer") {}
            let enqueue = "SELECT hookfast.enqueue('steps', 'step', '{\"key\":\"the only one\"}')";
            sqlx::query(enqueue).execute(&pool).await.expect("enqueued");
        }
    });
    for _ in 0..2 {
        let pool = running.pool.clone();
        tasks.spawn(async move {
            let done = async || {
                sqlx::query_scalar::<_, i64>("SELECT count(*) FROM ledger")
                    .fetch_one(&pool)
                    .await
            };
            while done().await.expect("a number") < STEPS {
                for held in claim(&pool, 10).await {
                    let mut transaction = pool.begin().await.expect("a transaction");
                    let book =
                        sqlx::query("INSERT INTO ledger (delivery_id) VALUES ($1)").bind(held.1);
                    book.execute(&mut *transaction).await.expect("work");
                    complete(&mut *transaction, held).await.expect("held");
                    transaction.commit().await.expect("committed");
                }
            }
        });
    }
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no panic")
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .expect("every step is done, none waits for ever");
    let out_of_order = "SELECT count(*) FROM (SELECT delivery_id < lag(delivery_id) OVER (ORDER BY at) AS back FROM ledger) x WHERE back";
    assert_eq!(
        (
            running.count("SELECT count(*) FROM ledger").await,
            running.count(out_of_order).await
        ),
        (STEPS, 0)
    );
    running.end().await;
}

/// What came by HTTP is in one lane, what was enqueued in the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_filled_from_both_lanes_and_neither_starves_the_other() {
    let database = database().await;
    let running = Running::start(&database, |builder| {
        let mut shop = subscription("shop");
        shop.types = ["airalo.order.*", "jobs.*"]
            .map(|pattern| pattern.parse().expect("a pattern"))
            .to_vec();
        builder
            .source(source(Reject))
            .sql_source("jobs".parse().expect("a name"))
            .pull_handler(shop)
    })
    .await;
    let enqueue = "SELECT hookfast.enqueue('jobs', 'jobs.order.paid', to_jsonb(n)) FROM generate_series(1, 30) n";
    let send = async |orders: std::ops::Range<u64>| {
        for i in orders {
            assert_eq!(
                running.post(&order(&format!("order-{i:019}"), i)).await.0,
                200
            );
        }
    };
    running.execute(enqueue).await;
    assert_eq!(
        claim(&running.pool, 30).await.len(),
        30,
        "the late lane alone"
    );
    send(0..10).await;
    assert_eq!(
        claim(&running.pool, 10).await.len(),
        10,
        "the fresh lane alone"
    );
    running.execute(enqueue).await;
    send(10..40).await;
    // One at a time, both full: a lane that starves the other would have every one of these.
    let mut lanes = std::collections::HashMap::<String, usize>::new();
    for _ in 0..29 {
        let row = sqlx::query("SELECT source FROM hookfast.claim('shop', 'a test', 1)")
            .fetch_one(&running.pool)
            .await;
        *lanes.entry(row.expect("one").get("source")).or_default() += 1;
    }
    assert!(lanes.len() == 2, "{lanes:?}");
    assert_eq!(
        claim(&running.pool, 100).await.len(),
        60 - 29,
        "both together"
    );
    running.end().await;
}

/// Most leases end with nothing left under them.
#[tokio::test(flavor = "multi_thread")]
async fn leases_that_hold_nothing_are_removed_however_many_there_are() {
    let database = database().await;
    let running = running(&database, 1).await;
    let held = claim(&running.pool, 1).await[0];
    running
        .execute(
            "INSERT INTO hookfast_data.leases (kind, owner, handlers, deliveries, claimed_in, expires_at)
            SELECT 'pull', 'gone', handlers, '{0}', claimed_in, clock_timestamp() - interval '1 hour'
            FROM hookfast_data.leases, generate_series(1, 450) WHERE kind = 'pull'",
        )
        .await;
    assert_eq!(
        hookfast::store::rescue_pulled(&running.pool)
            .await
            .expect("looked"),
        []
    );
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast_data.leases WHERE kind = 'pull'")
            .await,
        1
    );
    complete(&running.pool, held).await.expect("held");
    running.end().await;
}

/// The net under the wake-ups of what is pulled, whose handlers no worker sweeps.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_woke_is_found() {
    let database = database().await;
    let running = Running::start(&database, |builder| {
        let mut shop = subscription("shop");
        shop.types = vec!["step".parse().expect("a pattern")];
        shop.policy.order = Some(Order {
            by: "/key".parse().expect("a path"),
            on_dead: OnDeadLetter::Skip,
        });
        builder
            .source(source(Reject))
            .sql_source("steps".parse().expect("a name"))
            .pull_handler(shop)
    })
    .await;
    running.execute("SELECT hookfast.enqueue('steps', 'step', '{\"key\":\"k\"}') FROM generate_series(1, 2)").await;
    assert_eq!(claim(&running.pool, 1).await.len(), 1);
    running
        .execute("DELETE FROM hookfast_data.outbox WHERE lease_id IS NOT NULL")
        .await;
    assert!(
        claim(&running.pool, 1).await.is_empty(),
        "its end woke nobody"
    );
    for handler in hookfast::store::pulled_handlers(&running.pool)
        .await
        .expect("handlers")
    {
        hookfast::store::KeySweep::new(handler)
            .step(&running.pool)
            .await
            .expect("looked");
    }
    assert_eq!(claim(&running.pool, 1).await.len(), 1);
    running.end().await;
}
