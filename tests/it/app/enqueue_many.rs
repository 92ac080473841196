//! Events that an application enqueues together have the same effects as those enqueued one by one.

use super::{Running, source, subscription};
use crate::support::postgres::database;
use hookfast::internals::domain::OnInvalidSignature::Reject;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use sqlx::{PgPool, Row};
use uuid::Uuid;

type Input = (Option<String>, String);
type Verdict = (i64, Uuid, String);

async fn running(database: &crate::support::postgres::Database) -> Running {
    Running::start(database, |builder| {
        builder
            .source(source(Reject))
            .sql_source("one".parse().expect("a name"))
            .sql_source("many".parse().expect("a name"))
            .pull_handler(subscription("all"))
    })
    .await
}

async fn enqueue_many(
    pool: &PgPool,
    source: &str,
    inputs: &[Input],
) -> Result<Vec<Verdict>, String> {
    let enqueue =
        "SELECT * FROM hookfast.enqueue_many($1, 'shop.order.paid', $2::text[]::jsonb[], $3)";
    let keys: Vec<_> = inputs.iter().map(|(key, _)| key.as_deref()).collect();
    let payloads: Vec<_> = inputs.iter().map(|(_, payload)| payload.as_str()).collect();
    let rows = sqlx::query(enqueue)
        .bind(source)
        .bind(payloads)
        .bind(keys)
        .fetch_all(pool)
        .await;
    let read =
        |row: &sqlx::postgres::PgRow| (row.get("place"), row.get("event_id"), row.get("verdict"));
    match rows {
        Ok(rows) => Ok(rows.iter().map(read).collect()),
        Err(error) => Err(super::pull::code(error)),
    }
}

fn inputs(random: &mut StdRng, count: usize) -> Vec<Input> {
    let key = |random: &mut StdRng| match random.random_range(0..20) {
        0 => None,
        1 => Some(String::new()),
        2 => Some(format!("x#conflict:{}", random.random_range(0..3))),
        3 => Some("long".repeat(60 + random.random_range(0..2))),
        _ => Some(format!("Order_{}", random.random_range(0..60))),
    };
    let payload =
        |random: &mut StdRng| format!("{{\"order\": \"o-{}\"}}", random.random_range(0..3));
    (0..count).map(|_| (key(random), payload(random))).collect()
}

/// What the database has of a source. Ids are random, so events are named by their keys; those
/// without a key have none that stays the same.
async fn stored(running: &Running, source: &str) -> String {
    running
        .execute("SELECT hookfast_data.roll_up_counts()")
        .await;
    let rows = "WITH e AS (SELECT e.*, CASE WHEN e.idempotency_key LIKE 'enqueue:%' THEN 'enqueue' ELSE e.idempotency_key END AS name \
            FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id WHERE s.name = $1) \
        SELECT string_agg(x.line, E'\\n' ORDER BY x.line COLLATE \"C\") FROM ( \
            SELECT concat_ws(' ', 'event', e.name, e.type, e.origin, f.name, convert_from(e.body, 'UTF8')) FROM e LEFT JOIN e f ON f.id = e.conflicts_with \
            UNION ALL SELECT concat_ws(' ', 'delivery', e.name, o.attempts_left, o.due_at IS NULL) FROM e JOIN hookfast_data.outbox o ON o.event_id = e.id \
            UNION ALL SELECT concat_ws(' ', 'key', CASE WHEN k.key LIKE 'enqueue:%' THEN 'enqueue' ELSE k.key END, e.name, k.fingerprint, k.expires_at) \
                FROM e JOIN hookfast_data.idempotency_keys k ON k.event_id = e.id AND k.source_id = e.source_id \
            UNION ALL SELECT concat_ws(' ', 'term', t.term, e.name) FROM e JOIN hookfast_data.search_terms t ON t.event_id = e.id \
            UNION ALL SELECT concat_ws(' ', 'count', c.counter, sum(c.value)) FROM hookfast_data.rollups c WHERE c.subject = 'source:' || $1 GROUP BY c.counter \
            UNION ALL SELECT concat_ws(' ', 'alert', f.name) FROM e f JOIN hookfast_data.events a ON a.idempotency_key = 'conflict:' || f.id \
        ) x (line)";
    sqlx::query_scalar(rows)
        .bind(source)
        .fetch_one(&running.pool)
        .await
        .expect("rows")
}

#[tokio::test(flavor = "multi_thread")]
async fn many_events_are_stored_as_one_by_one() {
    let database = database().await;
    let running = running(&database).await;
    running
        .execute("UPDATE hookfast_data.sources SET search_fields = '{order}' WHERE kind = 'sql'")
        .await;
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let mut all = inputs(&mut random, 400);
    let mut verdicts = Vec::new();
    while !all.is_empty() {
        let rest = all.split_off(all.len().min(random.random_range(1..120)));
        let batch = std::mem::replace(&mut all, rest);
        let mut expected = Vec::new();
        for (key, payload) in &batch {
            let one = "SELECT hookfast.enqueue('one', 'shop.order.paid', $1::jsonb, $2)";
            let id: Uuid = sqlx::query_scalar(one)
                .bind(payload)
                .bind(key)
                .fetch_one(&running.pool)
                .await
                .expect("enqueued");
            let is_known = verdicts.iter().any(|(known, _)| *known == id);
            let verdict = match is_known {
                true => "duplicate",
                false => {
                    let conflict: bool = sqlx::query_scalar(
                        "SELECT conflicts_with IS NOT NULL FROM hookfast_data.events WHERE id = $1",
                    )
                    .bind(id)
                    .fetch_one(&running.pool)
                    .await
                    .expect("the event");
                    if conflict { "conflict" } else { "stored" }
                }
            };
            verdicts.push((id, verdict));
            expected.push(verdict);
        }
        let many = enqueue_many(&running.pool, "many", &batch)
            .await
            .expect("enqueued");
        let places: Vec<_> = many.iter().map(|(place, ..)| *place).collect();
        assert_eq!(
            places,
            (1..=batch.len() as i64).collect::<Vec<_>>(),
            "seed {seed}"
        );
        let found: Vec<_> = many
            .iter()
            .map(|(_, _, verdict)| verdict.as_str())
            .collect();
        assert_eq!(found, expected, "seed {seed}");
    }
    let (one, many) = (
        stored(&running, "one").await,
        stored(&running, "many").await,
    );
    for line in [
        "event Order_",
        "delivery Order_",
        "key sha256:",
        "term o-",
        "count conflict",
        "alert Order_",
    ] {
        assert!(
            one.lines().any(|found| found.starts_with(line)),
            "{line}: {one}"
        );
    }
    let lines = |all: &str| -> Vec<String> { all.lines().map(str::to_owned).collect() };
    let differences: Vec<_> = (lines(&one).into_iter().zip(lines(&many)))
        .filter(|(one, many)| one != many)
        .take(3)
        .collect();
    assert!(one == many, "seed {seed}: {differences:?}");
    running.end().await;
}

/// Both take the same keys, each in its own order.
#[tokio::test(flavor = "multi_thread")]
async fn batches_with_the_same_keys_do_not_deadlock() {
    let database = database().await;
    let running = running(&database).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let pool = running.pool.clone();
        tasks.spawn(async move {
            for round in 0..12 {
                let mut batch: Vec<Input> = (0..120)
                    .map(|n| (Some(format!("{round} {n}")), (n % 2).to_string()))
                    .chain((0..20).map(|n| (Some(format!("{round} {n}")), "2".to_owned())))
                    .collect();
                batch.shuffle(&mut rand::rng());
                enqueue_many(&pool, "many", &batch)
                    .await
                    .expect("no deadlock");
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
    let stored = "SELECT count(*) FROM hookfast_data.events e JOIN hookfast_data.sources s ON s.id = e.source_id WHERE s.name = 'many' AND e.conflicts_with IS NULL";
    assert_eq!(running.count(stored).await, 12 * 120);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_one_fault_stores_nothing() {
    let database = database().await;
    let running = running(&database).await;
    let of = |keys: &[&str], payload: &str| -> Vec<Input> {
        keys.iter()
            .map(|key| (Some((*key).to_owned()), payload.to_owned()))
            .collect()
    };
    assert_eq!(enqueue_many(&running.pool, "many", &[]).await, Ok(vec![]));
    let faults = [
        (
            "SELECT hookfast.enqueue_many('many', 'paid', ARRAY['1', NULL]::jsonb[])",
            "22004",
        ),
        (
            "SELECT hookfast.enqueue_many('many', 'paid', NULL)",
            "22023",
        ),
        (
            "SELECT hookfast.enqueue_many('many', 'paid', '{1,2}', '{a}')",
            "22023",
        ),
        (
            "SELECT hookfast.enqueue_many('many', 'paid', array_fill('1'::jsonb, '{10001}'))",
            "22023",
        ),
        (
            "SELECT hookfast.enqueue_many('many', 'Paid', '{1}')",
            "22023",
        ),
        (
            "SELECT hookfast.enqueue_many('many', 'airalo.paid', '{1}')",
            "22023",
        ),
        (
            "SELECT hookfast.enqueue_many('airalo', 'paid', '{1}')",
            "HF004",
        ),
        (
            "SELECT hookfast.enqueue_many('nobody', 'paid', '{1}')",
            "HF004",
        ),
    ];
    for (statement, expected) in faults {
        let error = sqlx::query(statement)
            .execute(&running.pool)
            .await
            .expect_err(statement);
        assert_eq!(super::pull::code(error), expected, "{statement}");
    }
    let none = "SELECT count(*) FROM hookfast_data.events WHERE origin = 'enqueue'";
    assert_eq!(running.count(none).await, 0);
    // A key whose time has passed is free again.
    let expiring = "SELECT string_agg(verdict, ' ') FROM hookfast.enqueue_many('many', 'paid', '{1,1}', '{a,b}', key_expires_in => '-1 second')";
    assert_eq!(running.text(expiring).await, "stored stored");
    let again = enqueue_many(&running.pool, "many", &of(&["a", "b", "a"], "2"))
        .await
        .expect("enqueued");
    let verdicts: Vec<_> = again
        .iter()
        .map(|(_, _, verdict)| verdict.as_str())
        .collect();
    assert_eq!(verdicts, ["stored", "stored", "duplicate"]);
    assert_eq!(again[0].1, again[2].1);
    running.end().await;
}
