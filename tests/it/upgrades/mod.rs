//! From one release to the next: a synthetic later release, with a migration, a function and a view
//! that have changed.

mod definitions;
mod load;
mod objects;
mod owner;
mod patience;
mod plan;
mod unreleased;

use crate::support::postgres;
use hookfast::internals::store::{Database, MigrateError, Migrated, Object, Schema, migrate_to};
use sqlx::{AssertSqlSafe, PgConnection, SqlSafeStr, migrate::Migration, migrate::MigrationType};
use std::time::Duration;

/// Locks the events for a moment, as adding a column does.
const LATER: &str = "ALTER TABLE hookfast_data.events ADD COLUMN later text; \
    COMMENT ON COLUMN hookfast_data.events.later IS 'Of a later release'; \
    UPDATE hookfast_data.compatibility SET schema_version = schema_version + 1";

/// A function that routes every event, and a view.
const FUNCTION: &str = "functions/hookfast_data/type_matches";
const VIEW: &str = "views/hookfast/events";

/// The schema of another build of this version, with its own definition of one object.
fn build(path: &str, change: impl Fn(&str) -> String) -> Schema {
    let mut schema = Schema::of_this_program();
    redefine(&mut schema, path, change);
    schema
}

fn redefine(schema: &mut Schema, path: &str, change: impl Fn(&str) -> String) {
    let object = schema
        .objects
        .iter_mut()
        .find(|object| object.path == path)
        .expect("a file of schema/");
    let definition = change(object.definition);
    assert_ne!(definition, object.definition, "the change has an effect");
    *object = Object {
        definition: definition.leak(),
        ..*object
    };
}

/// The same text with another comment: the catalog then shows which definition is in place.
fn commented<'a>(comment: &'a str) -> impl Fn(&str) -> String + 'a {
    move |definition| {
        format!("{definition}\nCOMMENT ON FUNCTION hookfast_data.type_matches IS '{comment}';")
    }
}

/// The next release.
fn later() -> Schema {
    let mut schema = build(FUNCTION, commented("of the later release"));
    schema.version += 1;
    let sql = AssertSqlSafe(LATER).into_sql_str();
    schema.migrations.push(Migration::new(
        9001,
        "later".into(),
        MigrationType::Simple,
        sql,
        false,
    ));
    redefine(&mut schema, VIEW, |view| {
        view.replace(
            "    e.traceparent\nFROM",
            "    e.traceparent,\n    e.later\nFROM",
        )
    });
    schema
}

/// A database at this program's schema.
struct Upgraded {
    of: Database,
    connection: PgConnection,
    database: postgres::Database,
}

impl Upgraded {
    async fn new() -> Self {
        let database = postgres::database().await;
        Self {
            of: database.url().parse().expect("a URL"),
            connection: database.connect().await,
            database,
        }
    }

    async fn execute(&mut self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut self.connection)
            .await
            .expect(statement);
    }

    async fn text(&mut self, query: &'static str) -> String {
        sqlx::query_scalar(query)
            .fetch_one(&mut self.connection)
            .await
            .expect(query)
    }

    /// Upgrades it to a schema, which may take a while on a machine under load.
    async fn migrate(&self, schema: &Schema) -> Result<Migrated, MigrateError> {
        migrate_to(&self.of, schema, Duration::from_secs(60)).await
    }

    /// The comment of the function that the synthetic builds change.
    async fn comment(&mut self) -> String {
        self.text("SELECT obj_description('hookfast_data.type_matches'::regproc, 'pg_proc')")
            .await
    }
}
