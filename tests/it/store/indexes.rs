//! Indexes are built on a database in use, and nothing waits for them.

use super::{Store, verdicts};
use crate::support::wait_until;
use hookfast::internals::domain::Origin::Webhook;
use hookfast::internals::store::{Role, ensure_indexes, ensure_partitions};
use std::time::Duration;

/// The number of indexes without the pieces of those on partitioned tables.
const WHOLE: usize = 9;

const INVALID: &str = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
    WHERE c.relnamespace = 'hookfast_data'::regnamespace AND NOT i.indisvalid";

/// Drops them, as on a database that existed before them. The parents' indexes are as the
/// migrations create them.
const DROP: &str = "DROP INDEX hookfast_data.outbox_event, hookfast_data.dead_letters_event, hookfast_data.dead_letters_died, \
        hookfast_data.dead_letters_handler, hookfast_data.dead_letters_alerts, hookfast_data.idempotency_keys_expiry, \
        hookfast_data.rollups_subject, hookfast_data.audit_log_target, hookfast_data.quarantine_requested, \
        hookfast_data.events_conflicts, hookfast_data.attempts_failed; \
    CREATE INDEX events_conflicts ON ONLY hookfast_data.events (id) WHERE conflicts_with IS NOT NULL; \
    CREATE INDEX attempts_failed ON ONLY hookfast_data.attempts (finished_at) WHERE outcome IN ('retry', 'dead', 'lost')";

async fn database_in_use() -> Store {
    let store = Store::new().await;
    store.fill("before", 30).await;
    store.execute(DROP).await;
    assert_eq!(store.count(INVALID).await, 2, "of the two parents");
    store
}

#[tokio::test]
async fn they_are_built_once_and_for_every_day() {
    let store = Store::new().await;
    assert_eq!(
        ensure_indexes(&store.of).await.expect("nothing to do"),
        0,
        "a new database has them"
    );
    assert_eq!(store.count(INVALID).await, 0);
    let store = database_in_use().await;
    assert_eq!(
        ensure_indexes(&store.of).await.expect("built"),
        WHOLE + 2 * 16
    );
    assert_eq!(store.count(INVALID).await, 0, "the parents' are complete");
    assert_eq!(ensure_indexes(&store.of).await.expect("nothing to do"), 0);
    store.fill("after", 1).await;
}

/// A day that was created while the parents' indexes were incomplete, and one created after: each
/// has its piece at once.
#[tokio::test]
async fn a_new_day_has_its_pieces_from_the_start() {
    let pieces = "SELECT count(*) FROM pg_inherits WHERE inhparent IN \
        ('hookfast_data.events_conflicts'::regclass, 'hookfast_data.attempts_failed'::regclass)";
    let drop_last = "DO $$ DECLARE name text; BEGIN FOREACH name IN ARRAY ARRAY['events', 'attempts'] LOOP \
        EXECUTE format('DROP TABLE hookfast_data.%s_%s', name, to_char((clock_timestamp() AT TIME ZONE 'UTC')::date + 14, 'YYYYMMDD')); \
        END LOOP; END $$";
    let store = database_in_use().await;
    store.execute(drop_last).await;
    assert_eq!(ensure_partitions(&store.pool).await.expect("a day"), 2);
    assert_eq!(store.count(pieces).await, 2);
    assert_eq!(
        ensure_indexes(&store.of).await.expect("the others"),
        WHOLE + 2 * 15
    );
    assert_eq!(
        (store.count(pieces).await, store.count(INVALID).await),
        (32, 0)
    );
    store.execute(drop_last).await;
    assert_eq!(ensure_partitions(&store.pool).await.expect("a day"), 2);
    assert_eq!(
        (store.count(pieces).await, store.count(INVALID).await),
        (32, 0)
    );
    assert_eq!(ensure_indexes(&store.of).await.expect("nothing to do"), 0);
}

/// Days without a piece are purged as the data grows old: the rest is complete, and detected as
/// such.
#[tokio::test]
async fn an_index_is_complete_once_the_last_day_without_it_is_dropped() {
    let store = database_in_use().await;
    store
        .execute(
            "DO $$ DECLARE name text; BEGIN \
             FOR name IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'hookfast_data'::regnamespace AND c.relkind = 'r' \
                 AND c.relname ~ '^events_[0-9]{8}$' LOOP EXECUTE 'DROP TABLE hookfast_data.' || name; END LOOP; END $$",
        )
        .await;
    assert_eq!(ensure_partitions(&store.pool).await.expect("made"), 16);
    assert_eq!(store.count(INVALID).await, 2);
    assert_eq!(
        ensure_indexes(&store.of).await.expect("the rest"),
        WHOLE + 16
    );
    assert_eq!(store.count(INVALID).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_index_build_is_repeated() {
    let store = database_in_use().await;
    let day = store
        .text("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD')")
        .await;
    // A writer delays a build until the build is cancelled.
    let mut writer = store.pool.begin().await.expect("a transaction");
    for (name, on) in [
        (
            "rollups_subject".to_owned(),
            "rollups (subject, counter, minute)".to_owned(),
        ),
        (
            format!("events_{day}_conflicts"),
            format!("events_{day} (id) WHERE conflicts_with IS NOT NULL"),
        ),
    ] {
        let table = on.split(' ').next().expect("a table");
        let lock = format!("LOCK TABLE hookfast_data.{table} IN ROW EXCLUSIVE MODE");
        sqlx::raw_sql(sqlx::AssertSqlSafe(lock))
            .execute(&mut *writer)
            .await
            .expect("a lock");
        let mut breaking = store.pool.acquire().await.expect("a connection");
        let build = format!("CREATE INDEX CONCURRENTLY {name} ON hookfast_data.{on}");
        sqlx::raw_sql("SET statement_timeout = 300")
            .execute(&mut *breaking)
            .await
            .expect("set");
        sqlx::raw_sql(sqlx::AssertSqlSafe(build))
            .execute(&mut *breaking)
            .await
            .expect_err("broken off");
    }
    writer.rollback().await.expect("the end");
    assert_eq!(store.count(INVALID).await, 2 + 2);
    assert_eq!(
        ensure_indexes(&store.of).await.expect("built"),
        WHOLE + 2 * 16
    );
    assert_eq!(store.count(INVALID).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_at_once_build_each_once() {
    let store = database_in_use().await;
    let mut processes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let of = store.of.clone();
        processes.spawn(async move { ensure_indexes(&of).await.expect("each of them succeeds") });
    }
    assert_eq!(
        processes.join_all().await.iter().sum::<usize>(),
        WHOLE + 2 * 16
    );
    assert_eq!(store.count(INVALID).await, 0);
}

/// A build waits for writers; later sessions do not wait for the build. A reader delays the
/// attachment of pieces, and that blocks no other session either.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_build_does_not_block_ingest() {
    let store = database_in_use().await;
    let mut writer = store.pool.begin().await.expect("a transaction");
    let open = "LOCK TABLE hookfast_data.outbox, hookfast_data.events IN ROW EXCLUSIVE MODE";
    sqlx::raw_sql(open)
        .execute(&mut *writer)
        .await
        .expect("a writer");
    let of = store.of.clone();
    let building = tokio::spawn(async move { ensure_indexes(&of).await });
    wait_until("a build", async || {
        let at_it = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
            AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'";
        store.count(at_it).await > 0
    })
    .await;
    let mut ingest = store.connection(Role::Ingest).await;
    let mut stored = 0;
    let mut take = async || {
        let began = std::time::Instant::now();
        let answers = ingest
            .ingest(&[store.event(&format!("during-{stored}"), None)], Webhook)
            .await;
        assert_eq!(verdicts(&answers), ["stored"]);
        assert!(
            began.elapsed() < Duration::from_millis(500),
            "{:?}",
            began.elapsed()
        );
        stored += 1;
    };
    for _ in 0..50 {
        take().await;
    }
    assert!(!building.is_finished());
    writer.commit().await.expect("the writer was not disturbed");

    let mut reader = store.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT count(*) FROM hookfast_data.events")
        .execute(&mut *reader)
        .await
        .expect("read");
    // Until the build ends; a reader that delays it gets this time.
    let watched = std::time::Instant::now();
    while !building.is_finished() && watched.elapsed() < Duration::from_secs(3) {
        take().await;
    }
    reader.commit().await.expect("nor was the reader");
    building.await.expect("no panic").expect("built");
    assert_eq!(store.count(INVALID).await, 0);
}
