//! Leases of clients: secret, renewable, and removed after they expire.

use super::{claim, code, complete, expire, running};
use crate::support::{postgres::database, wait_until};

/// Otherwise a client could settle the deliveries of another by counting.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_id_cannot_be_guessed_and_readers_do_not_see_it() {
    let database = database().await;
    let running = running(&database, 4).await;
    let mut leases = Vec::new();
    for _ in 0..4 {
        leases.push(claim(&running.pool, 1).await[0].0);
    }
    leases.sort_unstable();
    assert!(
        leases.windows(2).all(|pair| pair[1] - pair[0] > 1_000_000),
        "{leases:?}"
    );
    assert!(leases[0] > 1_000_000, "{leases:?}");
    let role = format!(
        "CREATE ROLE reads_{0} NOLOGIN; GRANT USAGE ON SCHEMA hookfast TO reads_{0}; \
        GRANT SELECT ON hookfast.workers TO reads_{0}",
        leases[3]
    );
    running.execute(&role).await;
    let mut reader = running.pool.begin().await.expect("a transaction");
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "SET LOCAL ROLE reads_{}",
        leases[3]
    )))
    .execute(&mut *reader)
    .await
    .expect("a reader");
    let shown = "SELECT count(*), count(lease_id) FROM hookfast.workers WHERE kind = 'pull'";
    let shown: (i64, i64) = sqlx::query_as(shown)
        .fetch_one(&mut *reader)
        .await
        .expect("the workers");
    assert_eq!(shown, (4, 0));
    reader.rollback().await.expect("rolled back");
    running
        .execute(&format!(
            "DROP OWNED BY reads_{0}; DROP ROLE reads_{0}",
            leases[3]
        ))
        .await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_lease_has_expired_cannot_commit() {
    let database = database().await;
    let running = running(&database, 2).await;
    let (late, other) = {
        let claimed = claim(&running.pool, 2).await;
        (claimed[0], claimed[1])
    };
    expire(&running).await;
    let mut again = Vec::new();
    wait_until("another client to get them", async || {
        again.extend(claim(&running.pool, 2).await);
        again.len() == 2
    })
    .await;
    assert_eq!(again[0].2, 2, "the attempt was counted");
    assert_eq!(complete(&running.pool, late).await, Err("HF002".into()));
    let failed = sqlx::query("SELECT hookfast.fail($1, $2, 'x')")
        .bind(other.0)
        .bind(other.1)
        .execute(&running.pool)
        .await;
    assert_eq!(failed.map(drop).map_err(code), Err("HF002".into()));
    let extended = sqlx::query("SELECT hookfast.extend_lease($1)")
        .bind(late.0)
        .execute(&running.pool)
        .await;
    assert_eq!(extended.map(drop).map_err(code), Err("HF002".into()));
    for claim in again {
        complete(&running.pool, claim).await.expect("held");
    }
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast_data.outbox")
            .await,
        0
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_lease_may_be_extended_until_it_is_rescued() {
    let database = database().await;
    let running = running(&database, 1).await;
    let claimed = claim(&running.pool, 1).await[0];
    running.execute("UPDATE hookfast_data.leases SET expires_at = now() - interval '1 ms' WHERE kind = 'pull'").await;
    let extend = "SELECT hookfast.extend_lease($1, '90 seconds') > clock_timestamp() + interval '80 seconds'";
    let prolonged: bool = sqlx::query_scalar(extend)
        .bind(claimed.0)
        .fetch_one(&running.pool)
        .await
        .expect("extended");
    assert!(prolonged);
    complete(&running.pool, claimed).await.expect("held");
    running.end().await;
}

/// Most leases end without any delivery left.
#[tokio::test(flavor = "multi_thread")]
async fn empty_leases_are_deleted_however_many_there_are() {
    let database = database().await;
    let running = running(&database, 1).await;
    let held = claim(&running.pool, 1).await[0];
    running
        .execute(
            "INSERT INTO hookfast_data.leases (kind, owner, handlers, deliveries, claimed_in, expires_at)
            SELECT 'pull', 'gone', handlers, '{0}', claimed_in, clock_timestamp() - interval '1 hour'
            FROM hookfast_data.leases, generate_series(1, 450) WHERE kind = 'pull'",
        )
        .await;
    assert_eq!(
        hookfast::internals::store::rescue_pulled(&running.pool)
            .await
            .expect("searched"),
        []
    );
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast_data.leases WHERE kind = 'pull'")
            .await,
        1
    );
    complete(&running.pool, held).await.expect("held");
    running.end().await;
}
