//! One process at a time upgrades the schema, beside whatever else the database contains.

use super::{Store, rescue_expired, verdicts};
use crate::support::{postgres, server::Server, wait_until};
use hookfast::internals::domain::Origin::Webhook;
use hookfast::internals::store::{
    Database, MigrateError, Migrated, Role, Schema, SettleOutcome, Settled, check_schema,
    ensure_partitions, inspect, migrate,
};
use sqlx::{AssertSqlSafe, PgConnection};

/// The key of the lock that the processes use: "hookfast" in ASCII.
const LOCK: &str = "x'686f6f6b66617374'::bigint";

/// A database without Hookfast's schema.
struct Empty {
    connection: PgConnection,
    of: Database,
    database: postgres::Database,
}

impl Empty {
    async fn new() -> Self {
        let database = postgres::database().await;
        let (of, connection) = (
            database.url().parse().expect("a URL"),
            database.connect().await,
        );
        let mut empty = Self {
            connection,
            of,
            database,
        };
        empty
            .execute(
                "SET client_min_messages = warning; DROP SCHEMA hookfast, hookfast_data CASCADE",
            )
            .await;
        empty
    }

    async fn execute(&mut self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut self.connection)
            .await
            .expect("a statement");
    }

    async fn text(&mut self, query: &'static str) -> String {
        sqlx::query_scalar(query)
            .fetch_one(&mut self.connection)
            .await
            .expect("a text")
    }
}

/// All migrations of this program.
fn all() -> Migrated {
    let schema = Schema::of_this_program();
    Migrated {
        migrations: schema.migrations.len(),
        objects: schema.objects.len(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_at_once_apply_each_migration_once() {
    let mut empty = Empty::new().await;
    assert!(matches!(
        check_schema(&empty.of).await,
        Err(MigrateError::Pending)
    ));
    let mut processes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let of = empty.of.clone();
        processes.spawn(async move { migrate(&of).await.expect("each of them succeeds") });
    }
    let mut migrated = processes.join_all().await;
    migrated.retain(|of_one| *of_one != Migrated::default());
    assert_eq!(migrated, [all()], "one of them did all of it");
    assert_eq!(
        migrate(&empty.of).await.expect("nothing to do"),
        Migrated::default()
    );
    check_schema(&empty.of).await.expect("it fits");
    let recorded = "SELECT count(*)::text FROM hookfast_data.migrations WHERE success";
    assert_eq!(empty.text(recorded).await, all().migrations.to_string());
}

/// A waiter's snapshot would deadlock with CREATE INDEX CONCURRENTLY.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_waits_for_another_keeps_no_snapshot() {
    let mut empty = Empty::new().await;
    empty
        .execute(&format!("SELECT pg_advisory_lock({LOCK})"))
        .await;
    let of = empty.of.clone();
    let waiting = tokio::spawn(async move { migrate(&of).await });
    let mut observer = empty.database.connect().await;
    wait_until("a process that has tried the lock", async || {
        let tried = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
            AND application_name = 'hookfast' AND query LIKE '%pg_try_advisory_lock%' AND state = 'idle')";
        sqlx::query_scalar(tried).fetch_one(&mut observer).await.expect("an answer")
    })
    .await;
    let waits = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hookfast' \
        AND (backend_xmin IS NOT NULL OR wait_event_type = 'Lock')";
    assert_eq!(empty.text(waits).await, "0");
    assert!(!waiting.is_finished());
    empty
        .execute(&format!("SELECT pg_advisory_unlock({LOCK})"))
        .await;
    assert_eq!(waiting.await.expect("no panic").expect("its turn"), all());
}

/// Any role may hold the lock, and then nothing starts, so the message names the holder.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_waits_for_migrations_logs_their_holder() {
    let mut empty = Empty::new().await;
    empty
        .execute(&format!(
            "SET application_name = 'a stranger'; SELECT pg_advisory_lock({LOCK})"
        ))
        .await;
    let config = "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n";
    let server = Server::serve(empty.database.url(), config, &[]);
    server
        .logged("another session holds the lock on the migrations")
        .await;
    assert!(server.log().contains("(a stranger)"), "{}", server.log());
    empty
        .execute(&format!("SELECT pg_advisory_unlock({LOCK})"))
        .await;
    server.ready().await;
}

#[tokio::test]
async fn an_applications_own_migrations_stay_as_they_are() {
    let mut empty = Empty::new().await;
    empty
        .execute(
            "CREATE TABLE public._sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, \
                installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL, execution_time bigint NOT NULL); \
             INSERT INTO public._sqlx_migrations VALUES (1, 'theirs', now(), true, 'x', 1); \
             CREATE TABLE public.events (theirs integer)",
        )
        .await;
    assert_eq!(migrate(&empty.of).await.expect("beside theirs"), all());
    let theirs = "SELECT string_agg(version || description || encode(checksum, 'escape'), ',') FROM public._sqlx_migrations";
    assert_eq!(empty.text(theirs).await, "1theirsx");
    let public = "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    assert_eq!(
        empty.text(public).await,
        "_sqlx_migrations,events",
        "none of Hookfast's schema exists"
    );
}

#[tokio::test]
async fn a_failed_migration_is_rolled_back_and_the_next_process_repeats_it() {
    let mut empty = Empty::new().await;
    empty
        .execute(
            "CREATE SCHEMA hookfast_data; CREATE TABLE hookfast_data.rollups (in_the_way integer)",
        )
        .await;
    let failed = migrate(&empty.of)
        .await
        .expect_err("another object has the name");
    assert!(matches!(failed, MigrateError::Migration(_)), "{failed}");
    assert!(
        failed.to_string().contains("rollups"),
        "the message names it: {failed}"
    );
    assert!(matches!(
        check_schema(&empty.of).await,
        Err(MigrateError::Pending)
    ));
    assert_eq!(
        empty
            .text("SELECT (to_regclass('hookfast.events') IS NULL)::text")
            .await,
        "true",
        "no view is created before its tables"
    );
    empty.execute("DROP TABLE hookfast_data.rollups").await;
    let rest = migrate(&empty.of).await.expect("the rest");
    assert_eq!(
        rest,
        Migrated {
            migrations: all().migrations - 5,
            ..all()
        },
        "the one of the counts and all after it"
    );
    check_schema(&empty.of).await.expect("it fits");
}

#[tokio::test]
async fn a_program_runs_on_a_newer_schema_that_supports_it() {
    let mut empty = Empty::new().await;
    migrate(&empty.of).await.expect("migrated");
    // The schema of a newer program.
    empty
        .execute(
            "INSERT INTO hookfast_data.migrations (version, description, success, checksum, execution_time) VALUES (9999, 'newer', true, 'x', 1); \
             UPDATE hookfast_data.compatibility SET schema_version = 2",
        )
        .await;
    assert_eq!(
        migrate(&empty.of)
            .await
            .expect("the previous release still starts"),
        Migrated::default()
    );
    check_schema(&empty.of).await.expect("and runs");
    empty
        .execute("UPDATE hookfast_data.compatibility SET schema_version = 3, oldest_program = 3")
        .await;
    let too_old = check_schema(&empty.of)
        .await
        .expect_err("two releases before");
    assert!(
        matches!(
            too_old,
            MigrateError::TooOld {
                schema: 3,
                oldest: 3
            }
        ),
        "{too_old}"
    );
}

/// A role that may only log in to the database, and its URL.
async fn limited(empty: &mut Empty) -> (String, Database) {
    let mut url = url::Url::parse(empty.database.url()).expect("a URL");
    let role = format!("limited_{}", &url.path()[1..]);
    empty
        .execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'limited' NOSUPERUSER NOCREATEDB NOCREATEROLE"
        ))
        .await;
    url.set_username(&role)
        .and_then(|()| url.set_password(Some("limited")))
        .expect("a URL with a host");
    (role, url.as_str().parse().expect("a URL"))
}

#[tokio::test]
async fn the_right_to_create_in_the_database_is_enough() {
    let mut empty = Empty::new().await;
    let (role, of) = limited(&mut empty).await;
    let lacks_create = async || {
        let problems = inspect(&of).await.expect("an answer").problems();
        problems.iter().any(|problem| problem.contains("CREATE"))
    };
    assert!(lacks_create().await, "the privilege is missing");
    let name = url::Url::parse(empty.database.url()).expect("a URL").path()[1..].to_owned();
    empty
        .execute(&format!("GRANT CREATE ON DATABASE {name} TO {role}"))
        .await;
    migrate(&of).await.expect("migrated");
    check_schema(&of).await.expect("it fits");
    ensure_partitions(&of.pool(Role::General, 1))
        .await
        .expect("partitions");
    let mut url = url::Url::parse(empty.database.url()).expect("a URL");
    url.set_username(&role)
        .and_then(|()| url.set_password(Some("limited")))
        .expect("a URL with a host");
    let store = Store::at(url.as_str()).await;
    let mut ingest = store.connection(Role::Ingest).await;
    assert_eq!(
        verdicts(&ingest.ingest(&[store.event("k", None)], Webhook).await),
        ["stored"]
    );
    let claim = store.claim_all(store.lease().await, 1).await[0];
    assert_eq!(
        store.settle(claim, SettleOutcome::Delivered).await,
        Settled::Done
    );
    rescue_expired(&store.pool).await.expect("a rescue");
    assert_eq!(
        store.text("SELECT state FROM hookfast.deliveries").await,
        "delivered"
    );
    // Exactly once.
    empty
        .execute(&format!("REVOKE CREATE ON DATABASE {name} FROM {role}"))
        .await;
    assert_eq!(
        migrate(&of).await.expect("nothing to do"),
        Migrated::default()
    );
    assert!(!lacks_create().await, "it is not needed any more");
}

#[tokio::test]
async fn schemas_that_an_administrator_created_are_enough() {
    let mut empty = Empty::new().await;
    let (role, of) = limited(&mut empty).await;
    let without = inspect(&of).await.expect("an answer").problems();
    assert!(
        without
            .iter()
            .any(|problem| problem.contains("CREATE SCHEMA hookfast AUTHORIZATION")),
        "{without:?}"
    );
    let create = format!(
        "CREATE SCHEMA hookfast AUTHORIZATION {role}; CREATE SCHEMA hookfast_data AUTHORIZATION {role}"
    );
    empty.execute(&create).await;
    migrate(&of).await.expect("migrated");
    check_schema(&of).await.expect("it fits");
}

#[tokio::test]
async fn a_role_that_may_not_act_as_the_owner_gets_a_plain_error() {
    let mut empty = Empty::new().await;
    migrate(&empty.of).await.expect("migrated");
    let (_, of) = limited(&mut empty).await;
    let problems = inspect(&of).await.expect("an answer").problems();
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("the schemas belong to hookfast")),
        "{problems:?}"
    );
}

#[tokio::test]
async fn a_database_of_another_encoding_is_rejected_with_a_hint() {
    let mut empty = Empty::new().await;
    let mut url = url::Url::parse(empty.database.url()).expect("a URL");
    let name = format!("latin_{}", &url.path()[1..]);
    empty
        .execute(&format!("CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"))
        .await;
    url.set_path(&name);
    let latin: Database = url.as_str().parse().expect("a URL");
    let refused = migrate(&latin).await.expect_err("it cannot hold our texts");
    assert!(
        matches!(refused, MigrateError::Encoding { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("ENCODING 'UTF8'"), "{refused}");
    let problems = inspect(&latin).await.expect("an answer").problems();
    assert!(
        problems.iter().any(|problem| problem.contains("LATIN1")),
        "{problems:?}"
    );
    empty
        .execute(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .await;
}
