//! A migration that has to wait for somebody lets everybody else pass.

use super::{Old, PREVIOUS, ingest};
use hookfast::store::{MigrateError, migrate, migrate_within};
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant};

/// A reader that keeps the events' table open, as a report does.
async fn reader(old: &Old) -> PgConnection {
    let mut reader = old.database.connect().await;
    let open = "SET application_name = 'a long report'; BEGIN; SELECT count(*) FROM hookfast_data.events";
    sqlx::raw_sql(open).execute(&mut reader).await.expect("a reader");
    reader
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_holds_up_a_migration_and_no_webhook() {
    let mut old = Old::at(PREVIOUS).await;
    old.execute("INSERT INTO hookfast_data.sources (name, kind) VALUES ('airalo', 'airalo')").await;
    let reader = reader(&old).await;
    let mut taking = old.database.connect().await;
    ingest(&mut taking, 0).await;

    let of = old.of.clone();
    let migrating = tokio::spawn(async move { migrate(&of).await });
    let (began, mut longest, mut stored) = (Instant::now(), Duration::ZERO, 1);
    while began.elapsed() < Duration::from_secs(4) {
        longest = longest.max(ingest(&mut taking, stored).await);
        stored += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(!migrating.is_finished(), "the reader holds it up");
    // A migration's wait is 100 ms; the rest is for a machine that has other things to do.
    assert!(longest < Duration::from_millis(400), "a webhook took {longest:?}");
    reader.close().await.expect("it ends");
    let applied = migrating.await.expect("no panic").expect("its turn");
    assert_eq!(applied, super::MIGRATIONS.iter().filter(|m| m.version > PREVIOUS).count());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_the_way_for_too_long_is_named() {
    let mut old = Old::at(PREVIOUS).await;
    let mut reader = reader(&old).await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut reader).await.expect("a number");
    let blocked = migrate_within(&old.of, Duration::from_millis(2500)).await.expect_err("the reader is there");
    assert!(matches!(blocked, MigrateError::Blocked { .. }), "{blocked}");
    let text = blocked.to_string();
    for part in
        [&format!("pid {pid} (a long report, user hookfast, idle in transaction, since"), "pg_terminate_backend"]
    {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    old.execute(&format!("SELECT pg_terminate_backend({pid}, 5000)")).await;
    migrate_within(&old.of, Duration::from_millis(2500)).await.expect("what it says to do helps");
}
