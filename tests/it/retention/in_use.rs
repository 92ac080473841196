//! Retention while readers and replays run, and after interruptions.

use super::{Old, purged};
use crate::support::wait_until;
use sqlx::{AssertSqlSafe, Connection};

#[tokio::test]
async fn no_replay_starts_between_check_and_purge() {
    let old = Old::new().await;
    old.day(100, 2).await;
    old.announced().await;
    let mut operator = old.connect().await;
    let mut replaying = operator.begin().await.expect("a transaction");
    sqlx::query(
        "SELECT hookfast.replay(event_id, 'shop', 'again') FROM hookfast.events WHERE idempotency_key = 'd100-1'",
    )
    .execute(&mut *replaying)
    .await
    .expect("a replay");
    let left = old.round().await;
    assert_eq!(
        (left.days, left.days_in_use),
        (0, 1),
        "it is not touched as long as that transaction is open"
    );
    replaying.commit().await.expect("committed");
    assert_eq!(old.round().await, purged(0, 1));
    assert_eq!(
        old.keys().await,
        "d100-1",
        "events that are pending again stay"
    );

    // The opposite case: a purged event cannot be replayed.
    let mut closing = operator.begin().await.expect("a transaction");
    old.execute("DELETE FROM hookfast_data.outbox").await;
    let stays: Option<i64> = sqlx::query_scalar(
        "SELECT hookfast_data.purge_day((now() AT TIME ZONE 'UTC')::date - 100)",
    )
    .fetch_one(&mut *closing)
    .await
    .expect("a day");
    assert_eq!(stays, Some(0));
    let mut other = old.connect().await;
    let replay = tokio::spawn(async move {
        let replay = "SELECT hookfast.replay((SELECT event_id FROM hookfast_data.idempotency_keys WHERE key = 'd100-1'), 'shop', 'too late')";
        sqlx::query(replay).execute(&mut other).await.map(drop)
    });
    wait_until("the replay to wait for the day to be closed", async || {
        old.text("SELECT count(*) FROM pg_locks WHERE relation = 'hookfast_data.history_lock'::regclass AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").await == "1"
    })
    .await;
    closing.commit().await.expect("committed");
    let refused = replay
        .await
        .expect("no panic")
        .expect_err("there is no such event any more");
    assert!(
        refused.to_string().contains("no event has the id"),
        "{refused}"
    );
    assert_eq!(
        old.text("SELECT count(*) FROM hookfast_data.outbox").await,
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn purging_waits_for_readers_and_ingest_waits_for_neither() {
    let old = Old::new().await;
    old.day(100, 2).await;
    old.announced().await;
    let mut connection = old.connect().await;
    let mut reader = connection.begin().await.expect("a transaction");
    sqlx::query("SELECT count(*) FROM hookfast_data.events")
        .execute(&mut *reader)
        .await
        .expect("a long report");
    let left = old.round().await;
    assert_eq!((left.days, left.days_in_use), (0, 1));
    old.ingest_is_not_blocked().await;
    assert_eq!(old.keys().await, "d100-1 d100-2", "nothing is half deleted");
    reader.commit().await.expect("the report ends");
    assert_eq!(old.round().await, purged(1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_detachment_is_finished_and_a_detached_day_is_kept() {
    let old = Old::new().await;
    for ago in [100, 99] {
        old.day(ago, 1).await;
    }
    let name = async |ago: i32| {
        old.text(&format!(
            "SELECT 'events_' || to_char((now() AT TIME ZONE 'UTC')::date - {ago}, 'YYYYMMDD')"
        ))
        .await
    };
    let (interrupted, kept) = (name(100).await, name(99).await);
    old.execute(&format!(
        "ALTER TABLE hookfast_data.events DETACH PARTITION hookfast_data.{kept}"
    ))
    .await;
    old.execute(&format!("DELETE FROM hookfast_data.{interrupted}"))
        .await;
    let mut connection = old.connect().await;
    let mut reader = connection.begin().await.expect("a transaction");
    sqlx::query("SELECT count(*) FROM hookfast_data.events")
        .execute(&mut *reader)
        .await
        .expect("a long report");
    let mut detaching = old.connect().await;
    let detach = format!(
        "ALTER TABLE hookfast_data.events DETACH PARTITION hookfast_data.{interrupted} CONCURRENTLY"
    );
    sqlx::raw_sql("SET statement_timeout = '300ms'")
        .execute(&mut detaching)
        .await
        .expect("set");
    sqlx::raw_sql(AssertSqlSafe(detach))
        .execute(&mut detaching)
        .await
        .expect_err("it waits for the reader");
    reader.commit().await.expect("the report ends");
    assert_eq!(
        old.text("SELECT count(*) FROM pg_inherits WHERE inhdetachpending")
            .await,
        "1"
    );

    old.announced().await;
    old.round().await;
    assert_eq!(
        old.text("SELECT count(*) FROM pg_inherits WHERE inhdetachpending")
            .await,
        "0"
    );
    assert!(
        !old.days().await.contains(&interrupted),
        "{}",
        old.days().await
    );
    assert!(
        old.days().await.contains(&kept),
        "it has rows, and is not Hookfast's any more"
    );
}
