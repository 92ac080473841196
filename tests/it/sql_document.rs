//! `docs/SQL.md`: every example runs, and the reference is complete and correct.

use crate::support::postgres::{Database, database};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use std::{collections::BTreeMap, fs, path::Path};

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SQL.md")).expect("the page")
}

/// The data that the examples refer to.
const STORY: &str = r#"
INSERT INTO hookfast_data.sources (name, kind, search_fields, secret_fields) VALUES ('airalo', 'airalo', '{code,iccid,id,request_id}', '{lpa}');
INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version) VALUES ('shop', 'http', '{airalo.*}', 3, 0), ('later', 'pull', '{airalo.*}', 3, 99);
CREATE FUNCTION public.arrived(n integer, key text, body text, conflicts_with uuid DEFAULT NULL) RETURNS uuid LANGUAGE sql AS $$
    WITH made AS (
        INSERT INTO hookfast_data.events (id, source_id, subscription_version, conflicts_with, type, origin, idempotency_key, headers, body)
        SELECT overlay(gen_random_uuid()::text PLACING left(hookfast_data.event_id_at(now() - interval '1 minute' * (60 - n))::text, 13) FROM 1)::uuid,
            s.id, 1, $4, 'airalo.order.completed' || CASE WHEN $4 IS NULL THEN '' ELSE '.conflict' END, 'webhook', key, '{}', convert_to(body, 'UTF8')
        FROM hookfast_data.sources s WHERE s.name = 'airalo' RETURNING id, source_id, idempotency_key
    )
    INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id) SELECT source_id, idempotency_key, id FROM made RETURNING event_id
$$;
SELECT arrived(n, 'order:request-' || n || ':completed', '{"data": {"id": ' || n || ', "quantity": 1, "sims": [{"iccid": "8900000000000000' || 100 + n || '"}]}, "request_id": "request-' || n || '"}') FROM generate_series(1, 6) n;
SELECT arrived(7, 'order:request-1:completed#conflict:x', '{"data": {"id": 70}, "request_id": "request-1"}', (SELECT event_id FROM hookfast_data.idempotency_keys WHERE key = 'order:request-1:completed'));
SELECT arrived(8, 'body:not-json', 'no json');
INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, duration_ms, status, error, error_kind)
SELECT k.event_id, t.n + 100, t.attempt_number, h.id, t.outcome, 12, t.status, t.error, CASE WHEN t.error IS NOT NULL THEN 'status' END FROM hookfast_data.handlers h, (VALUES
    (1, 1, 'delivered', 200, NULL), (2, 1, 'retry', 500, 'status 500: oh'), (2, 2, 'dead', 500, 'status 500: oh'),
    (3, 1, 'dead', 422, 'status 422: never'), (4, 1, 'retry', 503, 'status 503: later'), (5, 1, 'dead', 500, 'status 500: oh')) t (n, attempt_number, outcome, status, error)
    JOIN hookfast_data.idempotency_keys k ON k.key = 'order:request-' || t.n || ':completed' WHERE h.name = 'shop';
INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason, last_error)
SELECT n + 100, h.id, k.event_id, 2, 0, 'attempts_exhausted', CASE n WHEN 3 THEN 'status 422: never' ELSE 'status 500: oh' END
FROM hookfast_data.handlers h, generate_series(2, 5) n JOIN hookfast_data.idempotency_keys k ON k.key = 'order:request-' || n || ':completed' WHERE h.name = 'shop' AND n <> 4;
INSERT INTO hookfast_data.outbox (handler_id, id, event_id, attempts_left, attempt_number, due_at)
SELECT h.id, 104, k.event_id, 2, 1, now() + interval '10 minutes' FROM hookfast_data.handlers h, hookfast_data.idempotency_keys k WHERE h.name = 'shop' AND k.key = 'order:request-4:completed';
INSERT INTO hookfast_data.quarantine (source_id, digest, reason, count, headers, body)
SELECT s.id, sha256('x'), 'wrong_signature', 3, '{}', '{}' FROM hookfast_data.sources s WHERE s.name = 'airalo';
INSERT INTO hookfast_data.rollups (minute, subject, counter, value) VALUES (date_trunc('minute', now()), 'source:airalo', 'stored', 8);
"#;

struct Story {
    connection: PgConnection,
    ids: BTreeMap<&'static str, String>,
    _database: Database,
}

impl Story {
    async fn new() -> Self {
        let database = database().await;
        let mut connection = database.connect().await;
        connection
            .execute(AssertSqlSafe(STORY.to_owned()))
            .await
            .expect("the example data");
        let mut story = Self {
            connection,
            ids: BTreeMap::new(),
            _database: database,
        };
        for (word, query) in [
            ("OTHER_DELIVERY_ID", "SELECT '103'"),
            ("DELIVERY_ID", "SELECT '102'"),
            (
                "CONFLICT_EVENT_ID",
                "SELECT event_id::text FROM hookfast_data.idempotency_keys WHERE key = 'order:request-1:completed#conflict:x'",
            ),
            (
                "ERASED_EVENT_ID",
                "SELECT event_id::text FROM hookfast_data.idempotency_keys WHERE key = 'order:request-6:completed'",
            ),
            (
                "EVENT_ID",
                "SELECT event_id::text FROM hookfast_data.idempotency_keys WHERE key = 'order:request-1:completed'",
            ),
            ("REQUEST_ID", "SELECT 'request-1'"),
            ("ICCID", "SELECT '8900000000000000101'"),
            (
                "QUARANTINE_ID",
                "SELECT quarantine_id::text FROM hookfast.quarantine",
            ),
        ] {
            let id = story.text(query).await;
            story.ids.insert(word, id);
        }
        story
    }

    async fn text(&mut self, query: &str) -> String {
        let query = format!("SELECT ({query})::text");
        sqlx::query_scalar(AssertSqlSafe(query.clone()))
            .fetch_one(&mut self.connection)
            .await
            .expect(&query)
    }

    /// Runs an example exactly as printed on the page, except for its ids.
    async fn run(&mut self, example: &str) {
        let mut sql = example.to_owned();
        // The longer words first: one may be the end of another.
        let mut words: Vec<_> = self.ids.iter().collect();
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        for (word, id) in words {
            sql = sql.replace(word, id);
        }
        if sql.contains("REPLAY_ID") {
            let running = self
                .text("SELECT replay_id FROM hookfast.replays WHERE state = 'running'")
                .await;
            sql = sql.replace("REPLAY_ID", &running);
        }
        self.connection
            .execute(AssertSqlSafe(sql.clone()))
            .await
            .unwrap_or_else(|error| panic!("{error}:\n{sql}"));
    }
}

/// For each example that contains the text: a query, and its result after the example has run.
const AFTERWARDS: [(&str, &str, &str); 16] = [
    (
        "retry(delivery_id",
        "SELECT state FROM hookfast.deliveries WHERE delivery_id = 102 AND state <> 'delivered'",
        "ready",
    ),
    (
        "matching, changed FROM hookfast.retry_all",
        "SELECT count(*) FROM hookfast.dead_letters",
        "1",
    ),
    (
        "hookfast.discard(delivery_id",
        "SELECT state FROM hookfast.deliveries WHERE delivery_id = 103",
        "discarded",
    ),
    (
        "hookfast.pause_handler(",
        "SELECT state || ' ' || why LIKE '%deploying' FROM hookfast.handler_health WHERE handler = 'shop'",
        "true",
    ),
    (
        "'renamed to stock', at_most",
        "SELECT state FROM hookfast.handler_health WHERE handler = 'later'",
        "retired",
    ),
    (
        "hookfast.resume_all_handlers(",
        "SELECT count(*) FROM hookfast.handler_health WHERE state = 'paused'",
        "0",
    ),
    (
        "hookfast.reschedule_all(",
        "SELECT count(*) FROM hookfast.deliveries WHERE handler = 'shop' AND state = 'ready'",
        "3",
    ),
    (
        "reverify_quarantined(source => 'airalo', why",
        "SELECT requested_action FROM hookfast.quarantine",
        "reverify",
    ),
    (
        "hookfast.approve_quarantined(",
        "SELECT requested_action FROM hookfast.quarantine",
        "approve",
    ),
    (
        "hookfast.replay(",
        "SELECT count(*) FROM hookfast.deliveries WHERE handler = 'shop' AND state = 'ready'",
        "4",
    ),
    (
        "SELECT replay_id FROM hookfast.replay_all",
        "SELECT state || ' ' || matching FROM hookfast.replays WHERE per_second = 20",
        "running 7",
    ),
    (
        "hookfast.cancel_replay(",
        "SELECT state FROM hookfast.replays WHERE per_second = 20",
        "cancelled",
    ),
    (
        "SELECT hookfast.erase(",
        "SELECT string_agg(DISTINCT payload_error, ', ') FROM hookfast.events WHERE erased_at IS NOT NULL",
        "erased by an operator",
    ),
    (
        "hookfast.unhold_event(",
        "SELECT count(*) FROM hookfast.retention_holds",
        "0",
    ),
    (
        "FROM hookfast.conflicts",
        "SELECT first_payload->'data'->>'id' FROM hookfast.conflicts",
        "1",
    ),
    (
        "FROM hookfast.failures",
        "SELECT count FROM hookfast.failures WHERE error_kind = 'status 500'",
        "3",
    ),
];

#[tokio::test]
async fn every_example_runs_with_the_documented_result() {
    let (page, mut story) = (page(), Story::new().await);
    let examples: Vec<_> = page
        .split("```sql\n")
        .skip(1)
        .map(|rest| rest.split("\n```").next().expect("a block ends"))
        .collect();
    assert!(examples.len() > 30, "{} examples", examples.len());
    let mut checked = 0;
    for example in examples {
        story.run(example).await;
        for (part, query, expected) in AFTERWARDS
            .iter()
            .filter(|(part, ..)| example.contains(part))
        {
            assert_eq!(story.text(query).await, *expected, "after {part}");
            checked += 1;
        }
    }
    assert_eq!(
        checked,
        AFTERWARDS.len(),
        "each of these is on the page, once"
    );
    let timeline = "SELECT string_agg(kind, ', ' ORDER BY at) FROM hookfast.timeline('request-1') WHERE handler IS NULL OR handler = 'shop' AND kind = 'delivered'";
    let kinds = story.text(timeline).await;
    assert!(
        kinds.starts_with("received, conflict, ")
            && kinds.contains("delivered")
            && kinds.contains("event.replayed"),
        "{kinds}"
    );
}

/// The first columns of the rows of a reference table.
fn table(text: &str) -> Vec<(String, String)> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.split(" | ");
        let first = cells
            .next()
            .expect("a cell")
            .trim_start_matches("| `")
            .trim_end_matches('`')
            .to_owned();
        (
            first,
            cells
                .next()
                .unwrap_or_default()
                .trim_end_matches(" |")
                .to_owned(),
        )
    })
    .collect()
}

#[tokio::test]
async fn the_reference_names_every_view_column_and_function_as_it_is() {
    let (page, mut story) = (page(), Story::new().await);
    let (views, functions) = page
        .split_once("\n## Views\n")
        .and_then(|(_, rest)| rest.split_once("\n## Functions\n"))
        .expect("both parts");
    let mut documented = BTreeMap::new();
    for section in views.split("\n### hookfast.").skip(1) {
        let (name, rest) = section.split_once('\n').expect("a heading ends");
        documented.insert(name.to_owned(), table(rest));
    }
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT relname::text, attname::text, replace(format_type(atttypid, atttypmod), 'timestamp with time zone', 'timestamptz') \
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
            WHERE relnamespace = 'hookfast'::regnamespace AND relkind = 'v' AND attnum > 0 ORDER BY relname, attnum",
    )
    .fetch_all(&mut story.connection)
    .await
    .expect("the columns");
    let mut there: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (view, column, kind) in columns {
        there.entry(view).or_default().push((column, kind));
    }
    assert_eq!(documented, there);

    let there: Vec<String> = sqlx::query_scalar(
        "SELECT proname || '(' || coalesce((SELECT string_agg(CASE WHEN i > pronargs - pronargdefaults THEN '[' || proargnames[i] || ']' ELSE proargnames[i] END, ', ' ORDER BY i) \
            FROM generate_series(1, pronargs) i), '') || ')' FROM pg_proc WHERE pronamespace = 'hookfast'::regnamespace ORDER BY proname",
    )
    .fetch_all(&mut story.connection)
    .await
    .expect("the functions");
    assert_eq!(
        table(functions)
            .into_iter()
            .map(|(function, _)| function)
            .collect::<Vec<_>>(),
        there
    );
}
