//! A reader who may call one function more than readers may is not shown what the views hide from
//! readers: not in a result, not in an error, and not in a notice.
//!
//! Most functions run with the rights of the owner, who sees everything.

use super::roles_of;
use crate::support::postgres::{Database, database, server_log};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgDatabaseError};
use std::collections::BTreeMap;
use tokio::sync::{Mutex, MutexGuard};

/// The value of a secret field, and a part of every text that readers may not see.
const CANARY: &str = "canary-5e2d81";

/// The canary in a payload and in everything that repeats it. `own` has a secret field, `airalo`
/// the projection of an order.
const WORLD: &str = r#"
INSERT INTO hookfast_data.sources (name, kind, secret_fields, search_fields) VALUES
    ('own', 'sql', '{secret}', '{order,secret}'), ('airalo', 'airalo', '{matching_id,lpa}', '{}');
INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version, ordered_by, on_dead, filter) VALUES
    ('shop', 'http', '{own.*}', 3, 0, '{secret}', 'skip', NULL), ('block', 'http', '{own.*}', 3, 0, '{secret}', 'block', NULL),
    ('stock', 'pull', '{own.*}', 3, 0, '{secret}', 'skip', NULL), ('gone', 'pull', '{own.*}', 3, 0, '{secret}', 'skip', NULL),
    ('picky', 'pull', '{own.*}', 3, 0, '{secret}', 'skip', '$.secret == "canary-5e2d81" && $.n == 1'),
    ('free', 'http', '{own.*}', 3, 0, NULL, 'skip', NULL), ('paused', 'http', '{own.*}', 3, 0, NULL, 'skip', NULL);
SELECT hookfast.enqueue('own', 'own.paid', p, 'key:canary-5e2d81', '{"x-token": "canary-5e2d81"}'),
    hookfast.enqueue('own', 'own.paid', p || '{"n": 1}', 'key:canary-5e2d81'), hookfast.enqueue('own', 'own.paid', p, 'third:canary-5e2d81'),
    hookfast.enqueue('own', 'quiet.done', p, 'quiet:canary-5e2d81')
    FROM (SELECT '{"order": "o-1", "n": 2, "secret": "canary-5e2d81", "note": "scan canary-5e2d81"}'::jsonb AS p) x;
SELECT hookfast_data.assign_ordering_keys(h.id, 100) FROM hookfast_data.handlers h WHERE h.ordered_by IS NOT NULL AND h.name <> 'picky';
INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome, error, error_kind)
    SELECT o.event_id, o.id, 1, o.handler_id, 'retry', 'rejected canary-5e2d81', 'handler' FROM hookfast_data.outbox o;
UPDATE hookfast_data.outbox SET attempt_number = 1;
WITH dead AS (DELETE FROM hookfast_data.outbox o WHERE o.id IN (SELECT min(x.id) FROM hookfast_data.outbox x
    JOIN hookfast_data.handlers h ON h.id = x.handler_id WHERE h.name IN ('shop', 'block', 'free') GROUP BY h.id) RETURNING o.*)
INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, ordering_key, reason, last_error)
    SELECT d.id, d.handler_id, d.event_id, 1, 0, d.ordering_key, 'rejected', 'rejected canary-5e2d81' FROM dead d;
SELECT hookfast_data.alert_dead_letters(10);
INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body, whole_bytes, body_sha256)
    SELECT s.id, sha256(n::text::bytea), 'wrong_signature', '{"x-token": "canary-5e2d81"}', '{"secret": "canary-5e2d81"}',
        CASE n WHEN 3 THEN 100000 END, CASE n WHEN 3 THEN sha256('') END
    FROM hookfast_data.sources s CROSS JOIN generate_series(1, 3) n WHERE s.name = 'own';
SELECT hookfast.replay_all('shop', payload => '$.secret == "canary-5e2d81"', why => 'asked about canary-5e2d81', at_most => 10)
    FROM generate_series(1, 2);
SELECT hookfast.pause_replay(2, 'paused for canary-5e2d81');
SELECT hookfast.hold_event(e.id, 'a dispute about canary-5e2d81') FROM hookfast_data.events e WHERE e.idempotency_key = 'third:canary-5e2d81';
SELECT hookfast.pause_handler('paused', 'waits for canary-5e2d81');
SELECT hookfast.retire_handler('gone', 'lost canary-5e2d81', pending => 'keep', at_most => 10);
SELECT hookfast.claim('stock', 'client', 1);
INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body)
    SELECT hookfast_data.new_event_id(), s.id, 0, 'airalo.order.completed', 'webhook', 'order:canary-5e2d81:completed', '{}',
        '{"request_id": "r-1", "data": {"id": 1, "code": "c-1", "description": "order 4711",
            "sims": [{"iccid": "8900000000000000001", "lpa": "canary-5e2d81", "matching_id": "canary-5e2d81"}]}}'
    FROM hookfast_data.sources s WHERE s.name = 'airalo';
SELECT hookfast.airalo_project_event((e.id, 'airalo', e.type, NULL, e.origin, e.received_at, e.idempotency_key, NULL, e.headers,
    NULL, e.body, 1, 1)::hookfast.event) FROM hookfast_data.events e WHERE e.type = 'airalo.order.completed';
SELECT hookfast.airalo_expect_order('r-2', 'order 4712', source => 'airalo');
"#;

/// What the calls below name, each with a query of its id.
const IDS: [(&str, &str); 12] = [
    (
        "FIRST",
        "SELECT e.conflicts_with FROM hookfast_data.events e WHERE e.type = 'own.paid.conflict'",
    ),
    (
        "CONFLICT",
        "SELECT e.id FROM hookfast_data.events e WHERE e.type = 'own.paid.conflict'",
    ),
    (
        "HELD",
        "SELECT h.event_id FROM hookfast_data.retention_holds h",
    ),
    (
        "QUIET",
        "SELECT e.id FROM hookfast_data.events e WHERE e.type = 'quiet.done'",
    ),
    (
        "ORDER",
        "SELECT e.id FROM hookfast_data.events e WHERE e.type = 'airalo.order.completed'",
    ),
    (
        "DEAD",
        "SELECT d.delivery_id FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id \
            WHERE h.name = 'shop'",
    ),
    (
        "BLOCKS",
        "SELECT d.delivery_id FROM hookfast_data.dead_letters d JOIN hookfast_data.handlers h ON h.id = d.handler_id \
            WHERE h.name = 'block'",
    ),
    (
        "PENDING",
        "SELECT min(o.id) FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id \
            WHERE h.name = 'free'",
    ),
    (
        "KEPT",
        "SELECT min(o.id) FROM hookfast_data.outbox o JOIN hookfast_data.handlers h ON h.id = o.handler_id \
            WHERE h.name = 'gone'",
    ),
    (
        "LEASE",
        "SELECT o.lease_id FROM hookfast_data.outbox o WHERE o.lease_id IS NOT NULL",
    ),
    (
        "CLAIMED",
        "SELECT o.id FROM hookfast_data.outbox o WHERE o.lease_id IS NOT NULL",
    ),
    (
        "EXCERPT",
        "SELECT q.id FROM hookfast_data.quarantine q WHERE q.whole_bytes IS NOT NULL",
    ),
];

/// Calls of every function. The first succeeds, and the others show its errors and other paths.
const CALLS: &[(&str, &[&str])] = &[
    (
        "acknowledge_conflict",
        &["'CONFLICT', 'a test'", "'QUIET', 'a test'"],
    ),
    (
        "airalo_expect_order",
        &["'r-3', 'order 4713'", "'r-1', 'order 4711'", "'', ''"],
    ),
    (
        "airalo_forget_order",
        &["'order 4712', 'a test'", "'order 4711', 'a test'"],
    ),
    (
        "airalo_project_event",
        &[
            "('ORDER', 'airalo', 'airalo.order.completed.conflict', NULL, 'webhook', now(), 'k', 'ORDER', '{}', \
                '{\"request_id\": \"r-1\", \"data\": {\"id\": 2, \"sims\": [{\"iccid\": \"8900000000000000001\"}]}}', 'x', 1, 1)",
            "(NULL, 'airalo', 'airalo.order.completed', NULL, 'webhook', now(), 'k', 'ORDER', '{}', \
                '{\"request_id\": \"r-1\", \"data\": {\"sims\": [{\"iccid\": \"8900000000000000001\"}]}}', 'x', 1, 1)",
            "('ORDER', 'airalo', 'airalo.order.completed', NULL, 'webhook', now(), 'k', NULL, '{}', \
                '{\"data\": {\"sims\": [{\"iccid\": \"8900000000000000001\"}]}}', 'x', 1, 1)",
            "('ORDER', 'own', 'airalo.order.completed', NULL, 'webhook', now(), 'k', NULL, '{}', '{}', 'x', 1, 1)",
            "('ORDER', 'airalo', 'airalo.order.completed', NULL, 'webhook', now(), 'k', NULL, '{}', NULL, 'x', 1, 1)",
        ],
    ),
    (
        "approve_quarantined",
        &["1, 'a test'", "EXCERPT, 'a test'", "99, 'a test'", "1, ''"],
    ),
    ("cancel_replay", &["1, 'a test'", "99, 'a test'", "1, ''"]),
    (
        "claim",
        &[
            "'stock', 'rita', 10",
            "'picky', 'rita', 10",
            "'gone', 'rita', 10",
            "'shop', 'rita', 10",
            "'stock', 'rita', 0",
        ],
    ),
    ("complete", &["LEASE, CLAIMED", "LEASE, DEAD", "1, 1"]),
    (
        "discard",
        &[
            "DEAD, 'a test'",
            "BLOCKS, 'a test'",
            "PENDING, 'a test'",
            "CLAIMED, 'a test'",
            "DEAD, ''",
        ],
    ),
    (
        "discard_all",
        &[
            "",
            "error => '%'",
            "payload => '$.n == 2'",
            "why => 'a test', at_most => 100",
            "why => 'a test', at_most => 0",
            "payload => '$.secret'",
            "payload => '$.secret.double() > 1'",
            "'nowhere'",
        ],
    ),
    (
        "discard_quarantined",
        &[
            "",
            "why => 'a test', at_most => 100",
            "why => 'a test', at_most => 0",
        ],
    ),
    (
        "enqueue",
        &[
            "'own', 'own.paid', '{\"order\": \"o-2\"}'",
            "'own', 'own.paid', '{\"order\": \"o-2\"}', 'key'",
            "'own', 'own paid', '{}'",
            "'airalo', 'own.paid', '{}'",
        ],
    ),
    (
        "erase",
        &[
            "'QUIET', 'a test'",
            "'HELD', 'a test'",
            "'FIRST', 'a test'",
            "'CONFLICT', ''",
        ],
    ),
    (
        "erase_all",
        &[
            "source => 'own'",
            "term => 'o-1'",
            "payload => '$.n == 2'",
            "source => 'own', why => 'a test', at_most => 100",
            "source => 'own', why => 'a test', at_most => 0",
            "source => 'own', payload => '$.secret.datetime() > 1'",
            "",
        ],
    ),
    ("event_id_at", &["now()"]),
    ("explain", &["'FIRST'", "'CONFLICT'", "NULL"]),
    ("extend_lease", &["LEASE", "1"]),
    (
        "fail",
        &[
            "LEASE, CLAIMED, 'a test'",
            "LEASE, CLAIMED, NULL, dead => true",
            "LEASE, CLAIMED, 'a test', retry_after => '1000000 years'",
            "LEASE, DEAD, 'a test'",
        ],
    ),
    ("find", &["'o-1'", "'FIRST'"]),
    (
        "hold_event",
        &["'FIRST', 'a test'", "'HELD', 'a test'", "NULL, 'a test'"],
    ),
    ("pause_all_handlers", &["'a test'", "''"]),
    (
        "pause_handler",
        &[
            "'shop', 'a test'",
            "'paused', 'a test'",
            "'gone', 'a test'",
            "'nowhere', 'a test'",
        ],
    ),
    (
        "pause_replay",
        &["1, 'a test'", "2, 'a test'", "99, 'a test'"],
    ),
    ("reindex", &["'own', 'a test'", "'nowhere', 'a test'"]),
    (
        "replay",
        &[
            "'FIRST', 'shop', 'a test'",
            "'FIRST', 'gone', 'a test'",
            "'FIRST', 'shop', 'a test', NULL",
            "NULL, 'shop', 'a test'",
        ],
    ),
    (
        "replay_all",
        &[
            "'shop'",
            "'shop', payload => '$.n == 2'",
            "'shop', why => 'a test', at_most => 100",
            "'shop', why => 'a test', at_most => 0",
            "'shop', why => 'a test', at_most => 100, new_webhook_id => NULL",
            "'shop', payload => '$.secret'",
            "'gone'",
        ],
    ),
    (
        "reschedule",
        &[
            "PENDING, now(), 'a test'",
            "KEPT, now(), 'a test'",
            "CLAIMED, now(), 'a test'",
            "PENDING, 'infinity', 'a test'",
        ],
    ),
    (
        "reschedule_all",
        &[
            "'free', now()",
            "'shop', now()",
            "'free', now(), why => 'a test', at_most => 100",
            "'free', now(), why => 'a test', at_most => 0",
            "'gone', now()",
        ],
    ),
    ("resume_all_handlers", &["'a test'"]),
    (
        "resume_handler",
        &["'paused', 'a test'", "'shop', 'a test'", "'gone', 'a test'"],
    ),
    ("resume_replay", &["2, 'a test'", "1, 'a test'"]),
    ("retention_preview", &[""]),
    (
        "retire_handler",
        &[
            "'free', 'a test'",
            "'shop', 'a test', at_most => 100",
            "'shop', 'a test', at_most => 0",
            "'gone', 'a test'",
            "'gone', 'a test', at_most => 100",
            "'stock', 'a test'",
            "'shop', 'a test', 'destroy'",
        ],
    ),
    (
        "retry",
        &[
            "DEAD, 'a test'",
            "BLOCKS, 'a test'",
            "PENDING, 'a test'",
            "DEAD, 'a test', 0",
        ],
    ),
    (
        "retry_all",
        &[
            "",
            "'free'",
            "error => '%'",
            "payload => '$.n == 2'",
            "why => 'a test', at_most => 100",
            "why => 'a test', at_most => 0",
            "payload => '$.secret'",
            "payload => '$.secret.double() > 1'",
            "'gone'",
        ],
    ),
    (
        "reverify_quarantined",
        &[
            "",
            "why => 'a test', at_most => 100",
            "why => 'a test', at_most => 0",
            "'nowhere'",
        ],
    ),
    ("status", &[""]),
    ("timeline", &["'o-1'", "'FIRST'"]),
    ("unhold_event", &["'HELD', 'a test'", "'FIRST', 'a test'"]),
];

/// The functions whose result is not masked, and why.
const UNMASKED: [(&str, &str); 1] = [(
    "claim",
    "a pulling client gets the payloads that it processes",
)];

/// Precedes the name of the function that is called next in the server's log.
const MARK: &str = "canary test calls ";

/// A reader, who connects with every message turned on.
struct Rita {
    connection: PgConnection,
    admin: PgConnection,
    role: String,
    /// The size of the server's log before its session.
    logged: usize,
    ids: Vec<(&'static str, String)>,
    _database: Database,
    _alone: MutexGuard<'static, ()>,
}

/// These tests share the server's log.
static LOG: Mutex<()> = Mutex::const_new(());

impl Rita {
    async fn new() -> Self {
        let alone = LOG.lock().await;
        let database = database().await;
        let mut admin = database.connect().await;
        let readers = roles_of(&database, &mut admin).await;
        assert!(WORLD.contains(CANARY));
        for statement in WORLD.split_inclusive(";\n") {
            run(&mut admin, statement).await;
        }
        let mut ids = Vec::new();
        for (name, query) in IDS {
            let query = format!("SELECT ({query})::text");
            let id: Option<String> = sqlx::query_scalar(AssertSqlSafe(query.as_str()))
                .fetch_one(&mut admin)
                .await
                .expect(&query);
            ids.push((name, id.expect(name)));
        }
        let url = database.login("rita", &[&readers]).await;
        let role = url::Url::parse(&url).expect("a URL").username().to_owned();
        // The log then has everything that a client can have sent to it.
        run(
            &mut admin,
            &format!("ALTER ROLE {role} SET log_min_messages = debug1"),
        )
        .await;
        let logged = server_log().await.len();
        let mut connection = PgConnection::connect(&url).await.expect("it may connect");
        run(
            &mut connection,
            // Pretty plans have line breaks within numbers.
            "SET client_min_messages = debug1; SET debug_pretty_print = off; SET debug_print_parse = on; SET debug_print_rewritten = on; SET debug_print_plan = on",
        )
        .await;
        Self {
            connection,
            admin,
            role,
            logged,
            ids,
            _database: database,
            _alone: alone,
        }
    }

    /// Calls a function, which she may call only meanwhile, and undoes what it did.
    async fn shown(&mut self, name: &str, calls: &[&'static str]) -> Shown {
        let grant = format!("GRANT EXECUTE ON FUNCTION hookfast.{name} TO {}", self.role);
        run(&mut self.admin, &grant).await;
        run(
            &mut self.connection,
            &format!("DO $$ BEGIN RAISE LOG '{MARK}{name} '; END $$"),
        )
        .await;
        let mut shown = Shown::default();
        for arguments in calls {
            let filled = self
                .ids
                .iter()
                .fold((*arguments).to_owned(), |filled, (id, value)| {
                    filled.replace(id, value)
                });
            let call = format!("SELECT coalesce(f::text, '') FROM hookfast.{name}({filled}) f");
            let mut transaction = self.connection.begin().await.expect("a transaction");
            let rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(call.as_str()))
                .fetch_all(&mut *transaction)
                .await;
            transaction.rollback().await.expect("rolled back");
            match rows {
                Ok(rows) => shown.results.extend(rows),
                Err(error) => {
                    let error = error
                        .into_database_error()
                        .expect("an answer of the server");
                    let error = error.downcast_ref::<PgDatabaseError>();
                    assert_ne!(error.code(), "42601", "{call}: {error:?}");
                    shown.errors.push((*arguments, format!("{error:?}")));
                }
            }
        }
        let revoke = format!(
            "REVOKE EXECUTE ON FUNCTION hookfast.{name} FROM {}",
            self.role
        );
        run(&mut self.admin, &revoke).await;
        shown
    }

    /// The functions in whose calls the server logged the canary: in a notice, an error or a plan.
    async fn logged(&self) -> Vec<String> {
        let bytes: Vec<String> = CANARY.bytes().map(|byte| byte.to_string()).collect();
        let log = server_log().await;
        let words: Vec<&str> = log[self.logged..].split_whitespace().collect();
        // A plan contains texts byte by byte.
        let log = words.join(" ").replace(&bytes.join(" "), CANARY);
        let mut names: Vec<String> = log
            .split(MARK)
            .skip(1)
            .filter(|part| reveals(part))
            .filter_map(|part| part.split(' ').next().map(str::to_owned))
            .collect();
        names.dedup();
        names
    }
}

#[derive(Default)]
struct Shown {
    results: Vec<String>,
    /// The arguments and the error, with its detail, hint and context.
    errors: Vec<(&'static str, String)>,
}

async fn run(connection: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(connection)
        .await
        .expect(statements);
}

/// Whether a text contains the canary, as text or as bytes.
fn reveals(text: &str) -> bool {
    text.contains(CANARY) || text.contains(&hex::encode(CANARY))
}

/// The functions of the schema without a call, and the calls without a function.
async fn without_call(admin: &mut PgConnection) -> Vec<String> {
    let there: Vec<String> = sqlx::query_scalar(
        "SELECT p.proname::text FROM pg_proc p WHERE p.pronamespace = 'hookfast'::regnamespace ORDER BY 1",
    )
    .fetch_all(admin)
    .await
    .expect("the functions");
    let called = |name: &String| CALLS.iter().any(|(called, _)| called == name);
    let missing = CALLS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .filter(|name| !there.contains(name));
    there
        .iter()
        .filter(|name| !called(name))
        .cloned()
        .chain(missing)
        .collect()
}

#[tokio::test]
async fn no_function_shows_more_to_a_reader_who_may_call_it_than_the_views_do() {
    let mut rita = Rita::new().await;
    assert_eq!(
        without_call(&mut rita.admin).await,
        [""; 0],
        "CALLS has every function of the schema"
    );
    let mut revealing = BTreeMap::<String, Vec<String>>::new();
    for (name, calls) in CALLS {
        let shown = rita.shown(name, calls).await;
        assert_ne!(
            shown.errors.first().map(|(arguments, _)| arguments),
            calls.first(),
            "the first call of {name} succeeds: {:?}",
            shown.errors
        );
        let results = shown.results.iter().filter(|row| reveals(row)).count();
        let unmasked = UNMASKED.iter().any(|(listed, _)| listed == name);
        assert!(!unmasked || results > 0, "{name} is listed, but is masked");
        let found = revealing.entry((*name).to_owned()).or_default();
        found.extend((results > 0 && !unmasked).then(|| "result".to_owned()));
        let errors = shown.errors.iter().filter(|(_, error)| reveals(error));
        found.extend(errors.map(|(arguments, error)| format!("{arguments}: {error}")));
    }
    // What the server logged, a client may have got as a notice.
    for name in rita.logged().await {
        revealing.entry(name).or_default().push("log".to_owned());
    }
    revealing.retain(|_, found| !found.is_empty());
    assert!(revealing.is_empty(), "{revealing:#?}");
}

#[tokio::test]
async fn the_check_finds_a_function_that_reveals_something_in_any_way() {
    let mut rita = Rita::new().await;
    let define = |body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION hookfast.probe(event uuid) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ \
             DECLARE secret text := (SELECT e.idempotency_key FROM hookfast_data.events e WHERE e.id = probe.event); \
             BEGIN {body}; RETURN ''; END $$"
        )
    };
    for (body, result, error, log) in [
        ("NULL", false, false, false),
        ("RETURN secret", true, false, false),
        ("RETURN secret::bytea", true, false, false),
        ("RAISE '%', secret", false, true, true),
        ("RAISE 'x' USING DETAIL = secret", false, true, true),
        ("RAISE 'x' USING HINT = secret", false, true, true),
        ("PERFORM secret::integer", false, true, true),
        ("RAISE NOTICE '%', secret", false, false, true),
        ("RAISE DEBUG '%', secret", false, false, true),
        ("RAISE WARNING 'x' USING HINT = secret", false, false, true),
        (
            "PERFORM FROM hookfast_data.idempotency_keys k WHERE k.key = secret",
            false,
            false,
            true,
        ),
    ] {
        run(&mut rita.admin, &define(body)).await;
        rita.logged = server_log().await.len();
        let shown = rita.shown("probe", &["'FIRST'"]).await;
        let found = (
            shown.results.iter().any(|row| reveals(row)),
            shown.errors.iter().any(|(_, error)| reveals(error)),
            !rita.logged().await.is_empty(),
        );
        assert_eq!(found, (result, error, log), "{body}");
    }
    assert_eq!(without_call(&mut rita.admin).await, ["probe"]);
}
