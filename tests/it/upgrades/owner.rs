//! A role other than the owner of the schemas migrates and serves: everything still belongs to the
//! owner.

use crate::support::postgres;
use hookfast::internals::store::{
    Database, MigrateError, Object, Role, Schema, check_schema, ensure_indexes, ensure_partitions,
    inspect, migrate, migrate_to,
};
use sqlx::{
    AssertSqlSafe, Connection, PgConnection, SqlSafeStr, migrate::Migration, migrate::MigrationType,
};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// The days that are created in advance.
const DROP_DAYS_AHEAD: &str = "DO $$ DECLARE name text; BEGIN \
    FOR name IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'hookfast_data'::regnamespace AND c.relkind = 'r' \
        AND c.relname ~ '_2[0-9]{7}$' AND right(c.relname, 8) > to_char(now() + interval '5 days', 'YYYYMMDD') \
    LOOP EXECUTE 'DROP TABLE hookfast_data.' || name; END LOOP; END $$";

/// Runs with the rights of the owner.
const ENQUEUE: &str = "SELECT hookfast.enqueue('orders', 'shop.paid', '{}')";

/// A database whose schemas belong to one role, and a second role.
struct Owned {
    admin: PgConnection,
    owner: String,
    by_owner: Database,
    other: Database,
    other_url: String,
    _database: postgres::Database,
}

impl Owned {
    /// Whether the second role is a member of the owner.
    async fn new(is_member: bool) -> Self {
        let database = postgres::database().await;
        let mut admin = database.connect().await;
        let owner_url = database.login("owner", &[]).await;
        let owner = url::Url::parse(&owner_url)
            .expect("a URL")
            .username()
            .to_owned();
        let in_roles: Vec<&str> = is_member.then_some(owner.as_str()).into_iter().collect();
        let other_url = database.login("other", &in_roles).await;
        let prepare = format!(
            "SET client_min_messages = warning; DROP SCHEMA hookfast, hookfast_data CASCADE; \
             DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {owner}', current_database()); END $$"
        );
        sqlx::raw_sql(AssertSqlSafe(prepare))
            .execute(&mut admin)
            .await
            .expect("an empty database");
        let (by_owner, other): (Database, Database) = (
            owner_url.parse().expect("a URL"),
            other_url.parse().expect("a URL"),
        );
        migrate(&by_owner).await.expect("migrated");
        ensure_partitions(&by_owner.pool(Role::General, 1))
            .await
            .expect("partitions");
        Self {
            admin,
            owner,
            by_owner,
            other,
            other_url,
            _database: database,
        }
    }

    async fn execute(&mut self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut self.admin)
            .await
            .expect(statement);
    }

    async fn warning(&self) -> Option<String> {
        inspect(&self.by_owner)
            .await
            .expect("an answer")
            .foreign_objects
            .map(|objects| objects.warning())
    }
}

/// A release with a new table, and a new function that an existing one calls.
fn later(number: i64) -> Schema {
    let mut schema = Schema::of_this_program();
    for release in 1..=number {
        let sql = format!(
            "ALTER TABLE hookfast_data.events ADD COLUMN later_{release} text; \
             CREATE TABLE hookfast_data.later_{release} (n integer); \
             UPDATE hookfast_data.compatibility SET schema_version = schema_version + 1"
        );
        let sql = AssertSqlSafe(sql).into_sql_str();
        schema.migrations.push(Migration::new(
            9000 + release,
            "later".into(),
            MigrationType::Simple,
            sql,
            false,
        ));
    }
    schema.version += i32::try_from(number).expect("a few");
    let enqueue = schema
        .objects
        .iter_mut()
        .find(|o| o.path == "functions/hookfast/enqueue")
        .expect("a function");
    let calling =
        enqueue
            .definition
            .replacen("BEGIN\n", "BEGIN\n    PERFORM hookfast_data.helper();\n", 1);
    assert_ne!(calling, enqueue.definition);
    enqueue.definition = calling.leak();
    let helper = format!(
        "CREATE OR REPLACE FUNCTION hookfast_data.helper() RETURNS bigint LANGUAGE sql \
             SET search_path = pg_catalog, pg_temp AS 'SELECT count(*) FROM hookfast_data.later_{number}'; \
         REVOKE ALL ON FUNCTION hookfast_data.helper FROM PUBLIC"
    );
    let helper = Object {
        path: "functions/hookfast_data/helper",
        definition: helper.leak(),
    };
    schema.objects.insert(0, helper);
    schema
}

#[tokio::test]
async fn objects_created_by_a_member_of_the_owner_belong_to_the_owner() {
    let mut owned = Owned::new(true).await;
    owned.execute(DROP_DAYS_AHEAD).await;
    owned
        .execute("INSERT INTO hookfast_data.sources (name, kind) VALUES ('orders', 'sql')")
        .await;
    assert!(
        ensure_partitions(&owned.other.pool(Role::General, 1))
            .await
            .expect("made")
            > 0
    );
    let migrated = migrate_to(&owned.other, &later(1), PATIENCE)
        .await
        .expect("an upgrade by the other role");
    assert_eq!((migrated.migrations, migrated.objects), (1, 2));
    ensure_indexes(&owned.other).await.expect("indexes");
    assert_eq!(owned.warning().await, None);
    let mut application = PgConnection::connect(&owned.other_url)
        .await
        .expect("a connection");
    sqlx::raw_sql(ENQUEUE)
        .execute(&mut application)
        .await
        .expect("enqueued");
    migrate_to(&owned.by_owner, &later(2), PATIENCE)
        .await
        .expect("the owner can migrate again");
    sqlx::raw_sql(ENQUEUE)
        .execute(&mut application)
        .await
        .expect("enqueued");
    assert_eq!(owned.warning().await, None);
}

#[tokio::test]
async fn a_role_that_may_not_act_as_the_owner_changes_nothing_and_names_the_owner() {
    let mut owned = Owned::new(false).await;
    let url = url::Url::parse(&owned.other_url).expect("a URL");
    let role = url.username();
    let reads = format!(
        "GRANT USAGE ON SCHEMA hookfast, hookfast_data TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA hookfast_data TO {role}"
    );
    owned.execute(&reads).await;
    let refused = migrate_to(&owned.other, &later(1), PATIENCE)
        .await
        .expect_err("not its own");
    assert!(
        matches!(&refused, MigrateError::NotOwner { owner } if *owner == owned.owner),
        "{refused}"
    );
    assert!(
        refused
            .to_string()
            .contains(&format!("GRANT {} TO this role", owned.owner)),
        "{refused}"
    );
    check_schema(&owned.by_owner)
        .await
        .expect("the schema is as it was");
}

#[tokio::test]
async fn objects_of_another_owner_are_reported_with_the_statements_that_repair_it() {
    let mut owned = Owned::new(true).await;
    assert_eq!(owned.warning().await, None);
    owned
        .execute(
            "CREATE TABLE hookfast_data.\"By hand\" (n serial PRIMARY KEY); CREATE VIEW hookfast.by_hand AS SELECT 1 AS one; \
             CREATE FUNCTION hookfast_data.by_hand(a text, b integer) RETURNS void LANGUAGE sql AS ''; \
             CREATE TYPE hookfast.by_hand_type AS (n integer); CREATE SEQUENCE hookfast_data.by_hand_sequence",
        )
        .await;
    let warning = owned.warning().await.expect("a warning");
    let (printed, repair) = warning.split_once("run: ").expect("the statements to run");
    assert!(
        printed.contains(&format!("the schemas to {}", owned.owner)),
        "{printed}"
    );
    assert_eq!(repair.split("; ").count(), 5, "{repair}");
    owned.execute(repair).await;
    assert_eq!(owned.warning().await, None);
}
