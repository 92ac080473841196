//! A reader sees no secret, whatever it creates to intercept Hookfast's functions.

use super::roles_of;
use crate::support::postgres::{self, database, server_log};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::{Mutex, MutexGuard};

/// The values of secret fields, beside the PIN 47110815.
const SECRET: &str = "SECRET/MATCHING$ID-42";
const ENCODED: &str = "SECRET%2FMATCHING%24ID-42";

/// The secret in everything that a payload is copied to.
const WORLD: &str = r#"
INSERT INTO hookfast_data.sources (name, kind, secret_fields, search_fields) VALUES ('own', 'sql', '{matching_id,pin}', '{order,matching_id,pin}');
INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version, ordered_by) VALUES
    ('shop', 'http', '{*}', 3, 0, '{matching_id}'), ('pin', 'pull', '{*}', 3, 0, '{pin}');
SELECT hookfast.enqueue('own', 'own.paid', p, 'key:SECRET/MATCHING$ID-42'), hookfast.enqueue('own', 'own.paid', p || '{"n": 1}', 'key:SECRET/MATCHING$ID-42'),
    hookfast.enqueue('own', 'own.paid', p, 'key:47110815')
FROM (SELECT jsonb_build_object('order', 'o-1', 'pin', 47110815, 'number', 47110815, 'matching_id', 'SECRET/MATCHING$ID-42',
    'note', 'scan SECRET/MATCHING$ID-42 or type 47110815', 'url', 'https://esim.example/?carddata=SECRET%2FMATCHING%24ID-42',
    'twice', 'https://esim.example/?to=%2F%3Fcarddata%3DSECRET%252fMATCHING%2524ID-42') AS p) x;
SELECT hookfast_data.assign_ordering_keys(h.id, 100) FROM hookfast_data.handlers h;
INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, error, error_kind)
    SELECT o.event_id, o.id, 1, o.handler_id, 'retry', 'refused SECRET/MATCHING$ID-42', 'handler' FROM hookfast_data.outbox o;
WITH dead AS (DELETE FROM hookfast_data.outbox o USING hookfast_data.handlers h WHERE h.id = o.handler_id AND h.name = 'shop'
    AND o.id = (SELECT min(x.id) FROM hookfast_data.outbox x WHERE x.handler_id = h.id) RETURNING o.*)
INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, ordering_key, reason, last_error)
    SELECT d.id, d.handler_id, d.event_id, 1, 0, d.ordering_key, 'rejected', 'refused SECRET/MATCHING$ID-42' FROM dead d;
SELECT hookfast_data.alert_dead_letters(10);
INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body)
    SELECT s.id, sha256('x'), 'wrong_signature', '{"x": "SECRET/MATCHING$ID-42"}', 'SECRET/MATCHING$ID-42' FROM hookfast_data.sources s WHERE s.name = 'own';
SELECT hookfast.replay_all('shop', payload => '$.matching_id == "SECRET/MATCHING$ID-42"', why => 'asked about SECRET/MATCHING$ID-42', at_most => 10);
SELECT hookfast.hold_event(min(e.id::text)::uuid, 'a dispute about SECRET/MATCHING$ID-42') FROM hookfast_data.events e;
SELECT hookfast.pause_handler('shop', 'SECRET/MATCHING$ID-42');
"#;

/// A reader, and the server's log from before its session.
struct Reader {
    connection: PgConnection,
    admin: PgConnection,
    logged: usize,
    _database: postgres::Database,
    _alone: MutexGuard<'static, ()>,
}

/// These tests share the server's log, and each writes the secret into it at its end, to prove that
/// the search finds it.
static LOG: Mutex<()> = Mutex::const_new(());

impl Reader {
    async fn new() -> Self {
        let alone = LOG.lock().await;
        let database = database().await;
        let mut admin = database.connect().await;
        let role = roles_of(&database, &mut admin).await;
        for statement in WORLD.split_inclusive(";\n") {
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut admin)
                .await
                .expect(statement);
        }
        let url = database.login("rita", &[&role]).await;
        let create = "DO $$ BEGIN EXECUTE format('CREATE SCHEMA theirs AUTHORIZATION %I', \
            'rita_of_' || current_database()); END $$";
        admin.execute(create).await.expect("a schema of its own");
        let connection = PgConnection::connect(&url).await.expect("it may connect");
        Self {
            connection,
            admin,
            logged: server_log().await.len(),
            _database: database,
            _alone: alone,
        }
    }

    async fn run(&mut self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut self.connection)
            .await
            .expect(statement);
    }

    async fn texts(&mut self, query: &str) -> Vec<String> {
        let texts = sqlx::query_scalar::<_, Option<String>>(AssertSqlSafe(query));
        texts
            .fetch_all(&mut self.connection)
            .await
            .expect(query)
            .into_iter()
            .flatten()
            .collect()
    }

    /// Every column of every view, and the results of the functions.
    async fn everything(&mut self) -> Vec<String> {
        let views = self
            .texts("SELECT viewname::text FROM pg_views WHERE schemaname = 'hookfast' ORDER BY 1")
            .await;
        assert!(views.len() >= 20, "{views:?}");
        let mut seen = Vec::new();
        for view in views {
            seen.extend(
                self.texts(&format!(
                    "SELECT '{view}: ' || v::text FROM hookfast.{view} v"
                ))
                .await,
            );
        }
        for call in [
            "timeline('o-1')",
            "status()",
            "retention_preview()",
            "explain((SELECT min(event_id::text)::uuid FROM hookfast.events))",
        ] {
            seen.extend(
                self.texts(&format!("SELECT f::text FROM hookfast.{call} f"))
                    .await,
            );
        }
        seen
    }

    /// The logged plans of statements contain texts byte by byte.
    async fn logged(&self) -> String {
        let bytes: Vec<String> = SECRET.bytes().map(|byte| byte.to_string()).collect();
        let logged = server_log().await;
        let words: Vec<&str> = logged[self.logged..].split_whitespace().collect();
        words.join(" ").replace(&bytes.join(" "), SECRET)
    }
}

#[tokio::test]
async fn no_view_and_no_function_shows_a_reader_a_secret() {
    let mut reader = Reader::new().await;
    let seen = reader.everything().await;
    for part in [
        "events: ",
        "dead_letters: ",
        "deliveries: ",
        "attempts: ",
        "conflicts: ",
        "alerts: ",
        "quarantine: ",
        "replays: ",
        "retention_holds: ",
    ] {
        assert!(
            seen.iter().any(|line| line.starts_with(part)),
            "nothing of {part}in {seen:?}"
        );
    }
    for line in &seen {
        for secret in ["SECRET", "MATCHING", "47110815"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
    // A reader finds nothing by a secret, and everything by other values; operators find events by
    // both.
    let found = "SELECT count(*)::text FROM hookfast.find($$TERM$$)";
    for (term, readers, operators) in [
        ("o-1", "3", "3"),
        (SECRET, "0", "3"),
        ("47110815", "0", "3"),
        ("key:47110815", "0", "1"),
    ] {
        let query = found.replace("TERM", term);
        assert_eq!(reader.texts(&query).await, [readers], "{term}");
        let operator: String = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(&mut reader.admin)
            .await
            .expect("a number");
        assert_eq!(operator, operators, "{term}");
    }
    assert!(ENCODED.contains('%') && WORLD.contains(ENCODED));
}

#[tokio::test]
async fn a_temporary_type_of_a_reader_is_not_mistaken_for_jsonb() {
    let mut reader = Reader::new().await;
    reader
        .run(
            "CREATE FUNCTION pg_temp.leak(t text) RETURNS boolean LANGUAGE plpgsql AS \
                $$ BEGIN RAISE LOG 'LEAKED %', t; RETURN true; END $$; \
             CREATE DOMAIN pg_temp.jsonb AS text CHECK (pg_temp.leak(VALUE)); \
             CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.leak(VALUE)); \
             SELECT '1'::pg_temp.jsonb",
        )
        .await;
    reader.everything().await;
    let logged = reader.logged().await;
    assert!(
        logged.contains("LEAKED 1") && !logged.contains(SECRET),
        "{logged}"
    );
    reader
        .admin
        .execute("ALTER FUNCTION hookfast_data.payload_error RESET search_path")
        .await
        .expect("altered");
    reader.everything().await;
    assert!(
        reader.logged().await.contains(SECRET),
        "this is how it would appear"
    );
}

#[tokio::test]
async fn a_function_of_a_reader_is_not_mistaken_for_the_servers() {
    let mut reader = Reader::new().await;
    // A better match than the server's own (bytea, name), also if that comes first.
    reader
        .run(
            "CREATE FUNCTION theirs.convert_from(body bytea, of text) RETURNS text LANGUAGE plpgsql AS \
                $$ BEGIN RAISE LOG 'LEAKED %', encode(body, 'escape'); RETURN encode(body, 'escape'); END $$; \
             CREATE FUNCTION theirs.\"left\"(t text, n bigint) RETURNS text LANGUAGE plpgsql AS \
                $$ BEGIN RAISE LOG 'LEAKED %', t; RETURN t; END $$; \
             SET search_path = pg_catalog, theirs; SELECT convert_from('here', 'UTF8')",
        )
        .await;
    reader.everything().await;
    let logged = reader.logged().await;
    assert!(
        logged.contains("LEAKED here") && !logged.contains(SECRET),
        "{logged}"
    );
    reader
        .admin
        .execute("ALTER FUNCTION hookfast_data.payload_error RESET search_path")
        .await
        .expect("altered");
    reader.everything().await;
    assert!(
        reader.logged().await.contains(SECRET),
        "this is how it would appear"
    );
}

#[tokio::test]
async fn a_plan_that_a_reader_prints_contains_no_secret() {
    let mut reader = Reader::new().await;
    reader
        .run("SET debug_pretty_print = off; SET debug_print_parse = on; SET debug_print_rewritten = on; SET debug_print_plan = on; SET client_min_messages = log")
        .await;
    reader.everything().await;
    let logged = reader.logged().await;
    assert!(logged.contains("PLANNEDSTMT"), "plans are printed");
    assert!(!logged.contains(SECRET), "a plan contains the secret");
    reader
        .admin
        .execute("ALTER FUNCTION hookfast_data.redact_payload RESET debug_print_plan")
        .await
        .expect("altered");
    reader
        .admin
        .execute("ALTER FUNCTION hookfast_data.secret_values RESET debug_print_plan")
        .await
        .expect("altered");
    reader
        .admin
        .execute("ALTER FUNCTION hookfast_data.payload_error RESET debug_print_plan")
        .await
        .expect("altered");
    reader.everything().await;
    assert!(
        reader.logged().await.contains(SECRET),
        "this is how it would appear"
    );
}
