//! Partitions are created in advance, and nothing waits for that.

use super::{Store, verdicts};
use hookfast::internals::domain::Origin::Webhook;
use hookfast::internals::store::{Role, ensure_partitions};
use std::time::Duration;

const PARTITIONS: &str = "SELECT count(*) FROM pg_inherits JOIN pg_class p ON p.oid = inhparent \
    WHERE p.relnamespace = 'hookfast_data'::regnamespace AND p.relkind = 'p'";

/// How many tables have days: events, attempts and search terms.
const TABLES: i64 = 3;

/// Drops the last days, so that there is something to create.
const DROP_SOME: &str = "DO $$ DECLARE name text; BEGIN \
    FOR name IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'hookfast_data'::regnamespace AND c.relkind = 'r' \
        AND c.relname ~ '_2[0-9]{7}$' AND right(c.relname, 8) > to_char(now() + interval '5 days', 'YYYYMMDD') \
    LOOP EXECUTE 'DROP TABLE hookfast_data.' || name; END LOOP; END $$";

#[tokio::test]
async fn they_reach_two_weeks_ahead_and_are_made_once() {
    let store = Store::new().await;
    assert_eq!(
        store.count(PARTITIONS).await,
        TABLES * 16,
        "yesterday, today, and two weeks, for each table"
    );
    assert_eq!(
        ensure_partitions(&store.pool).await.expect("nothing to do"),
        0
    );
    let last = "SELECT count(*) FROM pg_class WHERE relkind = 'r' \
        AND relname = 'events_' || to_char((clock_timestamp() AT TIME ZONE 'UTC')::date + 14, 'YYYYMMDD')";
    assert_eq!(store.count(last).await, 1);
}

#[tokio::test]
async fn a_detached_day_is_attached_again_with_its_rows() {
    let store = Store::new().await;
    store.fill("today", 3).await;
    let events = "SELECT count(*) FROM hookfast_data.events";
    store.execute("DO $$ BEGIN EXECUTE format('ALTER TABLE hookfast_data.events DETACH PARTITION hookfast_data.events_%s', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD')); END $$").await;
    assert_eq!(store.count(events).await, 0);
    assert_eq!(ensure_partitions(&store.pool).await.expect("attached"), 1);
    assert_eq!(store.count(events).await, 3);
    store.fill("again", 1).await;
}

/// A day of events that is older than the days created in advance, as an upgrade finds it: its
/// other partitions are created too.
#[tokio::test]
async fn every_day_of_events_has_a_partition_in_the_other_tables() {
    let store = Store::new().await;
    store
        .execute(
            "CREATE TABLE hookfast_data.events_20240229 (LIKE hookfast_data.events INCLUDING ALL); \
             ALTER TABLE hookfast_data.events ATTACH PARTITION hookfast_data.events_20240229 \
                 FOR VALUES FROM (hookfast_data.event_id_at('2024-02-29 00:00Z')) TO (hookfast_data.event_id_at('2024-03-01 00:00Z'))",
        )
        .await;
    assert_eq!(ensure_partitions(&store.pool).await.expect("made"), 2);
    store
        .execute(
            "INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome) \
                 VALUES (hookfast_data.event_id_at('2024-02-29 23:59:59.999Z'), 1, 1, 1, 'delivered'); \
             INSERT INTO hookfast_data.search_terms VALUES ('order-17', hookfast_data.event_id_at('2024-02-29 00:00Z'))",
        )
        .await;
    let there = "SELECT string_agg(tableoid::regclass::text, ',' ORDER BY 1) FROM ( \
        SELECT tableoid FROM hookfast_data.attempts UNION ALL SELECT tableoid FROM hookfast_data.search_terms) t (tableoid)";
    assert_eq!(
        store.text(there).await,
        "hookfast_data.attempts_20240229,hookfast_data.search_terms_20240229"
    );
    assert_eq!(
        ensure_partitions(&store.pool).await.expect("nothing to do"),
        0
    );
    assert_eq!(store.count(PARTITIONS).await, TABLES * 17);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_make_them_at_once() {
    let store = Store::new().await;
    store.execute(DROP_SOME).await;
    let before = store.count(PARTITIONS).await;
    assert!(before < TABLES * 10);
    let mut makers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let pool = store.pool.clone();
        makers.spawn(async move { ensure_partitions(&pool).await });
    }
    while let Some(maker) = makers.join_next().await {
        maker.expect("no panic").expect("each of them succeeds");
    }
    assert_eq!(store.count(PARTITIONS).await, TABLES * 16);
}

/// A reader's transaction and a writer's are open the whole time: the partitions are created, and
/// no ingest waits for a lock meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_reader_and_writer_block_no_partition() {
    let store = Store::new().await;
    store.fill("before", 10).await;
    store.execute(DROP_SOME).await;
    let mut reader = store.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT count(*) FROM hookfast.events JOIN hookfast.attempts USING (event_id)")
        .execute(&mut *reader)
        .await
        .expect("read");
    let mut writer = store.pool.begin().await.expect("a transaction");
    sqlx::query("INSERT INTO hookfast_data.idempotency_keys VALUES (1, 'open', gen_random_uuid())")
        .execute(&mut *writer)
        .await
        .expect("written");
    sqlx::query("INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body) \
        VALUES (hookfast_data.event_id_at(now()), 1, 0, 'x', 'enqueue', 'open', '{}', '')").execute(&mut *writer).await.expect("written");

    let pool = store.pool.clone();
    let making = tokio::spawn(async move { ensure_partitions(&pool).await });
    // An ingest that had to wait for a lock would fail after its lock timeout of a second, and
    // report that.
    let mut ingest = store.connection(Role::Ingest).await;
    let mut stored = 0;
    while !making.is_finished() || stored < 50 {
        let answers = ingest
            .ingest(&[store.event(&format!("during-{stored}"), None)], Webhook)
            .await;
        assert_eq!(verdicts(&answers), ["stored"]);
        stored += 1;
    }
    let made = tokio::time::timeout(Duration::from_secs(20), making)
        .await
        .expect("in time")
        .expect("no panic");
    assert!(made.expect("made, although both are still open") > 0);
    assert_eq!(store.count(PARTITIONS).await, TABLES * 16);
    writer.commit().await.expect("the writer was not disturbed");
    reader.commit().await.expect("nor the reader");
}

/// As after two weeks in which no process has run.
const DROP_ALL: &str = "DO $$ DECLARE name text; BEGIN \
    FOR name IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'hookfast_data'::regnamespace AND c.relkind = 'r' \
        AND c.relname ~ '_2[0-9]{7}$' AND right(c.relname, 8) >= to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD') \
    LOOP EXECUTE 'DROP TABLE hookfast_data.' || name; END LOOP; END $$; \
    INSERT INTO hookfast_data.sources (name, kind, search_fields) VALUES ('orders', 'sql', '{order}') ON CONFLICT DO NOTHING";

const ENQUEUE: &str = "SELECT hookfast.enqueue('orders', 'shop.paid', '{\"order\": \"o-1\"}')";

#[tokio::test(flavor = "multi_thread")]
async fn enqueue_creates_a_missing_day_and_a_second_call_waits_for_it() {
    let store = Store::new().await;
    let isolations = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];
    for (n, isolation) in isolations.into_iter().enumerate() {
        store.execute(DROP_ALL).await;
        let mut first = store.pool.begin().await.expect("a transaction");
        sqlx::query(ENQUEUE)
            .execute(&mut *first)
            .await
            .expect("enqueued");
        let pool = store.pool.clone();
        let second = tokio::spawn(async move {
            let mut second = pool.begin().await?;
            let isolation = format!("SET TRANSACTION ISOLATION LEVEL {isolation}");
            sqlx::query(sqlx::AssertSqlSafe(isolation))
                .execute(&mut *second)
                .await?;
            sqlx::query("SET LOCAL application_name = 'second'")
                .execute(&mut *second)
                .await?;
            sqlx::query(ENQUEUE).execute(&mut *second).await?;
            second.commit().await
        });
        store.a_session_waits_for_a_lock("second").await;
        // Readers and other work are not blocked.
        let reading = "SET lock_timeout = '100ms'; SELECT count(*) FROM hookfast.events; SELECT * FROM hookfast.status(); \
            RESET lock_timeout";
        store.execute(reading).await;
        first.commit().await.expect("committed");
        second
            .await
            .expect("no panic")
            .unwrap_or_else(|error| panic!("{isolation}: {error}"));
        assert_eq!(
            store
                .count("SELECT count(*) FROM hookfast.find('o-1')")
                .await,
            2,
            "both, after {n} earlier rounds"
        );
        assert_eq!(
            store.count(PARTITIONS).await,
            TABLES * 3,
            "yesterday, today and tomorrow"
        );
    }
    assert_eq!(
        ensure_partitions(&store.pool).await.expect("the rest"),
        3 * 13
    );
    store.fill("today", 3).await;
}

#[tokio::test]
async fn a_failed_partition_gives_a_hint_and_a_rolled_back_one_is_created_again() {
    let store = Store::new().await;
    store.execute(DROP_ALL).await;
    let mut rolled_back = store.pool.begin().await.expect("a transaction");
    sqlx::query(ENQUEUE)
        .execute(&mut *rolled_back)
        .await
        .expect("enqueued");
    rolled_back.rollback().await.expect("rolled back");
    assert_eq!(store.count(PARTITIONS).await, TABLES);
    // Postgres adds no partition to a table that the calling statement has open.
    store
        .execute("SELECT hookfast_data.create_partition('events', 'events_20240229', hookfast.event_id_at('2024-02-29 00:00Z'), hookfast.event_id_at('2024-03-01 00:00Z'))")
        .await;
    let in_use = "SELECT hookfast.enqueue('orders', 'shop.paid', '{}') FROM (SELECT 1 UNION ALL \
        SELECT 2 FROM hookfast_data.events WHERE id = (SELECT gen_random_uuid())) x";
    let refused = sqlx::query(in_use)
        .execute(&store.pool)
        .await
        .expect_err("it is in use");
    let refused = refused.into_database_error().expect("from the database");
    assert_eq!(refused.code().as_deref(), Some("55000"), "{refused}");
    let hint = refused
        .downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .hint()
        .expect("a hint");
    assert!(
        refused.message().ends_with("nothing was stored") && hint.contains("hookfast migrate"),
        "{refused}"
    );
    store.execute(ENQUEUE).await;
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast.find('o-1')")
            .await,
        1
    );
}
