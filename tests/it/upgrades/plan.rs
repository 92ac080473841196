//! The output of `hookfast migrate --plan` describes each migration correctly.

use super::{FUNCTION, LATER, Upgraded, VIEW, build, commented, later};
use hookfast::internals::store::{
    ObjectKind, Planned, Role, Schema, ensure_partitions, plan, planned,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::collections::{BTreeMap, BTreeSet};

/// The last migration of the baseline, which runs on an empty database.
const BASELINE: i64 = 13;

/// Rows in every table that an upgrade finds.
const ROWS: &str = "\
    INSERT INTO hookfast_data.sources (name, kind) VALUES ('airalo', 'airalo'); \
    INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version) VALUES ('shop', 'http', '{*}', 3, 1); \
    INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body) \
        SELECT overlay(gen_random_uuid()::text PLACING left(hookfast_data.event_id_at(clock_timestamp())::text, 14) FROM 1)::uuid, \
            1, 1, 'x', 'webhook', 'key-' || n, '{}', '{}' FROM generate_series(1, 100) n; \
    INSERT INTO hookfast_data.idempotency_keys SELECT 1, idempotency_key, id FROM hookfast_data.events; \
    INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left) SELECT 1, id, 3 FROM hookfast_data.events; \
    INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome) \
        SELECT id, 1, 1, 1, 'delivered' FROM hookfast_data.events; \
    INSERT INTO hookfast_data.dead_letters SELECT row_number() OVER (), 1, id, 1, 0, NULL, 'rejected' FROM hookfast_data.events; \
    INSERT INTO hookfast_data.leases (kind, owner, handlers, expires_at) VALUES ('worker', 'host:1', '{1}', now()); \
    INSERT INTO hookfast_data.quarantine (source_id, digest, reason, headers, body) \
        SELECT 1, sha256(n::text::bytea), 'x', '{}', '' FROM generate_series(1, 100) n; \
    INSERT INTO hookfast_data.rollups SELECT now(), 'x' || n, 'y', 1 FROM generate_series(1, 100) n; \
    INSERT INTO hookfast_data.audit_log (action, target) SELECT 'x', 'y' FROM generate_series(1, 100); \
    ANALYZE";

/// The relations that exist before, in temporary tables of the session.
const BEFORE: &str = "\
    CREATE TEMPORARY TABLE before AS \
    SELECT c.oid, c.relkind, pg_relation_filenode(c.oid) AS file, n.nspname || '.' || coalesce(p.relname, c.relname) AS name, \
        EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'only_row') AS only_row \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent \
    WHERE n.nspname IN ('hookfast', 'hookfast_data') AND c.relkind IN ('r', 'p', 'v') AND c.relname <> 'migrations'";

/// The modes from the weakest to the strongest, without the first, which every reader takes.
const MODES: [&str; 7] = [
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
];

const LOCKS: &str = "SELECT DISTINCT b.name, l.mode FROM pg_locks l JOIN before b ON b.oid = l.relation \
    WHERE l.pid = pg_backend_pid() AND l.granted AND l.mode <> 'AccessShareLock'";

const REWRITES: &str = "SELECT DISTINCT name FROM before \
    WHERE relkind = 'r' AND file IS DISTINCT FROM pg_relation_filenode(oid)";

/// Tables that this session has read completely. Tables with one row do not count.
const SCANS: &str = "SELECT DISTINCT b.name FROM pg_stat_xact_all_tables s JOIN before b ON b.oid = s.relid \
    WHERE s.seq_scan > 0 AND NOT b.only_row";

/// `AccessExclusiveLock` in its SQL spelling.
fn spoken(mode: &str) -> &'static str {
    let squeezed = |mode: &str| mode.replace(' ', "").to_lowercase();
    let spoken = MODES
        .iter()
        .find(|known| squeezed(known) == mode.trim_end_matches("Lock").to_lowercase());
    spoken.expect(mode)
}

/// The effects of a migration in a transaction that is still open.
async fn done(connection: &mut PgConnection) -> Planned {
    let mut strongest = BTreeMap::new();
    let held: Vec<(String, String)> = sqlx::query_as(LOCKS)
        .fetch_all(&mut *connection)
        .await
        .expect("the locks");
    for (name, mode) in held {
        let rank = MODES.iter().position(|known| *known == spoken(&mode));
        let entry = strongest.entry(name).or_insert(rank);
        *entry = (*entry).max(rank);
    }
    let locks = strongest
        .into_iter()
        .map(|(name, rank)| (name, MODES[rank.expect("a mode")].to_owned()))
        .collect();
    let rewrites = sqlx::query_scalar(REWRITES)
        .fetch_all(&mut *connection)
        .await
        .expect("the files");
    let scans = sqlx::query_scalar(SCANS)
        .fetch_all(&mut *connection)
        .await
        .expect("the scans");
    let set = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    Planned {
        description: String::new(),
        locks,
        rewrites: set(rewrites),
        scans: set(scans),
    }
}

/// An entry in the format of the file.
fn entry(file: &str, description: &str, done: &Planned) -> String {
    let mut text = format!(
        "[\"{file}\"]\ndescription = \"\"\"\n{}\"\"\"\n",
        if description.is_empty() {
            "…\n"
        } else {
            description
        }
    );
    for (name, tables) in [("rewrites", &done.rewrites), ("scans", &done.scans)] {
        if !tables.is_empty() {
            text.push_str(
                &format!("{name} = {tables:?}\n")
                    .replace('{', "[")
                    .replace('}', "]"),
            );
        }
    }
    if !done.locks.is_empty() {
        text.push_str(&format!("[\"{file}\".locks]\n"));
        done.locks
            .iter()
            .for_each(|(table, mode)| text.push_str(&format!("\"{table}\" = \"{mode}\"\n")));
    }
    text
}

#[tokio::test]
async fn a_plan_describes_each_migration() {
    let mut database = Upgraded::new().await;
    database
        .execute("SET client_min_messages = warning; DROP SCHEMA hookfast, hookfast_data CASCADE")
        .await;
    database
        .execute("CREATE SCHEMA hookfast; CREATE SCHEMA hookfast_data")
        .await;
    let mut planned = planned().expect("a plan that can be read");
    let mut wished = String::new();
    for migration in Schema::of_this_program().migrations {
        let file = format!(
            "{:04}_{}.sql",
            migration.version,
            migration.description.replace(' ', "_")
        );
        let done = applied(&database, migration.sql.as_str()).await;
        let printed = planned.remove(&file);
        let description = printed
            .as_ref()
            .map_or(String::new(), |printed| printed.description.clone());
        if description.trim().len() < 20
            || printed
                != Some(Planned {
                    description: description.clone(),
                    ..done.clone()
                })
        {
            wished += &format!("\n{}", entry(&file, &description, &done));
        }
        if migration.version == BASELINE {
            for object in Schema::of_this_program().objects {
                database.execute(object.definition).await;
            }
            ensure_partitions(&database.of.pool(Role::General, 1))
                .await
                .expect("the partitions");
            database.execute(ROWS).await;
        }
    }
    assert!(wished.is_empty(), "migrations/plan.toml needs:\n{wished}");
    assert!(
        planned.is_empty(),
        "there are no such migrations: {:?}",
        planned.keys()
    );
}

/// The effects of statements, in a separate session, whose counts start at zero.
async fn applied(database: &Upgraded, statements: &str) -> Planned {
    let mut connection = database.database.connect().await;
    sqlx::raw_sql(BEFORE)
        .execute(&mut connection)
        .await
        .expect("the existing rows");
    let mut transaction = connection.begin().await.expect("a transaction");
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut *transaction)
        .await
        .expect(statements);
    let done = done(&mut transaction).await;
    transaction.commit().await.expect(statements);
    done
}

/// `done` finds the effects of a migration on existing rows, so the check works.
#[tokio::test]
async fn the_effects_of_a_later_migration_are_found() {
    let mut database = Upgraded::new().await;
    database.execute(ROWS).await;
    let found = applied(&database, LATER).await;
    assert_eq!(found.locks["hookfast_data.events"], "ACCESS EXCLUSIVE");
    assert!(
        found.rewrites.is_empty() && found.scans.is_empty(),
        "{found:?}"
    );
    let heavy = "ALTER TABLE hookfast_data.quarantine ALTER COLUMN digest TYPE bytea USING substring(digest FROM 1)";
    let found = applied(&database, heavy).await;
    assert_eq!(
        found.rewrites.into_iter().collect::<Vec<_>>(),
        ["hookfast_data.quarantine"]
    );
}

/// A function locks no table, a view only itself.
#[tokio::test]
async fn functions_and_views_take_the_locks_of_the_plan() {
    let database = Upgraded::new().await;
    let mut both = build(FUNCTION, commented("changed"));
    super::redefine(&mut both, VIEW, |view| {
        format!("{view}COMMENT ON VIEW hookfast.events IS 'changed';\n")
    });
    let found = plan(&database.of, &both).await.expect("a plan");
    assert!(
        found.migrations.is_empty() && found.indexes.is_empty(),
        "{found:?}"
    );
    let objects: Vec<_> = found
        .objects
        .iter()
        .map(|replaced| (replaced.object.to_string(), replaced.exists))
        .collect();
    let named = [
        ("function hookfast_data.type_matches", true),
        ("view hookfast.events", true),
    ];
    assert_eq!(
        objects,
        named.map(|(name, exists)| (name.to_owned(), exists))
    );
    for replaced in &found.objects {
        let locks = applied(&database, replaced.object.definition).await.locks;
        match replaced.object.kind() {
            ObjectKind::Function => assert!(locks.is_empty(), "{locks:?}"),
            ObjectKind::View => assert_eq!(
                locks.into_iter().collect::<Vec<_>>(),
                [("hookfast.events".to_owned(), "ACCESS EXCLUSIVE".to_owned())]
            ),
        }
    }
    let later = plan(&database.of, &later()).await.expect("a plan");
    assert_eq!(
        later
            .migrations
            .iter()
            .map(|(file, _)| file.as_str())
            .collect::<Vec<_>>(),
        ["9001_later.sql"]
    );
}
