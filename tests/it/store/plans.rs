//! The plans of the hot statements stay the same, whatever state the tables had when they were
//! made.

use super::Store;
use hookfast::internals::store::Role;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const CLAIM: &str = include_str!("../../../src/store/sql/claim.sql");
const SETTLE: &str = include_str!("../../../src/store/sql/settle.sql");
const INGEST: &str = concat!(
    include_str!("../../../src/store/sql/ingest.sql"),
    include_str!("../../../src/store/sql/ingest_store.sql")
);
const EVENTS: &str = include_str!("../../../src/store/sql/claimed_events.sql");

/// A session with the settings of a role, and statements prepared in it.
struct Session(PgConnection);

impl Session {
    async fn start(store: &Store, role: Role, name: &str, statement: &str) -> Self {
        let mut session = Self(
            PgConnection::connect_with(&store.of.options(role))
                .await
                .expect("a connection"),
        );
        session.run(&format!("PREPARE {name} AS {statement}")).await;
        session
    }

    async fn run(&mut self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut self.0)
            .await
            .expect("a statement");
    }

    /// Often enough that the plan is the generic one from now on.
    async fn settle_on_a_plan(&mut self, execute: &str) {
        for _ in 0..8 {
            self.run(execute).await;
        }
    }

    /// Runs it, and returns its plan.
    async fn explain(&mut self, execute: &str) -> Plan {
        let explain = format!("EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) {execute}");
        let plan: Value = sqlx::query_scalar(AssertSqlSafe(explain))
            .fetch_one(&mut self.0)
            .await
            .expect("a plan");
        let mut nodes = Vec::new();
        flatten(&plan[0]["Plan"], &mut nodes);
        Plan(nodes)
    }
}

fn flatten(node: &Value, into: &mut Vec<Value>) {
    into.push(node.clone());
    for child in node["Plans"].as_array().into_iter().flatten() {
        flatten(child, into);
    }
}

/// The nodes of an executed plan, the topmost first.
#[derive(Debug)]
struct Plan(Vec<Value>);

impl Plan {
    /// How a table is read, in the order of the words.
    fn ways_to(&self, table: &str) -> Vec<String> {
        let scans = self
            .0
            .iter()
            .filter(|node| node["Relation Name"] == table && node["Node Type"] != "ModifyTable");
        let way = |node: &Value| {
            [&node["Node Type"], &node["Index Name"]]
                .map(|word| word.as_str().unwrap_or("").to_owned())
        };
        let mut ways: Vec<_> = scans
            .map(|node| way(node).join(" ").trim_end().to_owned())
            .collect();
        ways.sort();
        ways
    }

    /// How many blocks it read.
    fn blocks(&self) -> i64 {
        ["Shared Hit Blocks", "Shared Read Blocks"]
            .iter()
            .map(|key| self.0[0][key].as_i64().unwrap_or(0))
            .sum()
    }

    /// How many rows its nodes processed, including discarded ones.
    fn rows(&self) -> i64 {
        let of = |node: &Value| {
            let number = |key: &str| node[key].as_f64().unwrap_or(0.0);
            let rows = number("Actual Rows")
                + number("Rows Removed by Filter")
                + number("Rows Removed by Join Filter");
            (rows * number("Actual Loops")) as i64
        };
        self.0.iter().map(of).sum()
    }
}

const FILL: &str = "INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left) \
    SELECT h.id, gen_random_uuid(), 3 FROM hookfast_data.handlers h, generate_series(1, 200000)";

#[tokio::test(flavor = "multi_thread")]
async fn claim_and_settle_whether_prepared_on_an_empty_or_on_a_drained_table() {
    for drained in [false, true] {
        let store = Store::new().await;
        if drained {
            // As autovacuum does to every healthy queue.
            store.execute(FILL).await;
            store.execute("DELETE FROM hookfast_data.outbox").await;
            store.execute("VACUUM ANALYZE hookfast_data.outbox").await;
        }
        let (lease, handler) = (store.lease().await.0, store.handler.0);
        let claim = format!("EXECUTE claim({lease}, {handler}, 0, 250, 0, 250)");
        let settle = |ids: &[i64]| {
            let array = |value: &dyn Fn(&i64) -> String| {
                format!(
                    "'{{{}}}'",
                    ids.iter().map(value).collect::<Vec<_>>().join(",")
                )
            };
            let same = |value: String| array(&|_| value.clone());
            let (handlers, leases, zeros, nulls) = (
                same(handler.to_string()),
                same(lease.to_string()),
                same("0".into()),
                same("NULL".into()),
            );
            let (deliveries, attempts, outcomes) = (
                array(&i64::to_string),
                same("1".into()),
                same("release".into()),
            );
            format!(
                "EXECUTE settle({handlers}, {deliveries}, {attempts}, {leases}, {outcomes}, {zeros}, {zeros}, {nulls}, {nulls}, {nulls}, 5)"
            )
        };
        let mut claims = Session::start(&store, Role::Claim, "claim", CLAIM).await;
        let mut settles = Session::start(&store, Role::Settle, "settle", SETTLE).await;
        claims.settle_on_a_plan(&claim).await;
        settles.settle_on_a_plan(&settle(&[1, 2, 3])).await;
        store.execute(FILL).await;

        let plan = claims.explain(&claim).await;
        assert_eq!(
            plan.ways_to("outbox"),
            [
                "Index Scan outbox_due",
                "Index Scan outbox_fresh",
                "Tid Scan"
            ]
        );
        assert!(
            plan.rows() < 5_000,
            "a claim of 250 of 200,000 (drained: {drained}) processed {} rows",
            plan.rows()
        );
        assert!(plan.blocks() < 10_000, "it read {} blocks", plan.blocks());
        assert_eq!(
            store
                .count("SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NOT NULL")
                .await,
            250
        );
        let held: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM hookfast_data.outbox WHERE lease_id IS NOT NULL")
                .fetch_all(&store.pool)
                .await
                .expect("ids");
        let plan = settles.explain(&settle(&held)).await;
        assert_eq!(
            plan.ways_to("outbox"),
            ["Index Scan outbox_pkey", "Tid Scan", "Tid Scan"]
        );
        assert!(
            plan.rows() < 10_000,
            "a settlement of 250 of 200,000 (drained: {drained}) processed {} rows",
            plan.rows()
        );
        assert!(plan.blocks() < 15_000, "it read {} blocks", plan.blocks());
        assert_eq!(
            store
                .count("SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NOT NULL")
                .await,
            0
        );
        // The due deliveries, now that some are due.
        let plan = claims
            .explain(&format!(
                "EXECUTE claim({lease}, {handler}, 300000, 0, 0, 100)"
            ))
            .await;
        assert_eq!(
            plan.ways_to("outbox"),
            [
                "Index Scan outbox_due",
                "Index Scan outbox_fresh",
                "Tid Scan"
            ]
        );
        assert!(
            plan.rows() < 2_000 && plan.blocks() < 5_000,
            "{} rows, {} blocks",
            plan.rows(),
            plan.blocks()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_whether_prepared_on_empty_or_on_drained_tables() {
    const KEYS: &str = "INSERT INTO hookfast_data.idempotency_keys SELECT 1, 'k' || i, gen_random_uuid() FROM generate_series(1, 200000) i";
    // Ids of one moment have to differ.
    let one = "EXECUTE ingest(ARRAY[overlay(hookfast_data.event_id_at(clock_timestamp())::text PLACING right(gen_random_uuid()::text, 12) FROM 25)::uuid], \
        '{1}', ARRAY[gen_random_uuid()::text], '{NULL}', '{NULL}', '{x.y}', '{NULL}', '{NULL}', '{\"{}\"}', '{abc}', 'webhook')";
    for drained in [false, true] {
        let store = Store::new().await;
        if drained {
            store.execute(KEYS).await;
            store.execute(FILL).await;
            store
                .execute(
                    "DELETE FROM hookfast_data.idempotency_keys; DELETE FROM hookfast_data.outbox",
                )
                .await;
            store.execute("VACUUM ANALYZE").await;
        }
        let mut ingest = Session::start(&store, Role::Ingest, "ingest", INGEST).await;
        ingest.settle_on_a_plan(one).await;
        store.execute(KEYS).await;
        store.execute(FILL).await;
        let plan = ingest.explain(one).await;
        assert_eq!(store.count("SELECT count(*) FROM hookfast.events").await, 9);
        for table in ["idempotency_keys", "outbox", "events"] {
            assert!(
                plan.ways_to(table).is_empty(),
                "{table} is only written: {:?}",
                plan.ways_to(table)
            );
        }
        assert!(
            plan.rows() < 200,
            "one request (drained: {drained}) processed {} rows",
            plan.rows()
        );
        assert!(
            plan.blocks() < 300,
            "one request among 200,000 keys read {} blocks",
            plan.blocks()
        );
    }
}

#[tokio::test]
async fn a_claim_is_heap_only() {
    let store = Store::new().await;
    store.execute(FILL).await;
    let lease = store.lease().await;
    for _ in 0..20 {
        assert_eq!(store.claim_all(lease, 500).await.len(), 500);
    }
    let hot = "SELECT (100 * n_tup_hot_upd / n_tup_upd)::bigint FROM pg_stat_user_tables WHERE relname = 'outbox' AND n_tup_upd > 0";
    crate::support::wait_until("the statistics of the claims", async || {
        store
            .count("SELECT coalesce(sum(n_tup_upd), 0)::bigint FROM pg_stat_user_tables WHERE relname = 'outbox'")
            .await
            >= 10_000
    })
    .await;
    assert!(
        store.count(hot).await >= 99,
        "{} % of the claims were heap-only",
        store.count(hot).await
    );
}

#[tokio::test]
async fn the_payloads_of_a_claim_open_only_their_own_day() {
    let store = Store::new().await;
    store.fill("o", 50).await;
    let mut session = Session::start(&store, Role::Claim, "events", EVENTS).await;
    // As the program runs it: planned for its bounds each time.
    session.run("SET plan_cache_mode = force_custom_plan").await;
    let ids = store.text("SELECT format('ARRAY[%s]::uuid[], %L, %L', string_agg(quote_literal(event_id), ','), min(event_id::text), max(event_id::text)) FROM hookfast.events").await;
    let plan = session
        .explain(&format!("EXECUTE events({ids}, 16384, NULL)"))
        .await;
    let days: Vec<_> = plan
        .0
        .iter()
        .filter_map(|n| n["Relation Name"].as_str())
        .filter(|name| name.starts_with("events_"))
        .collect();
    assert!((1..=2).contains(&days.len()), "{days:?}");
    assert!(plan.blocks() < 1000, "{} blocks", plan.blocks());
}
