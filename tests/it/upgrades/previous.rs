//! One release back always starts: its statements, played on today's schema.

use super::PREVIOUS;
use crate::support::postgres;
use hookfast::store::{Database, MigrateError, check_schema};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use std::{fs, path::Path};

const INLINE: &str = include_str!("previous/inline.sql");

/// The program version of the previous release.
const PREVIOUS_PROGRAM: i32 = 1;

/// A process of the previous release: one connection, with each of its statements prepared by its name.
struct Previous {
    connection: PgConnection,
    database: postgres::Database,
}

/// The previous release's statements with their names: the files, and what stands in its Rust.
fn statements() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/upgrades/previous");
    let mut all = Vec::new();
    for file in fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()) {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        if name != "inline" {
            all.push((name, fs::read_to_string(&file).expect("a statement")));
        }
    }
    for part in INLINE.split("-- name: ").skip(1) {
        let (name, statement) = part.split_once('\n').expect("a name's line");
        all.push((name.to_owned(), statement.trim().to_owned()));
    }
    assert!(all.len() > 40, "{} statements", all.len());
    all
}

fn statement(name: &str) -> String {
    statements().into_iter().find(|(known, _)| known == name).expect(name).1
}

impl Previous {
    async fn new() -> Self {
        let database = postgres::database().await;
        let mut previous = Self { connection: database.connect().await, database };
        previous
            .run(
                "CREATE SCHEMA shop; CREATE TABLE shop.seen (event uuid); \
                 CREATE FUNCTION shop.on_webhook(event hookfast.event) RETURNS void \
                     LANGUAGE sql AS 'INSERT INTO shop.seen VALUES (($1).event_id)'",
            )
            .await;
        for (name, statement) in statements() {
            // DDL and settings are sent as text.
            if !["prepare_partition", "make_partition", "begin_settling"].contains(&&*name) {
                let statement = statement.replace("{function}", "shop.on_webhook");
                previous.run(&format!("PREPARE {name} AS {statement}")).await;
            }
        }
        previous
    }

    async fn run(&mut self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut self.connection).await.expect(statement);
    }

    /// Every row's columns, as text.
    async fn rows(&mut self, statement: &str) -> Vec<Vec<String>> {
        let rows = sqlx::raw_sql(AssertSqlSafe(statement)).fetch_all(&mut self.connection).await.expect(statement);
        let text = |row: &sqlx::postgres::PgRow, i| {
            let value = row.try_get_raw(i).expect("a column");
            value.as_str().map_or_else(|_| "null".to_owned(), str::to_owned)
        };
        rows.iter().map(|row| (0..row.len()).map(|i| text(row, i)).collect()).collect()
    }

    /// The first column of the only row.
    async fn one(&mut self, statement: &str) -> String {
        self.rows(statement).await.remove(0).remove(0)
    }

    /// Stores webhooks of these keys and fingerprints; answers with their events and verdicts.
    async fn ingest(&mut self, source: &str, webhooks: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut ids = Vec::new();
        for _ in webhooks {
            ids.push(self.one("SELECT hookfast_data.new_event_id()").await);
        }
        let each = |of: &dyn Fn(usize) -> String| (0..ids.len()).map(of).collect::<Vec<_>>().join(", ");
        let execute = format!(
            "EXECUTE ingest(ARRAY[{}]::uuid[], ARRAY[{}]::smallint[], ARRAY[{}], ARRAY[{}], ARRAY[{nulls}]::bigint[], \
                ARRAY[{}], ARRAY[{nulls}]::text[], ARRAY[{}], ARRAY[{}], ARRAY[{}]::bytea[], 'webhook')",
            each(&|i| format!("'{}'", ids[i])),
            each(&|_| source.to_owned()),
            each(&|i| format!("'{}'", webhooks[i].0)),
            each(&|i| format!("'{}'", webhooks[i].1)),
            each(&|_| "'airalo.order.completed'".to_owned()),
            each(&|_| "'env:SECRET'".to_owned()),
            each(&|_| "'{\"content-type\": \"application/json\"}'".to_owned()),
            each(&|i| format!("'{{\"key\": \"{}\"}}'", webhooks[i].0)),
            nulls = each(&|_| "NULL".to_owned()),
        );
        let mut rows = self.rows(&execute).await;
        rows.sort_by_key(|row| row[0].parse::<i64>().expect("a number"));
        rows.into_iter().map(|mut row| (row.pop().expect("an event"), row.pop().expect("a verdict"))).collect()
    }

    /// Claims everything of a handler: deliveries with their events and attempts.
    async fn claim(&mut self, lease: &str, handler: &str) -> Vec<(String, String, String)> {
        let rows = self.rows(&format!("EXECUTE claim({lease}, {handler}, 0, 100, 0, 100)")).await;
        let mut claimed: Vec<_> =
            rows.into_iter().map(|row| (row[2].clone(), row[3].clone(), row[4].clone())).collect();
        claimed.retain(|(delivery, ..)| delivery != "null");
        claimed.sort_by_key(|(delivery, ..)| delivery.parse::<i64>().expect("a number"));
        claimed
    }

    async fn settle(&mut self, handler: &str, lease: &str, outcomes: &[((String, String, String), &str)]) {
        let each = |of: &dyn Fn(usize) -> String| (0..outcomes.len()).map(of).collect::<Vec<_>>().join(", ");
        let execute = format!(
            "EXECUTE settle(ARRAY[{}]::smallint[], ARRAY[{}]::bigint[], ARRAY[{}]::integer[], ARRAY[{}]::bigint[], ARRAY[{}], \
                ARRAY[{zeros}]::bigint[], ARRAY[{zeros}]::integer[], ARRAY[{}]::smallint[], ARRAY[{}])",
            each(&|_| handler.to_owned()),
            each(&|i| outcomes[i].0.0.clone()),
            each(&|i| outcomes[i].0.2.clone()),
            each(&|_| lease.to_owned()),
            each(&|i| format!("'{}'", outcomes[i].1)),
            each(&|_| "500".to_owned()),
            each(&|_| "'why'".to_owned()),
            zeros = each(&|_| "0".to_owned()),
        );
        let ended = self.rows(&execute).await;
        assert_eq!(ended.len(), outcomes.len() + 1, "every one was held, and is settled");
    }

    async fn lease(&mut self, handler: &str) -> String {
        self.one(&format!("EXECUTE register_lease('host:1', ARRAY[{handler}]::smallint[], 60000)")).await
    }

    async fn handler(&mut self, name: &str, kind: &str, path: &str) -> String {
        let execute = format!(
            "EXECUTE register_handler('{name}', '{kind}', ARRAY['airalo.*'], NULL, 3, 0, '{{\"delays_ms\": [0, 0]}}', {path}, 'skip', NULL)"
        );
        let row = self.rows(&execute).await.remove(0);
        assert_eq!(row[1], "f", "it is not outdated");
        row[0].clone()
    }
}

#[tokio::test]
async fn every_statement_of_the_previous_release_works_on_todays_schema() {
    let mut p = Previous::new().await;
    it_starts(&mut p).await;
    let source = p.one("EXECUTE register_source('airalo', 'airalo')").await;
    let handler = p.handler("shop", "http", "NULL").await;
    a_webhooks_life(&mut p, &source, &handler).await;
    p.run("DELETE FROM hookfast_data.outbox; DELETE FROM hookfast_data.leases").await;
    losses(&mut p, &source, &handler).await;
    p.run("DELETE FROM hookfast_data.outbox; DELETE FROM hookfast_data.leases").await;
    order_and_pulling(&mut p, &source).await;
    quarantine_rollups_and_days(&mut p, &source).await;
    p.run(&format!(
        "EXECUTE open_breaker({handler}, 1000); EXECUTE closed_breaker({handler}); EXECUTE pause('shop', '410')"
    ))
    .await;
    let left_out = "SELECT coalesce(string_agg(name, ', ' ORDER BY name), 'none') FROM pg_prepared_statements \
        WHERE from_sql AND generic_plans + custom_plans = 0";
    assert_eq!(p.one(left_out).await, "none", "each of them was played");
}

/// What it does before it takes anything.
async fn it_starts(p: &mut Previous) {
    assert_eq!(p.one("EXECUTE try_lock(1)").await, "t");
    assert_eq!(p.one("EXECUTE has_migrations").await, "t");
    let applied: i64 = p.one("EXECUTE applied_migrations").await.parse().expect("a number");
    assert!(applied >= PREVIOUS, "it would find migrations of its own missing");
    let row = p.rows("EXECUTE compatibility").await.remove(0);
    let oldest: i32 = row[1].parse().expect("a number");
    assert!(oldest <= PREVIOUS_PROGRAM, "it would not start");
    p.run("EXECUTE clock; EXECUTE new_epoch; EXECUTE epoch; EXECUTE check_filter('$.a > 1'); EXECUTE wake_pulled")
        .await;
    assert_eq!(p.one("EXECUTE resolve_function('shop.on_webhook')").await, "shop.on_webhook");
}

async fn a_webhooks_life(p: &mut Previous, source: &str, handler: &str) {
    let stored = p.ingest(source, &[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1"), ("f", "1")]).await;
    assert!(stored.iter().all(|(_, verdict)| verdict == "stored"), "{stored:?}");
    let again = p.ingest(source, &[("a", "1"), ("a", "2")]).await;
    let verdicts: Vec<_> = again.iter().map(|(_, verdict)| &**verdict).collect();
    assert_eq!(verdicts, ["duplicate", "conflict"]);
    assert_eq!(again[0].0, stored[0].0, "a duplicate is the first");
    p.run("EXECUTE notify('hookfast_wake')").await;

    let lease = p.lease(handler).await;
    p.run(&format!("EXECUTE renew_lease({lease}, 60000)")).await;
    let mut claimed = p.claim(&lease, handler).await;
    assert_eq!(claimed.len(), 7);
    let event = &claimed[0].1;
    let read =
        format!("EXECUTE claimed_events(ARRAY['{event}']::uuid[], '{event}', '{event}', 16384, '$.key == \"a\"')");
    let read = p.rows(&read).await.remove(0);
    assert_eq!((&*read[1], &*read[8]), ("airalo", "t"), "{read:?}");
    assert_eq!(p.rows(&format!("EXECUTE event_body('{event}')")).await.len(), 1);

    let (delivery, event, attempt) = claimed.pop().expect("the last");
    let outcomes = ["delivered", "filtered", "retry", "waits", "refused", "release"];
    let outcomes: Vec<_> = claimed.into_iter().zip(outcomes).collect();
    p.settle(handler, &lease, &outcomes).await;
    assert_eq!(
        p.one("SELECT string_agg(reason || last_error, ',') FROM hookfast_data.dead_letters").await,
        "refusedwhy"
    );
    let tried = "SELECT string_agg(outcome, ',' ORDER BY outcome) FROM hookfast_data.attempts";
    assert_eq!(p.one(tried).await, "dead,delivered,filtered,retry,retry");

    // The last, in the transaction of a handler that is a function.
    p.run(&statement("begin_settling").replace("{millis}", "30000")).await;
    assert_eq!(p.one(&format!("EXECUTE fence({handler}, {delivery}, {attempt}, {lease})")).await, "t");
    p.run(&format!("EXECUTE call_function('{event}', {delivery}, {attempt})")).await;
    p.run(&format!("EXECUTE end_delivery({handler}, {delivery}, {attempt}, {lease}, 12); COMMIT")).await;
    assert_eq!(p.one("SELECT string_agg(event::text, ',') FROM shop.seen").await, event);
    // What is to be tried again, is.
    assert_eq!(p.claim(&lease, handler).await.len(), 3);
}

/// Workers that go away, and claims whose answer was lost.
async fn losses(p: &mut Previous, source: &str, handler: &str) {
    p.ingest(source, &[("g", "1"), ("h", "1")]).await;
    let lease = p.lease(handler).await;
    assert_eq!(p.claim(&lease, handler).await.len(), 2);
    p.run(&format!("EXECUTE lock_lease({lease}); EXECUTE release_unknown({lease}, {handler}, '{{}}')")).await;
    assert_eq!(p.claim(&lease, handler).await.len(), 2, "they are free again");
    p.run(&format!("EXECUTE abandon({lease}); EXECUTE remove_lease({lease})")).await;
    let lease = p.lease(handler).await;
    assert_eq!(p.claim(&lease, handler).await.len(), 2);
    p.run("UPDATE hookfast_data.leases SET expires_at = now() - interval '1 minute'").await;
    assert_eq!(p.one("EXECUTE expired_leases").await, lease);
    assert_eq!(p.one(&format!("EXECUTE lock_expired_lease({lease})")).await, lease);
    assert_eq!(p.rows(&format!("EXECUTE rescue({lease}, 1000, 5)")).await, [[handler, "2", "0"]]);
    p.run(&format!("EXECUTE remove_lease({lease})")).await;
    p.run("UPDATE hookfast_data.outbox SET locked_by = 77").await;
    assert_eq!(p.one("EXECUTE orphans").await, "77");
    assert_eq!(p.rows("EXECUTE rescue(77, 1000, 1)").await, [[handler, "2", "2"]], "lost for good");
}

async fn order_and_pulling(p: &mut Previous, source: &str) {
    let stock = p.handler("stock", "pull", "ARRAY['key']").await;
    p.ingest(source, &[("i", "1"), ("j", "1")]).await;
    assert_eq!(p.one(&format!("EXECUTE sequence({stock}, 1000)")).await, "2");
    p.run(&format!("EXECUTE wake({stock}, ARRAY['i']); EXECUTE wake_all({stock})")).await;
    assert_eq!(p.rows("SELECT * FROM hookfast.claim('stock', 'a client', 10, '1 second')").await.len(), 2);
    p.run("UPDATE hookfast_data.leases SET expires_at = now() - interval '1 minute'").await;
    assert_eq!(p.rows("EXECUTE rescue_pulled(5)").await, [[&*stock, "2", "0", "1"]]);
}

async fn quarantine_rollups_and_days(p: &mut Previous, source: &str) {
    for digest in ["1", "1", "2"] {
        let keep = format!(
            "EXECUTE quarantine_keep({source}, sha256('{digest}'), 'wrong_signature', NULL, '{{}}', 'body', 1, 1000, true)"
        );
        assert_eq!(p.one(&keep).await, "t");
    }
    assert_eq!(p.one("SELECT string_agg(count::text, ',' ORDER BY id) FROM hookfast_data.quarantine").await, "2,1");
    p.run(&format!("EXECUTE quarantine_evict({source}, 1, 1000)")).await;
    assert_eq!(p.one("SELECT count(*) FROM hookfast_data.quarantine").await, "1");
    for _ in 0..2 {
        p.run("EXECUTE rollups(ARRAY['source:airalo'], ARRAY['stored'], ARRAY[3])").await;
    }

    let day = p.one("SELECT to_char((clock_timestamp() AT TIME ZONE 'UTC')::date + 14, 'YYYYMMDD')").await;
    for table in ["events", "attempts"] {
        p.run(&format!("DROP TABLE hookfast_data.{table}_{day}")).await;
    }
    let missing = p.rows("EXECUTE missing_partitions(14)").await;
    assert_eq!(missing.len(), 2);
    for row in missing {
        let filled = |text: &str| {
            let text = text.replace("{LOCK_TIMEOUT}", "100ms").replace("{LOCK}", "1");
            let text = text.replace("{parent}", &row[0]).replace("{partition}", &row[1]);
            text.replace("{lower}", &row[2]).replace("{upper}", &row[3])
        };
        p.run("BEGIN").await;
        p.run(&filled(&statement("prepare_partition"))).await;
        assert_eq!(p.one(&format!("EXECUTE is_attached('{}')", row[1])).await, "f");
        p.run(&filled(&statement("make_partition"))).await;
        p.run("COMMIT").await;
    }
    assert!(p.rows("EXECUTE missing_partitions(14)").await.is_empty());
}

#[tokio::test]
async fn only_a_program_that_is_too_old_is_kept_from_starting() {
    let mut p = Previous::new().await;
    let of: Database = p.database.url().parse().expect("a URL");
    check_schema(&of).await.expect("this program fits");
    p.run("UPDATE hookfast_data.compatibility SET schema_version = 99, oldest_program = 2").await;
    check_schema(&of).await.expect("a newer schema that still lets it run");
    p.run("UPDATE hookfast_data.compatibility SET oldest_program = 98").await;
    let refused = check_schema(&of).await.expect_err("too old");
    assert!(matches!(refused, MigrateError::TooOld { schema: 99, oldest: 98 }), "{refused}");
    assert!(refused.to_string().contains("Run a newer hookfast"), "{refused}");
}
