//! A database that an unreleased build made cannot be upgraded: Hookfast rejects it, and `dev`
//! recreates its own.

use super::Upgraded;
use crate::support::server::Server;
use hookfast::internals::dev::postgres::{Cluster, ClusterOptions};
use hookfast::internals::store::{MigrateError, Schema, check_schema, drop_unreleased};
use sqlx::Connection;
use std::process::Command;

/// As if another baseline had made the database.
const OTHER: &str = "UPDATE hookfast_data.migrations SET checksum = 'another' WHERE version = 3";

#[tokio::test]
async fn an_unreleased_schema_is_rejected_with_a_hint_and_not_changed() {
    let mut database = Upgraded::new().await;
    database.execute("DROP VIEW hookfast.retention_holds").await;
    database.execute(OTHER).await;
    let refused = database
        .migrate(&Schema::of_this_program())
        .await
        .expect_err("another baseline");
    assert!(
        matches!(refused, MigrateError::Unreleased { version: 3 }),
        "{refused}"
    );
    assert!(
        refused
            .to_string()
            .contains("DROP SCHEMA hookfast, hookfast_data CASCADE"),
        "{refused}"
    );
    assert!(matches!(
        check_schema(&database.of).await,
        Err(MigrateError::Unreleased { .. })
    ));
    assert_eq!(
        database
            .text("SELECT (to_regclass('hookfast.retention_holds') IS NULL)::text")
            .await,
        "true"
    );
    database
        .execute("SET client_min_messages = warning; DROP SCHEMA hookfast, hookfast_data CASCADE")
        .await;
    database
        .migrate(&Schema::of_this_program())
        .await
        .expect("the hint works");
}

#[tokio::test]
async fn only_a_schema_of_an_unreleased_build_is_dropped() {
    let mut database = Upgraded::new().await;
    assert!(!drop_unreleased(&database.of).await.expect("an answer"));
    check_schema(&database.of).await.expect("it is as it was");
    database.execute(OTHER).await;
    assert!(drop_unreleased(&database.of).await.expect("an answer"));
    assert!(matches!(
        check_schema(&database.of).await,
        Err(MigrateError::Pending)
    ));
    assert!(
        !drop_unreleased(&database.of)
            .await
            .expect("an empty database has no schema")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_makes_its_own_database_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let dev = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookfast"));
        command
            .args(["dev", "--forward", "http://127.0.0.1:9/"])
            .current_dir(&folder)
            .env_remove("DATABASE_URL");
        Server::start(command, None)
    };
    let mut first = dev();
    first.ready().await;
    first.signal(nix::sys::signal::Signal::SIGTERM);
    first.ended().await;
    let cluster = Cluster::start(ClusterOptions::in_dir(folder.path().join(".hookfast")))
        .await
        .expect("its Postgres");
    let mut connection = sqlx::PgConnection::connect(&cluster.url())
        .await
        .expect("a connection");
    sqlx::raw_sql(OTHER)
        .execute(&mut connection)
        .await
        .expect("tampered with");
    connection.close().await.expect("closed");
    cluster.stop().await.expect("stopped");
    dev().ready().await;
}
