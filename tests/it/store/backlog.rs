//! No periodic statement costs more because of an unrelated backlog.

use super::Store;
use hookfast::internals::store::Role;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row};

const CLAIM: &str = include_str!("../../../src/store/sql/claim.sql");

/// A paused handler with fresh deliveries and retries; ordered ones with few and with many keys,
/// one of them pulled; and one with nothing to do. The lease holds some of each of the first two.
const BACKLOG: &str = "\
    INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version, paused_at, paused_why, ordered_by) \
        SELECT name, kind, '{x.*}', 3, 0, CASE WHEN name = 'paused' THEN now() END, CASE WHEN name = 'paused' THEN 'away' END, \
            CASE WHEN name IN ('keys', 'pulled') THEN '{k}'::text[] END \
        FROM (VALUES ('paused', 'http'), ('keys', 'http'), ('pulled', 'pull'), ('unkeyed', 'http')) AS h (name, kind); \
    INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left, due_at) \
        SELECT h.id, gen_random_uuid(), 3, CASE WHEN i % 3 > 0 THEN now() + (i % 3 - 1.5) * interval '1 hour' END \
        FROM hookfast_data.handlers h, generate_series(1, 120000) i WHERE h.name IN ('paused', 'unkeyed'); \
    INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left, due_at, ordering_key) \
        SELECT h.id, gen_random_uuid(), 3, CASE WHEN i <= 20000 THEN now() + interval '1 hour' ELSE 'infinity' END, 'k' || i % 20000 \
        FROM hookfast_data.handlers h, generate_series(1, 60000) i WHERE h.name IN ('keys', 'pulled'); \
    INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at) \
        SELECT 'worker', 'a test', array_agg(id), now() FROM hookfast_data.handlers WHERE kind = 'http'; \
    UPDATE hookfast_data.outbox o SET lease_id = l.id FROM hookfast_data.leases l WHERE o.id IN ( \
        (SELECT x.id FROM hookfast_data.outbox x JOIN hookfast_data.handlers h ON h.id = x.handler_id AND h.name = 'paused' \
            WHERE x.due_at IS NULL ORDER BY x.id LIMIT 10) UNION ALL \
        (SELECT x.id FROM hookfast_data.outbox x JOIN hookfast_data.handlers h ON h.id = x.handler_id AND h.name = 'paused' \
            ORDER BY x.due_at, x.id LIMIT 10)); \
    UPDATE hookfast_data.handlers SET ordered_by = '{k}' WHERE name = 'unkeyed'; \
    INSERT INTO hookfast_data.replays (handler_id, cursor_id, end_id, matching, per_second, new_webhook_id, requested_by, why, last_progress_at) \
        SELECT id, '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000001', 0, 1000, false, 'mira', 'a test', now() - interval '1 minute' \
        FROM hookfast_data.handlers WHERE name = 'keys'";

/// Statements that run periodically or for monitoring, and how many rows of the outbox each may
/// read: a bound that does not depend on the backlog.
const STATEMENTS: [(&str, i64); 16] = [
    ("SELECT hookfast_data.evaluate_alerts()", 200),
    ("SELECT state FROM hookfast.handler_health", 100_000),
    ("SELECT state FROM hookfast.status()", 100_000),
    (
        "SELECT hookfast_data.release_unknown_deliveries(${lease}, ${paused}, '{}')",
        21_000,
    ),
    (
        "SELECT hookfast_data.release_unknown_deliveries(${lease}, ${keys}, '{}')",
        21_000,
    ),
    (
        "SELECT hookfast_data.rescue_lease(${lease}, 1000, 5)",
        63_000,
    ),
    ("SELECT hookfast_data.remove_idle_lease(${lease})", 63_000),
    (
        "SELECT hookfast_data.rescue_orphans(0::smallint, 0, 20000, 5)",
        21_000,
    ),
    (
        "SELECT hookfast_data.rescue_orphans(${keys}, 100, 20000, 5)",
        21_000,
    ),
    ("SELECT hookfast_data.wake_stalled_keys(${keys})", 8000),
    (
        "SELECT hookfast_data.wake_stalled_keys(${keys}, 'k5')",
        8000,
    ),
    ("SELECT hookfast_data.wake_stalled_keys(${paused})", 8000),
    ("SELECT hookfast_data.wake_stalled_keys(${unkeyed})", 16_000),
    (
        "SELECT hookfast_data.rescue_pulled(NULL, interval '0', 5)",
        100,
    ),
    ("SELECT * FROM hookfast.claim('pulled', 'a test')", 100),
    (
        "SELECT hookfast_data.advance_replay(id) FROM hookfast_data.replays",
        100,
    ),
];

/// The number of blocks that a statement reads, and of rows of the outbox, by a scan of the whole
/// table and by indexes.
async fn cost(of: &mut PgConnection, statement: &str) -> (i64, i64, i64) {
    let mut transaction = of.begin().await.expect("a transaction");
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) {statement}");
    let plan: Value = sqlx::query_scalar(AssertSqlSafe(explain))
        .fetch_one(&mut *transaction)
        .await
        .expect("it works");
    let blocks = ["Shared Hit Blocks", "Shared Read Blocks"]
        .iter()
        .filter_map(|key| plan[0]["Plan"][key].as_i64())
        .sum();
    let rows = sqlx::query(
        "SELECT coalesce(seq_tup_read, 0), coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = 'outbox'",
    );
    let rows = rows.fetch_one(&mut *transaction).await.expect("statistics");
    transaction.rollback().await.expect("rolled back");
    (blocks, rows.get(0), rows.get(1))
}

async fn filled(store: &Store, statement: &str) -> String {
    let words = "SELECT name, id::text FROM hookfast_data.handlers UNION ALL SELECT 'lease', max(id)::text FROM hookfast_data.leases";
    let words: Vec<(String, String)> = sqlx::query_as(words)
        .fetch_all(&store.pool)
        .await
        .expect("ids");
    words.iter().fold(statement.to_owned(), |text, (word, id)| {
        let id = if word == "lease" {
            id.clone()
        } else {
            format!("{id}::smallint")
        };
        text.replace(&format!("${{{word}}}"), &id)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn background_statements_do_not_read_a_backlog_of_360_000() {
    let store = Store::new().await;
    store.execute(BACKLOG).await;
    let mut wrong = Vec::new();
    for analyzed in [false, true] {
        if analyzed {
            store.execute("ANALYZE hookfast_data.outbox").await;
        }
        for (statement, most) in STATEMENTS {
            // As monitoring and a pool run it: with the server's default settings.
            let mut session = PgConnection::connect_with(&store.of.options(Role::General))
                .await
                .expect("a connection");
            let statement = filled(&store, statement).await;
            let (blocks, scanned, by_index) = cost(&mut session, &statement).await;
            if scanned > 0 || by_index > most || blocks > 6 * most + 6000 {
                wrong.push(format!(
                    "{statement} (analyzed: {analyzed}): {blocks} blocks; of the outbox {scanned} rows by a scan of all of it, and \
                     {by_index} by indexes, of which at most {most} were expected"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let printed =
        "SELECT message FROM hookfast.status() WHERE area = 'handler' AND subject = 'paused'";
    let printed = store.text(printed).await;
    assert!(
        printed.contains("; at least 10000 ready (oldest "),
        "{printed}"
    );
    assert_eq!(
        store
            .count("SELECT ready FROM hookfast.backlog WHERE handler = 'paused'")
            .await,
        79_980,
        "it counts all"
    );
}

/// With the watermarks at 0, as a claim runs once a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_without_watermarks_reads_no_parked_or_retried_deliveries() {
    let store = Store::new().await;
    store.execute(BACKLOG).await;
    store.execute("UPDATE hookfast_data.handlers SET paused_at = NULL, paused_why = NULL; UPDATE hookfast_data.leases SET expires_at = 'infinity'").await;
    let mut session = PgConnection::connect_with(&store.of.options(Role::Claim))
        .await
        .expect("a connection");
    session.close().await.expect("closed");
    for handler in ["paused", "keys", "shop"] {
        session = PgConnection::connect_with(&store.of.options(Role::Claim))
            .await
            .expect("a connection");
        sqlx::raw_sql(AssertSqlSafe(format!("PREPARE claim AS {CLAIM}")))
            .execute(&mut session)
            .await
            .expect("prepared");
        let claim = filled(
            &store,
            &format!("EXECUTE claim(${{lease}}, ${{{handler}}}, 0, 50, 0, 50)"),
        )
        .await;
        let (blocks, scanned, by_index) = cost(&mut session, &claim).await;
        assert!(
            scanned == 0 && by_index < 400 && blocks < 3000,
            "{handler}: {blocks} {scanned} {by_index}"
        );
    }
}
