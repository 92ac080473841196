//! A day is copied before anything has to wait for it.

use super::{Old, purged};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// The first two events are dead letters and the last one is pending; none of the others stays.
const SURVIVORS: &str = "\
    INSERT INTO hookfast_data.dead_letters (delivery_id, handler_id, event_id, attempt_number, lost, reason) \
        SELECT row_number() OVER (), h.id, e.id, 3, 0, 'rejected' FROM hookfast_data.events e, hookfast_data.handlers h WHERE e.idempotency_key <= 'd100-2'; \
    INSERT INTO hookfast_data.outbox (handler_id, id, event_id, attempts_left) \
        SELECT h.id, 77, e.id, 3 FROM hookfast_data.events e, hookfast_data.handlers h WHERE e.idempotency_key = 'd100-9'";

const COPY: &str = "SELECT hookfast_data.copy_retained_rows(to_char(day, 'YYYYMMDD'), lower, upper) FROM hookfast_data.expired_days()";

const PUT_BACK: &str = "SELECT hookfast_data.restore_retained_rows(to_char(day, 'YYYYMMDD'), lower, upper, hookfast_data.event_id_at(now() - interval '10 minutes')) FROM hookfast_data.expired_days()";

/// Work on an event of today while a day is purged.
const HOT: [&str; 5] = [
    "SELECT hookfast_data.assign_ordering_keys(id, 1000) FROM hookfast_data.handlers WHERE name = 'ordered'",
    "SELECT payload->>'n' FROM hookfast.claim('pulls', 'a test', 1)",
    "SELECT payload->>'n' FROM hookfast.claim('ordered', 'a test', 1)",
    "SELECT rescued FROM hookfast_data.rescue_pulled(NULL, interval '-1 day', 5)",
    "SELECT rescued FROM hookfast_data.rescue_lease(1, 100, 5)",
];

/// Two pull handlers, and a delivery to each.
const TODAY: &str = "\
    INSERT INTO hookfast_data.sources (name, kind) VALUES ('own', 'sql'); \
    INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version, ordered_by, filter) VALUES \
        ('pulls', 'pull', '{own.*}', 3, 0, NULL, '$.n > 0'), ('ordered', 'pull', '{own.*}', 3, 0, '{n}', NULL); \
    SELECT hookfast.enqueue('own', 'own.paid', '{\"n\": 1}')";

async fn locks(old: &Old, of: &mut PgConnection) -> String {
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(of)
        .await
        .expect("a process");
    old.text(&format!(
        "SELECT string_agg(DISTINCT mode, ' ') FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
            WHERE l.pid = {pid} AND l.granted AND c.relname ~ '_[0-9]{{8}}$'"
    ))
    .await
}

/// A handler's queries, each with at most 100 ms of waiting for a lock.
async fn no_session_waits(old: &Old) {
    let mut hot = old.connect().await;
    hot.execute("SET lock_timeout = '100ms'")
        .await
        .expect("set");
    let mut payloads = Vec::new();
    for statement in HOT {
        let rows = sqlx::query(AssertSqlSafe(statement))
            .fetch_all(&mut hot)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
        payloads.extend(
            rows.iter()
                .filter_map(|row| sqlx::Row::try_get::<String, _>(row, 0).ok()),
        );
    }
    assert_eq!(payloads, ["1", "1"], "each of them did its work");
}

#[tokio::test(flavor = "multi_thread")]
async fn copying_a_day_blocks_no_writer_and_keeps_concurrent_rows() {
    let old = Old::new().await;
    old.day(100, 9).await;
    old.execute(SURVIVORS).await;
    old.execute(TODAY).await;
    let mut connection = old.connect().await;
    let mut emptying = connection.begin().await.expect("a transaction");
    let stays: i64 = sqlx::query_scalar(COPY)
        .fetch_one(&mut *emptying)
        .await
        .expect("a copy");
    assert_eq!(stays, 3);
    assert_eq!(
        locks(&old, &mut emptying).await,
        "AccessShareLock",
        "only DDL waits for it"
    );
    no_session_waits(&old).await;
    // A delivery of that day ends, and an operator discards a dead one of it.
    old.execute(
        "SET lock_timeout = '100ms'; DELETE FROM hookfast_data.outbox WHERE id = 77; \
         INSERT INTO hookfast_data.attempts (event_id, delivery_id, attempt_number, handler_id, outcome) \
            SELECT id, 77, 1, 1, 'delivered' FROM hookfast_data.events WHERE idempotency_key = 'd100-9'; \
         SELECT hookfast.discard(1, 'by hand')",
    )
    .await;
    let done: bool = sqlx::query_scalar(PUT_BACK)
        .fetch_one(&mut *emptying)
        .await
        .expect("restored");
    assert!(done);
    assert!(
        locks(&old, &mut emptying)
            .await
            .contains("AccessExclusiveLock")
    );
    emptying.commit().await.expect("committed");
    let history = "SELECT string_agg(e.idempotency_key || ' ' || a.outcome, ', ' ORDER BY e.idempotency_key, a.outcome) FROM hookfast_data.attempts a JOIN hookfast_data.events e ON e.id = a.event_id WHERE e.origin = 'webhook'";
    assert_eq!(
        old.text(history).await,
        "d100-1 delivered, d100-1 discarded, d100-2 delivered, d100-9 delivered, d100-9 delivered"
    );
    let terms = "SELECT string_agg(term, ' ' ORDER BY term) FROM hookfast_data.search_terms";
    assert_eq!(old.text(terms).await, "term-d100-1 term-d100-2 term-d100-9");
}

/// The purge as a whole. The last step begins when everything is copied, and records the locks that
/// are held by then.
#[tokio::test]
async fn purging_a_day_locks_it_only_after_the_copy() {
    let old = Old::new().await;
    old.day(100, 9).await;
    old.execute(SURVIVORS).await;
    old.execute(
        "CREATE TABLE public.held (modes text); \
         ALTER FUNCTION hookfast_data.restore_retained_rows RENAME TO last_step; \
         CREATE FUNCTION hookfast_data.restore_retained_rows(suffix text, lower uuid, upper uuid, copied_since uuid) \
            RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN \
            INSERT INTO public.held SELECT string_agg(DISTINCT l.mode, ' ') FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
                WHERE l.pid = pg_backend_pid() AND l.granted AND c.relname ~ '_[0-9]{8}$'; \
            RETURN hookfast_data.last_step(suffix, lower, upper, copied_since); END $$",
    )
    .await;
    old.announced().await;
    assert_eq!(old.round().await, purged(0, 1));
    assert_eq!(old.keys().await, "d100-1 d100-2 d100-9");
    assert_eq!(
        old.text("SELECT string_agg(modes, ', ') FROM public.held")
            .await,
        "AccessShareLock",
        "only DDL waits for it"
    );
}

/// The last step, while another session locks a day.
#[tokio::test(flavor = "multi_thread")]
async fn handlers_of_new_events_do_not_wait_for_a_lock_on_an_old_day() {
    let old = Old::new().await;
    old.day(100, 9).await;
    old.execute(TODAY).await;
    let day =
        old.text("SELECT 'hookfast_data.events_' || to_char(day, 'YYYYMMDD') FROM hookfast_data.expired_days()").await;
    let mut connection = old.connect().await;
    let mut locking = connection.begin().await.expect("a transaction");
    locking
        .execute(AssertSqlSafe(format!(
            "LOCK TABLE {day} IN ACCESS EXCLUSIVE MODE"
        )))
        .await
        .expect("locked");
    no_session_waits(&old).await;
    old.ingest_is_not_blocked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_with_a_new_conflict_is_purged_in_a_later_round() {
    let old = Old::new().await;
    old.day(100, 2).await;
    let mut connection = old.connect().await;
    let mut emptying = connection.begin().await.expect("a transaction");
    emptying.execute(COPY).await.expect("a copy");
    old.execute(
        "INSERT INTO hookfast_data.events (id, source_id, subscription_version, type, origin, idempotency_key, headers, body, conflicts_with) \
            SELECT hookfast_data.new_event_id(), source_id, 0, 'airalo.x.conflict', 'webhook', 'c', '{}', '', id FROM hookfast_data.events WHERE idempotency_key = 'd100-2'",
    )
    .await;
    let done: bool = sqlx::query_scalar(PUT_BACK)
        .fetch_one(&mut *emptying)
        .await
        .expect("an answer");
    assert!(!done);
    emptying.rollback().await.expect("rolled back");
    old.announced().await;
    assert_eq!(old.round().await, purged(0, 1));
    assert_eq!(old.keys().await, "d100-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mark_of_an_unindexed_event_stays_with_it() {
    let old = Old::new().await;
    old.day(100, 2).await;
    old.execute("INSERT INTO hookfast_data.search_terms SELECT '', id FROM hookfast_data.events; SELECT hookfast.hold_event(id, 'a lawyer asked') FROM hookfast_data.events WHERE idempotency_key = 'd100-2'").await;
    old.announced().await;
    assert_eq!(old.round().await, purged(0, 1));
    assert_eq!(
        old.text("SELECT string_agg(term, '|' ORDER BY term) FROM hookfast_data.search_terms")
            .await,
        "|term-d100-2"
    );
}

#[tokio::test]
async fn a_day_that_fails_does_not_stop_the_purge_of_others() {
    let old = Old::new().await;
    old.day(100, 1).await;
    old.day(99, 1).await;
    let first = old
        .text("SELECT 'events_' || to_char(min(day), 'YYYYMMDD') FROM hookfast_data.expired_days()")
        .await;
    old.execute(&format!(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$; \
         CREATE TRIGGER refuses BEFORE TRUNCATE ON hookfast_data.{first} EXECUTE FUNCTION public.refuse(); \
         INSERT INTO hookfast_data.rollups (minute, subject, counter, value) VALUES (now() - interval '91 days', 'a', 'b', 1)"
    ))
    .await;
    old.announced().await;
    let left = old.round().await;
    assert_eq!((left.failed, left.days, left.rows), (1, 1, 1));
    assert_eq!(old.keys().await, "d100-1");
}

#[tokio::test]
async fn rows_are_copied_from_the_end_of_the_statement_before() {
    let old = Old::new().await;
    let key = |name: &str, hours: u32| {
        format!(
            "INSERT INTO hookfast_data.idempotency_keys (source_id, key, event_id, expires_at) SELECT id, '{name}', gen_random_uuid(), date_trunc('hour', now()) - interval '{hours} hours' FROM hookfast_data.sources WHERE name = 'airalo';"
        )
    };
    old.execute(&(key("a", 90) + &key("b", 80) + &key("c", 70)))
        .await;
    let purge = async |since: &str| {
        let statement = format!(
            "SELECT purged || ' ' || extract(epoch FROM date_trunc('hour', now()) - upto)::integer / 3600 FROM hookfast_data.purge_rows('keys', 2, {since})"
        );
        old.text(&statement).await
    };
    assert_eq!(purge("now() - interval '1000 days'").await, "2 80");
    old.execute(&key("older", 95)).await;
    let since = "date_trunc('hour', now()) - interval '80 hours'";
    assert_eq!(
        purge(since).await,
        "1 70",
        "the older day is left to the next round"
    );
    assert_eq!(purge(since).await, "0 80");
    assert_eq!(
        old.text("SELECT string_agg(key, ' ') FROM hookfast_data.idempotency_keys")
            .await,
        "older"
    );
}
