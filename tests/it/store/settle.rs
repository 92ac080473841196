//! The fence, the verdicts of a settlement, and rescue.

use super::{Store, rescue_expired, settlement, sweep_orphans};
use hookfast::internals::store::{Claim, LeaseId, Role, SettleOutcome, Settled};
use std::time::Duration;

#[tokio::test]
async fn only_the_claim_that_owns_a_delivery_settles_it() {
    let store = Store::new().await;
    store.fill("o", 1).await;
    let lease = store.lease().await;
    let claim = store.claim_all(lease, 10).await[0];
    assert_eq!(claim.attempt, 1);
    for stale in [
        Claim {
            attempt: 2,
            ..claim
        },
        Claim {
            lease: LeaseId(lease.0 + 1),
            ..claim
        },
        Claim {
            handler: hookfast::internals::store::HandlerId(99),
            ..claim
        },
    ] {
        assert_eq!(
            store.settle(stale, SettleOutcome::Delivered).await,
            Settled::Stale
        );
    }
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NOT NULL")
            .await,
        1
    );
    assert_eq!(
        store.settle(claim, SettleOutcome::Delivered).await,
        Settled::Done
    );
    assert_eq!(
        store.settle(claim, SettleOutcome::Delivered).await,
        Settled::Stale,
        "once"
    );
    assert_eq!(
        store
            .text("SELECT string_agg(state, ',') FROM hookfast.deliveries")
            .await,
        "delivered"
    );
}

#[tokio::test]
async fn each_outcome_sets_the_state_of_the_delivery() {
    let store = Store::new().await;
    store.fill("o", 1).await;
    let lease = store.lease().await;
    let state = "SELECT concat_ws(' ', attempt_number, attempts_left, lease_id IS NULL, due_at <= clock_timestamp()) FROM hookfast_data.outbox";
    let step = async |outcome, expected: &str| {
        let claim = store.claim_all(lease, 10).await[0];
        assert_eq!(store.settle(claim, outcome).await, Settled::Done);
        assert_eq!(store.text(state).await, expected);
    };
    step(SettleOutcome::Release(Duration::ZERO), "1 3 t t").await;
    step(SettleOutcome::Waits(Duration::ZERO), "2 3 t t").await;
    step(SettleOutcome::Retry(Duration::ZERO), "3 2 t t").await;
    step(SettleOutcome::Retry(Duration::from_secs(60)), "4 1 t f").await;
    assert!(store.claim_all(lease, 10).await.is_empty(), "it is not due");
    store
        .execute("UPDATE hookfast_data.outbox SET due_at = clock_timestamp()")
        .await;
    let last = store.claim_all(lease, 10).await[0];
    assert_eq!(
        store
            .settle(last, SettleOutcome::Retry(Duration::ZERO))
            .await,
        Settled::Dead,
        "that was its last attempt"
    );
    assert_eq!(
        store
            .text("SELECT concat_ws(' ', reason, attempts, last_error) FROM hookfast.dead_letters")
            .await,
        "attempts_exhausted 5 why"
    );
    let history = "SELECT string_agg(attempt_number || outcome, ' ' ORDER BY attempt_number) FROM hookfast.attempts";
    assert_eq!(
        store.text(history).await,
        "2retry 3retry 4retry 5dead",
        "a release records no attempt"
    );
}

#[tokio::test]
async fn a_row_that_an_operator_changes_meanwhile_is_settled_all_the_same() {
    let store = Store::new().await;
    store.fill("o", 3).await;
    let lease = store.lease().await;
    let claims = store.claim_all(lease, 10).await;
    let mut operator = store.pool.begin().await.expect("a transaction");
    sqlx::query("UPDATE hookfast_data.outbox SET attempts_left = 9 WHERE id = $1")
        .bind(claims[1].delivery.0)
        .execute(&mut *operator)
        .await
        .expect("changed");
    let outcomes: Vec<_> = claims
        .iter()
        .map(|&claim| settlement(claim, SettleOutcome::Retry(Duration::ZERO)))
        .collect();
    let mut connection = store.connection(Role::Settle).await;
    let settling = tokio::spawn(async move { connection.settle(&outcomes).await });
    crate::support::wait_until("the settlement to wait for the row", async || {
        store.count("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'hookfast settle' AND datname = current_database()").await == 1
    })
    .await;
    operator.commit().await.expect("committed");
    assert_eq!(settling.await.expect("settled"), [Settled::Done; 3]);
    assert_eq!(
        store.count("SELECT attempts_left::bigint FROM hookfast_data.outbox ORDER BY attempts_left DESC LIMIT 1").await,
        8,
        "the operator's number counts"
    );
}

#[tokio::test]
async fn an_expired_lease_cannot_claim_and_its_deliveries_are_lost_attempts() {
    let store = Store::new().await;
    store.fill("o", 2).await;
    for times in 1..=5 {
        let lease = store.lease().await;
        let claims = store.claim_all(lease, 1).await;
        assert_eq!(claims.len(), 1, "loss {times}");
        assert!(
            rescue_expired(&store.pool)
                .await
                .expect("a rescue")
                .is_empty(),
            "a live lease is not touched"
        );
        store
            .execute(
                "UPDATE hookfast_data.leases SET expires_at = clock_timestamp() - interval '1 ms'",
            )
            .await;
        assert!(
            store.claim_all(lease, 1).await.is_empty(),
            "an expired lease claims nothing"
        );
        let rescued = rescue_expired(&store.pool).await.expect("a rescue");
        assert_eq!(
            (rescued[0].rescued, rescued[0].dead),
            (1, i64::from(times == 5))
        );
        assert_eq!(
            store.settle(claims[0], SettleOutcome::Delivered).await,
            Settled::Stale
        );
        // The same delivery each time: the other one is delayed.
        store.execute("UPDATE hookfast_data.outbox SET due_at = CASE WHEN lost > 0 THEN clock_timestamp() ELSE 'infinity' END").await;
    }
    assert_eq!(
        store
            .text("SELECT concat_ws(' ', reason, attempts) FROM hookfast.dead_letters")
            .await,
        "lost 5"
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'lost'")
            .await,
        5
    );
    assert_eq!(
        store
            .count("SELECT attempts_left::bigint FROM hookfast_data.outbox")
            .await,
        3,
        "a loss uses up no attempt"
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.leases")
            .await,
        0
    );
}

/// The claim locks the row of its lease, so a rescue cannot judge the lease while a claim under it
/// is running.
#[tokio::test]
async fn a_claim_that_races_the_rescue_of_its_lease_leaves_no_orphan() {
    let store = Store::new().await;
    store.fill("o", 3).await;
    let lease = store.lease().await;
    let mut claiming = store.pool.begin().await.expect("a transaction");
    let claimed = sqlx::query(include_str!("../../../src/store/sql/claim.sql"))
        .bind(lease.0)
        .bind(store.handler.0)
        .bind(0i64)
        .bind(10i64)
        .bind(0i64)
        .bind(10i64)
        .fetch_all(&mut *claiming)
        .await
        .expect("a claim");
    assert_eq!(claimed.len(), 3);
    // Its claim is not committed yet, and its lease expires.
    let expire = "UPDATE hookfast_data.leases SET expires_at = clock_timestamp() - interval '1 ms'";
    sqlx::query(expire)
        .execute(&store.pool)
        .await
        .expect("a heartbeat's update passes beside the claim's lock");
    assert!(
        rescue_expired(&store.pool)
            .await
            .expect("a rescue")
            .is_empty()
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.leases")
            .await,
        1,
        "the lease is left to the next round"
    );
    claiming.commit().await.expect("committed");
    assert_eq!(
        rescue_expired(&store.pool).await.expect("a rescue")[0].rescued,
        3
    );
    assert_eq!(
        store
            .count("SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NOT NULL")
            .await,
        0
    );
}

#[tokio::test]
async fn rescue_waits_for_no_lock_and_the_sweep_finds_orphans() {
    let store = Store::new().await;
    store.fill("o", 3).await;
    let lease = store.lease().await;
    let claims = store.claim_all(lease, 10).await;
    let mut settling = store.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM hookfast_data.outbox WHERE id = $1 FOR UPDATE")
        .bind(claims[0].delivery.0)
        .execute(&mut *settling)
        .await
        .expect("locked");
    store
        .execute("UPDATE hookfast_data.leases SET expires_at = clock_timestamp() - interval '1 ms'")
        .await;
    assert_eq!(
        rescue_expired(&store.pool).await.expect("a rescue")[0].rescued,
        2,
        "the delivery that is being settled is skipped"
    );
    settling.rollback().await.expect("it timed out");
    store.execute("DELETE FROM hookfast_data.leases").await;
    assert!(
        rescue_expired(&store.pool)
            .await
            .expect("a rescue")
            .is_empty()
    );
    assert_eq!(sweep_orphans(&store.pool).await[0].rescued, 1);
}
