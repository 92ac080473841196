//! A migration that has to wait for a lock does not block others.

use super::{Upgraded, later};
use hookfast::internals::store::{MigrateError, Migrated, migrate_to};
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant};

/// A reader that keeps the events' table open, as a report does.
async fn reader(upgraded: &Upgraded) -> PgConnection {
    let mut reader = upgraded.database.connect().await;
    let open =
        "SET application_name = 'a long report'; BEGIN; SELECT count(*) FROM hookfast_data.events";
    sqlx::raw_sql(open)
        .execute(&mut reader)
        .await
        .expect("a reader");
    reader
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_blocks_a_migration_and_no_event() {
    let mut upgraded = Upgraded::new().await;
    upgraded
        .execute("INSERT INTO hookfast_data.sources (name, kind) VALUES ('shop', 'sql')")
        .await;
    let reader = reader(&upgraded).await;
    let mut storing = upgraded.database.connect().await;
    let mut store = async || {
        let began = Instant::now();
        let enqueue = "SELECT hookfast.enqueue('shop', 'shop.order.paid', '{}')";
        sqlx::raw_sql(enqueue)
            .execute(&mut storing)
            .await
            .expect("stored");
        began.elapsed()
    };
    store().await;

    let of = upgraded.of.clone();
    let migrating =
        tokio::spawn(async move { migrate_to(&of, &later(), Duration::from_secs(60)).await });
    // A fixed time, since the delay of every event in it is measured.
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    while began.elapsed() < Duration::from_secs(4) {
        longest = longest.max(store().await);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(!migrating.is_finished(), "the reader blocks it");
    // A migration waits for 100 ms; the rest is for a busy machine.
    assert!(
        longest < Duration::from_millis(400),
        "an event took {longest:?}"
    );
    reader.close().await.expect("it ends");
    let applied = migrating.await.expect("no panic").expect("its turn");
    assert_eq!(
        applied,
        Migrated {
            migrations: 1,
            objects: 2
        }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_blocks_too_long_is_named() {
    let mut upgraded = Upgraded::new().await;
    let mut reader = reader(&upgraded).await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut reader)
        .await
        .expect("a number");
    let patience = Duration::from_millis(2500);
    let blocked = migrate_to(&upgraded.of, &later(), patience)
        .await
        .expect_err("the reader is there");
    assert!(matches!(blocked, MigrateError::Blocked { .. }), "{blocked}");
    let text = blocked.to_string();
    for part in [
        &format!("pid {pid} (a long report, user hookfast, idle in transaction, since"),
        "pg_terminate_backend",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    upgraded
        .execute(&format!("SELECT pg_terminate_backend({pid}, 5000)"))
        .await;
    migrate_to(&upgraded.of, &later(), patience)
        .await
        .expect("the hint works");
}

/// A report that reads a view blocks the functions and views too, and the error names it.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_a_view_blocks_its_replacement_and_is_named() {
    let mut upgraded = Upgraded::new().await;
    let view = super::build(super::VIEW, |view| {
        format!("{view}COMMENT ON VIEW hookfast.events IS 'new';\n")
    });
    let mut reader = upgraded.database.connect().await;
    let open =
        "SET application_name = 'a long report'; BEGIN; SELECT count(*) FROM hookfast.events";
    sqlx::raw_sql(open)
        .execute(&mut reader)
        .await
        .expect("a reader");
    let blocked = migrate_to(&upgraded.of, &view, Duration::from_millis(1500))
        .await
        .expect_err("the reader is there");
    assert!(blocked.to_string().contains("a long report"), "{blocked}");
    let comment = "SELECT obj_description('hookfast.events'::regclass, 'pg_class')";
    assert_ne!(upgraded.text(comment).await, "new");
    reader.close().await.expect("it ends");
    assert_eq!(upgraded.migrate(&view).await.expect("its turn").objects, 1);
    assert_eq!(upgraded.text(comment).await, "new");
}
