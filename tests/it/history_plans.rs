//! The queries of operators use plans that do not read the whole history, at 300,000 events.
//! `scripts/history` measures the same queries at ten million.

use crate::support::postgres::database;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

const DAYS: u32 = 3;
const EVENTS: u32 = 100_000;
const DEAD: u32 = 1000;
const PENDING: u32 = 20_000;

/// Tables that grow with the history. No plan may read more than a few of their rows without an
/// index.
const GROWS: [&str; 6] = [
    "events",
    "attempts",
    "search_terms",
    "idempotency_keys",
    "audit_log",
    "rollups",
];

/// A statement with the placeholders in it replaced.
pub(crate) fn filled(text: &str, words: &[(&str, String)]) -> String {
    words.iter().fold(text.to_owned(), |text, (word, value)| {
        text.replace(&format!("${{{word}}}"), value)
    })
}

/// 300,000 events of three days. `dead` dead letters are those of a day.
pub(crate) async fn a_history(connection: &mut PgConnection, dead: u32, pending: u32) {
    let of = |text: &str, day: u32| {
        let numbers = [
            ("from", 1),
            ("days", DAYS),
            ("day", day),
            ("events", EVENTS),
            ("dead", dead),
            ("pending", pending),
        ];
        filled(
            text,
            &numbers.map(|(word, number)| (word, number.to_string())),
        )
    };
    let mut run = async |text: String| {
        connection
            .execute(AssertSqlSafe(text))
            .await
            .expect("the history");
    };
    run(of(include_str!("../../scripts/lib/history/begin.sql"), 0)).await;
    for day in 1..=DAYS {
        run(of(include_str!("../../scripts/lib/history/day.sql"), day)).await;
    }
    run(of(include_str!("../../scripts/lib/history/end.sql"), 0)).await;
    run("VACUUM hookfast_data.dead_letters".to_owned()).await;
}

/// Every scan without an index, and the number of rows it read.
fn whole_scans(node: &Value, found: &mut Vec<(String, f64)>) {
    if node["Node Type"] == "Seq Scan" {
        let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
        let rows =
            (number("Actual Rows") + number("Rows Removed by Filter")) * number("Actual Loops");
        found.push((
            node["Relation Name"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            rows,
        ));
    }
    node["Plans"]
        .as_array()
        .into_iter()
        .flatten()
        .for_each(|child| whole_scans(child, found));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_query_of_an_operator_reads_the_history() {
    let database = database().await;
    let mut connection = database.connect().await;
    a_history(&mut connection, DEAD, PENDING).await;
    // As a person runs it: with the server's default settings.
    connection.close().await.expect("closed");
    let mut connection = database.connect().await;
    let number = 2 * 10_000_000 + 4321;
    let mut words = vec![
        ("request", format!("r{number:012}")),
        ("order", format!("20261123-{number}")),
        ("iccid", format!("89{number:017}")),
        ("delivery", (20_000_000 + DEAD / 2).to_string()),
    ];
    for (word, query) in [
        (
            "event",
            format!(
                "SELECT event_id::text FROM hookfast_data.idempotency_keys WHERE key = 'order:r{number:012}:completed'"
            ),
        ),
        (
            "since",
            "SELECT died_at::text FROM hookfast_data.dead_letters ORDER BY died_at OFFSET 1500 LIMIT 1".to_owned(),
        ),
    ] {
        words.push((
            word,
            sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut connection).await.expect("it is there"),
        ));
    }
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for entry in include_str!("../../scripts/lib/history/queries.sql").split("\n\n") {
        let (head, query) = entry
            .trim()
            .split_once('\n')
            .expect("a name, and the query");
        let (name, most) = head
            .trim_start_matches("-- ")
            .split_once(" | ")
            .expect("a bound");
        let most: u64 = most.parse().expect("a number of blocks");
        let explain = format!(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {}",
            filled(query, &words)
        );
        let plan: Value = sqlx::query_scalar(AssertSqlSafe(explain))
            .fetch_one(&mut connection)
            .await
            .expect(name);
        let plan = &plan[0]["Plan"];
        let blocks = plan["Shared Hit Blocks"].as_u64().unwrap_or(0)
            + plan["Shared Read Blocks"].as_u64().unwrap_or(0);
        if blocks > most {
            wrong.push(format!(
                "{name}: {blocks} blocks, and at most {most} were expected"
            ));
        }
        let mut scans = Vec::new();
        whole_scans(plan, &mut scans);
        for (table, rows) in scans {
            if rows > 1000.0 && GROWS.iter().any(|grows| table.starts_with(grows)) {
                wrong.push(format!(
                    "{name}: reads {rows} rows of {table} without an index"
                ));
            }
        }
        checked += 1;
    }
    assert!(checked >= 25, "{checked} queries");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
