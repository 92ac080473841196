//! The runbook: a section for each type of alert, and every statement in it runs.

use crate::support::postgres::{Database, database};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{collections::BTreeSet, fs, path::Path};

const PARTS: [&str; 4] = [
    "What it means",
    "How to look",
    "What to do",
    "What not to do",
];

/// The page's beginning, and its sections by their headings.
fn page() -> (String, Vec<(String, String)>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/RUNBOOK.md");
    let page = fs::read_to_string(path).expect("the runbook");
    let (beginning, sections) = page.split_once("\n## ").expect("sections");
    let sections = sections.split("\n## ").map(|section| {
        let (heading, text) = section.split_once('\n').expect("a heading and a text");
        (heading.to_owned(), text.to_owned())
    });
    (beginning.to_owned(), sections.collect())
}

fn blocks(text: &str) -> Vec<&str> {
    text.split("```sql\n")
        .skip(1)
        .map(|rest| rest.split_once("\n```").expect("a block ends").0)
        .collect()
}

/// The text between the lead-ins of a section.
fn parts(heading: &str, section: &str) -> [String; 4] {
    let mut rest = section;
    let mut parts = Vec::new();
    for (n, part) in PARTS.iter().enumerate() {
        let lead = format!("\n**{part}.**");
        assert_eq!(section.matches(&lead).count(), 1, "{heading}: {part}");
        let (before, after) = rest
            .split_once(&lead)
            .unwrap_or_else(|| panic!("{heading}: {part} is out of order"));
        if n == 0 {
            assert_eq!(before.trim(), "", "{heading}: no text before its parts");
        } else {
            parts.push(before.to_owned());
        }
        rest = after;
    }
    assert_eq!(
        section.matches("\n**What ").count() + section.matches("\n**How ").count(),
        4,
        "{heading}: four parts"
    );
    parts.push(rest.to_owned());
    parts.try_into().expect("four parts")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_type_of_alerts_has_a_section_of_four_parts() {
    let database = database().await;
    let types: BTreeSet<String> = sqlx::query_scalar("SELECT type FROM hookfast_data.alert_types")
        .fetch_all(&mut database.connect().await)
        .await
        .expect("the types")
        .into_iter()
        .collect();
    let (_, sections) = page();
    let headings: BTreeSet<String> = sections
        .iter()
        .map(|(heading, _)| heading.clone())
        .collect();
    assert_eq!(headings.len(), sections.len(), "no heading twice");
    assert_eq!(headings, types);
    for (heading, section) in &sections {
        let parts = parts(heading, section);
        for (name, part) in PARTS.iter().zip(&parts) {
            assert!(part.trim().len() > 40, "{heading}: {name} is empty");
        }
        assert!(
            !blocks(&parts[1]).is_empty(),
            "{heading}: the diagnosis has no statement"
        );
    }
}

/// The state of the database when the runbook is opened: each statement of the page finds
/// something.
const STORY: &str = r#"
INSERT INTO hookfast_data.sources (name, kind, search_fields) VALUES ('airalo', 'airalo', '{request_id}');
INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version)
VALUES ('shop', 'http', '{airalo.*}', 3, 0), ('books', 'sql', '{airalo.*}', 3, 0);
SELECT hookfast.pause_handler('books', 'for the story');
SELECT hookfast.pause_handler('shop', 'status 410');
SELECT hookfast.resume_handler('shop', why => 'a test');

WITH first AS (
    INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body)
    SELECT hookfast_data.new_event_id(), s.id, 0, 'airalo.order.completed', 'webhook', 'order-1', '{}', '{"request_id": "order-1", "id": 1}'
    FROM hookfast_data.sources s WHERE s.name = 'airalo' RETURNING id, source_id
), second AS (
    INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, conflicts_with, headers, body)
    SELECT hookfast_data.new_event_id(), f.source_id, 0, 'airalo.order.completed.conflict', 'webhook', 'order-1#conflict:2', f.id, '{}', '{"request_id": "order-1", "id": 2}'
    FROM first f RETURNING id, source_id
)
INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id)
SELECT source_id, 'order-1', id FROM first UNION ALL SELECT source_id, 'order-1#conflict:2', id FROM second;

INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason, last_error)
SELECT 1000000, h.id, e.id, 3, 1, 'attempts_exhausted', 'status 500: out of stock'
FROM hookfast_data.handlers h, hookfast_data.events e WHERE h.name = 'shop' AND e.conflicts_with IS NOT NULL;
INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, status, lease_id, error, error_kind)
SELECT d.event_id, d.delivery_id, a.attempt_number, d.handler_id, a.outcome, a.status, 1000, a.error, CASE a.outcome WHEN 'lost' THEN 'lost' ELSE 'status' END FROM hookfast_data.dead_letters d,
    (VALUES (1, 'lost', NULL::smallint, 'its worker disappeared'), (2, 'retry', 500, 'status 500: out of stock'), (3, 'dead', 500, 'status 500: out of stock'))
        a (attempt_number, outcome, status, error);
SELECT hookfast.replay(e.id, 'shop', 'a pending one') FROM hookfast_data.events e WHERE e.conflicts_with IS NOT NULL;

INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body, last_at)
SELECT s.id, sha256('a'), 'wrong_signature', '{"user-agent": "Airalo"}', '{"request_id": "order-2"}', now() - interval '2 hours'
FROM hookfast_data.sources s WHERE s.name = 'airalo';
INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at)
SELECT 'worker', 'a worker', ARRAY[h.id], now() + interval '1 minute' FROM hookfast_data.handlers h WHERE h.name = 'shop';
INSERT INTO hookfast_data.processes (owner, roles, version) VALUES ('a process', '{ingress,worker}', '0.1.0');
SELECT hookfast.hold_event(e.id, 'for the story') FROM hookfast_data.events e WHERE e.conflicts_with IS NOT NULL;
SELECT hookfast_data.alert_dead_letters(10);
SELECT hookfast.airalo_expect_order('a-request', 'order 4711');
UPDATE hookfast_data.airalo_expected SET expected_by = now() - interval '1 hour';
SELECT hookfast_data.airalo_mark_missing(id, 'Airalo''s list has no order with this description') FROM hookfast_data.airalo_expected;
INSERT INTO hookfast_data.rollups (minute, subject, counter, value)
VALUES (date_trunc('minute', now()), 'handler:shop', 'took_le_20', 3);
INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body)
SELECT hookfast_data.new_event_id(), s.id, 0, 'other.paid', 'webhook', 'paid-1', '{}', '{}'
FROM hookfast_data.sources s WHERE s.name = 'airalo';
SELECT hookfast_data.evaluate_alerts();
"#;

/// The ids that the page has placeholders for.
struct Ids {
    event: String,
    dead: String,
    pending: String,
    quarantined: String,
}

impl Ids {
    async fn of_the_story(database: &Database) -> Self {
        let mut connection = database.connect().await;
        sqlx::raw_sql(STORY)
            .execute(&mut connection)
            .await
            .expect("the example data");
        let mut one = async |query: &'static str| -> String {
            sqlx::query_scalar(query)
                .fetch_one(&mut connection)
                .await
                .expect(query)
        };
        Self {
            event: one("SELECT event_id::text FROM hookfast.conflicts").await,
            dead: one("SELECT delivery_id::text FROM hookfast.dead_letters").await,
            pending: one("SELECT id::text FROM hookfast_data.outbox ORDER BY id LIMIT 1").await,
            quarantined: one("SELECT quarantine_id::text FROM hookfast.quarantine").await,
        }
    }

    fn substituted_in(&self, block: &str) -> String {
        // Only pending deliveries can be rescheduled.
        let delivery = if block.contains("hookfast.reschedule(") {
            &self.pending
        } else {
            &self.dead
        };
        let block = block
            .replace("DELIVERY_ID", delivery)
            .replace("EVENT_ID", &self.event);
        block.replace("QUARANTINE_ID", &self.quarantined)
    }
}

/// Each statement of a block, in one transaction that is rolled back.
async fn run(connection: &mut PgConnection, heading: &str, block: &str) {
    let mut transaction = connection.begin().await.expect("a transaction");
    for statement in block
        .split(";\n")
        .filter(|statement| !statement.trim().is_empty())
    {
        let rows = sqlx::query(AssertSqlSafe(statement.to_owned()))
            .fetch_all(&mut *transaction)
            .await;
        let rows = rows.unwrap_or_else(|error| panic!("{heading}: {error}\n{statement}"));
        assert!(
            !rows.is_empty(),
            "{heading}: it shows nothing of the story\n{statement}"
        );
    }
    transaction.rollback().await.expect("a rollback");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_the_runbook_runs() {
    let database = database().await;
    let ids = Ids::of_the_story(&database).await;
    let mut connection = database.connect().await;
    let (beginning, sections) = page();
    for (heading, text) in [("the beginning".to_owned(), beginning)]
        .iter()
        .chain(&sections)
    {
        for block in blocks(text) {
            assert!(
                !block.contains("hookfast_data"),
                "{heading}: operators may not use that schema\n{block}"
            );
            run(&mut connection, heading, &ids.substituted_in(block)).await;
        }
    }
}
