//! The schema: who may make it, what it leaves alone, and that it explains itself.

use crate::support::postgres::{self, database};
use hookfast::store::{Database, MigrateError, Role, check_schema, ensure_partitions, inspect, migrate};

async fn execute(database: &postgres::Database, statement: &'static str) {
    sqlx::raw_sql(statement).execute(&mut database.connect().await).await.expect("a statement");
}

async fn count(database: &postgres::Database, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&mut database.connect().await).await.expect("a number")
}

const GONE: &str = "DROP SCHEMA hookfast CASCADE; DROP SCHEMA hookfast_data CASCADE";

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_migrate_at_once_and_each_migration_is_applied_once() {
    let database = database().await;
    execute(&database, GONE).await;
    execute(&database, "CREATE TABLE public._sqlx_migrations AS SELECT 'the application''s own'::text AS what").await;
    let url: Database = database.url().parse().expect("a URL");
    assert!(matches!(check_schema(&url).await, Err(MigrateError::Pending)));
    let mut processes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = url.clone();
        processes.spawn(async move { migrate(&url).await.expect("migrated") });
    }
    let applied = processes.join_all().await;
    let all = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).expect("the folder").count();
    assert_eq!(applied.iter().sum::<usize>(), all, "{applied:?}");
    check_schema(&url).await.expect("it fits");
    assert_eq!(count(&database, "SELECT count(*) FROM public._sqlx_migrations WHERE what LIKE 'the app%'").await, 1);
    assert_eq!(
        count(&database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_schema_that_asks_for_a_newer_program_is_refused() {
    let database = database().await;
    let url: Database = database.url().parse().expect("a URL");
    execute(&database, "UPDATE hookfast_data.compatibility SET schema_version = 9, oldest_program = 8").await;
    let error = check_schema(&url).await.expect_err("too old").to_string();
    assert!(error.contains("version 8 at least") && error.contains("Run a newer hookfast"), "{error}");
    execute(&database, "UPDATE hookfast_data.compatibility SET oldest_program = 1").await;
    check_schema(&url).await.expect("one release back always starts");
}

#[tokio::test]
async fn a_role_with_create_on_the_database_is_enough() {
    let database = database().await;
    execute(&database, GONE).await;
    // Roles are the cluster's, so its name is of this test.
    execute(
        &database,
        "CREATE ROLE only_create LOGIN PASSWORD 'only_create' NOSUPERUSER; \
         DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO only_create', current_database()); END $$",
    )
    .await;
    let mut url = url::Url::parse(database.url()).expect("a URL");
    url.set_username("only_create").expect("a user");
    url.set_password(Some("only_create")).expect("a password");
    let url: Database = url.as_str().parse().expect("a URL");
    assert!(inspect(&url).await.expect("inspected").may_create);
    migrate(&url).await.expect("migrated");
    ensure_partitions(&url.pool(Role::General, 1)).await.expect("partitions");
    url.connect(Role::Claim).await.expect("a claim's connection, which writes the server's epoch");
    execute(
        &database,
        "DROP SCHEMA hookfast CASCADE; DROP SCHEMA hookfast_data CASCADE; \
         DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM only_create', current_database()); END $$; DROP ROLE only_create",
    )
    .await;
}

#[tokio::test]
async fn every_table_column_view_and_function_says_what_it_is() {
    let database = database().await;
    let nameless: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass || coalesce('.' || a.attname, '') FROM pg_class c \
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relnamespace = 'hookfast_data'::regnamespace \
         WHERE c.relnamespace IN ('hookfast_data'::regnamespace, 'hookfast'::regnamespace) AND c.relkind IN ('r', 'p', 'v') \
            AND NOT c.relispartition AND c.relname <> 'migrations' \
            AND (col_description(c.oid, coalesce(a.attnum, 0)) IS NULL AND obj_description(c.oid, 'pg_class') IS NULL \
                OR a.attnum IS NOT NULL AND col_description(c.oid, a.attnum) IS NULL) \
         UNION ALL SELECT p.oid::regprocedure::text FROM pg_proc p \
         WHERE p.pronamespace IN ('hookfast_data'::regnamespace, 'hookfast'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL",
    )
    .fetch_all(&mut database.connect().await)
    .await
    .expect("names");
    assert!(nameless.is_empty(), "without a comment: {nameless:?}");
}

/// So that `pg_stat_statements` can be read.
#[test]
fn every_statement_file_begins_with_its_name() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/sql")).expect("the folder") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.starts_with("-- hookfast: "), "{}", path.display());
    }
}
